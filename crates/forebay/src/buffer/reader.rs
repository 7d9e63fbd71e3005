//! The reader: blocks out, in each lane's order, every doubt reported by its place.
//!
//! Without a group it reads what is there and changes nothing. With a group it first takes what this consumer
//! had been given and not acknowledged, then new blocks, and from time to time what other consumers left
//! lying. While the caller works on one answer the server already prepares the next.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use redis::{Cmd, RedisError};

use super::connect::Address;
use super::connection::Connection;
pub use super::consumer_name::own_consumer;
use super::entry::Id;
use super::error::Error;
use super::error_class::is_gone;
use super::keys::Name;
use super::outage::worth_waiting;
pub use super::read_item::ReadItem;
use super::reader_place::ReaderPlace;
use super::unacknowledged::Unacknowledged;
use crate::event::lane::Lane;

/// Bytes of frames to ask for at once, all lanes together, by the mean of the last answer.
pub const ANSWER_BYTES: usize = 4 << 20;

/// Bounds of blocks a lane asked for at once.
pub(super) const COUNT: (usize, usize) = (4, 1_000);

/// Longest single wait for new blocks; below the connection's time-out.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// How to read. A program makes it by [`Reader::builder`](crate::Reader::builder).
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Options {
    /// Which lanes, by their names, or partitions by theirs; all where none is named.
    pub lanes: Vec<String>,
    /// As which group and consumer; none reads without leaving a trace.
    pub group: Option<(String, String)>,
    /// Ask for the next blocks before the caller wants them. Not for callers that may stop in between: what
    /// was asked for is then given to this consumer and waits for it.
    pub ahead: bool,
    /// Take over blocks that another consumer of the group has held for longer.
    pub claim_idle: Duration,
    /// How long to go on without an answer before giving up.
    pub patience: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// What this consumer had been given before.
    Own,
    /// What nobody was given.
    New,
}

/// Reads a buffer.
pub struct Reader {
    pub(super) address: Address,
    pub(super) name: Name,
    pub(super) options: Options,
    /// Those that are read.
    pub(super) lanes: Vec<Lane>,
    /// When it was last seen what its events are, since the connection was lost: a reader may be there first.
    pub(super) found_at: Option<Instant>,
    /// For reads; a second connection acknowledges, so that neither waits for the other's answers.
    pub(super) reads: Option<Connection>,
    pub(super) control: Option<Connection>,
    pub(super) places: Vec<ReaderPlace>,
    pub(super) phase: Phase,
    /// The question whose answer is on its way.
    pub(super) asked: Option<Phase>,
    pub(super) count: usize,
    pub(super) answer_bytes: usize,
    pub(super) claimed_at: Option<Instant>,
    /// With a group: what the caller has.
    pub(super) held: Unacknowledged,
    /// The server may have come back with less. With a group: it says that the group is not there, since it came back empty or
    /// somebody deleted a stream. Without: the connection was lost.
    pub(super) came_back: bool,
    /// What is left of the patience: all of it, but while the server gives no answers.
    pub(super) left: Duration,
    pub(super) stop: Arc<AtomicBool>,
    /// A question was broken off since the flag was set, and put once more.
    pub(super) broken_off: bool,
    pub(super) to_ack: Vec<(Lane, Id)>,
    /// Blocks that the caller has, and the ids that they came again under.
    pub(super) again: Vec<(Lane, Id, Id)>,
    /// When all lanes were trimmed last.
    pub(super) trimmed_at: Option<Instant>,
}

impl Reader {
    /// The next blocks, or none when there are none by now (`wait` zero) or within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Vec<ReadItem>, Error> {
        let deadline = Instant::now() + wait;
        let mut since = Instant::now();
        if !self.to_ack.is_empty() {
            // Of blocks that came again.
            self.acknowledge([])?;
        }
        loop {
            if self.holds_many()
                && let Err(error) = self.forget_acknowledged()
            {
                self.recover(&error, since)?;
                continue;
            }
            self.must_not_hold_more()?;
            match self.round_of_its_own(deadline.saturating_duration_since(Instant::now())) {
                Ok(found) => {
                    self.answered();
                    let found = found?;
                    if found.is_some() || Instant::now() >= deadline {
                        return Ok(found.unwrap_or_default());
                    }
                    since = Instant::now();
                }
                // Nothing that was found is lost by that: it is not acknowledged.
                Err(_) if self.stop.load(Relaxed) => return Ok(Vec::new()),
                Err(error) => self.recover(&error, since)?,
            }
        }
    }

    /// Asks for so many bytes of frames at once instead of [`ANSWER_BYTES`].
    pub fn ask_for(&mut self, bytes: usize) {
        self.answer_bytes = bytes;
    }

    /// Ends waits for a server that is away once the flag is set.
    pub fn stop_on(&mut self, stop: &Arc<AtomicBool>) {
        self.stop = Arc::clone(stop);
    }

    /// The server is there: it has all of the patience again.
    pub(super) fn answered(&mut self) {
        self.broken_off = false;
        if self.left < self.options.patience {
            self.left = self.options.patience;
            for connection in [&mut self.reads, &mut self.control].into_iter().flatten() {
                self.address.limit_answers(connection, self.left);
            }
        }
    }

    /// A round of a buffer that is of the events that are read here: looked at before a group is made, or something taken for
    /// what it may not be, and before anything is handed out.
    fn round_of_its_own(
        &mut self,
        wait: Duration,
    ) -> Result<Result<Option<Vec<ReadItem>>, Error>, RedisError> {
        if self.came_back
            && let Err(other) = self.look_for_it()?
        {
            return Ok(Err(other));
        }
        let found = self.round(wait)?;
        match self.look_for_it() {
            Ok(Err(other)) => Ok(Err(other)),
            Ok(Ok(())) => Ok(Ok(found)),
            // What was found is handed out, and it is asked again.
            Err(_) => {
                self.control = None;
                Ok(Ok(found))
            }
        }
    }

    /// Questions until one has an answer; none where that is that there is nothing.
    fn round(&mut self, wait: Duration) -> Result<Option<Vec<ReadItem>>, RedisError> {
        if self.came_back {
            let found = if self.options.group.is_some() {
                self.lanes.clone().into_iter().try_for_each(|lane| self.make_group(lane))?;
                Vec::new()
            } else {
                self.go_on_by_number()?;
                self.went_back()?
            };
            self.came_back = false;
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
        loop {
            if let Some(found) = self.claim_idle()? {
                return Ok(Some(found));
            }
            let ahead = self.asked.is_some();
            if !ahead {
                self.ask(wait)?;
            }
            let answer = self.reads()?.recv_response()?;
            let asked = self.asked.take().unwrap_or(self.phase);
            let before = self.places.clone();
            let (found, is_end) = self.take(answer, asked).inspect_err(|_| self.places = before)?;
            if !found.is_empty() {
                // Without a group nothing is acknowledged, and an id may come again for another block.
                if self.options.group.is_some() {
                    self.held.add(&found);
                }
                if self.options.ahead && self.ask(Duration::ZERO).is_err() {
                    // What was found is the caller's now, whatever became of the question.
                    self.disconnect();
                }
                return Ok(Some(found));
            }
            match (asked, self.phase) {
                (Phase::Own, Phase::Own) if is_end => self.phase = Phase::New,
                // An answer asked for ahead did not wait: nothing yet is no answer to this call.
                (Phase::New, Phase::New) if !ahead => return Ok(None),
                // Or all of it is in the caller's hands already.
                _ => {}
            }
        }
    }

    fn ask(&mut self, wait: Duration) -> Result<(), RedisError> {
        let mut command = match &self.options.group {
            Some((group, consumer)) => {
                let mut command = redis::cmd("XREADGROUP");
                command.arg("GROUP").arg(group).arg(consumer);
                command
            }
            None => redis::cmd("XREAD"),
        };
        command.arg("COUNT").arg(self.count);
        // No longer than an answer may take.
        let wait = wait.min(WAIT_MAX).min(self.left / 2).as_millis();
        if wait > 0 && self.phase == Phase::New {
            command.arg("BLOCK").arg(wait as u64);
        }
        self.add_streams(&mut command);
        let packed = command.get_packed_command();
        self.reads()?.send_packed_command(&packed)?;
        self.asked = Some(self.phase);
        Ok(())
    }

    fn add_streams(&self, command: &mut Cmd) {
        command.arg("STREAMS");
        for place in &self.places {
            command.arg(self.name.stream(place.lane));
        }
        for place in &self.places {
            match (&self.options.group, self.phase) {
                (None, _) => command.arg(place.seen.to_string()),
                (Some(_), Phase::Own) => command.arg(place.own.to_string()),
                (Some(_), Phase::New) => command.arg(">"),
            };
        }
    }

    fn reads(&mut self) -> Result<&mut Connection, RedisError> {
        connected(&mut self.reads, &self.address, self.left)
    }

    pub(super) fn control(&mut self) -> Result<&mut Connection, RedisError> {
        connected(&mut self.control, &self.address, self.left)
    }

    /// Gets over a lost connection within `patience`.
    pub(super) fn recover(&mut self, error: &RedisError, since: Instant) -> Result<(), Error> {
        let why = if is_gone(error) || error.code() == Some("UNBLOCKED") {
            self.came_back |= self.options.group.is_some();
            self.found_at = None;
            error.to_string()
        } else {
            worth_waiting(error, &self.name, "reading")?
        };
        self.left = self.options.patience.saturating_sub(since.elapsed());
        // The signal that sets the flag also breaks off the question under way: that does not mean that the server is
        // gone, so it is put once more.
        let is_over = self.stop.load(Relaxed) && std::mem::replace(&mut self.broken_off, true);
        if self.left.is_zero() || is_over {
            let waited = Duration::from_millis(since.elapsed().as_millis() as u64);
            return Err(Error::Lost { url: self.address.to_string(), waited, why, unacknowledged: 0 });
        }
        self.disconnect();
        std::thread::sleep(super::round_failure::BACKOFF_MAX.min(self.left));
        Ok(())
    }

    fn disconnect(&mut self) {
        (self.reads, self.control, self.asked) = (None, None, None);
        self.found_at = None;
        self.came_back |= self.options.group.is_none();
        self.look_through_own();
    }

    /// With a group: asks next for whatever was given to this consumer and not handed to the caller.
    pub(super) fn look_through_own(&mut self) {
        if self.options.group.is_some() {
            self.phase = Phase::Own;
            self.places.iter_mut().for_each(|place| place.own = Id::default());
        }
    }
}

fn connected<'a>(
    slot: &'a mut Option<Connection>,
    address: &Address,
    limit: Duration,
) -> Result<&'a mut Connection, RedisError> {
    if slot.is_none() {
        let away = |error: Error| RedisError::from(std::io::Error::other(error.to_string()));
        *slot = Some(address.connect_to_read(limit).map_err(away)?);
    }
    slot.as_mut().ok_or_else(|| RedisError::from(std::io::Error::other("no connection")))
}
