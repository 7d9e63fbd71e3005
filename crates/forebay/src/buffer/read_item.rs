//! What a reader comes upon: blocks, and every doubt with its place.

use std::fmt;

use super::entry::{Entry, Id};
use super::text::counted;
use crate::block::damage::Damage;
use crate::event::lane::Lane;

/// What a reader comes upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadItem {
    /// A block, its frame unopened.
    Block(Lane, Entry),
    /// An entry that cannot be read as a block.
    Damaged {
        /// Its lane.
        lane: Lane,
        /// Its place.
        id: Id,
        /// What is wrong.
        why: Damage,
    },
    /// Blocks that should stand before another and do not.
    Missing {
        /// Their lane.
        lane: Lane,
        /// First and last number missing.
        numbers: (u64, u64),
        /// Events they held.
        events: u64,
        /// The block they should stand before.
        before: Id,
        /// A writer dropped them, as far as its mark tells, to make room (`trim-oldest`).
        is_trimmed: bool,
    },
    /// Blocks that a writer dropped to make room (`trim-oldest`) since the group was last given one: how many of them it
    /// had not been given cannot be known.
    Dropped {
        /// Their lane.
        lane: Lane,
        /// The last of them, by its number.
        upto: u64,
        /// Events of the lane that were ever dropped so.
        events_max: u64,
        /// The block before which they stood.
        before: Id,
    },
    /// A block that was given to this consumer and is no longer in the stream.
    Gone {
        /// Its lane.
        lane: Lane,
        /// Its place.
        id: Id,
    },
    /// Without a group: the server came back with less of a lane than was read. It is read from the start again.
    WentBack {
        /// The lane.
        lane: Lane,
        /// The last block that was read.
        read: Id,
        /// The last that the server knows of.
        newest: Id,
    },
    /// A block whose number or count does not follow from the one before it: repeated, moved, or written by
    /// something else than a writer.
    OutOfPlace {
        /// Its lane.
        lane: Lane,
        /// Its place.
        id: Id,
        /// Its number, and the lane's events before it, by its own account.
        says: (u64, u64),
        /// The same as they should be.
        due: (u64, u64),
    },
}

impl ReadItem {
    /// What stands among the blocks given to a consumer until it acknowledges them.
    pub(super) fn given(&self) -> Option<(Lane, Id)> {
        match self {
            Self::Block(lane, Entry { id, .. })
            | Self::Damaged { lane, id, .. }
            | Self::Gone { lane, id } => Some((*lane, *id)),
            Self::Missing { .. } | Self::Dropped { .. } | Self::WentBack { .. } | Self::OutOfPlace { .. } => {
                None
            }
        }
    }
}

impl fmt::Display for ReadItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(lane, entry) => {
                write!(f, "lane {lane}: block {} ({})", entry.id, counted(entry.events, "event"))
            }
            Self::Damaged { lane, id, why } => write!(f, "lane {lane}: block {id} is damaged: {why}"),
            Self::Missing { lane, numbers: (from, to), events, before, is_trimmed } => {
                let why = if *is_trimmed { " (dropped to make room, trim-oldest)" } else { "" };
                let events = counted(*events, "event");
                if from == to {
                    write!(f, "lane {lane}: block {from} ({events}) is missing before block {before}{why}")
                } else {
                    write!(
                        f,
                        "lane {lane}: blocks {from} to {to} ({events}) are missing before block {before}{why}"
                    )
                }
            }
            Self::Dropped { lane, upto, events_max, before } => write!(
                f,
                "lane {lane}: blocks up to {upto} were dropped to make room (trim-oldest) since this group was last \
                 given one, before block {before}: it lacks at most {events_max} events"
            ),
            Self::Gone { lane, id } => {
                write!(f, "lane {lane}: block {id} was given to this consumer and is no longer in the stream")
            }
            Self::WentBack { lane, read, newest } => write!(
                f,
                "lane {lane}: the server came back with less than was read: its newest block is {newest}, read was up to \
                 {read}; it is read from the start again, so events may come twice"
            ),
            Self::OutOfPlace { lane, id, says, due } => {
                let why = if says.0 < due.0 {
                    ": it stands there twice, or the server lost what it had given out and it was written again"
                } else {
                    ""
                };
                write!(
                    f,
                    "lane {lane}: block {id} says it is number {} after {} events where number {} after {} is due{why}",
                    says.0, says.1, due.0, due.1
                )
            }
        }
    }
}
