//! What a writer's threads share: counts, what holds a lane up, the first error; and the look at it from outside.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::counts::{Counts, LaneCounts};
use super::error::Error;
use super::eviction_state::EvictionState;
use super::mutex::lock;
use super::overflow::{Fate, FateReport, Listener};
use super::owner::Owner;
use super::source_cursor::SourceCursor;
use super::source_state::SourceState;
use super::spill::unproven::Unproven;
use crate::event::lane::{Lane, Lanes};

/// Where a lane stands with its server.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Why it takes nothing.
    trouble: Option<String>,
    /// From when on the answer that the server owes is late.
    late_at: Option<Instant>,
    /// Since when, and why, the writer's own disk takes nothing either.
    disk: Option<(Instant, String)>,
}

/// What the writer's threads share.
#[derive(Debug)]
pub(super) struct Shared {
    /// What the lanes are held by.
    pub owner: Owner,
    pub all: Lanes,
    pub lanes: Vec<LaneCounts>,
    /// Told to end without finishing.
    pub stopped: AtomicBool,
    /// No more events come: since when.
    closing: Mutex<Option<Instant>>,
    failure: Mutex<Option<Error>>,
    standing: Vec<Mutex<Standing>>,
    /// Lanes whose spill has all that is left, and whose server takes nothing.
    left: Vec<AtomicBool>,
    /// Held while somebody makes room.
    pub room: Mutex<EvictionState>,
    /// What was spilled and acknowledged, and is not proven to be on the server's disk.
    pub unproven: Unproven,
    pub listener: Option<Listener>,
    /// Where the source stands.
    pub source: SourceState,
    /// Bytes of acknowledged blocks that are kept until replicas have them, beyond the share that each lane has for its own.
    pub tail_bytes: AtomicUsize,
}

impl Shared {
    pub fn new(all: Lanes, owner: Owner, listener: Option<Listener>) -> Self {
        Self {
            owner,
            all,
            lanes: all.defaults(),
            stopped: AtomicBool::default(),
            closing: Mutex::default(),
            failure: Mutex::default(),
            standing: all.defaults(),
            left: all.defaults(),
            room: Mutex::new(EvictionState::of(all)),
            unproven: Unproven::of(all),
            listener,
            source: SourceState::default(),
            tail_bytes: AtomicUsize::default(),
        }
    }

    fn standing(&self, lane: Lane) -> MutexGuard<'_, Standing> {
        lock(&self.standing[lane.index()])
    }

    /// Ends the writer with its first error.
    pub fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
        self.stopped.store(true, Relaxed);
    }

    pub fn trouble(&self, lane: Lane, why: &str) {
        self.standing(lane).trouble = Some(why.into());
    }

    pub fn calm(&self, lane: Lane) {
        self.standing(lane).trouble = None;
    }

    /// The server owes an answer that is late from then on, or none.
    pub fn owed(&self, lane: Lane, late_at: Option<Instant>) {
        self.standing(lane).late_at = late_at;
    }

    /// Whether the server takes nothing of this lane now.
    pub fn is_stuck(&self, lane: Lane) -> bool {
        let standing = self.standing(lane);
        standing.trouble.is_some() || standing.late_at.is_some_and(|late_at| Instant::now() >= late_at)
    }

    /// Whether the writer's own disk takes blocks of this lane, or why it does not.
    pub fn disk(&self, lane: Lane, why: Option<String>) {
        let mut standing = self.standing(lane);
        standing.disk =
            why.map(|why| (standing.disk.as_ref().map_or_else(Instant::now, |(since, _)| *since), why));
    }

    /// Since when the writer's own disk takes nothing.
    pub fn disk_stuck_since(&self, lane: Lane) -> Option<Instant> {
        self.standing(lane).disk.as_ref().map(|(since, _)| *since)
    }

    /// The lane's server takes nothing, and what is left is on disk: nobody need go on.
    pub fn leave(&self, lane: Lane) {
        self.left[lane.index()].store(true, Relaxed);
    }

    /// Whether the lane's thread shall end without having finished.
    pub fn is_over(&self, lane: Lane) -> bool {
        self.stopped.load(Relaxed) || self.left[lane.index()].load(Relaxed)
    }

    /// No more events come.
    pub fn close(&self) {
        lock(&self.closing).get_or_insert_with(Instant::now);
    }

    /// For how long no more events have come.
    pub fn closing_for(&self) -> Option<Duration> {
        lock(&self.closing).map(|since| since.elapsed())
    }

    /// Tells whoever listens.
    pub fn tell(&self, lane: Lane, fate: Fate, from: u64, events: u64) {
        if let Some(Listener(hear)) = &self.listener {
            let retries = self.lanes[lane.index()].retries.load(Relaxed);
            hear(FateReport { lane, fate, from, events, retries });
        }
    }

    /// Events taken from the source that no acknowledgement covers, and no file.
    pub fn unacknowledged(&self) -> u64 {
        self.all.iter().map(|lane| self.counts(lane)).map(|counts| counts.open()).sum()
    }

    /// The low watermark where a lane has ended: with the last of them nothing may be open.
    pub fn low_watermark_at_end(&self) -> Option<SourceCursor> {
        self.source.at_end(|| self.unacknowledged() == 0)
    }

    /// The first error, with what is not acknowledged by now.
    pub fn failure(&self) -> Option<Error> {
        let mut error = lock(&self.failure).clone()?;
        if let Some(count) = error.unacknowledged() {
            *count = self.unacknowledged();
        }
        Some(error)
    }

    fn counts(&self, lane: Lane) -> Counts {
        let counts = &self.lanes[lane.index()];
        let acknowledged = counts.events.load(Relaxed);
        let accepted = counts.accepted.load(Relaxed).max(acknowledged);
        Counts {
            // In this order: what is accepted by now was pushed by now.
            accepted,
            left: accepted.saturating_sub(acknowledged + counts.own_unreadable.load(Relaxed)),
            acknowledged,
            blocks: counts.blocks.load(Relaxed),
            raw_bytes: counts.raw_bytes.load(Relaxed),
            frame_bytes: counts.frame_bytes.load(Relaxed),
            repeats: counts.repeats.load(Relaxed),
            retries: counts.retries.load(Relaxed),
            lost_by_server: counts.lost_by_server.load(Relaxed),
            spilled: counts.spilled.load(Relaxed),
            recovered: counts.recovered.load(Relaxed),
            unreadable: counts.unreadable.load(Relaxed),
            earlier_bytes: counts.earlier_bytes.load(Relaxed),
            shed: counts.shed.load(Relaxed),
            trimmed: counts.trimmed.load(Relaxed),
            pushed: counts.pushed.load(Relaxed),
            chosen: std::array::from_fn(|index| counts.chosen[index].load(Relaxed)),
        }
    }
}

/// A cheap look at a writer's counts from any thread.
#[derive(Clone)]
pub struct Monitor(Arc<Shared>);

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Monitor").field(&self.counts()).finish()
    }
}

impl Monitor {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    /// Ends the writer, which may be in [`Writer::close`](crate::Writer::close): what is not acknowledged by now stays so.
    #[doc(hidden)]
    pub fn give_up(&self) {
        self.0.stopped.store(true, Relaxed);
    }

    /// All lanes together.
    pub fn counts(&self) -> Counts {
        self.0.all.iter().map(|lane| self.lane(lane)).fold(Counts::default(), Counts::and)
    }

    /// The buffer's lanes.
    pub fn lanes(&self) -> Lanes {
        self.0.all
    }

    /// One lane. Its acknowledged events are the first so many that were pushed to it and not shed: acknowledgements
    /// keep the order of the pushes.
    pub fn lane(&self, lane: Lane) -> Counts {
        self.0.counts(lane)
    }

    /// Events of a lane, of those that were pushed, none of which is open any more: acknowledged, on the writer's disk, or
    /// shed.
    pub(super) fn settled(&self, lane: Lane) -> u64 {
        self.0.lanes[lane.index()].settled.load(Relaxed)
    }

    /// Up to which cursor of the source everything is settled, as far as it is known by now; none while nothing of the numbering
    /// is that [`Writer::begin_numbering`](crate::Writer::begin_numbering) has begun.
    pub fn low_watermark(&self) -> Option<u64> {
        self.0.source.own_low_watermark()
    }

    /// Everything of the source up to this cursor is settled.
    pub(super) fn raise_low_watermark(&self, cursor: u64) {
        self.0.source.raise(cursor);
    }

    /// Why nothing moves, where something holds a lane up.
    pub fn trouble(&self) -> Option<String> {
        self.0.all.iter().find_map(|lane| {
            let standing = self.0.standing(lane);
            standing.disk.as_ref().map(|(_, why)| why.clone()).or_else(|| standing.trouble.clone())
        })
    }
}
