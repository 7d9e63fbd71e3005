//! How a lane's appender gets over a failed round: drain what was on its way, wait, connect again, send again from
//! the window's front. Nothing here drops a block.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use redis::Value;

use super::append_command::Said;
use super::appender::Appender;
use super::compress::PendingBlock;
use super::error::Error;
use super::error_class::ErrorClass;
use super::lane_settings::WhenStuck;
use super::overflow::{Fate, STALL};
use super::round_failure::{BACKOFF_MAX, RoundFailure};

impl Appender {
    /// Makes the next round send from the window's front again, or fails where that would not help.
    pub(super) fn recover(&mut self, failure: RoundFailure) -> Result<(), Error> {
        match failure {
            RoundFailure::Fenced(theirs) => Err(Error::Fenced {
                lane: self.settings.lane,
                mine: self.epoch(),
                theirs,
                unacknowledged: self.shared.unacknowledged(),
            }),
            RoundFailure::Foreign(number) => Err(Error::Foreign {
                lane: self.settings.lane,
                key: self.settings.name.writer(self.settings.lane),
                number,
                unacknowledged: self.shared.unacknowledged(),
            }),
            RoundFailure::NoFsync(why) => Err(Error::NoFsync(why)),
            RoundFailure::Untaken(error) => Err(error),
            RoundFailure::Server(ErrorClass::WrongType(why)) => {
                Err(Error::WrongType { key: self.settings.name.stream(self.settings.lane), why })
            }
            RoundFailure::Server(ErrorClass::Damaged(why)) => Err(Error::Damaged { why }),
            RoundFailure::Server(ErrorClass::Fatal(why)) => {
                let doing = format!("appending to lane {}", self.settings.lane);
                Err(Error::Server { doing, why, source: None })
            }
            RoundFailure::Server(ErrorClass::Unknown(why)) if !self.settings.reconnects => {
                Err(self.disconnected(&why))
            }
            RoundFailure::Server(ErrorClass::Refused(why)) if self.may_be_set_back(&why) => {
                Err(self.disconnected(&why))
            }
            RoundFailure::Server(ErrorClass::Unknown(why)) => {
                self.forget_connection();
                self.wait(&why)
            }
            // Another node may take it by now.
            RoundFailure::Server(ErrorClass::Refused(why)) if self.settings.address.is_cluster() => {
                self.forget_connection();
                self.wait(&why)
            }
            RoundFailure::Server(ErrorClass::Refused(why) | ErrorClass::Denied(why)) => {
                // It may be the fsync that was refused, of blocks that are stored.
                if self.fsync.is_asked() {
                    self.doubt();
                }
                self.drain();
                self.wait(&why)
            }
            RoundFailure::Server(ErrorClass::Full(why)) => {
                self.drain();
                if self.settings.when_stuck != WhenStuck::Trim {
                    return self.wait(&why);
                }
                match self.make_room() {
                    Ok(None) => Ok(()),
                    Ok(Some(vain)) => self.wait(&format!("{why}; {vain}")),
                    Err(failure) => self.again(|_| Err(failure)),
                }
            }
            RoundFailure::Server(ErrorClass::NoScript) => {
                self.drain();
                self.again(|lane| {
                    let scripts = lane.scripts.clone();
                    Ok(scripts.load(lane.open_connection()?)?)
                })
            }
            RoundFailure::Gap => {
                self.drain();
                self.wait("an earlier block was not stored")
            }
            RoundFailure::LostByServer if !self.settings.reconnects => {
                Err(self.disconnected("the server has less than it had acknowledged"))
            }
            RoundFailure::LostByServer => {
                self.drain();
                match self.resume() {
                    // What is sent again needs room too.
                    Err(failure @ RoundFailure::Server(ErrorClass::Full(_))) => self.recover(failure),
                    done => self.again(|_| done),
                }
            }
        }
    }

    /// Runs a step of the recovery; should that fail in turn, waits and leaves it to the next round.
    fn again(&mut self, step: impl FnOnce(&mut Self) -> Result<(), RoundFailure>) -> Result<(), Error> {
        match step(self) {
            // Should the same failure come back at once, patience must bound that too.
            Ok(()) => self.wait("the lane was taken up again"),
            Err(RoundFailure::Server(
                ErrorClass::Unknown(why)
                | ErrorClass::Refused(why)
                | ErrorClass::Denied(why)
                | ErrorClass::Full(why),
            )) => {
                self.forget_connection();
                self.wait(&why)
            }
            Err(failure) => self.recover(failure),
        }
    }

    /// Reads the answers to everything that was sent after the block that failed: without it stored, they are
    /// refusals, and whatever they are, the blocks will be sent again. Where it was stored before, and only the repeat was
    /// refused, later ones may have been stored.
    pub(super) fn drain(&mut self) {
        while self.connection.is_some()
            && let Some(expected) = self.expected.pop_front()
        {
            // A refusal is an answer too. Whatever is none, a time-out first of all, may leave answers on
            // their way that would be taken for those of later blocks, and each would be waited for in full.
            if let Ok(answer) = self.answer(Some(expected)) {
                self.doubtful = self.doubtful.max(stored_up_to(&answer));
            } else {
                self.connection = None;
                self.doubt();
            }
        }
        self.rewind();
    }

    fn forget_connection(&mut self) {
        self.connection = None;
        self.doubt();
        self.rewind();
    }

    /// Whatever was sent may be stored: the server may say so when it is sent again.
    fn doubt(&mut self) {
        self.doubtful = self.doubtful.max(self.acked + self.sent as u64);
    }

    fn rewind(&mut self) {
        // Answered and not yet synced: they are sent again, and the server has them.
        self.doubtful = self.doubtful.max(self.acked + self.stored as u64);
        self.expected.clear();
        self.sent = 0;
        self.stored = 0;
        self.probing = true;
    }

    /// How long to go on without an acknowledgement from now.
    pub(super) fn patience_left(&self) -> Duration {
        self.settings
            .patience
            .saturating_sub(self.trouble_since.map_or(Duration::ZERO, |since| self.held_back(since)))
    }

    /// For how long the source has been held back, where nothing was acknowledged since then.
    fn held_back(&self, since: Instant) -> Duration {
        let held = match self.settings.when_stuck {
            WhenStuck::None | WhenStuck::Trim => Some(since.elapsed()),
            WhenStuck::Spill => self.shared.disk_stuck_since(self.settings.lane).map(|since| since.elapsed()),
            // Those that are sent already are waited for at the end.
            WhenStuck::Shed => self.shared.closing_for(),
        };
        held.unwrap_or_default().min(since.elapsed())
    }

    /// Drops what the server has not taken, but for blocks that it may have stored.
    fn shed(&mut self) {
        let doubtful = self.doubtful.saturating_sub(self.acked) as usize;
        let lane = self.settings.lane;
        for PendingBlock { block, first, .. } in self.window.drain(doubtful.min(self.window.len())..) {
            self.shared.lanes[lane.index()].shed.fetch_add(block.events, Relaxed);
            self.shared.tell(lane, Fate::Shed, first.unwrap_or_default(), block.events);
        }
    }

    /// Waits before the next try, or gives up once nothing was acknowledged for as long as patience allows.
    fn wait(&mut self, why: &str) -> Result<(), Error> {
        let since = *self.trouble_since.get_or_insert(self.owed_since);
        self.counts().retries.fetch_add(1, Relaxed);
        self.shared.trouble(self.settings.lane, why);
        if self.held_back(since) >= self.settings.patience {
            return Err(Error::Lost {
                url: self.settings.address.to_string(),
                waited: Duration::from_millis(since.elapsed().as_millis() as u64),
                why: why.into(),
                unacknowledged: self.shared.unacknowledged(),
            });
        }
        if self.settings.when_stuck == WhenStuck::Shed && self.shared.closing_for() > Some(STALL) {
            self.shed();
        }
        std::thread::sleep(self.backoff.min(self.patience_left()));
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        Ok(())
    }
}

/// The number of the block that an answer says is stored; 0 where it says none is.
fn stored_up_to(answer: &Value) -> u64 {
    match Said::of(answer) {
        Ok(said) if said.what == "ok" => said.last,
        _ => 0,
    }
}
