//! How a number is written: the number of its significant bits by a prefix code, then those bits below the first.
//!
//! Each role of a number (see [`Role`]) has a code of its own, which the dictionary brings along: what is likely for
//! the role is short. Every number of 64 bits can be written in every role.

use super::bits::{BitWriter, Body};

/// Classes of numbers: 0 is the number zero, `c` are the numbers of `c` significant bits.
pub const CLASSES: usize = 65;
/// The longest code, in bits.
pub const CODE_BITS_MAX: u32 = 11;
/// Bytes of a code in the dictionary: a nibble each, the low one first.
pub const CODE_BYTES: usize = CLASSES.div_ceil(2);

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What a number is for, which decides the code it is written in. The order is the dictionary's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Role { $($(#[$doc])* $name),* }
        /// All roles, in order.
        pub const ROLES: &[Role] = &[$(Role::$name),*];
    };
}

roles! {
    /// Which skeleton an event has: the place in the list of skeletons, of which the last used is the first.
    Shape,
    /// The first `time_us` of a block, as difference to a constant.
    FirstTime,
    /// Another `time_us`, as difference to the one before.
    NextTime,
    /// A DID: 0 is a new one, else how many new ones ago it came.
    Did,
    /// The same for CIDs.
    Cid,
    /// The record's own CID: 0 is computed from the record, 1 is stored.
    OwnCid,
    /// A revision: how long before the event, in microseconds.
    RevTime,
    /// A revision: its clock.
    RevClock,
    /// A record key made by the server: how long before the revision, in milliseconds.
    RkeyTime,
    /// A record key made by the server: its microseconds beyond the millisecond less those of the revision.
    RkeyMicros,
    /// A record key made by the server: its clock, exclusive or that of the revision.
    RkeyClock,
    /// A record key made by the client: how long before the revision, in milliseconds.
    KeyTime,
    /// A record key made by the client: its microseconds.
    KeyMicros,
    /// A record key made by the client: its clock.
    KeyClock,
    /// Any other TID: how long before the event, in milliseconds.
    TidTime,
    /// Any other TID: 0 is a new one, else how many new ones ago it came.
    TidBack,
    /// Any other TID: its microseconds.
    TidMicros,
    /// Any other TID: its clock.
    TidClock,
    /// A time: how long before the last revision, server's key or event.
    Created,
    /// A time beside a key that the client made: how long before that.
    CreatedWithKey,
    /// A whole number.
    Int,
}

/// The prefix code of a role.
#[derive(Debug)]
pub(super) struct Code {
    /// By class: the code's bits in the order they are sent, and how many.
    write: [(u16, u8); CLASSES],
    /// By the next bits: class and length.
    read: Box<[(u8, u8); 1 << CODE_BITS_MAX]>,
}

impl Code {
    /// The canonical code of these lengths; none where they do not fill the space of codes exactly.
    pub(super) fn of_lengths(lengths: &[u8; CLASSES]) -> Option<Self> {
        let mut code = Self {
            write: [(0, 0); CLASSES],
            read: vec![(0, 0); 1 << CODE_BITS_MAX].into_boxed_slice().try_into().ok()?,
        };
        let mut next = 0_u32;
        for length in 1..=CODE_BITS_MAX {
            for (class, entry) in code.write.iter_mut().enumerate() {
                if u32::from(*lengths.get(class)?) != length {
                    continue;
                }
                // Sent from its first bit on, while bits are collected from the low end.
                let bits = next.checked_shl(32 - length)?.reverse_bits();
                *entry = (bits as u16, length as u8);
                for at in (bits as usize..1 << CODE_BITS_MAX).step_by(1 << length) {
                    *code.read.get_mut(at)? = (class as u8, length as u8);
                }
                next += 1;
                if next > 1 << length {
                    return None;
                }
            }
            next <<= 1;
        }
        (next == 2 << CODE_BITS_MAX && code.write.iter().all(|entry| entry.1 > 0)).then_some(code)
    }

    /// The lengths as the dictionary holds them.
    pub(super) fn of_packed(bytes: &[u8; CODE_BYTES]) -> Option<Self> {
        let mut lengths = [0; CLASSES];
        for (pair, byte) in lengths.chunks_mut(2).zip(bytes) {
            for (length, value) in pair.iter_mut().zip([byte & 15, byte >> 4]) {
                *length = value;
            }
        }
        Self::of_lengths(&lengths)
    }

    /// Writes a number; how many bits that took.
    #[inline]
    pub(super) fn put(&self, out: &mut BitWriter, number: u64) -> u32 {
        let class = class_of(number);
        let (bits, length) = self.write.get(class as usize).copied().unwrap_or_default();
        let rest = class.saturating_sub(1);
        let low = number & !(u64::MAX << rest);
        if u32::from(length) + rest <= 64 {
            out.put(u64::from(bits) | low << length, u32::from(length) + rest);
        } else {
            out.put(u64::from(bits), u32::from(length));
            out.put(low, rest);
        }
        u32::from(length) + rest
    }

    /// Writes a difference, modulo 2^64 and seen as one with a sign: one more than it, or, where it is negative, a zero
    /// and then what is behind the sign, less one. A sign that is always the same so takes no bit.
    #[inline]
    pub(super) fn put_signed(&self, out: &mut BitWriter, difference: u64) -> u32 {
        if difference < 1 << 63 {
            self.put(out, difference + 1)
        } else {
            self.put(out, 0) + self.put(out, !difference)
        }
    }

    /// Reads such a difference.
    #[inline]
    pub(super) fn take_signed(&self, body: &mut Body<'_>) -> u64 {
        match self.take(body) {
            0 => !self.take(body),
            number => number - 1,
        }
    }

    #[inline]
    pub(super) fn take(&self, body: &mut Body<'_>) -> u64 {
        let next = body.peek();
        let (class, length) = self.read[next as usize & ((1 << CODE_BITS_MAX) - 1)];
        let rest = u32::from(class.saturating_sub(1));
        if u32::from(length) + rest <= 56 {
            body.skip(u32::from(length) + rest);
            let low = (next >> length) & !(u64::MAX << rest);
            return low | u64::from(class > 0) << rest;
        }
        body.skip(u32::from(length));
        body.take(rest) | 1 << rest
    }
}

/// The number of significant bits.
#[inline]
pub fn class_of(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 63 codes of six bits and two of seven.
    fn flat() -> Code {
        let mut lengths = [6; CLASSES];
        lengths[63..].fill(7);
        Code::of_lengths(&lengths).unwrap()
    }

    #[test]
    fn every_number_and_difference_is_read_as_it_was_written() {
        let code = flat();
        let numbers: Vec<u64> = (0..64)
            .flat_map(|bit| [0, 1 << bit, (1 << bit) - 1, (1 << bit) | 1])
            .chain([u64::MAX, u64::MAX - 1])
            .collect();
        let mut bits = BitWriter::default();
        let mut written = 0;
        for &number in &numbers {
            written += code.put(&mut bits, number) + code.put_signed(&mut bits, number);
        }
        assert_eq!(bits.len_bits(), written as usize);
        let mut bytes = Vec::new();
        bits.append_reversed(&mut bytes);
        let mut body = Body::new(&bytes);
        for &number in &numbers {
            assert_eq!((code.take(&mut body), code.take_signed(&mut body)), (number, number));
        }
        assert!(body.is_used_up());
    }

    #[test]
    fn lengths_that_leave_codes_over_or_have_too_few_are_none() {
        let mut lengths = [6; CLASSES];
        assert!(Code::of_lengths(&lengths).is_none(), "65 of 64");
        lengths[62..].fill(7);
        assert!(Code::of_lengths(&lengths).is_none(), "half a code is left");
        lengths[62] = 0;
        assert!(Code::of_lengths(&lengths).is_none(), "a class without a code");
        assert!(Code::of_packed(&[0; CODE_BYTES]).is_none());
        assert!(Code::of_packed(&[0xFF; CODE_BYTES]).is_none());
    }
}
