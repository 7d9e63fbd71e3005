//! What became of a writer's events: counted by its threads, looked at from any.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::Error;
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
}

/// What the writer's threads share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub lanes: [LaneCounts; Lane::ALL.len()],
    /// Told to end without finishing.
    pub stopped: AtomicBool,
    failure: Mutex<Option<Error>>,
    troubles: Mutex<[Option<String>; Lane::ALL.len()]>,
}

/// A lock whose holder panicked still guards a plain value.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Ends the writer with its first error.
    pub fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
        self.stopped.store(true, Relaxed);
    }

    pub fn trouble(&self, lane: Lane, why: &str) {
        lock(&self.troubles)[lane.index()] = Some(why.into());
    }

    pub fn calm(&self, lane: Lane) {
        lock(&self.troubles)[lane.index()] = None;
    }

    /// Events taken from the source that no acknowledgement covers.
    pub fn unacknowledged(&self) -> u64 {
        let sum = |count: fn(&LaneCounts) -> &AtomicU64| -> u64 {
            self.lanes.iter().map(|lane| count(lane).load(Relaxed)).sum()
        };
        sum(|lane| &lane.pushed).saturating_sub(sum(|lane| &lane.events))
    }

    /// The first error, with what is not acknowledged by now.
    pub fn failure(&self) -> Option<Error> {
        let mut error = lock(&self.failure).clone()?;
        if let Some(count) = error.unacknowledged() {
            *count = self.unacknowledged();
        }
        Some(error)
    }
}

/// What became of the events, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events taken from the source.
    pub pushed: u64,
    /// Events the server acknowledged.
    pub acknowledged: u64,
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
        Lane::ALL.into_iter().map(|lane| self.lane(lane)).fold(Counts::default(), |sum, lane| Counts {
            pushed: sum.pushed + lane.pushed,
            acknowledged: sum.acknowledged + lane.acknowledged,
            blocks: sum.blocks + lane.blocks,
            raw_bytes: sum.raw_bytes + lane.raw_bytes,
            frame_bytes: sum.frame_bytes + lane.frame_bytes,
            repeats: sum.repeats + lane.repeats,
            retries: sum.retries + lane.retries,
            lost_by_server: sum.lost_by_server + lane.lost_by_server,
        })
    }

    /// One lane. Its acknowledged events are the first so many that were pushed to it: acknowledgements keep
    /// the order of the pushes.
    pub fn lane(&self, lane: Lane) -> Counts {
        let counts = &self.0.lanes[lane.index()];
        Counts {
            pushed: counts.pushed.load(Relaxed),
            acknowledged: counts.events.load(Relaxed),
            blocks: counts.blocks.load(Relaxed),
            raw_bytes: counts.raw_bytes.load(Relaxed),
            frame_bytes: counts.frame_bytes.load(Relaxed),
            repeats: counts.repeats.load(Relaxed),
            retries: counts.retries.load(Relaxed),
            lost_by_server: counts.lost_by_server.load(Relaxed),
        }
    }

    /// Why nothing moves, where something holds a lane up.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.0.troubles).iter().flatten().next().cloned()
    }
}
