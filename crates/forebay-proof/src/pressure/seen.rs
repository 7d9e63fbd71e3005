//! What came of a run, and what it was.

use std::path::Path;
use std::time::Duration;

use super::read::{Drained, Followed};
use super::recovery::Held;
use super::watch::{Met, Watched};
use crate::ledger::Findings;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::Counts;
use forebay::event::lane::Lane;
use forebay_rig::load::latency::Latency;

/// Bytes of files that a spilling writer may keep.
const SPILL_MAX: u64 = 8 << 30;

/// How long memory is waited for after the last block was acknowledged.
pub(super) const SETTLE: Duration = Duration::from_secs(5);

/// Share of what the events took that may still be there then, in percent.
pub(super) const LEFT_PERCENT_MAX: f64 = 10.0;

/// How a limit shows that was met by refusals.
pub(super) const REFUSED: &str = "writes were refused";

/// What becomes of events for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Wait,
    Spill,
    Shed,
    TrimOldest,
}

impl Policy {
    pub const ALL: [Self; 4] = [Self::Wait, Self::Spill, Self::Shed, Self::TrimOldest];

    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Spill => "spill",
            Self::Shed => "shed",
            Self::TrimOldest => "trim-oldest",
        }
    }

    /// The same, for a writer.
    pub fn overflow(self, folder: &Path) -> Overflow {
        match self {
            Self::Wait => Overflow::Wait,
            Self::Spill => Overflow::Spill(Spill { folder: folder.into(), bytes_max: SPILL_MAX }),
            Self::Shed => Overflow::Shed,
            Self::TrimOldest => Overflow::TrimOldest,
        }
    }
}

/// What came of it.
pub(super) struct Seen {
    pub policy: Policy,
    pub eviction: String,
    pub limit: u64,
    pub empty: u64,
    /// None where the limit was never met.
    pub met: Option<Met>,
    pub findings: Findings,
    pub counts: Counts,
    pub drained: Drained,
    pub followed: Followed,
    pub watched: Watched,
    /// How often each lane was evicted, with its events; and how often only its state was.
    pub evictions: Vec<(Lane, u64, u64)>,
    /// Keys that were evicted and are not the buffer's, and how often.
    pub others: Vec<(String, u64)>,
    /// Before the limit, beyond it, and after the drain.
    pub latency: [Option<Latency>; 3],
    /// The lanes that were held up by refusals when the drain began, and when they were back.
    pub held: Vec<Held>,
    /// From the first refusal to the next acknowledgement.
    pub refused_for: Option<Duration>,
    /// Percent of what the events took that was still taken at the end, and how long after the drain.
    pub left: (f64, Duration),
    /// What ended the writer early.
    pub failure: Option<String>,
}

impl Seen {
    /// Whether the limit was met by refusals.
    pub fn was_refused(&self) -> bool {
        self.met.as_ref().is_some_and(|met| met.how == REFUSED)
    }

    /// From room on the server to the first acknowledgement of the slowest lane; none where no lane was held up, or one
    /// did not come back.
    pub fn resumed(&self) -> Option<Duration> {
        let back: Option<Vec<Duration>> = self.held.iter().map(|held| held.back).collect();
        back?.into_iter().max()
    }

    /// Most memory in use.
    pub fn peak(&self) -> u64 {
        self.watched.curve.iter().map(|moment| moment.used).max().unwrap_or(0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Instant;

    use super::super::EVICTIONS;
    use super::*;

    /// A run that was refused, and whose lanes came back so.
    pub fn refused(back: [Option<u64>; 2]) -> Seen {
        let held = |(lane, back): (Lane, Option<u64>)| Held { lane, back: back.map(Duration::from_millis) };
        Seen {
            policy: Policy::Wait,
            eviction: EVICTIONS[0].into(),
            limit: 1,
            empty: 0,
            met: Some(Met { at: Instant::now(), events: 100, how: REFUSED }),
            findings: Findings::default(),
            counts: Counts::default(),
            drained: Drained::default(),
            followed: Followed { events: 100, owed: 100, answers: 1, ..Followed::default() },
            watched: Watched::default(),
            evictions: Vec::new(),
            others: Vec::new(),
            latency: [None, None, None],
            held: Lane::ALL.into_iter().zip(back).map(held).collect(),
            refused_for: None,
            left: (0.0, Duration::ZERO),
            failure: None,
        }
    }
}
