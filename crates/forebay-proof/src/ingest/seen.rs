//! What was seen of a round.

use std::time::Duration;

use forebay_rig::jetstream::IngestLedger;

use crate::acted::Acted;

/// What was seen of a round.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Its seed: the same round again.
    pub seed: u64,
    /// Events that the source had.
    pub events: u64,
    /// Events that are not in the buffer.
    pub lost: u64,
    /// Events that are there more than once.
    pub twice: u64,
    /// Lines in the buffer that the source has not sent.
    pub strange: u64,
    /// Events after a later one of their lane.
    pub out_of_order: u64,
    /// How often each fault acted.
    pub acted: Acted,
    /// Subscriptions.
    pub connections: u64,
    /// What the engine itself said is lost, where nothing is.
    pub said_lost: u64,
    /// The longest time in which a reader was behind the live end, once it had been there.
    pub behind: Duration,
    /// The first events that are lost or twice; or why the ingest ended.
    pub example: String,
    /// Why the ingest ended by itself, where it did.
    pub failed: Option<String>,
}

impl Seen {
    /// Whatever there is more or less in the buffer than the source had.
    pub fn wrong(&self) -> u64 {
        self.lost + self.twice + self.strange + u64::from(self.failed.is_some())
    }

    /// What a ledger says.
    pub fn with(mut self, ledger: &IngestLedger, may_be_strange: bool) -> Self {
        let lost = ledger.lost();
        self.lost = lost.len() as u64;
        // What the source sends besides need not be there, but not twice.
        let strange = ledger.strange.values().sum::<u64>();
        self.twice = ledger.twice.len() as u64 + if may_be_strange { ledger.strange_twice() } else { 0 };
        self.strange = if may_be_strange { 0 } else { strange };
        self.out_of_order = ledger.out_of_order.len() as u64;
        let first = |of: &[u64]| of.iter().take(3).map(u64::to_string).collect::<Vec<_>>().join(", ");
        let said = [("lost", first(&lost)), ("twice", first(&ledger.twice))];
        let said = said.iter().filter(|(_, which)| !which.is_empty());
        self.example =
            said.map(|(what, which)| format!("{what}: event {which}")).collect::<Vec<_>>().join("; ");
        self
    }
}
