//! Values of a block that came before, so that a repeat is a reference.

/// Places for values that can be found again; a block with more keeps the latest at each place.
const SLOTS: usize = 1 << 10;

/// A value that can be kept.
pub(super) trait Key: Copy + PartialEq {
    /// Bits that differ between values.
    fn bits(&self) -> u64;
}

impl<const N: usize> Key for [u8; N] {
    #[inline]
    fn bits(&self) -> u64 {
        self.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

impl Key for u64 {
    #[inline]
    fn bits(&self) -> u64 {
        *self
    }
}

/// Values in the order they came, each once.
#[derive(Debug)]
pub(super) struct History<T> {
    values: Vec<T>,
    /// By hash: one more than the place of a value.
    slots: Vec<u32>,
}

impl<T: Key> History<T> {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), slots: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        if self.values.len() < SLOTS / 8 {
            for value in &self.values {
                if let Some(slot) = self.slots.get_mut(slot_of(value)) {
                    *slot = 0;
                }
            }
        } else {
            self.slots.fill(0);
        }
        self.values.clear();
    }

    #[inline]
    pub(super) fn push(&mut self, value: T) {
        self.values.push(value);
    }

    /// The value so many ago: 1 is the last.
    #[inline]
    pub(super) fn back(&self, back: u64) -> Option<T> {
        let at = self.values.len().checked_sub(usize::try_from(back).ok()?)?;
        self.values.get(at).copied()
    }

    /// How many ago the value was, or 0 where it is new; then it is kept.
    #[inline]
    pub(super) fn find_or_push(&mut self, value: T) -> u64 {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
        }
        let Some(slot) = self.slots.get_mut(slot_of(&value)) else { return 0 };
        let place = *slot as usize;
        if place > 0 && self.values.get(place - 1) == Some(&value) {
            return (self.values.len() + 1 - place) as u64;
        }
        self.values.push(value);
        *slot = self.values.len() as u32;
        0
    }
}

#[inline]
fn slot_of<T: Key>(value: &T) -> usize {
    (value.bits().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SLOTS.trailing_zeros())) as usize
}
