//! Spilled blocks that the server has acknowledged, and that are not proven to be on its own disk: what the stage, the lane
//! and the prover know of them together. Their files stay until then, and the lane sends them again should the server come
//! back without them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use crate::buffer::mutex::lock;
use crate::event::lane::{Lane, Lanes};

/// Where a block is on the writer's disk.
#[derive(Debug, Clone)]
pub(in crate::buffer) struct OnDisk {
    /// Its file.
    pub path: PathBuf,
    /// Its place in its session, and that session's field beside the lane.
    pub place: u64,
    pub field: Arc<str>,
    /// Events that were handed to the lane before it.
    pub before: u64,
}

/// One lane's.
#[derive(Debug, Default)]
struct OfLane {
    /// By how many blocks were handed to the lane up to it.
    blocks: Mutex<BTreeMap<u64, OnDisk>>,
    /// How many acknowledgements wait for a proof.
    waiting: AtomicU64,
    /// The lane's epoch, and the number of the last block acknowledged.
    standing: Mutex<(u64, u64)>,
    /// The server was seen to have less than that.
    set_back: AtomicBool,
}

/// All lanes'.
#[derive(Debug)]
pub(in crate::buffer) struct Unproven {
    lanes: Vec<OfLane>,
    /// What was acknowledged before that moment needs no file any more.
    proven: Mutex<Option<Instant>>,
}

impl Unproven {
    pub fn of(lanes: Lanes) -> Self {
        Self { lanes: lanes.defaults(), proven: Mutex::default() }
    }

    /// A block that is handed to the lane, or was, is on disk.
    pub fn keep(&self, lane: Lane, index: u64, block: OnDisk) {
        lock(&self.lanes[lane.index()].blocks).insert(index, block);
    }

    /// A block is proven to be on the server's disk.
    pub fn forget(&self, lane: Lane, index: u64) {
        lock(&self.lanes[lane.index()].blocks).remove(&index);
    }

    /// The blocks on disk that were handed to the lane after so many and up to so many, in order.
    pub fn between(&self, lane: Lane, after: u64, upto: u64) -> Vec<(u64, OnDisk)> {
        if after >= upto {
            return Vec::new();
        }
        let blocks = lock(&self.lanes[lane.index()].blocks);
        blocks.range(after + 1..=upto).map(|(index, block)| (*index, block.clone())).collect()
    }

    /// So many acknowledgements of a lane wait.
    pub fn wait(&self, lane: Lane, count: usize) {
        self.lanes[lane.index()].waiting.store(count as u64, Relaxed);
    }

    /// Whether any waits.
    pub fn is_waited_for(&self) -> bool {
        self.lanes.iter().any(|lane| lane.waiting.load(Relaxed) > 0)
    }

    /// The lane is ours, and acknowledged up to this number.
    pub fn stand(&self, lane: Lane, epoch: u64, number: u64) {
        *lock(&self.lanes[lane.index()].standing) = (epoch, number);
    }

    /// The lane's epoch and last number acknowledged; zeros where it is not ours yet.
    pub fn standing(&self, lane: Lane) -> (u64, u64) {
        *lock(&self.lanes[lane.index()].standing)
    }

    /// The server has less of a lane than it acknowledged: its thread is to take it up again.
    pub fn set_back(&self, lane: Lane) {
        self.lanes[lane.index()].set_back.store(true, Relaxed);
    }

    /// Whether that was seen.
    pub fn take_set_back(&self, lane: Lane) -> bool {
        self.lanes[lane.index()].set_back.swap(false, Relaxed)
    }

    /// What was acknowledged before this moment is on the server's disk.
    pub fn prove(&self, before: Instant) {
        *lock(&self.proven) = Some(before);
    }

    /// Whether an acknowledgement that was seen at this moment is proven.
    pub fn is_proven(&self, seen: Instant) -> bool {
        lock(&self.proven).is_some_and(|before| seen < before)
    }
}
