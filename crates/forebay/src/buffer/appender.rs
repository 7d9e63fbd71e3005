//! One lane's appends: in order, many in flight, sent again as they were after any doubt.
//!
//! Each lane has a connection and a thread of its own. The thread keeps a window of blocks that are not yet
//! acknowledged. Answers come in the order of the sends, so the window's front is always the block that the
//! next answer is about; after any trouble the whole window is sent again from its front, which the append
//! script makes harmless.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::connection::Connection;
use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::append_command::AppendScripts;
use super::compress::PendingBlock;
use super::counts::LaneCounts;
use super::error::Error;
use super::fsync::{Fsync, WAIT_SHARE};
use super::keep_back::KeepBack;
use super::lane_settings::{ClaimedLane, LaneSettings};
use super::overflow::{STALL, STALL_FSYNC};
use super::owner::Claim;
use super::round_failure::RoundFailure;
use super::shared::Shared;
use super::source_cursor::SourceCursor;
use super::tail::Tail;

/// First wait after a refusal or a lost connection; doubles up to [`super::round_failure::BACKOFF_MAX`].
pub(super) const BACKOFF_MIN: Duration = Duration::from_millis(5);

/// Bytes of a window, or one block that is larger.
const WINDOW_BYTES_MAX: usize = 16 << 20;

/// How often a thread that waits for blocks looks whether it was told to stop.
const LOOK: Duration = Duration::from_millis(100);

/// How long the server may take for each answer when a lane is let go of.
const RELEASE_MAX: Duration = Duration::from_secs(1);

/// An answer that is still to come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Append,
    /// Of a block whose frame goes behind the script.
    Transaction,
    Fsync,
    /// Which replicas there are, once WAIT has confirmed.
    Replicas,
    /// How far the replicas are.
    Offsets,
}

/// The lane's thread.
pub(super) struct Appender {
    pub(super) settings: LaneSettings,
    blocks: Receiver<PendingBlock>,
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Option<Connection>,
    /// What the lane was when it was taken: our epoch, its last block and its events; none where it is not ours yet.
    pub(super) claim: Option<Claim>,
    /// What must follow the appends on this connection before they count.
    pub(super) fsync: Fsync,
    pub(super) scripts: AppendScripts,
    /// Whether frames may go behind the script: the server has been asked, and has not refused since.
    pub(super) has_transactions: bool,
    /// Not acknowledged, oldest first; the front has number `acked + 1`.
    pub(super) window: VecDeque<PendingBlock>,
    /// How many of the window's front blocks were sent on this connection.
    pub(super) sent: usize,
    /// How many of those were answered and wait for their fsync.
    pub(super) stored: usize,
    pub(super) expected: VecDeque<Expected>,
    /// Number of the last block whose answer was lost with its connection, or that was stored and not synced: up to
    /// here the server may have a block already.
    pub(super) doubtful: u64,
    /// Number of the last acknowledged block, the lane's events up to it, and the source's cursor after it.
    pub(super) acked: u64,
    pub(super) acked_events: u64,
    pub(super) acked_cursor: Option<SourceCursor>,
    /// Which of its blocks must stay.
    pub(super) kept: KeepBack,
    /// What was acknowledged and some replica may not have.
    pub(super) tail: Tail,
    /// Spans of the lane's events that are counted as lost by the server: after how many, and up to how many.
    pub(super) lost: Vec<(u64, u64)>,
    /// Whether a step that makes room may have dropped blocks that are not counted.
    pub(super) is_room_in_doubt: bool,
    /// After trouble: one block alone, until it goes through.
    pub(super) probing: bool,
    pub(super) backoff: Duration,
    pub(super) trouble_since: Option<Instant>,
    /// When something was last acknowledged, or sent with nothing under way: since when the server owes an answer.
    pub(super) owed_since: Instant,
}

impl Appender {
    pub(super) fn new(
        settings: LaneSettings,
        taken: Option<ClaimedLane>,
        blocks: Receiver<PendingBlock>,
        shared: Arc<Shared>,
    ) -> Self {
        let claim = taken.as_ref().map(|taken| taken.claim);
        if let Some(claim) = claim {
            shared.unproven.stand(settings.lane, claim.epoch, claim.last);
            shared.source.taken(claim.cursor, claim.low_watermark);
        }
        let fsync = taken.as_ref().map_or(Fsync::Unasked, |taken| taken.fsync.clone());
        let has_transactions = taken.as_ref().is_none_or(|taken| taken.has_transactions);
        let lost = claim.map_or(0, |claim| claim.lost);
        shared.lanes[settings.lane.index()].lost_by_server.fetch_add(lost, Relaxed);
        Self {
            acked: claim.map_or(0, |claim| claim.last),
            acked_events: claim.map_or(0, |claim| claim.events),
            acked_cursor: claim.and_then(|claim| claim.cursor),
            kept: KeepBack::new(settings.keep_back.is_some(), claim.as_ref()),
            tail: Tail::default(),
            settings,
            blocks,
            shared,
            connection: taken.map(|taken| taken.connection),
            claim,
            fsync,
            scripts: AppendScripts::new(),
            has_transactions,
            window: VecDeque::new(),
            sent: 0,
            stored: 0,
            doubtful: 0,
            expected: VecDeque::new(),
            lost: Vec::new(),
            is_room_in_doubt: false,
            probing: false,
            backoff: BACKOFF_MIN,
            trouble_since: None,
            owed_since: Instant::now(),
        }
    }

    /// Appends until the channel is closed and everything is acknowledged, or until an error that waiting
    /// does not mend.
    pub(super) fn run(mut self) {
        loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.shared.fail(error);
                    break;
                }
            }
        }
        self.release();
    }

    /// Lets go of the lane, where the server is there.
    fn release(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        self.settings.address.limit_answers(connection, RELEASE_MAX);
        self.drain();
        if let (Some(connection), Some(_)) = (&mut self.connection, self.claim) {
            // Where another lane has found less than was acknowledged, what is known here may not be there any more.
            let is_known = self.settings.reconnects || self.shared.failure().is_none();
            let low_watermark = self.shared.low_watermark_at_end().filter(|_| is_known);
            let low_watermark = SourceCursor::text(low_watermark);
            self.shared.owner.release(connection, &self.settings.name, self.settings.lane, &low_watermark);
        }
    }

    pub(super) fn counts(&self) -> &LaneCounts {
        &self.shared.lanes[self.settings.lane.index()]
    }

    /// One round: take blocks, send them, read one answer. False when there is nothing left to do.
    fn step(&mut self) -> Result<bool, Error> {
        if self.claim.is_none() {
            // Also where no block waits: what an earlier run has left may.
            return match self.open_connection().map(drop) {
                _ if self.shared.is_over(self.settings.lane) => Ok(false),
                Ok(()) => Ok(true),
                Err(failure) => self.recover(failure).map(|()| true),
            };
        }
        if !self.take() {
            return Ok(false);
        }
        if self.shared.unproven.take_set_back(self.settings.lane) {
            return self.take_up_again().map(|()| true);
        }
        if self.window.is_empty() {
            return self.rest().map(|()| true);
        }
        match self.send().and_then(|()| self.receive()) {
            Ok(()) => Ok(true),
            Err(failure) => self.recover(failure).map(|()| true),
        }
    }

    /// The server was seen to have less than it acknowledged.
    fn take_up_again(&mut self) -> Result<(), Error> {
        if self.window.is_empty() {
            // It owed nothing until now.
            self.owed_since = Instant::now();
        }
        self.recover(RoundFailure::LostByServer)?;
        if self.window.is_empty() {
            // Nothing is owed an answer that would tell that it is over.
            self.trouble_since = None;
            self.shared.calm(self.settings.lane);
        }
        Ok(())
    }

    /// With nothing to send. A server that is away has nothing that it owes an answer to: it is asked again later.
    fn rest(&mut self) -> Result<(), Error> {
        if !self.expected.is_empty() || !self.asks_offsets() {
            return Ok(());
        }
        match self.look_after_tail() {
            Ok(()) => Ok(()),
            Err(RoundFailure::LostByServer) => self.take_up_again(),
            Err(failure @ RoundFailure::Fenced(_)) => self.recover(failure),
            Err(failure) => {
                tracing::debug!(lane = %self.settings.lane, ?failure, "its replicas cannot be asked for");
                self.connection = None;
                Ok(())
            }
        }
    }

    /// Fills the window; false when the channel is closed and the window empty, or the writer was dropped.
    fn take(&mut self) -> bool {
        let has_room = |window: &VecDeque<PendingBlock>| {
            let bytes: usize = window.iter().map(|pending| pending.block.frame.len()).sum();
            window.len() < self.settings.in_flight && bytes < WINDOW_BYTES_MAX
        };
        while has_room(&self.window) {
            if self.shared.is_over(self.settings.lane) {
                return false;
            }
            if self.window.is_empty() {
                match self.blocks.recv_timeout(LOOK) {
                    Ok(block) => self.window.push_back(block),
                    Err(RecvTimeoutError::Timeout) => return true,
                    Err(RecvTimeoutError::Disconnected) => return false,
                }
            } else {
                match self.blocks.try_recv() {
                    Ok(block) => self.window.push_back(block),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
        }
        !self.shared.is_over(self.settings.lane)
    }

    /// Sends what was not sent, and connects first where there is no connection.
    fn send(&mut self) -> Result<(), RoundFailure> {
        let upto = if self.probing { 1 } else { self.window.len() };
        // While an fsync is waited for nothing is sent: what comes meanwhile goes together, with one wait for all.
        let waits = self.fsync.is_asked() && !self.expected.is_empty();
        if self.sent >= upto || waits {
            return Ok(());
        }
        if self.sent == 0 && !self.probing {
            self.owed_since = Instant::now();
            self.shared.owed(self.settings.lane, Some(self.late_at()));
        }
        // First of all: whether a WAITAOF follows depends on it.
        self.open_connection()?;
        if self.is_room_in_doubt {
            self.count_room()?;
        }
        let mut wire = Vec::new();
        // Before the blocks: the last answer to these acknowledges.
        if self.asks_offsets() {
            redis::cmd("INFO").arg("replication").write_packed_command(&mut wire);
            self.expected.push_back(Expected::Offsets);
        }
        for index in self.sent..upto {
            let expected = self.put(index, &mut wire);
            self.expected.push_back(expected);
        }
        let wait = self.settings.address.answer_timeout().mul_f64(WAIT_SHARE);
        if let Some(command) = self.fsync.command(wait) {
            command.write_packed_command(&mut wire);
            self.expected.push_back(Expected::Fsync);
            if self.fsync.replicas().is_some() {
                redis::cmd("INFO").arg("replication").write_packed_command(&mut wire);
                self.expected.push_back(Expected::Replicas);
            }
        }
        self.sent = upto;
        self.open_connection()?.send_packed_command(&wire)?;
        Ok(())
    }

    /// From when on the answer that is owed is late.
    pub(super) fn late_at(&self) -> Instant {
        let waits = matches!(self.fsync, Fsync::ByWaitAof(_) | Fsync::ByWait(_));
        self.owed_since + if waits { STALL_FSYNC } else { STALL }
    }

    /// Our epoch on the lane; none has been given so low.
    pub(super) fn epoch(&self) -> u64 {
        self.claim.map_or(0, |claim| claim.epoch)
    }
}
