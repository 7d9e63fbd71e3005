//! What becomes of events while the server takes none: it is full, cannot save, is loading, or is away.
//!
//! | policy | source | counts as accepted | given up | counted as |
//! |---|---|---|---|---|
//! | `wait` | held back | once acknowledged | nothing | - |
//! | `spill` | goes on until the folder is full | once acknowledged, or on the disk of the writer | nothing | `spilled` |
//! | `shed` | goes on | once acknowledged | new events | `shed` |
//! | `trim-oldest` | goes on | once acknowledged | the oldest events held | `trimmed` |
//!
//! A server that merely is slow changes nothing: it holds the source back. One that has not answered for a second
//! while it owed an answer counts as away; where the answer waits for an fsync of every second, for three.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::event::lane::Lane;

/// How long the server may owe an answer before it counts as away. Longer than a usual fsync, shorter than what people
/// take for a pause.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// The same where the answer waits for an fsync that the server does every second, and puts off by as much again.
pub(super) const STALL_FSYNC: Duration = Duration::from_secs(3);

/// What becomes of events while the server takes none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The source is held back.
    #[default]
    Wait,
    /// Blocks go to files of the writer's own, and from there to the server once it takes them again.
    Spill(Spill),
    /// New blocks are dropped while as many as may be in flight wait.
    Shed,
    /// The oldest blocks of the buffer are dropped, read or not, where the server is full. Where it takes nothing for
    /// another reason, the source is held back.
    TrimOldest,
}

impl Overflow {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Spill(_) => "spill",
            Self::Shed => "shed",
            Self::TrimOldest => "trim-oldest",
        }
    }
}

/// Where blocks are spilled to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spill {
    /// A folder of one buffer's, used by one writer at a time.
    pub folder: PathBuf,
    /// Bytes of files that it may hold; after that the source is held back.
    pub bytes_max: u64,
}

/// What became of some events of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The server acknowledged them.
    Acknowledged,
    /// They are on the writer's disk.
    Spilled,
    /// They were dropped before they were sent.
    Shed,
    /// They were acknowledged, and dropped from the buffer to make room.
    Trimmed,
}

/// What became of which events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Their lane.
    pub lane: Lane,
    /// What became of them.
    pub fate: Fate,
    /// The first of them: how many events of the lane were pushed to this writer before it. Of trimmed ones, how many
    /// the lane ever had before it.
    pub from: u64,
    /// How many.
    pub events: u64,
}

/// Hears of every event's fate, on the writer's threads: it must not block.
#[derive(Clone)]
pub struct Listener(pub Arc<dyn Fn(Told) + Send + Sync>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}
