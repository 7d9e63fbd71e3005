//! What is known of a buffer at one moment, and what follows from it: counts, ages, what its limits are reckoned from. What the
//! server does not say, or does not let this user read, is unknown.

use super::connect::Facts;
use super::entry::Id;
pub use super::groups::GroupStat;
use super::limit::{Known, Log, Measured};
use super::measure::{Conf, Machine, assumed_bytes_per_event};
pub use super::sink_figures::{LastCommit, SinkFigures, SinkStat};
use super::source_cursor::SourceCursor;
pub use super::source_stat::{Missed, MissedStat, SourceStat};
use crate::block::damage::Damage;
use crate::event::lane::Lane;
use crate::event::stream::Stream;

/// Of less, a server's own small things count for too much.
const DATA_BYTES_MIN: u64 = 4 << 20;

/// So many events that are held have as much to say of their weight as the assumption has: of a few, what a stream and its
/// groups take anyway counts for too much.
const FEW: f64 = 2_000.0;

/// A buffer at one moment.
#[derive(Debug, Clone)]
pub struct Stat {
    /// Server milliseconds since 1970; none where it does not say.
    pub at_ms: Option<u64>,
    /// What the server says of itself.
    pub facts: Facts,
    /// Settings that its limits hang on.
    pub conf: Conf,
    /// The masters of a cluster that have lanes of it, the one that is full first before the others: what is said of the server
    /// here is said of that one. None of one server.
    pub nodes: Vec<NodeStat>,
    /// What the buffer's events are.
    pub events: Stream,
    /// Keys of the buffer on the server.
    pub keys: u64,
    /// Every lane that was ever written, in order.
    pub lanes: Vec<LaneStat>,
    /// Whether a lane that is not among them is known not to be there.
    pub is_whole: bool,
    /// Every group of every lane, or as many as were asked for.
    pub groups: Vec<GroupStat>,
    /// The most groups of a lane that were not looked at; none where the server refuses to say.
    pub groups_hidden: Option<u64>,
    /// Who counts the cursors of the events; none where nobody has said so.
    pub source: Option<SourceStat>,
    /// What sources no longer had; none where there is no source, or the server refuses to say.
    pub missed: Option<Missed>,
    /// What the sinks of the buffer say of themselves: of the first hundred, where their groups are there.
    pub sinks: Vec<SinkStat>,
    /// Commands that the server does not let this user use: what they would tell is unknown.
    pub refused: Vec<String>,
}

/// A master of a cluster at one moment.
#[derive(Debug, Clone)]
pub struct NodeStat {
    /// Where it answers.
    pub node: String,
    /// What it says of itself.
    pub facts: Facts,
    /// Settings that its limits hang on.
    pub conf: Conf,
    /// The lanes that it has.
    pub lanes: Vec<Lane>,
}

/// A lane at one moment.
#[derive(Debug, Clone)]
pub struct LaneStat {
    /// Which.
    pub lane: Lane,
    /// Events held; none where the oldest block, or the newest, cannot be read.
    pub events: Option<u64>,
    /// Blocks held; none where the server refuses to say.
    pub blocks: Option<u64>,
    /// Events ever appended; none where neither the newest block nor the hash can be read.
    pub total: Option<u64>,
    /// Milliseconds since the oldest held block was stored; none while ids of the lane lie in the future.
    pub oldest_age_ms: Option<u64>,
    /// Milliseconds since the newest held block was stored; none where none is held, and while its id lies in the future.
    pub newest_age_ms: Option<u64>,
    /// How far the newest block's id lies in the future, after a clock that was ahead was mended; 0 where it does not. None
    /// where the server's clock is not known.
    pub ids_ahead_ms: Option<u64>,
    /// Events a second that came in over the last minute; 0 once the lane's source has stopped.
    pub events_per_second_in: Option<f64>,
    /// The oldest block, or the newest, where it cannot be read, and why.
    pub damaged: Vec<(Id, Damage)>,
    /// Bytes of memory, as the server reckons from the stream's nodes.
    pub bytes: Option<u64>,
    /// Epoch of the newest writer.
    pub epoch: Option<u64>,
    /// The run that has the lane, by its id; none where the last one has said that it ended.
    pub run: Option<String>,
    /// The largest time of the newest block.
    pub newest_us: Option<u64>,
    /// Events ever dropped to make room, whoever still had to read them; none where the hash cannot be read.
    pub trimmed: Option<u64>,
    /// Where the source stood after the newest block; none where its events have no cursor.
    pub cursor: Option<SourceCursor>,
    /// Up to where everything of all lanes was acknowledged when the newest block was sent, or the writer ended.
    pub low_watermark: Option<SourceCursor>,
}

impl Stat {
    /// Events held in all lanes; none where one cannot tell.
    pub fn events(&self) -> Option<u64> {
        self.sum(|lane| lane.events)
    }

    /// Events ever appended to all lanes; none where one cannot tell.
    pub fn total(&self) -> Option<u64> {
        self.sum(|lane| lane.total)
    }

    fn sum(&self, of: fn(&LaneStat) -> Option<u64>) -> Option<u64> {
        let sum = self.lanes.iter().map(of).try_fold(0_u64, |sum, count| sum.checked_add(count?));
        sum.filter(|_| self.is_whole)
    }

    /// Where the source of the events can be resumed: the highest low watermark of a lane.
    pub fn low_watermark(&self) -> Option<SourceCursor> {
        self.lanes.iter().filter_map(|lane| lane.low_watermark).max()
    }

    /// Whether any lane was ever written; none where nobody can say.
    pub fn is_there(&self) -> Option<bool> {
        if self.lanes.is_empty() { self.is_whole.then_some(false) } else { Some(true) }
    }

    /// Milliseconds since the oldest block held was stored; none where none is held, or a lane cannot tell.
    pub fn oldest_age_ms(&self) -> Option<u64> {
        let holding = self.lanes.iter().filter(|lane| !lane.is_empty());
        holding.map(|lane| lane.oldest_age_ms).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// How far ids of blocks lie in the future, on the lane where that is most; none where the server's clock is not known.
    pub fn ids_ahead_ms(&self) -> Option<u64> {
        self.at_ms?;
        self.lanes.iter().filter_map(|lane| lane.ids_ahead_ms).max()
    }

    /// Milliseconds since a block was appended, of whatever lane; none where a lane that was ever written cannot tell.
    pub fn quiet_ms(&self) -> Option<u64> {
        let written = self.lanes.iter().filter(|lane| lane.total != Some(0));
        written.map(|lane| lane.newest_age_ms).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Milliseconds until the source forgets the first event that is not settled; negative where it has, none where that is
    /// not known.
    pub fn source_forgets_in_ms(&self) -> Option<i64> {
        self.source.as_ref()?.forgets_in_ms(self.at_ms?)
    }

    /// How far what is settled lies behind, in milliseconds; none where that is not known.
    pub fn source_behind_ms(&self) -> Option<u64> {
        self.source.as_ref()?.behind_ms(self.at_ms?)
    }

    /// Milliseconds since the newest gap was found; none where there is none, or that is not known.
    pub fn source_gap_age_ms(&self) -> Option<u64> {
        self.missed.as_ref()?.age_ms(self.at_ms?)
    }

    /// `maxmemory`; none where the server has no limit.
    pub fn limit_bytes(&self) -> Option<u64> {
        self.facts.number("maxmemory").filter(|limit| *limit > 0)
    }

    /// Events a second that came in over the last minute; none where a lane that was ever written cannot tell: one that
    /// is kept drained holds no block to tell it from.
    pub fn events_per_second_in(&self) -> Option<f64> {
        let written = self.lanes.iter().filter(|lane| lane.total != Some(0));
        let rates = written.map(|lane| lane.events_per_second_in).collect::<Option<Vec<_>>>()?;
        (!rates.is_empty()).then(|| rates.iter().sum())
    }

    /// What limits are reckoned from, with what the caller knows of the machine.
    pub fn measured(&self, machine: Machine) -> Measured {
        let needed = |name: &str| self.facts.number(name).ok_or_else(|| format!("INFO has no {name}"));
        let or_nothing = |name: &str| self.facts.number(name).unwrap_or(0);
        let hidden = if self.lanes.iter().any(|lane| !lane.damaged.is_empty()) {
            "a damaged block hides how many events are held"
        } else {
            "how many events are held is unknown"
        };
        let events = self.events().ok_or(hidden.to_owned());
        let blocks = self.lanes.iter().map(|lane| lane.blocks).sum::<Option<u64>>();
        Measured {
            bytes_per_event: self.weight().ok_or_else(|| "what an event weighs is unknown".into()),
            events,
            blocks: blocks.ok_or_else(|| "in how many blocks events are held is unknown".into()),
            used_bytes: needed("used_memory"),
            not_counted_bytes: or_nothing("mem_not_counted_for_evict"),
            maxmemory_bytes: needed("maxmemory"),
            data_bytes: needed("used_memory_dataset").or_else(|_| needed("used_memory")),
            resident_bytes: needed("used_memory_rss")
                .and_then(|resident| Ok(resident.max(needed("used_memory")?))),
            largest_copy_bytes: or_nothing("aof_last_cow_size").max(or_nothing("rdb_last_cow_size")),
            log: needed("aof_enabled").and_then(|enabled| match enabled {
                0 => Ok(None),
                _ => Ok(Some(self.log(&needed, machine.free_bytes)?)),
            }),
            memory: machine.memory,
        }
    }

    fn log(&self, needed: &dyn Fn(&str) -> Known<u64>, free_bytes: Known<u64>) -> Known<Log> {
        Ok(Log {
            bytes: needed("aof_current_size")?,
            base_bytes: needed("aof_base_size")?,
            growth_percent: self.conf.growth_percent.clone(),
            rewrite_bytes_min: self.conf.rewrite_bytes_min.clone(),
            free_bytes,
        })
    }

    /// Bytes of memory that a further event is taken to need.
    pub fn weight(&self) -> Option<f64> {
        let assumed = assumed_bytes_per_event(self.events);
        match self.events()? {
            0 => Some(assumed),
            events => {
                let held = self.bytes_per_event()? * events as f64;
                Some((held + assumed * FEW) / (events as f64 + FEW))
            }
        }
    }

    /// Bytes of memory for each event held. Where nothing but this buffer is on the server, what the server counts
    /// as data, which is exact; else what it reckons from a sample of each stream, which old versions do without
    /// the allocator's rounding.
    pub fn bytes_per_event(&self) -> Option<f64> {
        let events = self.events().filter(|events| *events > 0)? as f64;
        let keys: u64 = self.facts.databases().map(|(_, keys)| keys).sum();
        let data = self.facts.number("used_memory_dataset").filter(|bytes| *bytes >= DATA_BYTES_MIN);
        if let (true, Some(data)) = (keys == self.keys && events >= FEW, data) {
            return Some(data as f64 / events);
        }
        // A lane without a stream takes none.
        let held = self.lanes.iter().filter(|lane| lane.blocks != Some(0));
        let bytes: u64 = held.map(|lane| lane.bytes).sum::<Option<u64>>()?;
        // None where all were read and trimmed between one question and the next.
        (bytes > 0).then(|| bytes as f64 / events)
    }
}

impl LaneStat {
    /// Whether it is known to hold nothing.
    pub fn is_empty(&self) -> bool {
        self.events == Some(0) || self.blocks == Some(0)
    }
}
