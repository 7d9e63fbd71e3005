//! What a value is told relative to: the same on both sides, moved by every value in turn.

use super::history::History;
use super::token::{CID_BYTES, DID_BYTES};

/// What the first `time_us` of a block is told relative to: the start of 2026.
pub const FIRST_TIME_US: u64 = 1_767_225_600_000_000;

/// Where a block stands.
#[derive(Debug)]
pub(super) struct State {
    /// Whether no `time_us` came yet.
    pub(super) is_first: bool,
    /// The last `time_us`.
    pub(super) time_us: u64,
    /// The last revision.
    pub(super) rev: u64,
    /// What a time is told relative to, in milliseconds: the last of event time, revision and record key.
    pub(super) anchor_ms: u64,
    pub(super) dids: History<[u8; DID_BYTES]>,
    pub(super) cids: History<[u8; CID_BYTES]>,
    pub(super) tids: History<u64>,
    /// The skeletons, the last used first.
    shapes: Vec<u8>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            is_first: true,
            time_us: FIRST_TIME_US,
            rev: 0,
            anchor_ms: 0,
            dids: History::new(),
            cids: History::new(),
            tids: History::new(),
            shapes: Vec::new(),
        }
    }

    /// Back to the start of a block, with so many skeletons.
    pub(super) fn reset(&mut self, shapes: usize) {
        self.is_first = true;
        (self.time_us, self.rev, self.anchor_ms) = (FIRST_TIME_US, 0, 0);
        self.dids.clear();
        self.cids.clear();
        self.tids.clear();
        self.shapes.clear();
        self.shapes.extend((0..shapes).map(|shape| shape as u8));
    }

    /// The skeletons, the last used first.
    #[inline]
    pub(super) fn shapes(&self) -> &[u8] {
        &self.shapes
    }

    /// The skeleton at a place, which becomes the first.
    #[inline]
    pub(super) fn use_shape(&mut self, place: usize) -> Option<u8> {
        let up_to = self.shapes.get_mut(..=place)?;
        up_to.rotate_right(1);
        up_to.first().copied()
    }

    /// Takes note of an event's time.
    #[inline]
    pub(super) fn set_time(&mut self, time_us: u64) {
        self.is_first = false;
        self.time_us = time_us;
        self.anchor_ms = time_us / 1_000;
    }

    /// Takes note of a revision.
    #[inline]
    pub(super) fn set_rev(&mut self, tid: u64) {
        self.rev = tid;
        self.set_key(tid);
    }

    /// Takes note of a record key.
    #[inline]
    pub(super) fn set_key(&mut self, tid: u64) {
        self.anchor_ms = micros_of(tid) / 1_000;
    }
}

/// When a TID was made, in microseconds.
#[inline]
pub(super) fn micros_of(tid: u64) -> u64 {
    tid >> 10
}

/// The number of a TID's clock.
#[inline]
pub(super) fn clock_of(tid: u64) -> u64 {
    tid & 0x3FF
}

/// The TID of a moment and a clock.
#[inline]
pub(super) fn tid_of(micros: u64, clock: u64) -> u64 {
    micros << 10 | clock & 0x3FF
}
