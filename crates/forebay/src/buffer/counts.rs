//! What became of a writer's events, counted.

use std::sync::atomic::AtomicU64;

use crate::block::encode::Chosen;

/// What became of a lane's events in this writer, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct LaneCounts {
    pub pushed: AtomicU64,
    pub events: AtomicU64,
    pub blocks: AtomicU64,
    pub raw_bytes: AtomicU64,
    pub frame_bytes: AtomicU64,
    pub repeats: AtomicU64,
    pub retries: AtomicU64,
    pub lost_by_server: AtomicU64,
    /// Events up to which all pushed ones are acknowledged or on the writer's disk.
    pub accepted: AtomicU64,
    /// Events pushed up to the last one that is acknowledged or on the writer's disk: none before it is open.
    pub settled: AtomicU64,
    pub spilled: AtomicU64,
    pub recovered: AtomicU64,
    pub unreadable: AtomicU64,
    /// Those of them that this writer had spilled.
    pub own_unreadable: AtomicU64,
    pub earlier_bytes: AtomicU64,
    pub shed: AtomicU64,
    pub trimmed: AtomicU64,
    /// Blocks of whatever run that were acknowledged.
    pub answered: AtomicU64,
    /// Blocks by the encoding they got, and why.
    pub chosen: [AtomicU64; Chosen::ALL.len()],
}

/// What became of the events, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events taken from the source.
    pub pushed: u64,
    /// Events the server acknowledged.
    pub acknowledged: u64,
    /// Events that are owed from now on: acknowledged, or on the writer's disk.
    pub accepted: u64,
    /// Accepted events that the server does not have: they are on the writer's disk.
    pub left: u64,
    /// Blocks the server acknowledged.
    pub blocks: u64,
    /// Bytes of the acknowledged events.
    pub raw_bytes: u64,
    /// Bytes of their frames.
    pub frame_bytes: u64,
    /// Blocks that were sent again and turned out to be stored already.
    pub repeats: u64,
    /// Rounds that ended in a refusal or a lost connection.
    pub retries: u64,
    /// Acknowledged events that a server came back without. Those that had been read and trimmed before are among
    /// them where it came back empty: the writer cannot tell.
    pub lost_by_server: u64,
    /// Events that were written to the spill folder.
    pub spilled: u64,
    /// Events that an earlier run had left in the spill folder, and that the server has acknowledged now.
    pub recovered: u64,
    /// Events of the spill folder that could not be read again, as far as their neighbours tell.
    pub unreadable: u64,
    /// Bytes of files of earlier runs that are still in the spill folder at the end: the server took them not.
    pub earlier_bytes: u64,
    /// Events dropped because the server took none (`shed`).
    pub shed: u64,
    /// Events dropped from the buffer to make room (`trim-oldest`).
    pub trimmed: u64,
    /// Blocks that were made, by the encoding they got and why: see [`Counts::encoded`].
    #[doc(hidden)]
    pub chosen: [u64; Chosen::ALL.len()],
}

impl Counts {
    /// Blocks that were made: in encoding 2 (`dense`), and in encoding 1 because the stream is not of the AT Protocol
    /// (`plain`), encoding 2 had had its share of the processor (`busy`), would not have been smaller than the events are
    /// (`larger`), or did not come back the same (`differs`).
    pub fn encoded(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Chosen::ALL.into_iter().map(Chosen::name).zip(self.chosen)
    }

    /// Events taken from the source whose fate is open.
    pub fn open(&self) -> u64 {
        self.pushed.saturating_sub(self.accepted + self.shed)
    }

    /// Both together: of two lanes, or of two writers.
    #[doc(hidden)]
    #[must_use]
    pub fn and(self, lane: Self) -> Self {
        Self {
            pushed: self.pushed + lane.pushed,
            acknowledged: self.acknowledged + lane.acknowledged,
            accepted: self.accepted + lane.accepted,
            left: self.left + lane.left,
            blocks: self.blocks + lane.blocks,
            raw_bytes: self.raw_bytes + lane.raw_bytes,
            frame_bytes: self.frame_bytes + lane.frame_bytes,
            repeats: self.repeats + lane.repeats,
            retries: self.retries + lane.retries,
            lost_by_server: self.lost_by_server + lane.lost_by_server,
            spilled: self.spilled + lane.spilled,
            recovered: self.recovered + lane.recovered,
            unreadable: self.unreadable + lane.unreadable,
            earlier_bytes: self.earlier_bytes + lane.earlier_bytes,
            shed: self.shed + lane.shed,
            trimmed: self.trimmed + lane.trimmed,
            chosen: std::array::from_fn(|index| self.chosen[index] + lane.chosen[index]),
        }
    }
}
