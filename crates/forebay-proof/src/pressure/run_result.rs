//! What came of a run, and what it was.

use std::time::Duration;

use super::policy::Policy;
use super::read::{Drained, Followed};
use super::recovery::HeldLane;
use super::watch::{Met, REFUSED, Watched};
use crate::ledger::Findings;
use forebay::buffer::writer::Counts;
use forebay::event::lane::Lane;
use forebay_rig::load::latency::Latency;

/// What came of it.
pub(super) struct PressureResult {
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
    pub held: Vec<HeldLane>,
    /// From the first refusal to the next acknowledgement.
    pub refused_for: Option<Duration>,
    /// Percent of what the events took that was still taken at the end, and how long after the drain.
    pub left: (f64, Duration),
    /// What ended the writer early.
    pub failure: Option<String>,
}

impl PressureResult {
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
pub(super) mod tests;
