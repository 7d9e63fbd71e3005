//! A look at a buffer that changes nothing: what is held, how old it is, how fast it fills, who is behind.
//!
//! Every block says how many events its lane ever had up to it, so counts are two look-ups and a subtraction.
//! What cannot be known is none, never zero. No command here walks a stream.

use redis::{Connection, RedisError};

use super::ask::{Asker, Block};
use super::connect::{Address, Facts};
use super::entry::{Entry, Id};
use super::error::Error;
use super::groups;
pub use super::groups::GroupStat;
use super::keys::Name;
use super::measure::Conf;
use super::rate::{Begin, DAY, MINUTE, Mean};
use crate::block::frame::Damage;
use crate::event::lane::Lane;

/// Nodes of a stream that MEMORY USAGE may visit.
const MEMORY_SAMPLES: u64 = 64;

/// A buffer at one moment.
#[derive(Debug, Clone)]
pub struct Stat {
    /// Server milliseconds since 1970.
    pub at_ms: u64,
    /// What the server says of itself.
    pub facts: Facts,
    /// Settings that its limits hang on.
    pub conf: Conf,
    /// Keys of the buffer on the server.
    pub keys: u64,
    /// Every lane that was ever written, in order.
    pub lanes: Vec<LaneStat>,
    /// Every group of every lane, or as many as were asked for.
    pub groups: Vec<GroupStat>,
    /// The most groups of a lane that were not looked at.
    pub groups_hidden: u64,
    /// Commands that the server does not let this user use: what they would tell is unknown.
    pub refused: Vec<String>,
}

/// A lane at one moment.
#[derive(Debug, Clone)]
pub struct LaneStat {
    /// Which.
    pub lane: Lane,
    /// Events held; none where the oldest block, or the newest, cannot be read.
    pub events: Option<u64>,
    /// Blocks held.
    pub blocks: u64,
    /// Events ever appended.
    pub total: u64,
    /// Milliseconds since the oldest held block was stored.
    pub oldest_age_ms: Option<u64>,
    /// Events a second that came in over the last minute.
    pub events_per_second_in: Option<f64>,
    /// What came in over the last day, or as far back as blocks are held.
    pub today: Option<Mean>,
    /// The oldest block, or the newest, where it cannot be read, and why.
    pub damaged: Vec<(Id, Damage)>,
    /// Bytes of memory, extrapolated by the server from a sample of the stream's nodes.
    pub bytes: Option<u64>,
    /// Epoch of the newest writer.
    pub epoch: Option<u64>,
    /// Events ever dropped to make room, whoever still had to read them; none where the hash cannot be read.
    pub trimmed: Option<u64>,
}

impl Stat {
    /// Looks at a buffer.
    pub fn look(address: &Address, name: &Name) -> Result<Self, Error> {
        let (mut connection, facts) = address.connect()?;
        Self::over(&mut connection, name, facts, usize::MAX)
    }

    /// The same over a connection that is there, with what the server has just said of itself; of each lane no more
    /// groups than this, the first by name.
    pub fn over(
        connection: &mut Connection,
        name: &Name,
        facts: Facts,
        groups_max: usize,
    ) -> Result<Self, Error> {
        Looker { asker: Asker::new(connection, name), at_ms: 0 }.look(facts, groups_max)
    }

    /// Events held in all lanes; none where one cannot tell.
    pub fn events(&self) -> Option<u64> {
        self.lanes.iter().map(|lane| lane.events).try_fold(0_u64, |sum, events| sum.checked_add(events?))
    }

    /// Milliseconds since the oldest block held was stored.
    pub fn oldest_age_ms(&self) -> Option<u64> {
        self.lanes.iter().filter_map(|lane| lane.oldest_age_ms).max()
    }

    /// `maxmemory`; none where the server has no limit.
    pub fn limit_bytes(&self) -> Option<u64> {
        self.facts.number("maxmemory").filter(|limit| *limit > 0)
    }
}

/// What the hash beside a stream says.
struct Writer {
    epoch: u64,
    total: u64,
    trimmed: Option<u64>,
}

/// The look-ups.
struct Looker<'a> {
    asker: Asker<'a>,
    at_ms: u64,
}

impl Looker<'_> {
    fn look(mut self, facts: Facts, groups_max: usize) -> Result<Stat, Error> {
        let name = self.asker.name;
        let failed = |error: RedisError| Error::server(format!("looking at buffer {name}"), &error);
        let (seconds, micros): (u64, u64) =
            redis::cmd("TIME").query(self.asker.connection).map_err(failed)?;
        self.at_ms = seconds * 1_000 + micros / 1_000;
        let conf = Conf::read(self.asker.connection);
        let (mut lanes, mut groups, mut keys, mut groups_hidden) = (Vec::new(), Vec::new(), 0, 0);
        for lane in Lane::ALL {
            let is_there = self.is_there(&name.stream(lane), "stream")?;
            let is_written = self.is_there(&name.writer(lane), "hash")?;
            if !is_there && !is_written {
                continue;
            }
            keys += u64::from(is_there) + u64::from(is_written);
            let writer = self.writer(lane).map_err(failed)?;
            lanes.push(self.lane(lane, writer).map_err(failed)?);
            if is_there {
                let found = groups::look(&mut self.asker, lane, self.at_ms, groups_max).map_err(failed)?;
                let (found, hidden) = found.unwrap_or_default();
                groups.extend(found);
                groups_hidden = groups_hidden.max(hidden);
            }
        }
        let refused = self.asker.refused;
        Ok(Stat { at_ms: self.at_ms, facts, conf, keys, lanes, groups, groups_hidden, refused })
    }

    /// Whether a key is there; an error where it holds something else than `expected`.
    fn is_there(&mut self, key: &str, expected: &str) -> Result<bool, Error> {
        let kind: Result<String, _> = redis::cmd("TYPE").arg(key).query(self.asker.connection);
        match kind.map_err(|error| Error::server(format!("looking at {key}"), &error))?.as_str() {
            "none" => Ok(false),
            kind if kind == expected => Ok(true),
            kind => Err(Error::WrongType { key: key.into(), why: format!("a {kind}, not a {expected}") }),
        }
    }

    /// What the hash beside the stream says.
    fn writer(&mut self, lane: Lane) -> Result<Option<Writer>, RedisError> {
        type Fields = (Option<u64>, Option<u64>, Option<String>);
        let key = self.asker.name.writer(lane);
        let fields: Option<Fields> = self
            .asker
            .permitted("HMGET", redis::cmd("HMGET").arg(key).arg("epoch").arg("e").arg(Name::TRIMMED))?;
        let Some((Some(epoch), total, trimmed)) = fields else { return Ok(None) };
        // Number of the last block dropped, and events ever dropped.
        let trimmed = trimmed.map_or(Some(0), |text| text.rsplit_once(' ')?.1.parse().ok());
        Ok(Some(Writer { epoch, total: total.unwrap_or(0), trimmed }))
    }

    fn lane(&mut self, lane: Lane, writer: Option<Writer>) -> Result<LaneStat, RedisError> {
        let key = self.asker.name.stream(lane);
        let first = self.asker.block(lane, "XRANGE", "-", "+")?;
        let last = self.asker.block(lane, "XREVRANGE", "+", "-")?;
        let newest = last.as_ref().and_then(|(_, last)| last.as_ref().ok());
        let total = newest.map_or(0, |last| last.total).max(writer.as_ref().map_or(0, |writer| writer.total));
        // The hash has counted what the newest block holds, unless it is gone too.
        let is_counted = last.is_none() || newest.is_some() || writer.is_some();
        let events = match &first {
            None => Some(0),
            Some((_, oldest)) => oldest
                .as_ref()
                .ok()
                .filter(|_| is_counted)
                .map(|oldest| total.saturating_sub(oldest.before())),
        };
        let oldest = first.as_ref().and_then(|(_, first)| first.as_ref().ok());
        let mut damaged: Vec<_> = [&first, &last].into_iter().flatten().filter_map(damage).collect();
        // A lane's only block is both.
        damaged.dedup();
        Ok(LaneStat {
            lane,
            events,
            blocks: redis::cmd("XLEN").arg(&key).query(self.asker.connection)?,
            total,
            oldest_age_ms: first.as_ref().map(|(id, _)| self.at_ms.saturating_sub(id.ms)),
            events_per_second_in: self.rate_in(lane, oldest, total)?,
            today: self.today(lane, oldest, total)?,
            damaged,
            bytes: self.memory(&key)?,
            epoch: writer.as_ref().map(|writer| writer.epoch),
            trimmed: writer.and_then(|writer| writer.trimmed),
        })
    }

    fn memory(&mut self, key: &str) -> Result<Option<u64>, RedisError> {
        let mut usage = redis::cmd("MEMORY");
        usage.arg("USAGE").arg(key).arg("SAMPLES").arg(MEMORY_SAMPLES);
        // No key, no bytes.
        Ok(self.asker.permitted::<Option<u64>>("MEMORY USAGE", &usage)?.flatten())
    }

    /// Events a second of the last minute. None where blocks of that minute were trimmed already, or the lane is
    /// younger than a second: then only two looks can tell.
    fn rate_in(&mut self, lane: Lane, oldest: Option<&Entry>, total: u64) -> Result<Option<f64>, RedisError> {
        let Some(oldest) = oldest else { return Ok(None) };
        let mean = match Begin::of(MINUTE, self.at_ms, oldest) {
            Begin::At(from_ms) => self.since(lane, from_ms, total)?,
            Begin::WithOldest if oldest.number == 1 => Mean::since_oldest(oldest, total, self.at_ms),
            Begin::WithOldest => None,
        };
        Ok(mean.map(|mean| mean.per_second()))
    }

    /// What came in over the last day, or since the oldest block.
    fn today(&mut self, lane: Lane, oldest: Option<&Entry>, total: u64) -> Result<Option<Mean>, RedisError> {
        let Some(oldest) = oldest else { return Ok(None) };
        match Begin::of(DAY, self.at_ms, oldest) {
            Begin::At(from_ms) => self.since(lane, from_ms, total),
            Begin::WithOldest => Ok(Mean::since_oldest(oldest, total, self.at_ms)),
        }
    }

    /// What came in from a millisecond on. None where the first block since then cannot be read.
    fn since(&mut self, lane: Lane, from_ms: u64, total: u64) -> Result<Option<Mean>, RedisError> {
        let events = match self.asker.block(lane, "XRANGE", &from_ms.to_string(), "+")? {
            None => 0,
            Some((_, Ok(since))) => total.saturating_sub(since.before()),
            Some((_, Err(_))) => return Ok(None),
        };
        Ok(Mean::over(events, from_ms, self.at_ms))
    }
}

/// A block that cannot be read, with its place.
fn damage((id, block): &Block) -> Option<(Id, Damage)> {
    block.as_ref().err().map(|why| (*id, why.clone()))
}
