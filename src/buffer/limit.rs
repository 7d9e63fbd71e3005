//! How many more events go in, and what stops them: `maxmemory`, the disk, or the machine's memory. Pure: figures in,
//! figures out.
//!
//! | limit | further bytes of events |
//! |---|---|
//! | `maxmemory` | `maxmemory` − (`used_memory` − `mem_not_counted_for_evict`), which is what the server compares |
//! | `disk`, with AOF | (free − what is held) / 2: the AOF grows by what is appended, and its rewrite writes all that is held once more beside it |
//! | `disk`, with snapshots only | free − what is held: the new file stands beside the old one until it is whole |
//! | `memory` | what is left to the server − copy-on-write: what a fork copies while it writes the data out, which counts as [`COPIED`] of `used_memory`, or as much as the server saw before, if that was more |
//!
//! Whatever is not known is no limit here and no promise either: it is named with the reason.

use super::stat::Stat;

/// Share of the memory in use that a fork is reckoned to copy. The most that `forebay pressure` saw is 77 of 256 MiB, while
/// a spill was replayed as fast as the server took it.
pub const COPIED: f64 = 0.3;

/// What the machine beneath the server has left, or why that is not known.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Bytes of memory that the server may still take.
    pub memory: Result<u64, String>,
    /// Bytes free on the disk that it writes to.
    pub disk: Result<u64, String>,
}

/// What stops a buffer from growing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// `maxmemory`, `disk` or `memory`.
    pub name: &'static str,
    /// Events that still go in before it is met, or why nobody can tell.
    pub events: Result<u64, String>,
}

/// Every limit of a buffer.
pub fn limits(stat: &Stat, machine: &Machine) -> [Limit; 3] {
    let each = stat.bytes_per_event().ok_or_else(|| "what an event weighs is unknown".to_owned());
    let limit = |name, bytes: Result<f64, String>| {
        let events = bytes.and_then(|bytes| Ok((bytes.max(0.0) / each.clone()?) as u64));
        Limit { name, events }
    };
    [
        limit("maxmemory", maxmemory(stat)),
        limit("disk", disk(stat, machine.disk.clone())),
        limit("memory", memory(stat, machine.memory.clone())),
    ]
}

/// The one that is met first, of those that are known.
pub fn first(limits: &[Limit]) -> Option<(&'static str, u64)> {
    let known = limits.iter().filter_map(|limit| Some((limit.name, *limit.events.as_ref().ok()?)));
    known.min_by_key(|(_, events)| *events)
}

fn field(stat: &Stat, name: &str) -> Result<f64, String> {
    let number = stat.facts.number(name).ok_or_else(|| format!("INFO of this server has no {name}"));
    number.map(|number| number as f64)
}

fn maxmemory(stat: &Stat) -> Result<f64, String> {
    let limit = stat.limit_bytes().ok_or("none is set")?;
    let uncounted = stat.facts.number("mem_not_counted_for_evict").unwrap_or(0);
    Ok(limit as f64 - (field(stat, "used_memory")? - uncounted as f64))
}

fn disk(stat: &Stat, free: Result<u64, String>) -> Result<f64, String> {
    let has_aof = field(stat, "aof_enabled")? > 0.0;
    // Where CONFIG is not allowed, that there are snapshots is the safe reading.
    if !has_aof && stat.has_snapshots == Some(false) {
        return Err("nothing is written to it: no AOF, no snapshots".into());
    }
    let held: u64 = stat.lanes.iter().filter_map(|lane| lane.bytes).sum();
    let left = free? as f64 - held as f64;
    Ok(if has_aof { left / 2.0 } else { left })
}

fn memory(stat: &Stat, left: Result<u64, String>) -> Result<f64, String> {
    let seen = |name| stat.facts.number(name).unwrap_or(0) as f64;
    let copied =
        (field(stat, "used_memory")? * COPIED).max(seen("aof_last_cow_size")).max(seen("rdb_last_cow_size"));
    Ok(left? as f64 - copied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::connect::Facts;
    use crate::buffer::stat::LaneStat;
    use crate::event::lane::Lane;

    /// A buffer of 1,000 events of 100 bytes on a server of which INFO says this.
    fn stat(info: &str) -> Stat {
        let lane = LaneStat {
            lane: Lane::Likes,
            events: Some(1_000),
            blocks: 10,
            total: 1_000,
            oldest_age_ms: Some(5),
            events_per_second_in: None,
            bytes: Some(100_000),
            epoch: None,
        };
        Stat {
            at_ms: 0,
            facts: Facts::of(info),
            lanes: vec![lane],
            groups: Vec::new(),
            has_snapshots: Some(false),
            dir: None,
        }
    }

    fn machine(memory: u64, disk: u64) -> Machine {
        Machine { memory: Ok(memory), disk: Ok(disk) }
    }

    fn events(limits: &[Limit; 3]) -> [Option<u64>; 3] {
        limits.clone().map(|limit| limit.events.ok())
    }

    #[test]
    fn each_limit_is_met_after_as_many_events_as_its_room_holds() {
        let info = "used_memory:200000\nmaxmemory:1000000\nmem_not_counted_for_evict:50000\naof_enabled:1\n";
        // 850,000 bytes, (500,000 - 100,000) / 2, and 1,000,000 - 60,000.
        let found = limits(&stat(info), &machine(1_000_000, 500_000));
        assert_eq!(events(&found), [Some(8_500), Some(2_000), Some(9_400)]);
        assert_eq!(first(&found), Some(("disk", 2_000)));
    }

    #[test]
    fn what_is_met_already_leaves_room_for_none() {
        let info = "used_memory:2000000\nmaxmemory:1000000\naof_enabled:1\n";
        let found = limits(&stat(info), &machine(10, 10));
        assert_eq!(events(&found), [Some(0); 3]);
    }

    #[test]
    fn what_is_not_known_is_named_and_is_no_limit() {
        let unknown = Machine { memory: Err("elsewhere".into()), disk: Err("elsewhere".into()) };
        let found = limits(&stat("used_memory:200000\nmaxmemory:0\naof_enabled:1\n"), &unknown);
        assert_eq!(
            found.clone().map(|limit| limit.events.unwrap_err()),
            ["none is set", "elsewhere", "elsewhere"]
        );
        assert_eq!(first(&found), None);
        let found = limits(&stat("used_memory:1\nmaxmemory:9\naof_enabled:0\n"), &machine(10, 10));
        assert!(found[1].events.as_ref().is_err_and(|why| why.contains("nothing is written")));
        let mut empty = stat("used_memory:1\nmaxmemory:9\naof_enabled:0\n");
        empty.lanes[0].events = Some(0);
        assert!(limits(&empty, &machine(10, 10)).iter().all(|limit| limit.events.is_err()));
    }

    #[test]
    fn a_fork_that_copied_more_than_is_reckoned_counts_as_it_was() {
        let info = "used_memory:200000\nmaxmemory:0\naof_enabled:0\naof_last_cow_size:90000\n";
        assert_eq!(events(&limits(&stat(info), &machine(1_000_000, 0)))[2], Some(9_100));
    }
}
