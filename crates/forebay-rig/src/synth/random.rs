//! Random bits as a function of where they are wanted, by folded multiplication (as in wyhash). Events are a function of the
//! seed, and kept results and tests have theirs: so this is code of our own, and no release of a library changes them.
//! Whatever else is drawn in Forebay is drawn by fastrand.

/// Mixes three numbers into one.
#[inline]
pub(super) fn hash(seed: u64, purpose: u64, index: u64) -> u64 {
    fold(fold(seed ^ 0xA076_1D64_78BD_642F, index ^ 0xE703_7ED1_A0B4_28DB), purpose ^ 0x8EBC_6AF0_9C88_C6E3)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Rng(u64);

impl Rng {
    /// The stream that begins with a number.
    pub(super) fn new(start: u64) -> Self {
        Self(start)
    }

    /// The next 64 bits.
    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        fold(self.0 ^ 0xA076_1D64_78BD_642F, self.0.rotate_left(29) ^ 0xE703_7ED1_A0B4_28DB)
    }

    /// A number below `end`, all as likely.
    #[inline]
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `start` to below `end`.
    pub(super) fn between(&mut self, start: u64, end: u64) -> u64 {
        start + self.below(end - start)
    }

    #[inline]
    pub(super) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// A number from 0 to below 1.
    #[inline]
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// One of these, the first ones much more often than the last.
    pub(super) fn pick_early<T: Copy>(&mut self, from: &[T]) -> T {
        let unit = self.unit();
        from[(unit * unit * from.len() as f64) as usize]
    }
}
