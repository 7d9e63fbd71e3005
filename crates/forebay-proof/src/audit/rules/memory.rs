//! Rules on memory: how much a server may hold, what it does when that is full, and what else takes of it.

use super::checks::{size, yes};
use crate::audit::rule::{Checked, Fix, Rule, Severity, State, Unread};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::Versions;
use forebay::buffer::limit::FORK_SHARE;

/// A stream's node that takes several of the blocks that are cut by age.
const NODE_BYTES: u64 = 16 << 10;

/// The least `maxmemory` that is proposed, in MiB.
const ROOM_MIN_MB: u64 = 64;

/// Memory that is resident and not used, from which on it is worth mending.
const WASTE: u64 = 256 << 20;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "memory.maxmemory",
        severity: Severity::Danger,
        must: "maxmemory is set",
        why: "Without a limit the server grows until the kernel kills it, and a killed server takes no events. With \
              one it refuses writes, and the writer holds the source back until there is room.",
        remedy: "maxmemory <what the profile asks for>",
        source: "redis.conf: maxmemory",
        versions: Versions::All,
        check: |seen| {
            Ok(State::of(seen.bytes("maxmemory")? > 0, seen.said("maxmemory")?, || {
                limit_of(seen, seen.profile.maxmemory().unwrap_or(2 << 30))
            }))
        },
    },
    Rule {
        id: "memory.machine",
        severity: Severity::Danger,
        must: "maxmemory and the copies that a fork makes fit into the machine, or into its cgroup",
        why: "While the AOF is rewritten a forked child shares memory with the server, and every page that changes \
              meanwhile is there twice. What does not fit is swapped, or the kernel kills the server.",
        remedy: "maxmemory <at most four fifths of the memory there is>",
        source: "Redis documentation, administration: memory; redis.conf: maxmemory",
        versions: Versions::All,
        check: fits_machine,
    },
    Rule {
        id: "memory.eviction",
        severity: Severity::Danger,
        must: "A full server refuses writes; it does not make room by dropping keys",
        why: "A lane is one key. Redis evicts whole keys: one eviction drops every event of a lane, its consumer \
              groups too, and tells nobody.",
        remedy: "maxmemory-policy noeviction",
        source: "redis.conf: maxmemory-policy; Redis source: evict.c",
        versions: Versions::All,
        check: |seen| {
            let evicts_all = seen.text("maxmemory-policy")?.to_ascii_lowercase().starts_with("allkeys");
            Ok(State::of(!evicts_all, seen.said("maxmemory-policy")?, noeviction))
        },
    },
    Rule {
        id: "memory.eviction-volatile",
        severity: Severity::Warn,
        must: "A full server drops no key with a time to live either",
        why: "A volatile policy works like noeviction as long as no key has a TTL. One EXPIRE on a lane, by mistake, \
              and the lane is what goes first.",
        remedy: "maxmemory-policy noeviction",
        source: "redis.conf: maxmemory-policy",
        versions: Versions::All,
        check: |seen| {
            let volatile = seen.text("maxmemory-policy")?.to_ascii_lowercase().starts_with("volatile");
            Ok(State::of(!volatile, seen.said("maxmemory-policy")?, noeviction))
        },
    },
    Rule {
        id: "memory.evicted",
        severity: Severity::Danger,
        must: "Nothing has been evicted since the counters began",
        why: "Every evicted key may have been a lane with all its events. `forebay read` tells a gap by its place.",
        remedy: "maxmemory-policy noeviction, then CONFIG RESETSTAT once the loss is known",
        source: "INFO stats: evicted_keys",
        versions: Versions::All,
        check: |seen| {
            let evicted = seen.count("evicted_keys")?;
            Ok(State::of(evicted == 0, format!("evicted_keys {evicted}"), || {
                let mut fixes = noeviction();
                fixes.push(Fix::command("CONFIG RESETSTAT"));
                fixes
            }))
        },
    },
    Rule {
        id: "memory.near-full",
        severity: Severity::Warn,
        must: "Memory in use is below the profile's line",
        why: "Above it there is no time left to react: at the limit every write is refused.",
        remedy: "let a group read and acknowledge (forebay read --group NAME --ack >> FILE), or raise maxmemory",
        source: "the profile: hold.memory_percent_max",
        versions: Versions::All,
        check: near_full,
    },
    Rule {
        id: "memory.fragmentation",
        severity: Severity::Warn,
        must: "Memory that is resident and not used stays small",
        why: "maxmemory counts what is used, the machine gives what is resident. Buffers fill and drain, which leaves \
              holes; past the machine's memory they end in swap or a kill.",
        remedy: "activedefrag yes (jemalloc builds), else a restart when the buffer is drained",
        source: "INFO memory: mem_fragmentation_ratio, used_memory_rss",
        versions: Versions::All,
        check: fragmentation,
    },
    Rule {
        id: "memory.activedefrag",
        severity: Severity::Note,
        must: "Holes left by draining are closed while the server runs",
        why: "Each time the buffer fills and drains it leaves holes; without defragmentation only a restart gives \
              them back.",
        remedy: "activedefrag yes; where the build refuses it, a restart when the buffer is drained",
        source: "redis.conf: activedefrag",
        versions: Versions::All,
        check: |seen| {
            if !is_jemalloc(seen).unwrap_or(true) {
                return Ok(State::Idle("only builds with jemalloc can defragment".into()));
            }
            Ok(State::of(seen.yes("activedefrag")?, seen.said("activedefrag")?, defragment))
        },
    },
    Rule {
        id: "memory.allocator",
        severity: Severity::Note,
        must: "The server is built with jemalloc",
        why: "Forebay's figures for bytes an event are jemalloc's. Others round sizes otherwise and cannot \
              defragment: run the capacity proof on this build before relying on its size.",
        remedy: "a build with jemalloc (the packages of Debian and the official images are)",
        source: "INFO memory: mem_allocator",
        versions: Versions::All,
        check: |seen| {
            Ok(State::of(
                is_jemalloc(seen)?,
                format!("mem_allocator {}", seen.field("mem_allocator")?),
                || {
                    vec![Fix::act(
                        "install a build with jemalloc, or measure this one: forebay capacity --server-bin PATH",
                    )]
                },
            ))
        },
    },
    Rule {
        id: "memory.lazyfree",
        severity: Severity::Note,
        must: "Deleting a lane by hand does not stop the server",
        why: "DEL of a lane frees each of its blocks before the next command is served; hundreds of thousands of \
              them stop writers and readers meanwhile. Lazily freed, they go in the background.",
        remedy: "lazyfree-lazy-user-del yes",
        source: "redis.conf: lazyfree-lazy-user-del",
        versions: Versions::All,
        check: |seen| yes(seen, "lazyfree-lazy-user-del"),
    },
    Rule {
        id: "memory.stream-nodes",
        severity: Severity::Note,
        must: "A node of a stream takes several small blocks",
        why: "With stream-node-max-bytes below a block's size each block is a node of its own, with the overhead of \
              one. At 94 events/s 64kb instead of 4kb took 6 % less memory (Redis 7.0.15, jemalloc).",
        remedy: "stream-node-max-bytes 64kb, stream-node-max-entries 100",
        source: "redis.conf: stream-node-max-bytes; measured with the capacity proof",
        versions: Versions::All,
        check: |seen| {
            let (bytes, entries) =
                (seen.bytes("stream-node-max-bytes")?, seen.number("stream-node-max-entries")?);
            let is_wide = (bytes == 0 || bytes >= NODE_BYTES) && (entries == 0 || entries >= 8);
            let read = format!("stream-node-max-bytes {}, stream-node-max-entries {entries}", size(bytes));
            Ok(State::of(is_wide, read, || {
                vec![Fix::set("stream-node-max-bytes", "64kb"), Fix::set("stream-node-max-entries", "100")]
            }))
        },
    },
    Rule {
        id: "memory.not-counted",
        severity: Severity::Warn,
        must: "Memory that maxmemory does not count stays below a tenth of it",
        why: "AOF and replica buffers come on top of maxmemory. They grow when the disk or a replica is too slow, \
              and the machine must have room for them.",
        remedy: "a faster disk for the AOF; a replica that keeps up, or none",
        source: "INFO memory: mem_not_counted_for_evict",
        versions: Versions::All,
        check: |seen| {
            let (outside, limit) = (seen.count("mem_not_counted_for_evict")?, seen.bytes("maxmemory")?);
            let read = format!("mem_not_counted_for_evict {}, maxmemory {}", size(outside), size(limit));
            Ok(State::of(limit == 0 || outside <= limit / 10, read, || {
                vec![Fix::act(
                    "find what is slow: INFO persistence (aof_buffer_length), INFO replication (lag)",
                )]
            }))
        },
    },
];

fn noeviction() -> Vec<Fix> {
    vec![Fix::set("maxmemory-policy", "noeviction")]
}

/// Debian's server, for one, says that it is built with jemalloc, and refuses: it is not the one that can.
fn defragment() -> Vec<Fix> {
    vec![
        // Not a line of redis.conf: a build that refuses it would not start.
        Fix::command("CONFIG SET activedefrag yes"),
        Fix::act(
            "where the server refuses that (Debian's build does), restart it once the buffer is drained",
        ),
    ]
}

fn fits_machine(seen: &AuditSnapshot) -> Checked {
    let limit = seen.bytes("maxmemory")?;
    if limit == 0 {
        return Ok(State::Idle("maxmemory is not set: see memory.maxmemory".into()));
    }
    let host = seen.host()?;
    let (there, of) = host.memory()?;
    let copies = largest_copy(seen).max(limit / FORK_SHARE);
    let read = format!("maxmemory {} and {} for a fork, {of} {}", size(limit), size(copies), size(there));
    Ok(State::of(limit.saturating_add(copies) <= there, read, || {
        let room = there.saturating_sub(largest_copy(seen)).min(there / (FORK_SHARE + 1) * FORK_SHARE) >> 20;
        if room < ROOM_MIN_MB {
            return vec![Fix::act(format!(
                "a machine with more memory: {} is too little for a buffer",
                size(there)
            ))];
        }
        vec![Fix::set("maxmemory", format!("{room}mb"))]
    }))
}

/// A limit of at least so much, with room above what is in use, and that the machine has: else words.
fn limit_of(seen: &AuditSnapshot, wanted: u64) -> Vec<Fix> {
    let used = seen.count("used_memory").unwrap_or(0) as f64;
    let least = (used * 100.0 / seen.profile.hold.memory_percent_max * 1.25) as u64;
    let limit = wanted.max(least);
    match seen.host().and_then(forebay_watch::machine::Host::memory) {
        Ok((there, _)) if limit.max(limit / FORK_SHARE * (FORK_SHARE + 1)) > there => {
            let (limit, there) = (size(limit), size(there));
            vec![Fix::act(format!(
                "maxmemory {limit} is needed, and {there} are there: drain the buffer, or add memory"
            ))]
        }
        _ if limit == wanted && seen.profile.maxmemory() == Ok(wanted) => {
            vec![Fix::set(
                "maxmemory",
                seen.profile.setting("maxmemory").unwrap_or_else(|| wanted.to_string()),
            )]
        }
        _ => vec![Fix::set("maxmemory", format!("{}mb", (limit >> 20) + 1))],
    }
}

/// The largest copy that a fork of this server has made.
fn largest_copy(seen: &AuditSnapshot) -> u64 {
    let last = |name| seen.count(name).unwrap_or(0);
    last("aof_last_cow_size").max(last("rdb_last_cow_size"))
}

fn near_full(seen: &AuditSnapshot) -> Checked {
    let (used, limit) = (seen.count("used_memory")?, seen.bytes("maxmemory")?);
    if limit == 0 {
        return Ok(State::Idle("maxmemory is not set: see memory.maxmemory".into()));
    }
    let percent = 100.0 * used as f64 / limit as f64;
    let line = seen.profile.hold.memory_percent_max;
    let read = format!("{} of {} in use, {percent:.1} %; the line is {line} %", size(used), size(limit));
    Ok(State::of(percent <= line, read, || {
        let mut fixes =
            vec![Fix::act("let a group read and acknowledge: forebay read --group NAME --ack >> FILE")];
        fixes.extend(limit_of(seen, limit));
        fixes
    }))
}

fn fragmentation(seen: &AuditSnapshot) -> Checked {
    let (used, resident) = (seen.count("used_memory")?, seen.count("used_memory_rss")?);
    let waste = resident.saturating_sub(used);
    let ratio = resident as f64 / used.max(1) as f64;
    let read = format!("{} resident for {} in use, ratio {ratio:.2}", size(resident), size(used));
    Ok(State::of(waste < WASTE || ratio <= 1.5, read, || {
        if is_jemalloc(seen).unwrap_or(false) {
            defragment()
        } else {
            vec![Fix::act("restart the server once the buffer is drained: this build cannot defragment")]
        }
    }))
}

fn is_jemalloc(seen: &AuditSnapshot) -> Result<bool, Unread> {
    Ok(seen.field("mem_allocator")?.starts_with("jemalloc"))
}
