//! The marks that stand for values in a skeleton: bytes below a space, which JSON never has.
//!
//! The mark says what the value is and in which roles its numbers are written; which mark is used where is the
//! encoder's choice alone.

use super::{time, token};

/// A `did:plc`.
pub const DID: u8 = 1;
/// A CID of a record, `bafyrei…`.
pub const RECORD_CID: u8 = 2;
/// A CID of a blob, `bafkrei…`.
pub const BLOB_CID: u8 = 3;
/// The CID of the record in the same event, behind `,"cid":"`.
pub const OWN_CID: u8 = 4;
/// A TID close to the event's time: the revision.
pub const REV: u8 = 5;
/// A TID close to the revision, from the same clock: the key of a record that the server named.
pub const RKEY: u8 = 6;
/// A TID close to the revision, from another clock: the key of a record that the client named.
pub const KEY: u8 = 7;
/// Any other TID.
pub const TID: u8 = 8;
/// The event's `time_us`.
pub const TIME_US: u8 = 9;
/// A time with milliseconds.
pub const CREATED: u8 = 11;
/// The same beside a [`KEY`].
pub const CREATED_WITH_KEY: u8 = 12;
/// A text: all up to the end of a line of the texts.
pub const TEXT: u8 = 14;
/// A whole number.
pub const INT: u8 = 15;
/// The next byte stands for itself.
pub const PLAIN: u8 = 16;

/// Whether a byte cannot stand for itself.
#[inline]
pub(super) fn is_mark(byte: u8) -> bool {
    byte <= PLAIN && !matches!(byte, 0 | b'\n')
}

/// How long the text of a value is, where that is always the same.
#[inline]
pub(super) fn text_len(mark: u8) -> Option<usize> {
    match mark {
        DID => Some(token::DID_TEXT),
        RECORD_CID | BLOB_CID | OWN_CID => Some(token::CID_TEXT),
        REV | RKEY | KEY | TID => Some(token::TID_TEXT),
        TIME_US => Some(time::TIME_US_TEXT),
        CREATED | CREATED_WITH_KEY => Some(time::TIME_TEXT),
        _ => None,
    }
}
