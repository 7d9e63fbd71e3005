//! A look at a buffer, which changes nothing there.
//!
//! Every block says how many events its lane ever had up to it, so counts are two look-ups and a subtraction.
//! What cannot be known is none, never zero. No command here walks a stream.

use redis::RedisError;

use super::clock::Clock;
use super::connect::{Address, Facts};
use super::connection::Connection;
use super::entry::{Entry, Id};
use super::error::Error;
use super::groups;
use super::keys::Name;
use super::losses::Losses;
use super::measure::Conf;
use super::meta;
use super::permitted_query::{Asker, Block, Refused, Sought};
use super::rate::{Begin, MINUTE, Mean, has_stopped};
use super::sink_figures;
use super::source_cursor::SourceCursor;
use super::source_stat;
use super::stat::{GroupStat, LaneStat, SourceStat, Stat};
use super::stat_nodes;
use crate::block::damage::Damage;
use crate::event::lane::Lane;

/// Nodes of a stream that MEMORY USAGE may visit: the server does nothing else meanwhile, and takes some milliseconds for so
/// many. It begins with the oldest, and extrapolates: of a lane that has more, a change of the rate shows.
const MEMORY_SAMPLES_MAX: u64 = 50_000;

/// Looks at a buffer.
pub fn look(address: &Address, name: &Name) -> Result<Stat, Error> {
    let (mut connection, facts) = address.connect()?;
    over(&mut connection, name, facts, usize::MAX)
}

/// The same over a connection that is there, with what the server has just said of itself; of each lane no more
/// groups than this, the first by name.
pub(super) fn over(
    connection: &mut Connection,
    name: &Name,
    facts: Facts,
    groups_max: usize,
) -> Result<Stat, Error> {
    let found = meta::find(connection, name)?;
    let keys = u64::from(found.is_some());
    let name = found.unwrap_or_else(|| name.clone());
    let looker = Looker { asker: Asker::new(connection, &name), clock: Clock::default() };
    let stat = looker.look(facts, groups_max, keys)?;
    Ok(stat.over_nodes(stat_nodes::of_cluster(connection, &name)?))
}

/// Whether a key is there, as far as the server says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BufferFound {
    Yes,
    No,
    Unknown,
}

/// What the hash beside a stream says.
struct Writer {
    epoch: u64,
    run: Option<String>,
    total: u64,
    trimmed: Option<u64>,
    cursor: Option<SourceCursor>,
    low_watermark: Option<SourceCursor>,
}

/// The look-ups.
struct Looker<'a> {
    asker: Asker<'a>,
    clock: Clock,
}

impl Looker<'_> {
    fn look(mut self, facts: Facts, groups_max: usize, mut keys: u64) -> Result<Stat, Error> {
        let name = self.asker.name;
        let failed = |error: RedisError| Error::server(format!("looking at buffer {name}"), &error);
        self.clock = Clock::read(&mut self.asker, &facts).map_err(failed)?;
        let conf = Conf::read(&mut self.asker);
        let (mut lanes, mut groups, mut hidden) = (Vec::new(), Vec::new(), Some(0));
        let mut is_whole = true;
        for lane in name.lanes() {
            let stream = self.is_there(&name.stream(lane), "stream")?;
            let hash = self.is_there(&name.writer(lane), "hash")?;
            if stream == BufferFound::No && hash == BufferFound::No {
                continue;
            }
            let writer = self.writer(lane).map_err(failed)?;
            let losses = Losses::read(&mut self.asker, lane).map_err(failed)?;
            let told = writer.as_ref().ok().and_then(Option::as_ref);
            let looked = self.lane(lane, told, losses.as_ref()).map_err(failed)?;
            let is_seen = matches!(writer, Ok(Some(_))) || looked.total > Some(0) || looked.blocks > Some(0);
            if stream == BufferFound::Unknown && !is_seen {
                // The hash outlives a lane that is trimmed empty: without it there is none.
                is_whole &= writer.is_ok();
                continue;
            }
            keys += u64::from(stream != BufferFound::No) + u64::from(hash != BufferFound::No);
            lanes.push(looked);
            if stream != BufferFound::No {
                let found = groups::look(&mut self.asker, lane, &mut self.clock, losses.as_ref(), groups_max);
                let found = found.map_err(failed)?;
                hidden = hidden.zip(found.as_ref()).map(|(most, (_, hidden)): (u64, _)| most.max(*hidden));
                groups.extend(found.unwrap_or_default().0);
            }
        }
        let source = self.source(&lanes).map_err(failed)?;
        // Of a buffer without a source, or of lines alone, there is nothing to look for.
        let missed = match source {
            Some(_) => source_stat::missed(&mut self.asker).map_err(failed)?,
            None => None,
        };
        // Of a buffer that no sink commits for there is nothing to look for.
        let mut sinks = Vec::new();
        let is_drained = |group: &str| {
            groups.iter().any(|of_lane: &GroupStat| of_lane.group == group && of_lane.commits.is_some())
        };
        if groups.iter().any(|group| group.commits.is_some()) {
            sinks = sink_figures::all(&mut self.asker).map_err(failed)?;
            sinks.retain(|sink| is_drained(&sink.group));
        }
        let refused = self.asker.refused;
        Ok(Stat {
            at_ms: self.clock.at_ms,
            facts,
            conf,
            nodes: Vec::new(),
            events: name.events(),
            keys,
            lanes,
            is_whole,
            groups,
            groups_hidden: hidden,
            source,
            missed,
            sinks,
            refused,
        })
    }

    /// Who counts, and up to when everything of it is settled: by its cursors where these are times, else by the newest blocks
    /// of which all is settled.
    fn source(&mut self, lanes: &[LaneStat]) -> Result<Option<SourceStat>, RedisError> {
        let Some(low) = lanes.iter().filter_map(|lane| lane.low_watermark).max() else { return Ok(None) };
        let found = source_stat::source(&mut self.asker, low.numbering)?;
        let settled = lanes.iter().filter(|lane| lane.cursor.is_some_and(|at| at <= low));
        let of_blocks = settled.filter_map(|lane| lane.newest_us).max();
        Ok(found.map(|source| {
            let settled_us = if source.unit == "us" { Some(low.cursor) } else { of_blocks };
            SourceStat { settled_us, ..source }
        }))
    }

    /// Whether a key is there; an error where it holds something else than `expected`.
    fn is_there(&mut self, key: &str, expected: &str) -> Result<BufferFound, Error> {
        let kind: Result<Option<String>, _> = self.asker.permitted("TYPE", redis::cmd("TYPE").arg(key));
        match kind.map_err(|error| Error::server(format!("looking at {key}"), &error))?.as_deref() {
            None => Ok(BufferFound::Unknown),
            Some("none") => Ok(BufferFound::No),
            Some(kind) if kind == expected => Ok(BufferFound::Yes),
            Some(kind) => {
                Err(Error::WrongType { key: key.into(), why: format!("a {kind}, not a {expected}") })
            }
        }
    }

    /// What the hash beside the stream says, where there is one.
    fn writer(&mut self, lane: Lane) -> Result<Result<Option<Writer>, Refused>, RedisError> {
        type Text = Option<String>;
        type Fields = (Option<u64>, Option<u64>, Text, Text, Text, Text);
        let mut command = redis::cmd("HMGET");
        command.arg(self.asker.name.writer(lane)).arg(&["epoch", "e", Name::TRIMMED, "c", "w", Name::RUN]);
        let fields: Option<Fields> = self.asker.permitted("HMGET", &command)?;
        let Some((epoch, total, trimmed, cursor, low_watermark, run)) = fields else {
            return Ok(Err(Refused));
        };
        let Some(epoch) = epoch else { return Ok(Ok(None)) };
        // Number of the last block dropped, and events ever dropped.
        let trimmed = trimmed.map_or(Some(0), |text| text.rsplit_once(' ')?.1.parse().ok());
        let position = |text: Option<String>| SourceCursor::parse(&text?);
        Ok(Ok(Some(Writer {
            epoch,
            run: run.filter(|run| !run.is_empty()),
            total: total.unwrap_or(0),
            trimmed,
            cursor: position(cursor),
            low_watermark: position(low_watermark),
        })))
    }

    fn lane(
        &mut self,
        lane: Lane,
        writer: Option<&Writer>,
        losses: Option<&Losses>,
    ) -> Result<LaneStat, RedisError> {
        let key = self.asker.name.stream(lane);
        let first = self.asker.block(lane, "XRANGE", "-", "+")?;
        let last = self.asker.block(lane, "XREVRANGE", "+", "-")?;
        let total = total(&last, writer);
        let events = match &first {
            Err(Refused) => None,
            Ok(None) => Some(0),
            // Where even the newest block cannot be read, nor the hash, the total is none.
            Ok(Some((_, oldest))) => total
                .zip(losses)
                .zip(oldest.as_ref().ok())
                .map(|((total, losses), oldest)| losses.held_from(oldest, total)),
        };
        let ids_ahead_ms = self.clock.newest_ahead_ms(&mut self.asker, &last)?;
        let found = |block: &Sought| block.as_ref().ok().and_then(Option::as_ref).cloned();
        let (first, last) = (found(&first), found(&last));
        let oldest = first.as_ref().and_then(|(_, first)| first.as_ref().ok());
        // While any id lies in the future, what was stored before cannot be told from what was stored meanwhile.
        let is_past = ids_ahead_ms == Some(0);
        let mut damaged: Vec<_> = [&first, &last].into_iter().flatten().filter_map(damage).collect();
        // A lane's only block is both.
        damaged.dedup();
        let blocks = self.asker.permitted("XLEN", redis::cmd("XLEN").arg(&key))?;
        let newest_age_ms = self.age(last.as_ref())?;
        let rate_in = self.rate_in(lane, oldest.filter(|_| is_past), total)?.map(|per_second| {
            let has_stopped = newest_age_ms.is_some_and(|quiet_ms| has_stopped(per_second, quiet_ms));
            if has_stopped { 0.0 } else { per_second }
        });
        Ok(LaneStat {
            lane,
            events,
            blocks,
            total,
            oldest_age_ms: self.age(first.as_ref().filter(|_| is_past))?,
            newest_age_ms,
            ids_ahead_ms,
            events_per_second_in: rate_in,
            damaged,
            bytes: self.memory(&key, blocks)?,
            epoch: writer.map(|writer| writer.epoch),
            run: writer.and_then(|writer| writer.run.clone()),
            newest_us: last.as_ref().and_then(|(_, last)| Some(last.as_ref().ok()?.times.1)),
            trimmed: writer.and_then(|writer| writer.trimmed),
            cursor: writer.and_then(|writer| writer.cursor),
            low_watermark: writer.and_then(|writer| writer.low_watermark),
        })
    }

    fn age(&mut self, block: Option<&Block>) -> Result<Option<u64>, RedisError> {
        block.map_or(Ok(None), |(id, _)| self.clock.age_ms(&mut self.asker, *id))
    }

    /// Of a lane that has not too many blocks, from all of its nodes.
    fn memory(&mut self, key: &str, blocks: Option<u64>) -> Result<Option<u64>, RedisError> {
        const ALL: u64 = 0;
        let samples =
            if blocks.is_some_and(|blocks| blocks <= MEMORY_SAMPLES_MAX) { ALL } else { MEMORY_SAMPLES_MAX };
        let mut usage = redis::cmd("MEMORY");
        usage.arg("USAGE").arg(key).arg("SAMPLES").arg(samples);
        // No key takes no bytes.
        Ok(self.asker.permitted::<Option<u64>>("MEMORY USAGE", &usage)?.map(Option::unwrap_or_default))
    }

    /// Events a second of the last minute. None where blocks of that minute were trimmed already, or the lane is
    /// younger than a second: then only two looks can tell.
    fn rate_in(
        &mut self,
        lane: Lane,
        oldest: Option<&Entry>,
        total: Option<u64>,
    ) -> Result<Option<f64>, RedisError> {
        let (Some(oldest), Some(total), Some(at_ms)) = (oldest, total, self.clock.at_ms) else {
            return Ok(None);
        };
        let mean = match Begin::of(MINUTE, at_ms, oldest) {
            Begin::At(from_ms) => self.since(lane, (from_ms, at_ms), total)?,
            Begin::WithOldest if oldest.number == 1 => Mean::since_oldest(oldest, total, at_ms),
            Begin::WithOldest => None,
        };
        Ok(mean.map(|mean| mean.per_second()))
    }

    /// What came in from one millisecond to another. None where the first block since then cannot be read.
    fn since(
        &mut self,
        lane: Lane,
        (from_ms, at_ms): (u64, u64),
        total: u64,
    ) -> Result<Option<Mean>, RedisError> {
        let events = match self.asker.block(lane, "XRANGE", &from_ms.to_string(), "+")? {
            Ok(None) => 0,
            Ok(Some((_, Ok(since)))) => total.saturating_sub(since.before()),
            Ok(Some((_, Err(_)))) | Err(Refused) => return Ok(None),
        };
        Ok(Mean::over(events, from_ms, at_ms))
    }
}

/// Events ever appended to a lane, as its newest block and the hash say: the hash has counted what the newest block
/// holds, and the block what a hash that was set back has not.
fn total(last: &Sought, writer: Option<&Writer>) -> Option<u64> {
    let of_block = match last {
        Ok(Some((_, Ok(newest)))) => Some(newest.total),
        // Neither ever was: a stream that is there, and empty, without a hash.
        Ok(None) => Some(0),
        Ok(Some((_, Err(_)))) | Err(Refused) => None,
    };
    of_block.max(writer.map(|writer| writer.total))
}

/// A block that cannot be read, with its place.
fn damage((id, block): &Block) -> Option<(Id, Damage)> {
    block.as_ref().err().map(|why| (*id, why.clone()))
}
