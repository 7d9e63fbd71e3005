//! A string of bits, least significant bit of each byte first: the part of a frame that holds its numbers.
//!
//! It lies at the end of a frame, its bytes in reverse, so that no length is needed: values are read from the front
//! of the body and bits from its end, and the two meet where the body is whole.

/// Bits that the reader can look at without moving, at least.
const PEEK_BITS: u32 = 56;

/// Collects bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl BitWriter {
    /// Forgets what was written and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.held, self.count) = (0, 0);
    }

    /// Writes the low `count` bits of `bits`, of which the others are zero. At most 64.
    #[inline]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        if count > 32 {
            self.put_short(bits & 0xFFFF_FFFF, 32);
            self.put_short(bits >> 32, count - 32);
        } else {
            self.put_short(bits, count);
        }
    }

    #[inline]
    fn put_short(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes.extend_from_slice(&(self.held as u32).to_le_bytes());
            self.held >>= 32;
            self.count -= 32;
        }
    }

    /// How many bits there are.
    pub(super) fn len_bits(&self) -> usize {
        self.bytes.len() * 8 + self.count as usize
    }

    /// Fills the last byte with zeros and appends all of them, the last one first.
    pub(super) fn append_reversed(&mut self, out: &mut Vec<u8>) {
        while self.count > 0 {
            self.bytes.push(self.held as u8);
            self.held >>= 8;
            self.count = self.count.saturating_sub(8);
        }
        out.extend(self.bytes.iter().rev());
    }
}

/// Reads values from the front of a frame's body and bits from its end: the last byte is the first of the bits.
#[derive(Debug)]
pub(super) struct Body<'a> {
    bytes: &'a [u8],
    /// The next bit, from the end. It may run past the front of a damaged body: what is read there is zero, and
    /// [`Body::is_sound`] reports it.
    at: usize,
    /// Where the next value starts.
    value_at: usize,
}

impl<'a> Body<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, value_at: 0 }
    }

    /// The bytes from which the next bit on is read.
    #[inline]
    fn ahead(&self) -> &'a [u8] {
        let end = self.bytes.len().saturating_sub(self.at / 8);
        self.bytes.get(..end).unwrap_or_default()
    }

    /// The next bits, at least [`PEEK_BITS`] of them.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let ahead = self.ahead();
        let word =
            ahead.last_chunk::<8>().map_or_else(|| short_word(ahead), |bytes| u64::from_be_bytes(*bytes));
        word >> (self.at % 8)
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.at += count as usize;
    }

    /// The next `count` bits, at most 64.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u64 {
        if count <= PEEK_BITS {
            let bits = self.peek() & !(u64::MAX << count);
            self.skip(count);
            return bits;
        }
        let low = self.take(32);
        low | (self.take(count - 32) << 32)
    }

    /// The next value.
    #[inline]
    pub(super) fn take_value<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let value = self.bytes.get(self.value_at..)?.first_chunk::<N>()?;
        self.value_at += N;
        Some(value)
    }

    /// Whether values and bits have not run into each other.
    #[inline]
    pub(super) fn is_sound(&self) -> bool {
        self.value_at + self.at.div_ceil(8) <= self.bytes.len()
    }

    /// Whether values and bits have met, with nothing but zeros in between.
    pub(super) fn is_used_up(&self) -> bool {
        let unused = (8 - self.at % 8) % 8;
        self.value_at + self.at.div_ceil(8) == self.bytes.len() && self.peek() & !(u64::MAX << unused) == 0
    }
}

/// What is left of a body that has fewer than eight bytes.
#[cold]
fn short_word(ahead: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, byte) in word.iter_mut().zip(ahead.iter().rev()) {
        *to = *byte;
    }
    u64::from_le_bytes(word)
}
