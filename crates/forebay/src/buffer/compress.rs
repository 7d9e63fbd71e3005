//! From drafts to blocks: one thread that compresses, and hands each block to its lane.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};

use super::error::Error;
use super::gate::Passed;
use super::overflow::Fate;
use super::shared::Shared;
use crate::block::encode::Encoder;
use crate::block::frame::{Block, Draft};
use crate::event::lane::Lane;

/// How often a full lane is asked whether its server takes anything.
const LOOK: Duration = Duration::from_millis(5);

/// A block on its way.
#[derive(Debug, Clone)]
pub(super) struct PendingBlock {
    pub block: Arc<Block>,
    /// Events of its lane that were pushed before it; none for a block that an earlier run left behind.
    pub first: Option<u64>,
    /// The field that says how far a spill is stored, and the block's place in it.
    pub mark: Option<(Arc<str>, u64)>,
}

/// The compressor.
pub(super) struct CompressorThread {
    encoder: Encoder,
    lanes: Vec<Sender<PendingBlock>>,
    shared: Arc<Shared>,
    /// Whether blocks are dropped while their lane is full and its server takes none.
    sheds: bool,
    /// Events of each lane that went by.
    passed: Vec<u64>,
}

impl CompressorThread {
    pub(super) fn new(
        encoder: Encoder,
        lanes: Vec<Sender<PendingBlock>>,
        shared: Arc<Shared>,
        sheds: bool,
    ) -> Self {
        let passed = vec![0; lanes.len()];
        Self { encoder, lanes, shared, sheds, passed }
    }

    /// The thread: until no more drafts come, or the lanes have ended.
    pub(super) fn run(mut self, drafts: &Receiver<(Lane, Draft, Passed)>) {
        for (lane, draft, passed) in drafts {
            let first = self.passed[lane.index()];
            self.passed[lane.index()] += draft.events();
            // Before it is compressed: what is dropped shall cost nothing.
            if self.sheds && self.lanes[lane.index()].is_full() && self.shared.is_stuck(lane) {
                self.shed(lane, first, draft.events());
                continue;
            }
            let encoded = self.encoder.encode(&draft);
            // Not while the lane is waited for.
            drop((draft, passed));
            match encoded {
                Ok((block, chosen)) => {
                    self.shared.lanes[lane.index()].chosen[chosen as usize].fetch_add(1, Relaxed);
                    let pending = PendingBlock { block: Arc::new(block), first: Some(first), mark: None };
                    if !self.hand(lane, pending) {
                        return;
                    }
                }
                Err(error) => return self.shared.fail(Error::system("zstd", error)),
            }
        }
    }

    /// False where the lane has ended.
    fn hand(&self, lane: Lane, pending: PendingBlock) -> bool {
        let to = &self.lanes[lane.index()];
        if !self.sheds {
            return to.send(pending).is_ok();
        }
        let mut pending = match to.try_send(pending) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(pending)) => pending,
        };
        while !self.shared.is_stuck(lane) {
            pending = match to.send_timeout(pending, LOOK) {
                Ok(()) => return true,
                Err(SendTimeoutError::Disconnected(_)) => return false,
                Err(SendTimeoutError::Timeout(pending)) => pending,
            };
        }
        self.shed(lane, pending.first.unwrap_or_default(), pending.block.events);
        true
    }

    fn shed(&self, lane: Lane, first: u64, events: u64) {
        self.shared.lanes[lane.index()].shed.fetch_add(events, Relaxed);
        self.shared.tell(lane, Fate::Shed, first, events);
    }
}
