//! What the encoder writes, counted: for measurements and for those that make dictionaries. Costs nothing where the
//! tally is `()`.

use super::code::Role;

/// A part of a frame, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// The head.
    Header,
    /// Texts and spelled skeletons, compressed.
    Texts,
    /// DIDs.
    Dids,
    /// CIDs of other records, and of blobs.
    Cids,
    /// Records' own CIDs that were stored.
    OwnCids,
}

/// Counts.
pub trait Tally {
    /// A number was written, in so many bits.
    fn number(&mut self, role: Role, number: u64, bits: u32);
    /// A difference was written, in so many bits: one number of the role, or two.
    fn signed(&mut self, role: Role, difference: u64, bits: u32) {
        if difference < 1 << 63 {
            self.number(role, difference + 1, bits);
        } else {
            self.number(role, 0, 0);
            self.number(role, !difference, bits);
        }
    }
    /// Bytes of a column were written.
    fn bytes(&mut self, column: Column, bytes: &[u8]);
    /// The texts of a frame, before they are compressed.
    fn texts(&mut self, texts: &[u8]);
}

impl Tally for () {
    #[inline]
    fn number(&mut self, _: Role, _: u64, _: u32) {}
    #[inline]
    fn signed(&mut self, _: Role, _: u64, _: u32) {}
    #[inline]
    fn bytes(&mut self, _: Column, _: &[u8]) {}
    #[inline]
    fn texts(&mut self, _: &[u8]) {}
}
