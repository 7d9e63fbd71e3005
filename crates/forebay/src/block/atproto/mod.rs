//! Encoding 2: the events of the AT Protocol in about half of the bytes that zstd alone needs.
//!
//! Constraints: every block of lines comes back byte for byte, whatever is in it; a damaged frame is an error and
//! never costs more memory than its reader allows; a reader in another language needs zstd, SHA-256 and a page of
//! its own code.
//!
//! Layout: docs/format.md has it. A line is a *skeleton* in which *marks* stand for values. Skeletons that the dictionary
//! knows are a number. Other skeletons, and texts, are one zstd stream. Hashes and DIDs stand as bytes, all other
//! values as numbers relative to a value nearby, in prefix codes from the dictionary. An event's own CID is not
//! stored where it is the hash of its record.
//!
//! Operation: [`Encoder`] cuts lines (`lexer`: by looks alone, never by printing JSON again) and writes tokens;
//! [`Decoder`] does the reverse. Both move the same `state`.

mod bits;
mod cbor;
pub mod code;
mod decode;
mod dictionary;
mod encode;
mod error;
mod header;
mod history;
mod json_text;
mod lexer;
pub mod marks;
mod output;
mod plan;
mod read;
mod state;
pub mod tally;
mod template;
mod time;
mod token;

pub use cbor::RecordCids;
pub use decode::Decoder;
pub use dictionary::{
    BUILT_IN, BUILT_IN_ID, DICTIONARY_BYTES_MAX, Dictionary, DictionaryError, TEMPLATES_MAX,
};
pub use encode::Encoder;
pub use error::DecodeError;
pub use header::Header;
use header::put_varint;

/// The first byte of a frame.
pub const VERSION: u8 = 2;

/// How much a frame may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// All steps.
    Dense,
    /// An event's own CID is stored, not computed, and texts are compressed less: 32 bytes more for each record, half of
    /// the time, for encoder and decoder alike.
    Quick,
}

/// The skeleton of a line and its texts, for those that make dictionaries.
pub fn skeleton_of(line: &[u8]) -> Vec<u8> {
    let (mut skeleton, mut tokens) = (Vec::new(), Vec::new());
    lexer::cut(line, &mut skeleton, &mut tokens);
    skeleton
}
