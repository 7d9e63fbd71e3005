//! The identifiers of an event and their texts: DIDs, CIDs, TIDs. A value is only taken from a text that it
//! gives back byte for byte.

/// Bytes of a DID's text, `did:plc:` included.
pub(super) const DID_TEXT: usize = 32;
/// Bytes of a DID's value.
pub(super) const DID_BYTES: usize = 15;
/// Bytes of a CID's text.
pub(super) const CID_TEXT: usize = 59;
/// Bytes of a CID's value: its SHA-256.
pub(super) const CID_BYTES: usize = 32;
/// Characters of a TID.
pub(super) const TID_TEXT: usize = 13;

const DID_PREFIX: &[u8; 8] = b"did:plc:";

/// Five bits a byte, most significant first, from the low 40 bits of `bits`.
#[inline]
fn spread_40_bits(bits: u64) -> u64 {
    let halves = ((bits & 0xFF_FFF0_0000) << 12) | (bits & 0xF_FFFF);
    let quarters = ((halves & 0x000F_FC00_000F_FC00) << 6) | (halves & 0x0000_03FF_0000_03FF);
    ((quarters & 0x03E0_03E0_03E0_03E0) << 3) | (quarters & 0x001F_001F_001F_001F)
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// Eight characters of base32 (`a-z2-7`) from the low 40 bits.
#[inline]
fn base32(bits: u64) -> [u8; 8] {
    let digits = spread_40_bits(bits);
    let is_number = ((digits + ONES * 0x66) >> 7) & ONES;
    (digits + (ONES * 97 - is_number * 73)).to_be_bytes()
}

/// Eight characters of the sortable base32 of TIDs (`2-7a-z`) from the low 40 bits.
#[inline]
fn base32_sortable(bits: u64) -> [u8; 8] {
    let digits = spread_40_bits(bits);
    let is_letter = ((digits + ONES * 122) >> 7) & ONES;
    (digits + (ONES * 50 + is_letter * 41)).to_be_bytes()
}

/// The reverse of [`spread_40_bits`], of the low five bits of each byte.
#[inline]
fn gather_40_bits(digits: u64) -> u64 {
    let quarters = ((digits >> 3) & 0x03E0_03E0_03E0_03E0) | (digits & 0x001F_001F_001F_001F);
    let halves = ((quarters >> 6) & 0x000F_FC00_000F_FC00) | (quarters & 0x0000_03FF_0000_03FF);
    ((halves >> 12) & 0xFF_FFF0_0000) | (halves & 0xF_FFFF)
}

/// The 40 bits of eight characters of base32. What these are not shows when they are written again.
#[inline]
fn base32_bits(text: [u8; 8]) -> u64 {
    let text = u64::from_be_bytes(text);
    let is_letter = (text >> 6) & ONES;
    gather_40_bits(text.wrapping_sub(ONES * 24).wrapping_sub(is_letter * 73))
}

/// The 40 bits of eight characters of sortable base32, in the same way.
#[inline]
fn base32_sortable_bits(text: [u8; 8]) -> u64 {
    let text = u64::from_be_bytes(text);
    let is_letter = (text >> 6) & ONES;
    gather_40_bits(text.wrapping_sub(ONES * 50).wrapping_sub(is_letter * 41))
}

/// The value of a DID at the start of `text`.
#[inline]
pub(super) fn did(text: &[u8]) -> Option<[u8; DID_BYTES]> {
    let text = text.first_chunk::<DID_TEXT>()?;
    let [prefix, groups @ ..] = text.as_chunks::<8>().0 else { return None };
    if prefix != DID_PREFIX {
        return None;
    }
    let mut value = [0; DID_BYTES];
    for (to, group) in value.as_chunks_mut::<5>().0.iter_mut().zip(groups) {
        let [_, _, _, bytes @ ..] = base32_bits(*group).to_be_bytes();
        *to = bytes;
    }
    (did_text(&value) == *text).then_some(value)
}

/// A DID's text.
#[inline]
pub(super) fn did_text(value: &[u8; DID_BYTES]) -> [u8; DID_TEXT] {
    let mut text = [0; DID_TEXT];
    if let [prefix, groups @ ..] = text.as_chunks_mut::<8>().0 {
        *prefix = *DID_PREFIX;
        for (to, &[a, b, c, d, e]) in groups.iter_mut().zip(value.as_chunks::<5>().0) {
            *to = base32(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]));
        }
    }
    text
}

/// The hash of a CID at the start of `text`, and whether it is one of a record (`bafyrei`) or a blob (`bafkrei`).
#[inline]
pub(super) fn cid(text: &[u8]) -> Option<(bool, [u8; CID_BYTES])> {
    let text = text.first_chunk::<CID_TEXT>()?;
    let is_record = match text.first_chunk::<7>()? {
        b"bafyrei" => true,
        b"bafkrei" => false,
        _ => return None,
    };
    // The 36 bytes of the CID: the hash, behind the four that were just seen.
    let [_, characters @ ..] = text;
    let (groups, last) = characters.as_chunks::<8>();
    let mut bytes = [0; 40];
    let last = [*last.first()?, *last.last()?, b'a', b'a', b'a', b'a', b'a', b'a'];
    for (to, group) in bytes.as_chunks_mut::<5>().0.iter_mut().zip(groups.iter().chain([&last])) {
        let [_, _, _, five @ ..] = base32_bits(*group).to_be_bytes();
        *to = five;
    }
    let value = *bytes.get(4..)?.first_chunk()?;
    (cid_text(is_record, &value) == *text).then_some((is_record, value))
}

/// A CID's text.
#[inline]
pub(super) fn cid_text(is_record: bool, value: &[u8; CID_BYTES]) -> [u8; CID_TEXT] {
    let mut text = [b'a'; CID_TEXT];
    // The 36 bytes of the CID, in seven groups of 40 bits and one byte.
    let mut bytes = [0; 40];
    bytes[..4].copy_from_slice(&[1, if is_record { 0x71 } else { 0x55 }, 0x12, 0x20]);
    bytes[4..36].copy_from_slice(value);
    let mut groups = bytes.as_chunks::<5>().0.iter();
    text[0] = b'b';
    for to in text[1..].as_chunks_mut::<8>().0 {
        if let Some(&[a, b, c, d, e]) = groups.next() {
            *to = base32(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]));
        }
    }
    text[57..].copy_from_slice(&base32(u64::from(bytes[35]) << 32)[..2]);
    text
}

/// The 64 bits of a TID at the start of `text`.
#[inline]
pub(super) fn tid(text: &[u8]) -> Option<u64> {
    let text = text.first_chunk::<TID_TEXT>()?;
    let (high, low) = text.split_first_chunk::<8>()?;
    let &[a, b, c, d, e] = low.first_chunk()?;
    let low = base32_sortable_bits([a, b, c, d, e, b'2', b'2', b'2']) >> 15;
    let value = base32_sortable_bits(*high) << 25 | low;
    (tid_text(value) == *text).then_some(value)
}

/// A TID's text.
#[inline]
pub(super) fn tid_text(value: u64) -> [u8; TID_TEXT] {
    let mut text = [0; TID_TEXT];
    text[..8].copy_from_slice(&base32_sortable(value >> 25));
    text[8..].copy_from_slice(&base32_sortable((value & 0x1FF_FFFF) << 15)[..5]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_give_back_their_texts() {
        let text = b"did:plc:wq4aajammjtxdomz3e23667t";
        assert_eq!(did_text(&did(text).unwrap()), *text);
        for text in [
            b"bafyreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4i",
            b"bafkreih777777777777777777777777777777777777777777777777774",
            b"bafyreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            let (is_record, value) = cid(text).unwrap();
            assert_eq!(cid_text(is_record, &value), *text);
        }
        for text in [b"3mptbypluud2a", b"2222222222222", b"jzzzzzzzzzzzz"] {
            assert_eq!(tid_text(tid(text).unwrap()), *text);
        }
        assert_eq!(tid(b"kzzzzzzzzzzzz"), None);
    }
}
