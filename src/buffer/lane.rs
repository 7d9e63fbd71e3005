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

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use redis::{Connection, Script, Value};

use super::connect::{Address, limit_answers};
use super::counts::{LaneCounts, Shared};
use super::error::Error;
use super::fsync;
use super::keys::Name;
use super::recover::Setback;
use super::scripts;
use super::writer::Ack;
use crate::block::frame::Block;
use crate::event::lane::Lane;

/// First wait after a refusal or a lost connection; doubles up to [`super::recover::BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(5);

/// How often a thread that waits for blocks looks whether it was told to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Longest a WAITAOF may hold the connection; below the connection's own time-out.
const FSYNC_WAIT_MS: u64 = 10_000;

/// What a lane's thread needs to know.
pub(super) struct Lease {
    pub lane: Lane,
    pub address: Address,
    pub name: Name,
    /// Our epoch, from the claim.
    pub epoch: u64,
    /// Last block and events of the lane when it was claimed.
    pub last: u64,
    pub events: u64,
    pub in_flight: usize,
    /// When an append counts.
    pub ack: Ack,
    /// How long to go on without a single acknowledgement.
    pub patience: Duration,
}

/// An answer that is still to come.
pub(super) enum Expected {
    Append,
    Fsync,
}

/// The lane's thread.
pub(super) struct Appender {
    pub(super) lease: Lease,
    blocks: Receiver<Block>,
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Option<Connection>,
    /// Whether a WAITAOF must follow the appends on this connection before they count.
    pub(super) wait_aof: bool,
    pub(super) append: Script,
    /// Not acknowledged, oldest first; the front has number `acked + 1`.
    pub(super) window: VecDeque<Block>,
    /// How many of the window's front blocks were sent on this connection.
    pub(super) sent: usize,
    /// How many of those were answered and wait for their fsync.
    pub(super) stored: usize,
    pub(super) expected: VecDeque<Expected>,
    /// Number of the last block whose answer was lost with its connection, or that was stored and not synced: up to
    /// here the server may have a block already.
    pub(super) doubtful: u64,
    /// Number of the last acknowledged block, and the lane's events up to it.
    pub(super) acked: u64,
    pub(super) acked_events: u64,
    /// Spans of the lane's events that are counted as lost by the server: after how many, and up to how many.
    pub(super) lost: Vec<(u64, u64)>,
    /// After trouble: one block alone, until it goes through.
    pub(super) probing: bool,
    pub(super) backoff: Duration,
    pub(super) trouble_since: Option<Instant>,
    /// When something was last acknowledged, or sent with nothing under way: since when the server owes an answer.
    pub(super) owed_since: Instant,
}

impl Appender {
    pub(super) fn new(
        lease: Lease,
        connection: Connection,
        wait_aof: bool,
        blocks: Receiver<Block>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            acked: lease.last,
            acked_events: lease.events,
            lease,
            blocks,
            shared,
            connection: Some(connection),
            wait_aof,
            append: Script::new(scripts::APPEND),
            window: VecDeque::new(),
            sent: 0,
            stored: 0,
            doubtful: 0,
            expected: VecDeque::new(),
            lost: Vec::new(),
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
                Ok(false) => return,
                Err(error) => return self.shared.fail(error),
            }
        }
    }

    pub(super) fn counts(&self) -> &LaneCounts {
        &self.shared.lanes[self.lease.lane.index()]
    }

    /// One round: take blocks, send them, read one answer. False when there is nothing left to do.
    fn step(&mut self) -> Result<bool, Error> {
        if !self.take() {
            return Ok(false);
        }
        if self.window.is_empty() {
            return Ok(true);
        }
        match self.send().and_then(|()| self.receive()) {
            Ok(()) => Ok(true),
            Err(setback) => self.recover(setback).map(|()| true),
        }
    }

    /// Fills the window; false when the channel is closed and the window empty, or the writer was dropped.
    fn take(&mut self) -> bool {
        while self.window.len() < self.lease.in_flight {
            if self.shared.stopped.load(Relaxed) {
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
        !self.shared.stopped.load(Relaxed)
    }

    /// Sends what was not sent, and connects first where there is no connection.
    fn send(&mut self) -> Result<(), Setback> {
        let upto = if self.probing { 1 } else { self.window.len() };
        if self.sent >= upto {
            return Ok(());
        }
        if self.sent == 0 && !self.probing {
            self.owed_since = Instant::now();
        }
        // First of all: whether a WAITAOF follows depends on it.
        self.open_connection()?;
        let mut wire = Vec::new();
        for (index, block) in self.window.iter().enumerate().take(upto).skip(self.sent) {
            wire.extend_from_slice(&self.command(self.acked + 1 + index as u64, block));
            self.expected.push_back(Expected::Append);
        }
        if self.wait_aof {
            wire.extend_from_slice(
                &redis::cmd("WAITAOF").arg(1).arg(0).arg(FSYNC_WAIT_MS).get_packed_command(),
            );
            self.expected.push_back(Expected::Fsync);
        }
        self.sent = upto;
        self.open_connection()?.send_packed_command(&wire)?;
        Ok(())
    }

    fn command(&self, number: u64, block: &Block) -> Vec<u8> {
        redis::cmd("EVALSHA")
            .arg(self.append.get_hash())
            .arg(2)
            .arg(self.lease.name.stream(self.lease.lane))
            .arg(self.lease.name.writer(self.lease.lane))
            .arg(self.lease.epoch)
            .arg(number)
            .arg(block.events)
            .arg(block.time_min)
            .arg(block.time_max)
            .arg("")
            .arg(&block.frame)
            .arg(u8::from(self.wait_aof))
            .get_packed_command()
    }

    /// The connection, if need be a new one with the script loaded. A server that has become unfit (a
    /// replica after a failover) counts as away: it may be mended, and patience bounds the wait. One that can no longer
    /// acknowledge as was asked for ends the writer: nothing may count for more than it is.
    pub(super) fn open_connection(&mut self) -> Result<&mut Connection, Setback> {
        if self.connection.is_none() {
            let away = |error: Error| Setback::away(error.to_string());
            let (mut connection, facts) =
                self.lease.address.connect_within(self.patience_left()).map_err(away)?;
            self.wait_aof = match fsync::is_waited_for(self.lease.ack, &mut connection, &facts) {
                Err(Error::NoFsync(why)) => return Err(Setback::NoFsync(why)),
                determined => determined.map_err(away)?,
            };
            self.append.prepare_invoke().load(&mut connection)?;
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or_else(|| Setback::away("no connection"))
    }

    /// Reads one answer and acts on it.
    fn receive(&mut self) -> Result<(), Setback> {
        // Off the queue whatever the answer is: what is left there is what is still to come.
        let expected = self.expected.pop_front();
        let answer = self.open_connection()?.recv_response()?;
        if let Value::ServerError(error) = answer {
            return Err(redis::RedisError::from(error).into());
        }
        match expected {
            Some(Expected::Append) => self.appended(&answer),
            Some(Expected::Fsync) => {
                let (local, _): (u64, u64) =
                    redis::from_redis_value(answer).map_err(|error| Setback::garbled(&error))?;
                if local == 0 {
                    return Err(Setback::refused("no fsync in time (WAITAOF)"));
                }
                self.acknowledge(self.stored);
                self.stored = 0;
                Ok(())
            }
            None => Err(Setback::away("an answer that nothing was asked for")),
        }
    }

    fn appended(&mut self, answer: &Value) -> Result<(), Setback> {
        let (what, last, epoch): (String, u64, u64) =
            redis::from_redis_value_ref(answer).map_err(|error| Setback::garbled(&error))?;
        match what.as_str() {
            "ok" | "repeat" => {
                let number = self.acked + self.stored as u64 + 1;
                if what == "repeat" && number > self.doubtful {
                    return Err(Setback::Foreign(number));
                }
                if what == "repeat" {
                    self.counts().repeats.fetch_add(1, Relaxed);
                }
                if self.wait_aof {
                    self.stored += 1;
                } else {
                    self.acknowledge(1);
                }
                Ok(())
            }
            "fenced" => Err(Setback::Fenced(epoch)),
            _ if what == "behind" || last < self.acked => Err(Setback::LostByServer),
            _ => Err(Setback::Gap),
        }
    }

    /// Counts the window's first blocks as acknowledged and lets go of them.
    fn acknowledge(&mut self, blocks: usize) {
        for block in self.window.drain(..blocks) {
            self.acked += 1;
            self.acked_events += block.events;
            let counts = &self.shared.lanes[self.lease.lane.index()];
            counts.blocks.fetch_add(1, Relaxed);
            counts.raw_bytes.fetch_add(block.raw_bytes, Relaxed);
            counts.frame_bytes.fetch_add(block.frame.len() as u64, Relaxed);
            counts.events.fetch_add(block.events, Relaxed);
        }
        self.sent -= blocks;
        self.probing = false;
        self.backoff = BACKOFF_MIN;
        self.owed_since = Instant::now();
        if self.trouble_since.take().is_some() {
            self.shared.calm(self.lease.lane);
            if let Some(connection) = &self.connection {
                // Should that fail, the next answer does too, and the connection is made anew.
                let _ = limit_answers(connection, self.lease.patience);
            }
        }
    }
}
