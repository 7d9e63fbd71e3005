//! What a writer says of its events: one line of JSON, published once a second on the buffer's channel.
//!
//! ```json
//! {"v":1,"id":"5f3a09c1d27e","age_ms":61000,"state":"held back","why":"OOM command not allowed …",
//!  "lanes":{"posts":{"acknowledged":5,"spilled":0,"recovered":0,"shed":0,"trimmed":0,"unreadable":0,"lost":0,"refusals":0}, …}}
//! ```
//!
//! | field | value |
//! |---|---|
//! | `v` | 1; another is not understood |
//! | `id` | 12 digits of `0-9a-f`, drawn at random for each run of a writer |
//! | `age_ms` | how long the run has lasted |
//! | `state` | `writing`, `held back`, or an end: `closed`, `fenced`, `failed` |
//! | `why` | why it is held back, or what it ended with; null elsewhere. At most 512 characters |
//! | `lanes` | by lane: counts since the run began, see [`FateCounts`]. A lane that is not there has none |
//!
//! Every message has all counts, so that one that nobody heard is made up for by the next. The first of a run has none
//! yet: who hears it knows that whatever comes is new.
//!
//! Must stay: names, and what the counts count. Fields may be added; whoever reads passes over those it does not know.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::counts::Counts;
use super::random::random;
use crate::event::lane::{LANES_MAX, is_name};

/// The format that is written and understood.
const VERSION: u64 = 1;

/// Longest message that is understood; one of a writer's is never that long.
const BYTES_MAX: usize = 16 << 10;

/// Longest reason that is published or kept, in characters.
const WHY_MAX: usize = 512;

/// Digits of an id.
const ID_DIGITS: usize = 12;

/// What became of a lane's events in one run of a writer, or in many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FateCounts {
    /// Events the server acknowledged.
    pub acknowledged: u64,
    /// Events that were written to the spill folder.
    pub spilled: u64,
    /// Events that an earlier run had left in the spill folder, and that the server has acknowledged now.
    pub recovered: u64,
    /// Events dropped because the server took none.
    pub shed: u64,
    /// Events dropped from the buffer to make room, before every group had let go of them.
    pub trimmed: u64,
    /// Events of the spill folder that could not be read again.
    pub unreadable: u64,
    /// Acknowledged events that a server came back without.
    pub lost: u64,
    /// Rounds that ended in a refusal or a lost connection.
    pub refusals: u64,
}

impl FateCounts {
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

    /// As it stands in a message; none where a count is missing or is no number.
    fn read(fates: &Value) -> Option<Self> {
        let count = |name| fates.get(name)?.as_u64();
        Some(Self {
            acknowledged: count("acknowledged")?,
            spilled: count("spilled")?,
            recovered: count("recovered")?,
            shed: count("shed")?,
            trimmed: count("trimmed")?,
            unreadable: count("unreadable")?,
            lost: count("lost")?,
            refusals: count("refusals")?,
        })
    }

    fn written(self) -> Value {
        json!({
            "acknowledged": self.acknowledged,
            "spilled": self.spilled,
            "recovered": self.recovered,
            "shed": self.shed,
            "trimmed": self.trimmed,
            "unreadable": self.unreadable,
            "lost": self.lost,
            "refusals": self.refusals,
        })
    }

    /// Count by count; what somebody else published may be any number, so that an operation must be right for all.
    pub(super) fn with(self, other: Self, operation: fn(u64, u64) -> u64) -> Self {
        Self {
            acknowledged: operation(self.acknowledged, other.acknowledged),
            spilled: operation(self.spilled, other.spilled),
            recovered: operation(self.recovered, other.recovered),
            shed: operation(self.shed, other.shed),
            trimmed: operation(self.trimmed, other.trimmed),
            unreadable: operation(self.unreadable, other.unreadable),
            lost: operation(self.lost, other.lost),
            refusals: operation(self.refusals, other.refusals),
        }
    }
}

/// Where a writer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterState {
    /// Nothing holds it up.
    Writing,
    /// Its server, or its own disk, takes nothing.
    HeldBack,
    /// It ended, and nothing is owed.
    Closed,
    /// It ended because another writer has taken the buffer.
    Fenced,
    /// It ended with another error.
    Failed,
}

impl WriterState {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writing => "writing",
            Self::HeldBack => "held back",
            Self::Closed => "closed",
            Self::Fenced => "fenced",
            Self::Failed => "failed",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Writing, Self::HeldBack, Self::Closed, Self::Fenced, Self::Failed];
        all.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing comes after it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Closed | Self::Fenced | Self::Failed)
    }
}

/// One message, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub id: String,
    pub age: Duration,
    pub state: WriterState,
    pub why: Option<String>,
    pub lanes: BTreeMap<String, FateCounts>,
}

impl Message {
    /// Reads a message; none where it is not understood.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > BYTES_MAX {
            return None;
        }
        let line: Value = serde_json::from_slice(bytes).ok()?;
        let number = |name| line.get(name)?.as_u64();
        let id = line.get("id")?.as_str()?;
        let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if number("v")? != VERSION || id.len() != ID_DIGITS || !id.bytes().all(is_digit) {
            return None;
        }
        let mut lanes = BTreeMap::new();
        for (lane, fates) in line.get("lanes")?.as_object()? {
            if !is_name(lane) || lanes.len() >= LANES_MAX {
                return None;
            }
            lanes.insert(lane.clone(), FateCounts::read(fates)?);
        }
        let why = match line.get("why") {
            None | Some(Value::Null) => None,
            Some(why) => Some(shortened(why.as_str()?)),
        };
        let state = WriterState::named(line.get("state")?.as_str()?)?;
        let age = Duration::from_millis(number("age_ms")?);
        Some(Self { id: id.into(), age, state, why, lanes })
    }

    /// The message as one line.
    pub fn line(&self) -> String {
        let lanes = self.lanes.iter().map(|(lane, fates)| (lane.clone(), fates.written()));
        json!({
            "v": VERSION,
            "id": self.id,
            "age_ms": self.age.as_millis() as u64,
            "state": self.state.name(),
            "why": self.why.as_deref().map(shortened),
            "lanes": lanes.collect::<Map<_, _>>(),
        })
        .to_string()
    }
}

/// An id that no other run has.
pub(super) fn new_id() -> String {
    format!("{:012x}", random() >> 16)
}

/// No longer than `WHY_MAX`, and without what would change a terminal that it is shown on.
fn shortened(why: &str) -> String {
    why.chars().take(WHY_MAX).map(|char| if char.is_control() { ' ' } else { char }).collect()
}
