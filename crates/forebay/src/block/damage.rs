//! Why a block cannot be opened.

use super::frame::{CONTENT_BYTES_MAX, ENCODING_MAX};

/// Why a block cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A field that every entry has is not there.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field holds something else than a number.
    #[error("field `{0}` is not a number")]
    NotANumber(&'static str),
    /// The entry was written by a later Forebay.
    #[error("its encoding is {0}, this build reads up to {ENCODING_MAX}: use a newer forebay")]
    Newer(u64),
    /// The entry says an encoding that does not exist.
    #[error("there is no encoding {0}")]
    Encoding(u64),
    /// The frame was written with a dictionary that this build does not have.
    #[error("its frame needs dictionary {0}, which this build does not have: use a newer forebay")]
    Dictionary(u32),
    /// The frame is cut, flipped, or not a frame.
    #[error("the frame does not open: {0}")]
    Frame(String),
    /// The frame says it holds more than [`CONTENT_BYTES_MAX`], or does not say.
    #[error("the frame does not say its size, or says more than {CONTENT_BYTES_MAX} bytes")]
    Size,
    /// The frame holds another number of events than the entry says.
    #[error("it holds {found} events where the entry says {said}")]
    Events {
        /// Field `n`.
        said: u64,
        /// Lines in the frame.
        found: u64,
    },
    /// A line of the frame is not an event.
    #[error("its event {index} is none: {why}")]
    Event {
        /// Place in the block, from 0.
        index: u64,
        /// What the parser said.
        why: String,
    },
    /// The events' times are not those of the entry.
    #[error("its events are from {found_min} to {found_max} (time_us) where the entry says {min} to {max}")]
    Times {
        /// Field `a`.
        min: u64,
        /// Field `z`.
        max: u64,
        /// Smallest found.
        found_min: u64,
        /// Largest found.
        found_max: u64,
    },
}
