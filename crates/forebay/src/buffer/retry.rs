//! How a lane's appender gets over a setback: drain what was on its way, wait, connect again, send again from
//! the window's front. Nothing here drops a block.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use redis::Value;

use super::appender::Appender;
use super::compress::Parcel;
use super::error::Error;
use super::error_class::Trouble;
use super::lane_settings::WayOut;
use super::overflow::{Fate, STALL};
use super::round_failure::{BACKOFF_MAX, Setback};

impl Appender {
    /// Makes the next round send from the window's front again, or fails where that would not help.
    pub(super) fn recover(&mut self, setback: Setback) -> Result<(), Error> {
        match setback {
            Setback::Fenced(theirs) => Err(Error::Fenced {
                lane: self.lease.lane,
                mine: self.epoch(),
                theirs,
                unacknowledged: self.shared.unacknowledged(),
            }),
            Setback::Foreign(number) => Err(Error::Foreign {
                lane: self.lease.lane,
                key: self.lease.name.writer(self.lease.lane),
                number,
                unacknowledged: self.shared.unacknowledged(),
            }),
            Setback::NoFsync(why) => Err(Error::NoFsync(why)),
            Setback::Untaken(error) => Err(error),
            Setback::Trouble(Trouble::WrongType(why)) => {
                Err(Error::WrongType { key: self.lease.name.stream(self.lease.lane), why })
            }
            Setback::Trouble(Trouble::Damaged(why)) => Err(Error::Damaged { why }),
            Setback::Trouble(Trouble::Fatal(why)) => {
                let doing = format!("appending to lane {}", self.lease.lane);
                Err(Error::Server { doing, why, source: None })
            }
            Setback::Trouble(Trouble::Unknown(why)) => {
                self.forget_connection();
                self.wait(&why)
            }
            Setback::Trouble(Trouble::Cluster(why)) => {
                let why =
                    format!("{why}: it is a node of a cluster; give the URL of a server outside a cluster");
                Err(Error::Unfit { url: self.lease.address.to_string(), why })
            }
            Setback::Trouble(Trouble::Refused(why) | Trouble::Denied(why)) => {
                // It may be the fsync that was refused, of blocks that are stored.
                if self.fsync.is_asked() {
                    self.doubt();
                }
                self.drain();
                self.wait(&why)
            }
            Setback::Trouble(Trouble::Full(why)) => {
                self.drain();
                if self.lease.way_out != WayOut::Trim {
                    return self.wait(&why);
                }
                match self.make_room() {
                    Ok(None) => Ok(()),
                    Ok(Some(vain)) => self.wait(&format!("{why}; {vain}")),
                    Err(setback) => self.again(|_| Err(setback)),
                }
            }
            Setback::Trouble(Trouble::NoScript) => {
                self.drain();
                self.again(|lane| {
                    let script = lane.append.clone();
                    script.prepare_invoke().load(lane.open_connection()?)?;
                    Ok(())
                })
            }
            Setback::Gap => {
                self.drain();
                self.wait("an earlier block was not stored")
            }
            Setback::LostByServer => {
                self.drain();
                self.again(Self::resume)
            }
        }
    }

    /// Runs a step of the recovery; should that fail in turn, waits and leaves it to the next round.
    fn again(&mut self, step: impl FnOnce(&mut Self) -> Result<(), Setback>) -> Result<(), Error> {
        match step(self) {
            // Should the same setback come back at once, patience must bound that too.
            Ok(()) => self.wait("the lane was taken up again"),
            Err(Setback::Trouble(
                Trouble::Unknown(why) | Trouble::Refused(why) | Trouble::Denied(why) | Trouble::Full(why),
            )) => {
                self.forget_connection();
                self.wait(&why)
            }
            Err(setback) => self.recover(setback),
        }
    }

    /// Reads the answers to everything that was sent after the block that failed: without it stored, they are
    /// refusals, and whatever they are, the blocks will be sent again. Where it was stored before, and only the repeat was
    /// refused, later ones may have been stored.
    pub(super) fn drain(&mut self) {
        if let Some(connection) = self.connection.as_mut() {
            for _ in 0..self.expected.len() {
                // A refusal is an answer too. Whatever is none, a time-out first of all, may leave answers on
                // their way that would be taken for those of later blocks, and each would be waited for in full.
                if let Ok(answer) = connection.recv_response() {
                    self.doubtful = self.doubtful.max(stored_up_to(&answer));
                } else {
                    self.connection = None;
                    self.doubt();
                    break;
                }
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
        self.lease
            .patience
            .saturating_sub(self.trouble_since.map_or(Duration::ZERO, |since| self.held_back(since)))
    }

    /// For how long the source has been held back, where nothing was acknowledged since then.
    fn held_back(&self, since: Instant) -> Duration {
        let held = match self.lease.way_out {
            WayOut::None | WayOut::Trim => Some(since.elapsed()),
            WayOut::Spill => self.shared.disk_stuck_since(self.lease.lane).map(|since| since.elapsed()),
            // Those that are sent already are waited for at the end.
            WayOut::Shed => self.shared.closing_for(),
        };
        held.unwrap_or_default().min(since.elapsed())
    }

    /// Drops what the server has not taken, but for blocks that it may have stored.
    fn shed(&mut self) {
        let doubtful = self.doubtful.saturating_sub(self.acked) as usize;
        let lane = self.lease.lane;
        for Parcel { block, first, .. } in self.window.drain(doubtful.min(self.window.len())..) {
            self.shared.lanes[lane.index()].shed.fetch_add(block.events, Relaxed);
            self.shared.tell(lane, Fate::Shed, first.unwrap_or_default(), block.events);
        }
    }

    /// Waits before the next try, or gives up once nothing was acknowledged for as long as patience allows.
    fn wait(&mut self, why: &str) -> Result<(), Error> {
        let since = *self.trouble_since.get_or_insert(self.owed_since);
        self.counts().retries.fetch_add(1, Relaxed);
        self.shared.trouble(self.lease.lane, why);
        if self.held_back(since) >= self.lease.patience {
            return Err(Error::Lost {
                url: self.lease.address.to_string(),
                waited: Duration::from_millis(since.elapsed().as_millis() as u64),
                why: why.into(),
                unacknowledged: self.shared.unacknowledged(),
            });
        }
        if self.lease.way_out == WayOut::Shed && self.shared.closing_for() > Some(STALL) {
            self.shed();
        }
        std::thread::sleep(self.backoff.min(self.patience_left()));
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        Ok(())
    }
}

/// The number of the block that an answer says is stored; 0 where it says none is.
fn stored_up_to(answer: &Value) -> u64 {
    match redis::from_redis_value_ref::<(String, u64, u64)>(answer) {
        Ok((what, number, _)) if what == "ok" => number,
        _ => 0,
    }
}
