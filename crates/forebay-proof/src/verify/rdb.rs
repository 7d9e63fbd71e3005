//! The head of a snapshot, and where it ends: which format it has, who wrote it, and what may follow it in an append-only
//! file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use serde::Serialize;

/// So many bytes hold every head.
const HEAD_BYTES: u64 = 4096;
/// A checksum ends it.
const CHECKSUM_BYTES: usize = 8;
/// What stands before the checksum, and before a field of the head.
const END: u8 = 0xFF;
const FIELD: u8 = 0xFA;

/// What a snapshot says of itself in its head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The number of its format.
    pub format: u32,
    /// The server that wrote it: `Redis 8.2.3`.
    pub writer: Option<String>,
    /// When, in seconds since 1970.
    pub created: Option<u64>,
    /// Whether nothing follows the head: no key, and no function.
    pub is_empty: bool,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RDB format {}", self.format)?;
        self.writer.as_ref().map_or(Ok(()), |writer| write!(f, ", written by {writer}"))
    }
}

impl Head {
    /// The head of a file; none where it is no snapshot.
    pub(super) fn read(file: &mut File) -> io::Result<Option<Self>> {
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut bytes)?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.strip_prefix(b"REDIS").and_then(|rest| rest.get(..4));
        let digits = digits.or_else(|| bytes.strip_prefix(b"VALKEY").and_then(|rest| rest.get(..3)))?;
        let format = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let mut rest = &bytes[9..];
        let (mut writer, mut created) = (None, None);
        while let Some((key, value, after)) = rest.strip_prefix(&[FIELD]).and_then(field) {
            match key.as_str() {
                "valkey-ver" => writer = Some(format!("Valkey {value}")),
                "redis-ver" if writer.is_none() => writer = Some(format!("Redis {value}")),
                "ctime" => created = value.parse().ok(),
                _ => {}
            }
            rest = after;
        }
        Some(Self { format, writer, created, is_empty: rest.first() == Some(&END) })
    }
}

/// A field of the head: its name, its value, and what follows.
fn field(bytes: &[u8]) -> Option<(String, String, &[u8])> {
    let (key, rest) = string(bytes)?;
    let (value, rest) = string(rest)?;
    Some((key, value, rest))
}

/// A string as it stands there: with its length before it, or as a number.
fn string(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = match (first >> 6, first & 0x3F) {
        (0, length) => (usize::from(length), rest),
        (1, high) => (usize::from(high) << 8 | usize::from(*rest.first()?), &rest[1..]),
        (3, size @ 0..=2) => {
            let size = 1 << size;
            let (number, rest) = (rest.get(..size)?, &rest[size..]);
            let number = number.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            return Some((number.to_string(), rest));
        }
        _ => return None,
    };
    let text: String =
        String::from_utf8_lossy(rest.get(..length)?).chars().filter(|c| !c.is_control()).collect();
    Some((text, &rest[length..]))
}

/// Where the commands begin behind a snapshot that opens a file: its checksum is that of all before it. None where no
/// place has the right one.
///
/// Two places can: where the byte before the end's mark is one like it, and the checksum's last byte is 0, the checksum fits a
/// byte sooner too. Then the later place is the end.
pub(super) fn end(file: &mut File) -> io::Result<Option<u64>> {
    file.seek(SeekFrom::Start(0))?;
    let table = table();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut sum, mut at) = (0_u64, 0_u64);
    let (mut summed, mut unsummed) = (None, None);
    // The bytes behind an end that are its checksum, or are not: at most one end is looked at in eight bytes.
    let mut ahead: Vec<(u64, u64)> = Vec::new();
    let mut last = 0_u64;
    loop {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            return Ok(summed.or(unsummed));
        }
        let length = piece.len();
        for byte in piece {
            last = last >> 8 | u64::from(*byte) << 56;
            at += 1;
            while let Some((ends, wanted)) = ahead.first().copied().filter(|(ends, _)| *ends <= at) {
                if last == wanted {
                    summed = Some(ends);
                }
                // Without checksums eight zeros stand there: the last such place counts, if none has the right one.
                if last == 0 {
                    unsummed = Some(ends);
                }
                ahead.remove(0);
            }
            if summed.is_some_and(|ends| ends < at) {
                return Ok(summed);
            }
            sum = table[usize::from((sum as u8) ^ byte)] ^ (sum >> 8);
            if *byte == END {
                ahead.push((at + CHECKSUM_BYTES as u64, sum));
            }
        }
        reader.consume(length);
    }
}

/// Of CRC-64 as servers use it (Jones, reflected, beginning with 0).
fn table() -> [u64; 256] {
    const POLYNOMIAL: u64 = 0x95AC_9329_AC4B_C9B5;
    std::array::from_fn(|byte| {
        (0..8).fold(byte as u64, |sum, _| if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_head_says_its_format_and_its_writer() {
        let redis = b"REDIS0012\xfa\x09redis-ver\x058.2.3\xfa\x0aredis-bits\xc0\x40\xfe\x00";
        let expected =
            Head { format: 12, writer: Some("Redis 8.2.3".into()), created: None, is_empty: false };
        assert_eq!(Head::parse(redis), Some(expected));
        let valkey = b"VALKEY080\xfa\x0avalkey-ver\x059.1.2\xfa\x05ctime\xc2\x01\x02\x03\x04";
        assert_eq!(Head::parse(valkey).unwrap().to_string(), "RDB format 80, written by Valkey 9.1.2");
        assert_eq!(Head::parse(valkey).unwrap().created, Some(0x0403_0201));
        assert_eq!(Head::parse(b"REDIS0010\xfa\xff").unwrap().to_string(), "RDB format 10");
        assert!(Head::parse(b"REDIS0010\xfa\x01a\x01b\xff").unwrap().is_empty);
        for other in [&b"*1\r\n"[..], b"REDIS", b"REDISxxxx", b""] {
            assert_eq!(Head::parse(other), None);
        }
    }

    #[test]
    fn a_snapshot_ends_where_its_checksum_is_right() {
        let table = table();
        let sum = |bytes: &[u8]| {
            bytes.iter().fold(0_u64, |sum, byte| table[usize::from((sum as u8) ^ byte)] ^ (sum >> 8))
        };
        assert_eq!(sum(b"123456789"), 0xE9C6_D914_C4B8_D9CA, "the check value of this CRC");
        let body = b"REDIS0010\xfa\x01a\x01b\xfe\x00\xff\xff\x03\xff";
        let whole = [&body[..], &sum(body).to_le_bytes()].concat();
        let end_of = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            end(&mut file).unwrap()
        };
        let length = whole.len() as u64;
        assert_eq!(end_of(&whole), Some(length));
        assert_eq!(end_of(&[&whole[..], b"*1\r\n$4\r\nPING\r\n"].concat()), Some(length));
        assert_eq!(end_of(&[&body[..], &[0; 8], b"*1\r\n"].concat()), Some(length));
        // Of a mark behind a byte like it, whose checksum ends in 0: it fits a byte sooner too.
        let bodies =
            (0..10_000_u32).map(|number| [b"REDIS0010", &number.to_le_bytes()[..], b"\xff\xff"].concat());
        let doubtful: Vec<Vec<u8>> = bodies.filter(|body| sum(body).to_le_bytes()[7] == 0).collect();
        assert!(doubtful.len() > 10, "{}", doubtful.len());
        for body in doubtful {
            let whole = [&body[..], &sum(&body).to_le_bytes()].concat();
            let length = whole.len() as u64;
            assert_eq!(end_of(&whole), Some(length));
            assert_eq!(end_of(&[&whole[..], b"*1\r\n"].concat()), Some(length));
        }
        assert_eq!(end_of(&whole[..whole.len() - 1]), None);
        assert_eq!(end_of(&[&whole[..12], b"x", &whole[13..]].concat()), None);
    }
}
