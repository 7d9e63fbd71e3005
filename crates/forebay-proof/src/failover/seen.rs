//! What was seen of rounds on one cluster.

use std::time::Duration;

use super::fault::Fault;
use super::follower::Handed;

/// How long a failover took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recovery {
    pub fault: Fault,
    /// From the fault until another node took writes.
    pub elected: Duration,
    /// From then until everything that was on its way was acknowledged.
    pub beyond: Duration,
    /// How late this program's own clock was meanwhile, at the worst: how busy the machine was.
    pub late: Duration,
}

/// What was seen of rounds on one cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Its seed: the same rounds again.
    pub seed: u64,
    /// The faults of rounds in which they acted: events were on their way to somebody who was no longer there.
    pub acted: Vec<Fault>,
    /// Events that were acknowledged while only the node had them that was then killed.
    pub alone: u64,
    /// What the group was handed.
    pub handed: Handed,
    /// What the buffer had at the end, of which nothing was trimmed.
    pub stored: Handed,
    /// Failovers that elected somebody.
    pub recoveries: Vec<Recovery>,
    /// Why something ended that should not have.
    pub failed: Option<String>,
}

impl Seen {
    /// Acknowledged, and not in the buffer, or not handed out; and what nobody pushed.
    pub fn lost(&self) -> u64 {
        let of = |seen: &Handed| seen.findings.lost() + seen.findings.unexpected;
        of(&self.stored).max(of(&self.handed)) + u64::from(self.failed.is_some())
    }

    /// Handed out or stored twice, or out of order; and whatever else the group was told that is no block.
    pub fn twice(&self) -> u64 {
        let of = |seen: &Handed| seen.findings.repeats + seen.findings.out_of_order + seen.others;
        of(&self.stored) + of(&self.handed)
    }

    /// What is wrong with the events, in a sentence.
    pub fn sentence(&self) -> String {
        let (stored, handed) = (&self.stored, &self.handed);
        let mut parts = vec![format!("in the buffer: {}", stored.findings.sentence())];
        if handed.findings.faults() > 0 || stored.findings.faults() == 0 {
            parts.push(format!("handed to the group: {}", handed.findings.sentence()));
        }
        let example = [handed, stored].into_iter().map(|of| &of.example).find(|example| !example.is_empty());
        parts.extend(example.cloned());
        parts.extend(self.failed.as_ref().map(|why| format!("it ended: {why}")));
        parts.join("; ")
    }
}
