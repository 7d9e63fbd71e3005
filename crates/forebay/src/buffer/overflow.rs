//! What becomes of events while the server takes none: it is full, cannot save, is loading, or is away.
//!
//! What each policy promises stands in [`PROMISES`]: help, documents and tests are held against it.
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

/// What a policy promises while the server takes no events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyGuarantee {
    /// Its name.
    pub policy: &'static str,
    /// What becomes of the source.
    pub source: &'static str,
    /// When an event counts as accepted.
    pub accepted: &'static str,
    /// What may be given up. Nothing else is, and it is counted.
    pub given_up: GivenUp,
    /// When that is.
    pub when: &'static str,
    /// The count that it stands in.
    pub counted: Option<&'static str>,
}

/// Events that a policy may give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// None.
    Nothing,
    /// Those that come.
    New,
    /// The oldest that the buffer holds.
    Oldest,
}

impl GivenUp {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::New => "new events",
            Self::Oldest => "the oldest events held",
        }
    }
}

/// The promises, a policy each. All of them: where the source is held back for longer than the writer's patience, the writer
/// ends with an error that says how many events are the source's to send again.
pub const PROMISES: [PolicyGuarantee; 4] = [
    PolicyGuarantee {
        policy: "wait",
        source: "is held back",
        accepted: "once the server has it",
        given_up: GivenUp::Nothing,
        when: "never",
        counted: None,
    },
    PolicyGuarantee {
        policy: "spill",
        source: "goes on until the folder is full",
        accepted: "once the server has it, or it is fsynced in the folder",
        given_up: GivenUp::Nothing,
        when: "never",
        counted: None,
    },
    PolicyGuarantee {
        policy: "shed",
        source: "goes on",
        accepted: "once the server has it",
        given_up: GivenUp::New,
        when: "while as many blocks as may be in flight wait",
        counted: Some("shed"),
    },
    PolicyGuarantee {
        policy: "trim-oldest",
        source: "goes on while that makes room",
        accepted: "once the server has it",
        given_up: GivenUp::Oldest,
        when: "where the server is full and that brings it below its limit",
        counted: Some("trimmed"),
    },
];

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
pub struct FateReport {
    /// Their lane.
    pub lane: Lane,
    /// What became of them.
    pub fate: Fate,
    /// The first of them: how many events of the lane were pushed to this writer before it. Of trimmed ones, how many
    /// the lane ever had before it.
    pub from: u64,
    /// How many.
    pub events: u64,
    /// [`Counts::retries`](super::counts::Counts::retries) of the lane by then. Under [`Overflow::Wait`] a lane connects again
    /// only after one was counted: what has the same number was answered on one connection.
    pub retries: u64,
}

/// Hears of every event's fate, on the writer's threads: it must not block.
#[derive(Clone)]
pub struct Listener(pub Arc<dyn Fn(FateReport) + Send + Sync>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}
