//! Why a frame cannot be opened.

/// Why a frame cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It ends too early.
    #[error("the frame ends too early")]
    Truncated,
    /// It is of another encoding.
    #[error("the frame is of encoding {0}")]
    Version(u8),
    /// It was written with another dictionary.
    #[error("the frame was written with dictionary {said}, not {given}")]
    Dictionary {
        /// The one it names.
        said: u32,
        /// The one at hand.
        given: u32,
    },
    /// It claims to hold more than is wanted.
    #[error("the frame claims {size} bytes, the most is {limit}")]
    TooLarge {
        /// What it claims.
        size: usize,
        /// The most that is wanted.
        limit: usize,
    },
    /// A number of its head is damaged.
    #[error("a number in the frame's head is damaged")]
    Varint,
    /// zstd refuses its texts.
    #[error("the frame's texts do not open: {0}")]
    Zstd(String),
    /// It has fewer texts than its events need.
    #[error("the frame has too few texts")]
    Texts,
    /// An event's skeleton is none.
    #[error("the frame refers to a skeleton that does not exist")]
    Skeleton,
    /// A mark of a skeleton stands for nothing.
    #[error("a skeleton has the unknown mark {0}")]
    Mark(u8),
    /// A value refers to none.
    #[error("the frame refers to a value that does not exist")]
    Reference,
    /// A time lies beyond the year 9999.
    #[error("the frame has a time beyond the year 9999")]
    Time,
    /// An event's own CID cannot be computed.
    #[error("the CID of an event's record cannot be computed")]
    OwnCid,
    /// Its events have another size than it says.
    #[error("the events are not as long as the frame says")]
    Size,
    /// Something stands behind its events.
    #[error("the frame has bytes that belong to no event")]
    Trailing,
    /// Its events are not those that were written.
    #[error("the events do not have the frame's checksum")]
    Checksum,
}
