//! What became of a writer's events: counted by its threads, looked at from any.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::Error;
use super::evict_oldest::Room;
use super::overflow::{Fate, Listener, Told};
use super::owner::Owner;
use super::spill::Unproven;
use crate::event::lane::Lane;

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
}

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
    pub lanes: [LaneCounts; Lane::ALL.len()],
    /// Told to end without finishing.
    pub stopped: AtomicBool,
    /// No more events come: since when.
    closing: Mutex<Option<Instant>>,
    failure: Mutex<Option<Error>>,
    standing: [Mutex<Standing>; Lane::ALL.len()],
    /// Lanes whose spill has all that is left, and whose server takes nothing.
    left: [AtomicBool; Lane::ALL.len()],
    /// Held while somebody makes room.
    pub room: Mutex<Room>,
    /// What was spilled and acknowledged, and is not proven to be on the server's disk.
    pub unproven: Unproven,
    pub listener: Option<Listener>,
}

/// A lock whose holder panicked still guards a plain value.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn new(owner: Owner, listener: Option<Listener>) -> Self {
        Self {
            owner,
            lanes: Default::default(),
            stopped: AtomicBool::default(),
            closing: Mutex::default(),
            failure: Mutex::default(),
            standing: Default::default(),
            left: Default::default(),
            room: Mutex::default(),
            unproven: Unproven::default(),
            listener,
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
            hear(Told { lane, fate, from, events });
        }
    }

    /// Events taken from the source that no acknowledgement covers, and no file.
    pub fn unacknowledged(&self) -> u64 {
        Lane::ALL.into_iter().map(|lane| self.counts(lane)).map(|counts| counts.open()).sum()
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
        }
    }
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
}

impl Counts {
    /// Events taken from the source whose fate is open.
    pub fn open(&self) -> u64 {
        self.pushed.saturating_sub(self.accepted + self.shed)
    }

    fn and(self, lane: Self) -> Self {
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
        }
    }
}

/// A cheap look at a writer's counts from any thread.
#[derive(Clone)]
pub struct Monitor(Arc<Shared>);

impl Monitor {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    /// All lanes together.
    pub fn counts(&self) -> Counts {
        Lane::ALL.into_iter().map(|lane| self.lane(lane)).fold(Counts::default(), Counts::and)
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

    /// Why nothing moves, where something holds a lane up.
    pub fn trouble(&self) -> Option<String> {
        Lane::ALL.into_iter().find_map(|lane| {
            let standing = self.0.standing(lane);
            standing.disk.as_ref().map(|(_, why)| why.clone()).or_else(|| standing.trouble.clone())
        })
    }
}
