//! The network's identifiers as text: DIDs, TIDs and CIDs made, read and checked.
//!
//! Each is kept as its text, which is what events carry; all are of fixed length, so all are `Copy`.

use sha2::{Digest, Sha256};

const ONES: u64 = 0x0101_0101_0101_0101;
/// `did:plc:` and 24 characters.
const DID_PREFIX: &[u8; 8] = b"did:plc:";
/// CID version 1, then the codec, then sha2-256 and its length.
const CID_HEADER_LEN: usize = 4;

/// Five bits a byte, most significant first, from the low 40 bits of `bits`.
fn spread_40_bits(bits: u64) -> u64 {
    let halves = ((bits & 0xFF_FFF0_0000) << 12) | (bits & 0xF_FFFF);
    let quarters = ((halves & 0x000F_FC00_000F_FC00) << 6) | (halves & 0x0000_03FF_0000_03FF);
    ((quarters & 0x03E0_03E0_03E0_03E0) << 3) | (quarters & 0x001F_001F_001F_001F)
}

/// Eight characters of RFC 4648 base32 in lower case (`a-z2-7`).
fn base32(bits: u64) -> [u8; 8] {
    let digits = spread_40_bits(bits);
    let is_number = ((digits + ONES * 0x66) >> 7) & ONES;
    (digits + (ONES * 97 - is_number * 73)).to_be_bytes()
}

/// Eight characters of the sortable base32 of TIDs (`2-7a-z`).
fn base32_sortable(bits: u64) -> [u8; 8] {
    let digits = spread_40_bits(bits);
    let is_letter = ((digits + ONES * 122) >> 7) & ONES;
    (digits + (ONES * 50 + is_letter * 41)).to_be_bytes()
}

fn base32_value(character: u8) -> Option<u8> {
    match character {
        b'a'..=b'z' => Some(character - b'a'),
        b'2'..=b'7' => Some(character - b'2' + 26),
        _ => None,
    }
}

/// A `did:plc` identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Did([u8; Self::LEN]);

impl Did {
    /// Bytes of its text.
    pub const LEN: usize = 32;

    /// The DID of these 120 bits: `high` gives the first 64, `low` the other 56 from its top.
    pub fn from_bits(high: u64, low: u64) -> Self {
        let mut text = [0; Self::LEN];
        text[..8].copy_from_slice(DID_PREFIX);
        text[8..16].copy_from_slice(&base32(high >> 24));
        text[16..24].copy_from_slice(&base32(((high & 0xFF_FFFF) << 16) | (low >> 48)));
        text[24..].copy_from_slice(&base32((low >> 8) & 0xFF_FFFF_FFFF));
        Self(text)
    }

    /// Reads a `did:plc` identifier.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let name = text.strip_prefix(DID_PREFIX)?;
        let plain = name.iter().all(|&character| base32_value(character).is_some());
        if plain { text.try_into().ok().map(Self) } else { None }
    }

    /// Its text.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// A timestamp identifier: microseconds since 1970 and a clock's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tid([u8; Self::LEN]);

impl Tid {
    /// Bytes of its text.
    pub const LEN: usize = 13;

    /// The TID of a moment, made by one of 1,024 clocks.
    pub fn new(time_us: u64, clock: u16) -> Self {
        let value = ((time_us << 10) | u64::from(clock & 0x3FF)) & (u64::MAX >> 1);
        let mut text = [0; Self::LEN];
        text[..8].copy_from_slice(&base32_sortable(value >> 25));
        text[8..].copy_from_slice(&base32_sortable((value & 0x1FF_FFFF) << 15)[..5]);
        Self(text)
    }

    /// Reads a TID: 13 characters, the first of which leaves the top bit clear.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let valid = |character: &u8| matches!(character, b'2'..=b'7' | b'a'..=b'z');
        let text: [u8; Self::LEN] = text.try_into().ok()?;
        (text.iter().all(valid) && text[0] <= b'j').then_some(Self(text))
    }

    /// The moment it was made.
    pub fn time_us(&self) -> u64 {
        self.value() >> 10
    }

    /// The number of the clock that made it.
    pub fn clock(&self) -> u16 {
        (self.value() & 0x3FF) as u16
    }

    /// Its text.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn value(&self) -> u64 {
        self.0.iter().fold(0, |value, &character| {
            let digit = if character >= b'a' { character - b'a' + 6 } else { character - b'2' };
            (value << 5) | u64::from(digit)
        })
    }
}

/// A content identifier, version 1, of a sha2-256 hash, in binary form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cid([u8; Self::LEN]);

impl Cid {
    /// Bytes of its binary form.
    pub const LEN: usize = 36;
    /// Bytes of its text: `b` and 58 characters of base32.
    pub const TEXT_LEN: usize = 59;
    const DAG_CBOR: u8 = 0x71;
    const RAW: u8 = 0x55;

    fn from_digest(codec: u8, digest: &[u8]) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes[..CID_HEADER_LEN].copy_from_slice(&[1, codec, 0x12, 0x20]);
        bytes[CID_HEADER_LEN..].copy_from_slice(digest);
        Self(bytes)
    }

    /// The CID of a record in canonical DAG-CBOR (`bafyrei…`).
    pub fn of_dag_cbor(encoded: &[u8]) -> Self {
        Self::from_digest(Self::DAG_CBOR, &Sha256::digest(encoded))
    }

    /// The CID of a blob (`bafkrei…`) with this hash.
    pub fn of_blob_digest(digest: &[u8; 32]) -> Self {
        Self::from_digest(Self::RAW, digest)
    }

    /// Reads the text of a sha2-256 CID of a record or a blob.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"b").filter(|digits| digits.len() == Self::TEXT_LEN - 1)?;
        let mut bytes = [0; Self::LEN];
        let (mut held, mut bits, mut written) = (0_u32, 0, 0);
        for &digit in digits {
            held = (held << 5) | u32::from(base32_value(digit)?);
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                *bytes.get_mut(written)? = (held >> bits) as u8;
                written += 1;
                held &= (1 << bits) - 1;
            }
        }
        let known = matches!(bytes[..CID_HEADER_LEN], [1, Self::DAG_CBOR | Self::RAW, 0x12, 0x20]);
        (known && held == 0).then_some(Self(bytes))
    }

    /// Its binary form.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Its text.
    pub fn text(&self) -> [u8; Self::TEXT_LEN] {
        let mut text = [b'b'; Self::TEXT_LEN];
        let (groups, rest) = self.0.as_chunks::<5>();
        for (group, characters) in groups.iter().zip(text[1..].as_chunks_mut::<8>().0) {
            let [a, b, c, d, e] = *group;
            *characters = base32(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]));
        }
        text[57..].copy_from_slice(&base32(u64::from(rest[0]) << 32)[..2]);
        text
    }
}

/// Whether this is an AT-URI of a record: a DID, a collection's NSID, and a record key.
pub fn is_record_uri(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("at://") else { return false };
    let mut parts = rest.split('/');
    let (did, collection, rkey) = (parts.next(), parts.next(), parts.next());
    parts.next().is_none()
        && did.is_some_and(|did| Did::parse(did.as_bytes()).is_some())
        && collection.is_some_and(is_nsid)
        && rkey.is_some_and(is_record_key)
}

fn is_nsid(name: &str) -> bool {
    let segment = |segment: &str| {
        (1..=63).contains(&segment.len())
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !segment.starts_with('-')
            && !segment.ends_with('-')
    };
    let last_is_name = name.rsplit('.').next().is_some_and(|last| {
        last.starts_with(|first: char| first.is_ascii_alphabetic()) && !last.contains('-')
    });
    name.len() <= 317 && name.split('.').count() >= 3 && name.split('.').all(segment) && last_is_name
}

fn is_record_key(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_~.:-".contains(&byte);
    (1..=512).contains(&key.len()) && key != "." && key != ".." && key.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn did_of_bits_is_base32_of_those_bits() {
        assert_eq!(Did::from_bits(0, 0).as_bytes(), b"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(Did::from_bits(u64::MAX, u64::MAX).as_bytes(), b"did:plc:777777777777777777777777");
        // 01 23 … as RFC 4648 has it.
        let did = Did::from_bits(0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3200);
        assert_eq!(did.as_bytes(), b"did:plc:aerukz4jvpg677w4xkmhmvbs");
        assert_eq!(Did::parse(did.as_bytes()), Some(did));
        assert_eq!(Did::parse(b"did:plc:aerukz4jvpg677w4xkmhmvb1"), None);
        assert_eq!(Did::parse(b"did:web:aerukz4jvpg677w4xkmhmvbs"), None);
    }

    #[test]
    fn tid_gives_back_its_time_and_clock() {
        let tid = Tid::parse(b"3mptbypluud2a").unwrap();
        assert_eq!((tid.time_us(), tid.clock()), (1_783_175_887_514_441, 6));
        assert_eq!(Tid::new(tid.time_us(), tid.clock()), tid);
        assert!(Tid::new(1, 0) < Tid::new(1, 1) && Tid::new(1, 1023) < Tid::new(2, 0));
        for wrong in [&b"3mptbypluud2"[..], b"kmptbypluud2a", b"3mptbypluud1a", b"3mptbypluud2aa"] {
            assert_eq!(Tid::parse(wrong), None);
        }
    }

    #[test]
    fn cid_text_and_bytes_are_one_another() {
        let text = "bafyreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4i";
        assert_eq!(Cid::parse(text.as_bytes()).unwrap().text(), *text.as_bytes());
        assert_eq!(Cid::parse(&text.as_bytes()[..58]), None);
        // The last character has two bits that stand for nothing and must be zero.
        assert_eq!(Cid::parse(text.replace("pc4i", "pc4j").as_bytes()), None);
        assert_eq!(Cid::parse(text.replace("bafy", "bafz").as_bytes()), None);
    }

    #[test]
    fn record_uri_has_three_valid_parts() {
        let did = "did:plc:wq4aajammjtxdomz3e23667t";
        assert!(is_record_uri(&format!("at://{did}/app.bsky.feed.post/3mptbyplj5d2a")));
        for tail in
            ["app.bsky.feed.post", "app.bsky/self", "app.bsky.feed.post/a/b", "app.bsky.feed.post/a b"]
        {
            assert!(!is_record_uri(&format!("at://{did}/{tail}")), "{tail}");
        }
        assert!(!is_record_uri("at://did:plc:short/app.bsky.feed.post/self"));
    }
}
