//! The reader: blocks out, in each lane's order, every doubt reported by its place.
//!
//! Without a group it reads what is there and changes nothing. With a group it first takes what this consumer
//! had been given and not acknowledged, then new blocks, and from time to time what other consumers left
//! lying. While the caller works on one answer the server already prepares the next.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::link::Connection;
use redis::{Cmd, RedisError, Value};

use super::connect::{Address, limit_answers};
use super::entry::{Entry, Id, list};
use super::error::Error;
pub use super::found::Found;
use super::keys::Name;
use super::there::must_be_there;
use super::trouble::{Trouble, trouble};
use crate::event::lane::Lane;

/// Bytes of frames to ask for at once, all lanes together, by the mean of the last answer.
pub const ANSWER_BYTES: usize = 4 << 20;

/// Bounds of blocks a lane asked for at once.
const COUNT: (usize, usize) = (4, 1_000);

/// Longest single wait for new blocks; below the connection's time-out.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// How to read.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which lanes.
    pub lanes: Vec<Lane>,
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

/// Where a lane stands.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) lane: Lane,
    /// The last block read in order: id, number, total.
    pub(super) last: Option<(Id, u64, u64)>,
    /// Entries after it that could not be read.
    pub(super) damaged: u64,
    /// Where the group stood when this reader came to the lane, until a block is read in order.
    pub(super) given: Option<Id>,
    /// Without a group: ids up to here were handed to the caller.
    seen: Id,
    /// In [`Phase::Own`]: ids up to here were looked through.
    own: Id,
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
    /// For reads; a second connection acknowledges, so that neither waits for the other's answers.
    reads: Option<Connection>,
    pub(super) control: Option<Connection>,
    pub(super) places: Vec<Place>,
    phase: Phase,
    pub(super) asked: bool,
    pub(super) count: usize,
    answer_bytes: usize,
    pub(super) claimed_at: Option<Instant>,
    /// With a group: what the caller was handed and has not acknowledged. The server gives it again after a lost
    /// connection, or once it has lain for [`Options::claim_idle`]; the caller shall not have it twice.
    pub(super) held: HashSet<(Lane, Id)>,
    /// The server says that a group is not there: it came back empty, or somebody deleted a stream.
    groups_gone: bool,
    /// What is left of the patience: all of it, but while the server gives no answers.
    left: Duration,
    stop: Arc<AtomicBool>,
    /// A question was broken off since the flag was set, and put once more.
    broken_off: bool,
    pub(super) to_ack: Vec<(Lane, Id)>,
    /// When all lanes were trimmed last.
    pub(super) trimmed_at: Option<Instant>,
}

impl Reader {
    /// Connects; with a group, makes it where it is not there, from the first block on. A buffer that is not there is one
    /// without events.
    pub fn open(address: &Address, name: &Name, options: Options) -> Result<Self, Error> {
        let mut reader = Self::connect(address, name, options)?;
        reader.make_groups()?;
        Ok(reader)
    }

    /// The same for a buffer that is there; an error where it is not.
    pub fn open_existing(address: &Address, name: &Name, options: Options) -> Result<Self, Error> {
        let mut reader = Self::connect(address, name, options)?;
        if let Some(connection) = &mut reader.control {
            must_be_there(connection, address, name)?;
        }
        reader.make_groups()?;
        Ok(reader)
    }

    fn connect(address: &Address, name: &Name, mut options: Options) -> Result<Self, Error> {
        // Twice in one question, a lane would be given out twice.
        options.lanes = Lane::ALL.into_iter().filter(|lane| options.lanes.contains(lane)).collect();
        let place = |lane: &Lane| Place {
            lane: *lane,
            last: None,
            damaged: 0,
            given: None,
            seen: Id::default(),
            own: Id::default(),
        };
        let places = options.lanes.iter().map(place).collect();
        Ok(Self {
            address: address.clone(),
            name: name.clone(),
            reads: Some(address.connect_to_read(options.patience)?),
            control: Some(address.connect_to_read(options.patience)?),
            places,
            phase: if options.group.is_some() { Phase::Own } else { Phase::New },
            asked: false,
            count: COUNT.0,
            answer_bytes: ANSWER_BYTES,
            claimed_at: None,
            held: HashSet::new(),
            groups_gone: false,
            left: options.patience,
            stop: Arc::default(),
            broken_off: false,
            to_ack: Vec::new(),
            trimmed_at: None,
            options,
        })
    }

    /// The next blocks, or none when there are none by now (`wait` zero) or within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Vec<Found>, Error> {
        let deadline = Instant::now() + wait;
        let mut since = Instant::now();
        loop {
            match self.round(deadline.saturating_duration_since(Instant::now())) {
                Ok(found) => {
                    self.answered();
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
                limit_answers(connection, self.left);
            }
        }
    }

    /// Questions until one has an answer; none where that is that there is nothing.
    fn round(&mut self, wait: Duration) -> Result<Option<Vec<Found>>, RedisError> {
        if self.groups_gone {
            self.options.lanes.clone().into_iter().try_for_each(|lane| self.make_group(lane))?;
            self.groups_gone = false;
        }
        loop {
            if let Some(found) = self.claim_idle()? {
                return Ok(Some(found));
            }
            let ahead = self.asked;
            if !ahead {
                self.ask(wait)?;
            }
            let answer = self.reads()?.recv_response()?;
            self.asked = false;
            let before = self.places.clone();
            let (found, is_end) = self.take(answer).inspect_err(|_| self.places = before)?;
            if !found.is_empty() {
                self.hold(&found);
                if self.options.ahead && self.ask(Duration::ZERO).is_err() {
                    // What was found is the caller's now, whatever became of the question.
                    self.disconnect();
                }
                return Ok(Some(found));
            }
            match self.phase {
                Phase::Own if is_end => self.phase = Phase::New,
                // An answer asked for ahead did not wait: nothing yet is no answer to this call.
                Phase::New if !ahead => return Ok(None),
                // Or all of it is in the caller's hands already.
                Phase::Own | Phase::New => {}
            }
        }
    }

    /// Remembers what the caller is about to be handed.
    pub(super) fn hold(&mut self, found: &[Found]) {
        if self.options.group.is_none() {
            return;
        }
        for item in found {
            match item {
                Found::Block(lane, Entry { id, .. })
                | Found::Damaged { lane, id, .. }
                | Found::Gone { lane, id } => {
                    self.held.insert((*lane, *id));
                }
                Found::Missing { .. } | Found::Dropped { .. } | Found::OutOfPlace { .. } => {}
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
        self.asked = true;
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

    /// Takes an answer apart: `[[stream, entries], …]` or nil. What the caller is to have of it, and whether it
    /// was empty.
    fn take(&mut self, answer: Value) -> Result<(Vec<Found>, bool), RedisError> {
        let streams = match answer {
            Value::Nil => return Ok((Vec::new(), true)),
            Value::Array(streams) => streams,
            Value::ServerError(error) => return Err(error.into()),
            other => return Err(unexpected(&other)),
        };
        let (mut found, mut bytes, mut is_end) = (Vec::new(), 0, true);
        for stream in streams {
            let Value::Array(pair) = stream else { return Err(unexpected(&stream)) };
            let [Value::BulkString(key), entries]: [Value; 2] =
                pair.try_into().map_err(|_| unexpected(&Value::Nil))?
            else {
                return Err(unexpected(&Value::Nil));
            };
            let at = self.places.iter().position(|place| self.name.stream(place.lane).as_bytes() == key);
            let at = at.ok_or_else(|| unexpected(&Value::BulkString(key)))?;
            for (id, fields) in list(entries).ok_or_else(|| unexpected(&Value::Nil))? {
                is_end = false;
                bytes += fields.as_ref().map_or(0, |fields| frame_bytes(fields));
                let place = &mut self.places[at];
                place.seen = place.seen.max(id);
                place.own = place.own.max(id);
                // What came before the first new block may have holes: the rest was acknowledged.
                let in_order = self.phase == Phase::New || place.last.is_some_and(|(last, ..)| id > last);
                self.sort(at, id, fields, in_order, &mut found)?;
            }
        }
        if bytes > 0 {
            let mean = bytes / found.len().max(1);
            self.count = (self.answer_bytes / mean.max(1) / self.places.len().max(1)).clamp(COUNT.0, COUNT.1);
        }
        Ok((found, is_end))
    }

    /// Makes of an entry what the caller is to have, unless it has it already.
    pub(super) fn sort(
        &mut self,
        at: usize,
        id: Id,
        fields: Option<Vec<Value>>,
        in_order: bool,
        found: &mut Vec<Found>,
    ) -> Result<(), RedisError> {
        let lane = self.places[at].lane;
        if self.held.contains(&(lane, id)) {
            return Ok(());
        }
        let Some(fields) = fields else {
            found.push(Found::Gone { lane, id });
            return Ok(());
        };
        match Entry::read(id, fields) {
            Ok(entry) => {
                found.extend(self.missing(at, &entry, in_order)?);
                if in_order {
                    self.places[at].last = Some((id, entry.number, entry.total));
                    self.places[at].damaged = 0;
                }
                found.push(Found::Block(lane, entry));
            }
            Err(why) => {
                self.places[at].damaged += u64::from(in_order);
                found.push(Found::Damaged { lane, id, why });
            }
        }
        Ok(())
    }

    /// Gets over a lost connection within `patience`.
    pub(super) fn recover(&mut self, error: &RedisError, since: Instant) -> Result<(), Error> {
        let why = match trouble(error) {
            _ if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")) => {
                self.groups_gone = self.options.group.is_some();
                error.to_string()
            }
            Trouble::Unknown(why) | Trouble::Refused(why) | Trouble::Full(why) => why,
            Trouble::NoScript => "the script is not loaded".into(),
            Trouble::Damaged(why) => return Err(Error::Damaged { why }),
            Trouble::WrongType(why) => {
                return Err(Error::WrongType { key: format!("forebay:{}:…", self.name), why });
            }
            Trouble::Fatal(why) | Trouble::Denied(why) | Trouble::Cluster(why) => {
                return Err(Error::Server { doing: format!("reading buffer {}", self.name), why });
            }
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
        std::thread::sleep(super::recover::BACKOFF_MAX.min(self.left));
        Ok(())
    }

    fn disconnect(&mut self) {
        (self.reads, self.control, self.asked) = (None, None, false);
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

/// Bytes of the largest field, which is the frame.
fn frame_bytes(fields: &[Value]) -> usize {
    let bytes = |field: &Value| if let Value::BulkString(bytes) = field { bytes.len() } else { 0 };
    fields.iter().map(bytes).max().unwrap_or(0)
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

fn unexpected(value: &Value) -> RedisError {
    // What it says is somebody else's, and may be long.
    let what = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) => "a list of another shape",
        _ => "something else",
    };
    RedisError::from((redis::ErrorKind::UnexpectedReturnType, "not what a stream answers", what.into()))
}
