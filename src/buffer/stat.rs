//! A look at a buffer that changes nothing: what is held, how old it is, how fast it fills, who is behind.
//!
//! Every block says how many events its lane ever had up to it, so counts are two look-ups and a subtraction.
//! What cannot be known is none, never zero. No command here walks a stream.

use redis::{Connection, RedisError, Value};

use super::connect::{Address, Facts};
use super::entry::{Entry, Id, list};
use super::error::Error;
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
    /// Every group of every lane.
    pub groups: Vec<GroupStat>,
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
}

/// A group on a lane at one moment.
#[derive(Debug, Clone)]
pub struct GroupStat {
    /// Its lane.
    pub lane: Lane,
    /// Its name.
    pub group: String,
    /// Events it was not given yet; none where a block that would tell cannot be read.
    pub unread_events: Option<u64>,
    /// Blocks given and not acknowledged.
    pub pending_blocks: u64,
    /// Milliseconds since the oldest of those was stored.
    pub pending_age_ms: Option<u64>,
    /// Consumers it has.
    pub consumers: u64,
}

impl Stat {
    /// Looks at a buffer.
    pub fn look(address: &Address, name: &Name) -> Result<Self, Error> {
        let (mut connection, facts) = address.connect()?;
        Looker { connection: &mut connection, name, at_ms: 0 }.look(facts)
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

/// A block's place, and what it is or why it cannot be read.
type Block = (Id, Result<Entry, Damage>);

/// The look-ups.
struct Looker<'a> {
    connection: &'a mut Connection,
    name: &'a Name,
    at_ms: u64,
}

impl Looker<'_> {
    fn look(mut self, facts: Facts) -> Result<Stat, Error> {
        let name = self.name;
        let failed = |error: RedisError| Error::server(format!("looking at buffer {name}"), &error);
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query(self.connection).map_err(failed)?;
        self.at_ms = seconds * 1_000 + micros / 1_000;
        let conf = Conf::read(self.connection);
        let (mut lanes, mut groups, mut keys) = (Vec::new(), Vec::new(), 0);
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
                groups.extend(self.groups(lane).map_err(failed)?);
            }
        }
        Ok(Stat { at_ms: self.at_ms, facts, conf, keys, lanes, groups })
    }

    /// Whether a key is there; an error where it holds something else than `expected`.
    fn is_there(&mut self, key: &str, expected: &str) -> Result<bool, Error> {
        let kind: Result<String, _> = redis::cmd("TYPE").arg(key).query(self.connection);
        match kind.map_err(|error| Error::server(format!("looking at {key}"), &error))?.as_str() {
            "none" => Ok(false),
            kind if kind == expected => Ok(true),
            kind => Err(Error::WrongType { key: key.into(), why: format!("a {kind}, not a {expected}") }),
        }
    }

    /// Epoch and total of the hash beside the stream.
    fn writer(&mut self, lane: Lane) -> Result<Option<(u64, u64)>, RedisError> {
        let (epoch, total): (Option<u64>, Option<u64>) =
            redis::cmd("HMGET").arg(self.name.writer(lane)).arg("epoch").arg("e").query(self.connection)?;
        Ok(epoch.map(|epoch| (epoch, total.unwrap_or(0))))
    }

    /// The first block from an id on, or the last block: its place, and what it is, where it can be read.
    fn block(
        &mut self,
        lane: Lane,
        command: &str,
        from: &str,
        to: &str,
    ) -> Result<Option<Block>, RedisError> {
        let answer: Value = redis::cmd(command)
            .arg(self.name.stream(lane))
            .arg(from)
            .arg(to)
            .arg("COUNT")
            .arg(1)
            .query(self.connection)?;
        let found = list(answer).and_then(|mut entries| entries.pop());
        let Some((id, Some(fields))) = found else { return Ok(None) };
        Ok(Some((id, Entry::read(id, fields))))
    }

    fn lane(&mut self, lane: Lane, writer: Option<(u64, u64)>) -> Result<LaneStat, RedisError> {
        let key = self.name.stream(lane);
        let first = self.block(lane, "XRANGE", "-", "+")?;
        let last = self.block(lane, "XREVRANGE", "+", "-")?;
        let newest = last.as_ref().and_then(|(_, last)| last.as_ref().ok());
        let total = newest.map_or(0, |last| last.total).max(writer.map_or(0, |(_, total)| total));
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
            blocks: redis::cmd("XLEN").arg(&key).query(self.connection)?,
            total,
            oldest_age_ms: first.as_ref().map(|(id, _)| self.at_ms.saturating_sub(id.ms)),
            events_per_second_in: self.rate_in(lane, oldest, total)?,
            today: self.today(lane, oldest, total)?,
            damaged,
            bytes: redis::cmd("MEMORY")
                .arg("USAGE")
                .arg(&key)
                .arg("SAMPLES")
                .arg(MEMORY_SAMPLES)
                .query(self.connection)?,
            epoch: writer.map(|(epoch, _)| epoch),
        })
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
        let events = match self.block(lane, "XRANGE", &from_ms.to_string(), "+")? {
            None => 0,
            Some((_, Ok(since))) => total.saturating_sub(since.before()),
            Some((_, Err(_))) => return Ok(None),
        };
        Ok(Mean::over(events, from_ms, self.at_ms))
    }

    fn groups(&mut self, lane: Lane) -> Result<Vec<GroupStat>, RedisError> {
        let key = self.name.stream(lane);
        let answer: Vec<Value> = redis::cmd("XINFO").arg("GROUPS").arg(&key).query(self.connection)?;
        let last = self.block(lane, "XREVRANGE", "+", "-")?;
        // None where the newest block cannot be read.
        let total = last.map_or(Some(0), |(_, last)| last.ok().map(|last| last.total));
        answer.iter().filter_map(group_fields).map(|group| self.group(lane, total, group)).collect()
    }

    fn group(
        &mut self,
        lane: Lane,
        total: Option<u64>,
        (group, delivered, consumers): (String, String, u64),
    ) -> Result<GroupStat, RedisError> {
        let key = self.name.stream(lane);
        let next = self.block(lane, "XRANGE", &format!("({delivered}"), "+")?;
        let pending: (u64, Option<String>, Option<String>, Value) =
            redis::cmd("XPENDING").arg(&key).arg(&group).query(self.connection)?;
        let oldest = pending.1.as_deref().and_then(Id::parse);
        Ok(GroupStat {
            lane,
            group,
            unread_events: match next {
                None => Some(0),
                Some((_, next)) => {
                    total.zip(next.ok()).map(|(total, next)| total.saturating_sub(next.before()))
                }
            },
            pending_blocks: pending.0,
            pending_age_ms: oldest.map(|id| self.at_ms.saturating_sub(id.ms)),
            consumers,
        })
    }
}

/// A block that cannot be read, with its place.
fn damage((id, block): &Block) -> Option<(Id, Damage)> {
    block.as_ref().err().map(|why| (*id, why.clone()))
}

/// Name, last delivered id and consumers of one row of XINFO GROUPS.
fn group_fields(row: &Value) -> Option<(String, String, u64)> {
    let Value::Array(fields) = row else { return None };
    let get = |name: &str| {
        let at = fields
            .iter()
            .step_by(2)
            .position(|field| matches!(field, Value::BulkString(bytes) if bytes == name.as_bytes()))?;
        fields.get(at * 2 + 1)
    };
    Some((
        redis::from_redis_value_ref(get("name")?).ok()?,
        redis::from_redis_value_ref(get("last-delivered-id")?).ok()?,
        redis::from_redis_value_ref(get("consumers")?).ok()?,
    ))
}
