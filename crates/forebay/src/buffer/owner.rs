//! Who may write: one run of a writer has all lanes of a buffer, and the higher epoch always wins.
//!
//! The first lane decides. Whoever takes it has an epoch above every lane's, and takes the others with the same one, so
//! that of two runs that open at once exactly one gets the buffer. A run leaves its id beside each lane, and takes it
//! away when it ends in order. Where it stands there still, the next one listens whether that run is heard (every run
//! publishes once a second, an idle one too): if it is, nothing is taken, unless the caller means to take over. A run
//! that was killed is silent, and is replaced after [`SILENCE`].

use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::Script;

use super::connect::Address;
use super::connection::Connection;
use super::entry::Id;
use super::error::Error;
use super::error_class::{ErrorClass, classify};
use super::keys::Name;
use super::meta::{self, Incarnation};
use super::mutex::lock;
use super::scripts;
use super::source_cursor::SourceCursor;
use super::status_subscriber::{StatusSubscriber, WriterSnapshot};
use super::text;
use super::writer_status::new_id;
use crate::event::lane::Lane;

/// How long a run must be silent before it counts as gone: five of its messages.
pub const SILENCE: Duration = Duration::from_secs(5);

/// How long it is listened at the most where the server answers so slowly that silence says nothing.
const LISTEN_MAX: Duration = Duration::from_secs(30);

/// How often it is looked at what was heard.
const LOOK: Duration = Duration::from_millis(50);

/// A server that takes longer for an answer may hold a message back as well.
const PROMPT: Duration = Duration::from_millis(500);

/// What a lane was when its writer took it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// The writer's epoch from now on.
    pub epoch: u64,
    /// Number of its last block.
    pub last: u64,
    /// Its events so far.
    pub events: u64,
    /// Where the source stood after its last block, and the lane's low watermark.
    pub cursor: Option<SourceCursor>,
    pub low_watermark: Option<SourceCursor>,
    /// Those of them that went with its stream, where that was not known yet.
    pub lost: u64,
    /// The id of the first block that its writers keep back.
    pub kept: Option<Id>,
}

/// A lane as it is.
#[derive(Debug, PartialEq, Eq)]
struct LaneOnServer {
    is_ok: bool,
    epoch: u64,
    last: u64,
    events: u64,
    cursor: Option<SourceCursor>,
    low_watermark: Option<SourceCursor>,
    /// Events of a stream that is gone.
    lost: u64,
    kept: Option<Id>,
    /// The run that has it, or had it when it was killed; empty where that ended in order.
    writer: String,
}

/// What the script says: what, epoch, s, e, c, w, writer, events lost, id of the first block kept back.
type Answer = (String, u64, u64, u64, String, String, String, u64, String);

/// What a lane is taken for.
enum Step<'a> {
    Look,
    /// With an epoch at least so high, from whoever it was seen with, or from anybody.
    First(u64, Option<&'a LaneOnServer>),
    /// With this epoch.
    Next(u64),
}

/// One run of a writer.
#[derive(Debug)]
pub(super) struct Owner {
    id: String,
    /// Whether a run that is heard is taken over from.
    takes_over: bool,
    /// Whether it keeps blocks back; else those that others did need not stay.
    keeps_back: bool,
    /// What it takes lanes with, once it may.
    epoch: Mutex<Option<u64>>,
    /// Which buffer of its name it writes.
    pub incarnation: Incarnation,
}

impl Owner {
    pub fn new(takes_over: bool, keeps_back: bool) -> Self {
        Self {
            id: new_id(),
            takes_over,
            keeps_back,
            epoch: Mutex::new(None),
            incarnation: Incarnation::new(),
        }
    }

    /// The run's id, as it is published and as it stands beside its lanes.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes a lane. The first time it is made sure that nobody else writes, and nothing is taken where somebody does.
    pub fn take(
        &self,
        connection: &mut Connection,
        (address, name): (&Address, &Name),
        lane: Lane,
    ) -> Result<Claim, Error> {
        let epoch = {
            // Held meanwhile: the lanes of one run do not decide it twice.
            let mut epoch = lock(&self.epoch);
            match *epoch {
                Some(epoch) => epoch,
                None => *epoch.insert(self.admit(connection, (address, name))?),
            }
        };
        let seen = self.claim(connection, (address, name), lane, &Step::Next(epoch))?;
        if !seen.is_ok {
            return Err(Error::Fenced { lane, mine: epoch, theirs: seen.epoch, unacknowledged: 0 });
        }
        // The server may have lost it since the first lane was taken.
        meta::make(connection, &address.to_string(), name, &self.incarnation)?;
        if seen.lost > 0 {
            tracing::warn!(
                "lane {lane}: its stream is gone, deleted or evicted while nobody wrote, and with it blocks up to {}: at most \
                 {} events that some group had not acknowledged",
                seen.last,
                seen.lost
            );
        }
        let LaneOnServer { last, events, cursor, low_watermark, lost, kept, .. } = seen;
        Ok(Claim { epoch, last, events, cursor, low_watermark, lost, kept })
    }

    /// Lets the next writer know that this run no longer has a lane. Should that fail, it has to listen first.
    pub fn release(&self, connection: &mut Connection, name: &Name, lane: Lane, low_watermark: &str) {
        let script = Script::new(scripts::RELEASE);
        let mut call = script.key(name.writer(lane));
        let _ = call.arg(&self.id).arg(low_watermark).invoke::<u64>(connection);
    }

    /// Makes sure that nobody else writes, and takes the lane that decides it; the epoch.
    fn admit(&self, connection: &mut Connection, of: (&Address, &Name)) -> Result<u64, Error> {
        let (address, name) = of;
        let taken = |why: String| Error::Taken { buffer: name.to_string(), url: address.to_string(), why };
        let look = |connection: &mut Connection| -> Result<Vec<LaneOnServer>, Error> {
            name.lanes().iter().map(|lane| self.claim(connection, of, lane, &Step::Look)).collect()
        };
        meta::check(connection, &address.to_string(), name)?;
        let lanes = look(connection)?;
        let mut owners: Vec<&str> =
            lanes.iter().map(|seen| &*seen.writer).filter(|id| !id.is_empty()).collect();
        owners.sort_unstable();
        owners.dedup();
        if !owners.is_empty() && !self.takes_over {
            tracing::warn!(
                "the last writer of buffer {name} did not say that it ended: listening for {} s whether it is there",
                SILENCE.as_secs()
            );
            listen(connection, of, owners)?;
            // One that may not publish is not heard, but what it writes is seen.
            if look(connection)? != lanes {
                return Err(taken("it wrote while this one listened".into()));
            }
        }
        // Not before: a writer that is refused has made nothing.
        meta::make(connection, &address.to_string(), name, &self.incarnation)?;
        let floor = lanes.iter().map(|seen| seen.epoch).max().unwrap_or_default() + 1;
        let expected = (!self.takes_over).then_some(&lanes[0]);
        let first = self.claim(connection, of, name.lanes().first(), &Step::First(floor, expected))?;
        if first.is_ok {
            Ok(first.epoch)
        } else {
            Err(taken("it opened at the same time as this one".into()))
        }
    }

    fn claim(
        &self,
        connection: &mut Connection,
        (address, name): (&Address, &Name),
        lane: Lane,
        step: &Step<'_>,
    ) -> Result<LaneOnServer, Error> {
        let script = Script::new(scripts::CLAIM);
        let mut call = script.key(name.stream(lane));
        call.key(name.writer(lane)).key(name.aside(lane));
        match step {
            Step::Look => call.arg("look").arg(&self.id),
            Step::First(floor, expected) => {
                let (seconds, micros): (u64, u64) = redis::cmd("TIME")
                    .query(connection)
                    .map_err(|error| Error::server("asking for the time", &error))?;
                call.arg("first").arg(&self.id).arg(floor).arg(seconds * 1_000 + micros / 1_000);
                match expected {
                    Some(seen) => call.arg(seen.epoch).arg(seen.last),
                    None => call.arg("").arg(""),
                }
            }
            Step::Next(epoch) => call.arg("next").arg(&self.id).arg(epoch),
        };
        call.arg(if self.keeps_back { "keeps" } else { "none" });
        let answer: Result<Answer, _> = call.invoke(connection);
        let (what, epoch, last, events, cursor, low_watermark, writer, lost, kept) =
            answer.map_err(|error| match classify(&error) {
                ErrorClass::WrongType(why) => {
                    Error::WrongType { key: format!("{} or {}", name.stream(lane), name.writer(lane)), why }
                }
                ErrorClass::Damaged(why) => Error::Damaged { why },
                ErrorClass::Refused(why) | ErrorClass::Full(why) => {
                    Error::NotNow { url: address.to_string(), why }
                }
                _ => Error::server(format!("taking lane {lane}"), &error),
            })?;
        let is_ok = what == "ok";
        let (cursor, low_watermark) = (SourceCursor::parse(&cursor), SourceCursor::parse(&low_watermark));
        Ok(LaneOnServer {
            is_ok,
            epoch,
            last,
            events,
            cursor,
            low_watermark,
            lost,
            kept: Id::parse(&kept),
            writer,
        })
    }
}

/// Listens until every one of these runs has been silent for long enough, or has said that it ended.
fn listen(
    connection: &mut Connection,
    (address, name): (&Address, &Name),
    mut owners: Vec<&str>,
) -> Result<(), Error> {
    let (buffer, url) = (name.to_string(), address.to_string());
    let hearing = StatusSubscriber::start(address, name);
    let (started, mut silent_since) = (Instant::now(), None);
    loop {
        let asked = Instant::now();
        redis::cmd("PING")
            .exec(connection)
            .map_err(|error| Error::server("listening whether the last writer is there", &error))?;
        let heard = hearing.look();
        owners.retain(|id| !heard.writers.iter().any(|writer| writer.id == **id && writer.state.is_end()));
        if let Some(writer) = heard.writers.iter().find(|writer| owners.contains(&&*writer.id)) {
            return Err(Error::Taken { buffer, url, why: described(writer) });
        }
        if !heard.is_subscribed || asked.elapsed() > PROMPT {
            silent_since = None;
        } else if owners.is_empty() || silent_since.get_or_insert(asked).elapsed() >= SILENCE {
            return Ok(());
        }
        let limit = if heard.is_subscribed { LISTEN_MAX } else { 2 * SILENCE };
        if started.elapsed() >= limit {
            let why = heard.why_not.unwrap_or_else(|| "the server answers too slowly to tell".into());
            return Err(Error::Unheard { buffer, url, why });
        }
        std::thread::sleep(LOOK);
    }
}

fn described(writer: &WriterSnapshot) -> String {
    let age = Duration::from_secs(writer.age.as_secs());
    format!("run {}, {} for {}, was heard just now", writer.id, writer.state.name(), text::duration(age))
}
