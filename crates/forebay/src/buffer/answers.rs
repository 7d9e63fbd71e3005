//! What a lane's appender makes of the server's answers: a block is acknowledged, or its round has failed.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use redis::Value;

use super::append_command::{Said, is_no_transaction};
use super::appender::{Appender, BACKOFF_MIN, Expected};
use super::compress::PendingBlock;
use super::fsync::Fsync;
use super::overflow::Fate;
use super::round_failure::RoundFailure;

impl Appender {
    /// Reads one answer and acts on it.
    pub(super) fn receive(&mut self) -> Result<(), RoundFailure> {
        // Off the queue whatever the answer is: what is left there is what is still to come.
        let expected = self.expected.pop_front();
        let answer = self.answer(expected)?;
        if let Value::ServerError(error) = answer {
            let error = redis::RedisError::from(error);
            if expected == Some(Expected::Transaction) && is_no_transaction(&error) {
                return Err(self.without_transactions(&error.to_string()));
            }
            // As WAITAOF says it of an AOF that was turned off, whose clients it lets go.
            let is_off = matches!(expected, Some(Expected::Fsync))
                && error.to_string().contains("appendonly is disabled");
            let why = "appendonly was turned off meanwhile; CONFIG SET appendonly yes, and in redis.conf";
            return Err(if is_off { RoundFailure::NoFsync(why.into()) } else { error.into() });
        }
        match expected {
            Some(Expected::Append | Expected::Transaction) => {
                self.appended(&answer).and_then(|()| self.check_settings())
            }
            Some(Expected::Fsync) => {
                let refused = self.fsync.refused(answer).map_err(|error| RoundFailure::garbled(&error))?;
                if let Some(why) = refused {
                    // On a new connection, which is asked whether there will be one.
                    return Err(RoundFailure::away(why));
                }
                if self.expected.front() != Some(&Expected::Replicas) {
                    self.acknowledge_stored();
                }
                Ok(())
            }
            Some(Expected::Replicas) => {
                let grown = self.fsync.grown(answer).map_err(|error| RoundFailure::garbled(&error))?;
                if let Some(why) = grown {
                    return Err(RoundFailure::refused(why));
                }
                self.acknowledge_stored();
                Ok(())
            }
            Some(Expected::Offsets) => self.offsets(answer).map_err(|error| RoundFailure::garbled(&error)),
            None => Err(RoundFailure::away("an answer that nothing was asked for")),
        }
    }

    /// All that was answered is what was asked for.
    fn acknowledge_stored(&mut self) {
        let stored = std::mem::take(&mut self.stored);
        self.acknowledge(stored);
    }

    fn appended(&mut self, answer: &Value) -> Result<(), RoundFailure> {
        let Said { what, last, epoch, id } = Said::of(answer)?;
        match what.as_str() {
            "ok" | "repeat" => {
                let number = self.acked + self.stored as u64 + 1;
                if what == "repeat" && number > self.doubtful {
                    return Err(RoundFailure::Foreign(number));
                }
                if what == "repeat" {
                    self.counts().repeats.fetch_add(1, Relaxed);
                }
                if self.kept.is_asked() {
                    let cursor = self.cursor_of(&self.window[self.stored]);
                    self.kept.stored(cursor, id);
                }
                if self.fsync.is_asked() {
                    self.stored += 1;
                } else {
                    self.acknowledge(1);
                }
                Ok(())
            }
            "fenced" => Err(RoundFailure::Fenced(epoch)),
            "torn" => Err(RoundFailure::refused("the block was not added")),
            "other" => Err(self.without_transactions("its events or its low watermark are others")),
            _ if what == "behind" || last < self.acked => Err(RoundFailure::LostByServer),
            _ => Err(RoundFailure::Gap),
        }
    }

    /// Acknowledges what is answered, once all of it is, where the reply says that it is on the disk: if it still does.
    fn check_settings(&mut self) -> Result<(), RoundFailure> {
        let (Fsync::ByReply(settings), true) = (&mut self.fsync, self.expected.is_empty()) else {
            return Ok(());
        };
        let connection = self.connection.as_mut().ok_or_else(|| RoundFailure::away("no connection"))?;
        settings.still(connection)?;
        self.acknowledge_stored();
        Ok(())
    }

    /// Counts the window's first blocks as acknowledged and lets go of them.
    fn acknowledge(&mut self, blocks: usize) {
        let lane = self.settings.lane;
        let shared = Arc::clone(&self.shared);
        let counts = &shared.lanes[lane.index()];
        for _ in 0..blocks {
            let Some(pending) = self.window.pop_front() else { break };
            self.acked += 1;
            self.keep(self.acked, self.acked_events, &pending);
            self.acked_events += pending.block.events;
            // Before it is counted: once all are, another numbering may begin.
            self.acked_cursor = self.cursor_of(&pending).or(self.acked_cursor);
            let PendingBlock { block, first, mark } = pending;
            if let Some(first) = first {
                counts.blocks.fetch_add(1, Relaxed);
                counts.raw_bytes.fetch_add(block.raw_bytes, Relaxed);
                counts.frame_bytes.fetch_add(block.frame.len() as u64, Relaxed);
                counts.events.fetch_add(block.events, Relaxed);
                counts.settled.fetch_max(first + block.events, Relaxed);
                if mark.is_some() {
                    // With a spill folder, what was accepted before is so whether it can be read again or not.
                    counts.accepted.fetch_max(first + block.events, Relaxed);
                }
                self.shared.tell(lane, Fate::Acknowledged, first, block.events);
            } else {
                counts.recovered.fetch_add(block.events, Relaxed);
            }
            counts.answered.fetch_add(1, Relaxed);
        }
        self.tail.is_whole();
        self.shared.unproven.stand(lane, self.epoch(), self.acked);
        self.sent -= blocks;
        self.probing = false;
        self.backoff = BACKOFF_MIN;
        self.owed_since = Instant::now();
        self.shared.owed(lane, (self.sent > 0).then(|| self.late_at()));
        if self.trouble_since.take().is_some() {
            self.shared.calm(self.settings.lane);
            if let Some(connection) = &mut self.connection {
                self.settings.address.limit_answers(connection, self.settings.patience);
            }
        }
    }
}
