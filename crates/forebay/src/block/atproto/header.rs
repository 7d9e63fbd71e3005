//! What a frame says of itself before its events.

use super::VERSION;
use super::error::DecodeError;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The dictionary that it was written with.
    pub dictionary: u32,
    /// How many events it holds.
    pub events: u64,
    /// How many bytes they have, separators included.
    pub size: usize,
    /// CRC-32 (IEEE) of those bytes.
    pub checksum: u32,
    /// Bytes of the compressed texts.
    pub(super) texts: usize,
}

impl Header {
    /// The head of a frame, and what follows.
    pub fn read(frame: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (&version, rest) = frame.split_first().ok_or(DecodeError::Truncated)?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let (dictionary, rest) = take_varint(rest)?;
        let (events, rest) = take_varint(rest)?;
        let (size, rest) = take_varint(rest)?;
        let (checksum, rest) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        let (texts, rest) = take_varint(rest)?;
        let header = Self {
            dictionary: u32::try_from(dictionary).map_err(|_| DecodeError::Varint)?,
            events,
            size: usize::try_from(size).map_err(|_| DecodeError::Varint)?,
            checksum: u32::from_le_bytes(*checksum),
            texts: usize::try_from(texts).map_err(|_| DecodeError::Varint)?,
        };
        Ok((header, rest))
    }

    /// Holds it against what the reader has.
    pub(super) fn check(&self, dictionary: u32, limit: usize) -> Result<(), DecodeError> {
        if self.dictionary != dictionary {
            return Err(DecodeError::Dictionary { said: self.dictionary, given: dictionary });
        }
        if self.size > limit {
            return Err(DecodeError::TooLarge { size: self.size, limit });
        }
        // Every event but the first has a separator.
        if self.events > self.size as u64 + 1 { Err(DecodeError::Size) } else { Ok(()) }
    }

    /// The most that the texts can have: each byte of an event that stands for itself takes up to two, each event
    /// and each empty text a line feed.
    pub(super) fn texts_size_max(&self) -> usize {
        self.size.saturating_mul(2).saturating_add(64)
    }
}

/// Appends a number, seven bits a byte, the low ones first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A number of at most five bytes in its shortest form, and what follows.
fn take_varint(bytes: &[u8]) -> Result<(u64, &[u8]), DecodeError> {
    let mut number = 0;
    for (at, &byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7F) << (7 * at);
        if byte < 0x80 {
            let is_shortest = byte > 0 || at == 0;
            let rest = bytes.get(at + 1..).unwrap_or_default();
            return if is_shortest { Ok((number, rest)) } else { Err(DecodeError::Varint) };
        }
    }
    Err(if bytes.len() < 5 { DecodeError::Truncated } else { DecodeError::Varint })
}
