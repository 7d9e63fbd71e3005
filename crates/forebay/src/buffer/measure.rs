//! From a look at a buffer to what its limits are reckoned from. What the server does not say, or does not let this
//! user read, is unknown with the reason.

use std::collections::HashMap;

use super::limit::{Known, Log, Measured, Memory};
use super::permitted_query::Asker;
use super::stat::Stat;

/// Of less, a server's own small things count for too much.
const DATA_BYTES_MIN: u64 = 4 << 20;

/// What an event is taken to weigh before any is held: those of Bluesky at 94 a second, as `forebay capacity` finds it.
pub const BYTES_PER_EVENT_ASSUMED: f64 = 204.0;

/// So many events that are held have as much to say of their weight as the assumption has: of a few, what a stream and its
/// groups take anyway counts for too much.
const FEW: f64 = 2_000.0;

/// Settings that tell where the log lies and when it is rewritten.
#[derive(Debug, Clone)]
pub struct Conf {
    /// `dir`.
    pub dir: Known<String>,
    /// `auto-aof-rewrite-percentage`.
    pub growth_percent: Known<u64>,
    /// `auto-aof-rewrite-min-size`, in bytes.
    pub rewrite_bytes_min: Known<u64>,
}

/// What is known of the machine beneath the server.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its memory.
    pub memory: Known<Memory>,
    /// What the disk of the server's folder has left.
    pub free_bytes: Known<u64>,
}

impl Conf {
    /// Reads the settings; a server that refuses is no failure.
    pub(super) fn read(asker: &mut Asker<'_>) -> Self {
        let mut get = |name: &str| -> Known<String> {
            let answer: Result<Option<HashMap<String, String>>, _> =
                asker.permitted("CONFIG GET", redis::cmd("CONFIG").arg("GET").arg(name));
            let refused = |code: &str| format!("the server refuses CONFIG GET {name} ({code})");
            let why = |error: redis::RedisError| match error.code() {
                Some(code) => refused(code),
                None => format!("CONFIG GET {name} has no answer"),
            };
            let hidden = || format!("the server hides its setting {name}");
            answer.map_err(why)?.ok_or_else(|| refused("NOPERM"))?.remove(name).ok_or_else(hidden)
        };
        let number = |name: &str, text: Known<String>| {
            let text = text?;
            text.parse().map_err(|_| format!("{name} {text:?} is not a number"))
        };
        let percent = "auto-aof-rewrite-percentage";
        let min = "auto-aof-rewrite-min-size";
        Self {
            dir: get("dir"),
            growth_percent: number(percent, get(percent)),
            rewrite_bytes_min: number(min, get(min)),
        }
    }
}

impl Stat {
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
        match self.events()? {
            0 => Some(BYTES_PER_EVENT_ASSUMED),
            events => {
                let held = self.bytes_per_event()? * events as f64;
                Some((held + BYTES_PER_EVENT_ASSUMED * FEW) / (events as f64 + FEW))
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
