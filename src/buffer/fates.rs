//! What a writer says of its events: a message on a channel of its buffer, once a second.
//!
//! A full server refuses every command that may take memory, so counters that were stored could not be when they matter
//! most. PUBLISH is refused neither then nor while the disk takes nothing. Nothing is kept on the server.
//!
//! A message is one line of JSON: `v` (1), `id` of the writer, `age_ms` of its run, `state`, `why` where it does not write, and
//! by lane the counts of the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counts::Counts;

/// The version of messages.
pub(super) const VERSION: u64 = 1;

/// Bytes of a message at the most.
pub(super) const BYTES_MAX: usize = 16 << 10;

/// How a writer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It writes, or has nothing to write.
    Writing,
    /// The server takes nothing of it.
    HeldBack,
    /// It ended, and everything is acknowledged or on its disk.
    Closed,
    /// It ended because another writer has taken a lane.
    Fenced,
    /// It ended with another error.
    Failed,
}

impl State {
    /// Whether nothing comes after it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Closed | Self::Fenced | Self::Failed)
    }
}

/// What became of a lane's events in one run of a writer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fates {
    /// Acknowledged by the server.
    pub acknowledged: u64,
    /// Written to the spill folder.
    pub spilled: u64,
    /// Left in the spill folder by an earlier run, and acknowledged now.
    pub recovered: u64,
    /// Dropped because the server took none (`shed`).
    pub shed: u64,
    /// Dropped from the buffer to make room (`trim-oldest`).
    pub trimmed: u64,
    /// Of the spill folder, and not to be read again.
    pub unreadable: u64,
    /// Acknowledged, and gone when the server came back.
    pub lost: u64,
    /// Rounds that ended in a refusal or a lost connection.
    pub refusals: u64,
}

impl Fates {
    pub(super) fn of(counts: &Counts) -> Self {
        Self {
            acknowledged: counts.acknowledged,
            spilled: counts.spilled,
            recovered: counts.recovered,
            shed: counts.shed,
            trimmed: counts.trimmed,
            unreadable: counts.unreadable,
            lost: counts.lost_by_server,
            refusals: counts.retries,
        }
    }

    fn with(self, other: Self, join: fn(u64, u64) -> u64) -> Self {
        Self {
            acknowledged: join(self.acknowledged, other.acknowledged),
            spilled: join(self.spilled, other.spilled),
            recovered: join(self.recovered, other.recovered),
            shed: join(self.shed, other.shed),
            trimmed: join(self.trimmed, other.trimmed),
            unreadable: join(self.unreadable, other.unreadable),
            lost: join(self.lost, other.lost),
            refusals: join(self.refusals, other.refusals),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// What came since an earlier message. Nothing of it ever goes back; where it does, nothing came.
    pub(super) fn since(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    pub v: u64,
    pub id: String,
    pub age_ms: u64,
    pub state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// By the lane's name.
    pub lanes: BTreeMap<String, Fates>,
}
