//! Why a frame cannot be opened.

/// Why a frame cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// It ends too early.
    Truncated,
    /// It is of another encoding.
    Version(u8),
    /// It was written with another dictionary.
    Dictionary {
        /// The one it names.
        said: u32,
        /// The one at hand.
        given: u32,
    },
    /// It claims to hold more than is wanted.
    TooLarge {
        /// What it claims.
        size: usize,
        /// The most that is wanted.
        limit: usize,
    },
    /// A number of its head is damaged.
    Varint,
    /// zstd refuses its texts.
    Zstd(String),
    /// It has fewer texts than its events need.
    Texts,
    /// An event's skeleton is none.
    Skeleton,
    /// A mark of a skeleton stands for nothing.
    Mark(u8),
    /// A value refers to none.
    Reference,
    /// A time lies beyond the year 9999.
    Time,
    /// An event's own CID cannot be computed.
    OwnCid,
    /// Its events have another size than it says.
    Size,
    /// Something stands behind its events.
    Trailing,
    /// Its events are not those that were written.
    Checksum,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("the frame ends too early"),
            Self::Version(version) => write!(f, "the frame is of encoding {version}"),
            Self::Dictionary { said, given } => {
                write!(f, "the frame was written with dictionary {said}, not {given}")
            }
            Self::TooLarge { size, limit } => write!(f, "the frame claims {size} bytes, the most is {limit}"),
            Self::Varint => f.write_str("a number in the frame's head is damaged"),
            Self::Zstd(error) => write!(f, "the frame's texts do not open: {error}"),
            Self::Texts => f.write_str("the frame has too few texts"),
            Self::Skeleton => f.write_str("the frame refers to a skeleton that does not exist"),
            Self::Mark(mark) => write!(f, "a skeleton has the unknown mark {mark}"),
            Self::Reference => f.write_str("the frame refers to a value that does not exist"),
            Self::Time => f.write_str("the frame has a time beyond the year 9999"),
            Self::OwnCid => f.write_str("the CID of an event's record cannot be computed"),
            Self::Size => f.write_str("the events are not as long as the frame says"),
            Self::Trailing => f.write_str("the frame has bytes that belong to no event"),
            Self::Checksum => f.write_str("the events do not have the frame's checksum"),
        }
    }
}

impl std::error::Error for DecodeError {}
