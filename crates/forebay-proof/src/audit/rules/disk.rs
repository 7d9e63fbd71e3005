//! Rules on the disk: what became of the last writes, and whether there is room and speed for the next.

use super::checks::size;
use crate::audit::rule::{Checked, Fix, Rule, Severity, State};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::Versions;

/// From here on an fsync holds writers up for longer than the profile's linger does.
const FSYNC_MS_MAX: f64 = 200.0;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "persistence.last-write",
        severity: Severity::Danger,
        must: "The last write to the AOF went well",
        why: "After a failed write the server refuses every event (MISCONF) until one succeeds.",
        remedy: "make room on the disk, or mend it; the server goes on by itself",
        source: "INFO persistence: aof_last_write_status",
        versions: Versions::All,
        check: |seen| {
            status(seen, "aof_last_write_status", || {
                vec![Fix::act(format!("make room on the disk of {}: `df -h` there", dir(seen)))]
            })
        },
    },
    Rule {
        id: "persistence.last-rewrite",
        severity: Severity::Warn,
        must: "The last rewrite of the AOF went well",
        why: "Until one succeeds the AOF keeps growing, and the disk fills.",
        remedy: "read the server's log for the reason, mend it, then BGREWRITEAOF",
        source: "INFO persistence: aof_last_bgrewrite_status",
        versions: Versions::All,
        check: |seen| {
            status(seen, "aof_last_bgrewrite_status", || {
                vec![
                    Fix::act(format!("room, rights and the server's log: the folder is {}", dir(seen))),
                    Fix::command("BGREWRITEAOF"),
                ]
            })
        },
    },
    Rule {
        id: "persistence.last-save",
        severity: Severity::Warn,
        must: "The last snapshot went well",
        why: "With save points and stop-writes-on-bgsave-error yes a failed snapshot stops every write (MISCONF).",
        remedy: "read the server's log for the reason, mend it, then BGSAVE",
        source: "INFO persistence: rdb_last_bgsave_status",
        versions: Versions::All,
        check: |seen| {
            let state = status(seen, "rdb_last_bgsave_status", || {
                vec![
                    Fix::act(format!("room, rights and the server's log: the folder is {}", dir(seen))),
                    Fix::command("BGSAVE"),
                ]
            })?;
            Ok(match (state, refuses_writes(seen)) {
                (State::Broken(read, fixes), true) => State::Danger(
                    format!("{read}; every write is refused until one goes well (MISCONF)"),
                    fixes,
                ),
                (state, _) => state,
            })
        },
    },
    Rule {
        id: "persistence.delayed-fsync",
        severity: Severity::Warn,
        must: "No fsync has taken so long that the next write had to wait",
        why: "Each delayed fsync held every writer up for up to 2 s, and for that long a mere kill of the server \
              could lose what it had acknowledged.",
        remedy: "a faster disk, or one that nothing else writes to; then CONFIG RESETSTAT",
        source: "INFO persistence: aof_delayed_fsync; Redis source: aof.c",
        versions: Versions::All,
        check: |seen| {
            if seen.field("aof_enabled")? == "0" {
                return Ok(State::Idle("there is no AOF: see persistence.aof".into()));
            }
            let delayed = seen.count("aof_delayed_fsync")?;
            Ok(State::of(delayed == 0, format!("aof_delayed_fsync {delayed}"), || {
                vec![
                    Fix::act(format!("put {} on a faster disk, or one of its own", dir(seen))),
                    Fix::command("CONFIG RESETSTAT"),
                ]
            }))
        },
    },
    Rule {
        id: "persistence.disk-room",
        severity: Severity::Danger,
        must: "The disk has room for a full AOF and its rewrite",
        why: "While it is rewritten the old AOF and the new one are both there. A full disk stops every write, and a \
              server under appendfsync always ends.",
        remedy: "a disk with room for maxmemory x (2 + auto-aof-rewrite-percentage / 100)",
        source: "redis.conf: auto-aof-rewrite-percentage; redis#3065",
        versions: Versions::All,
        check: disk_room,
    },
    Rule {
        id: "persistence.dir-in-memory",
        severity: Severity::Danger,
        must: "The AOF lies on a disk",
        why: "On a file system in memory it is gone with the power, and takes memory beside the buffer.",
        remedy: "dir <a folder on a disk>",
        source: "redis.conf: dir; tmpfs(5)",
        versions: Versions::All,
        check: |seen| dir_is(seen, |disk| !disk.is_in_memory()),
    },
    Rule {
        id: "persistence.dir-on-network",
        severity: Severity::Warn,
        must: "The AOF lies on a local disk",
        why: "On a network file system an fsync takes as long as the network does, and what it promises after a power \
              cut depends on the other end.",
        remedy: "dir <a folder on a local disk>",
        source: "redis.conf: dir; nfs(5)",
        versions: Versions::All,
        check: |seen| dir_is(seen, |disk| !disk.is_remote()),
    },
    Rule {
        id: "persistence.fsync-latency",
        severity: Severity::Warn,
        must: "99 of 100 fsyncs in the AOF's folder take less than 200 ms",
        why: "Under appendfsync always every block waits for one; under everysec one longer than a second holds \
              everything up.",
        remedy: "a faster disk, or one that nothing else writes to",
        source: "measured: writes of 4 KiB with fdatasync in a file beside the AOF",
        versions: Versions::All,
        check: |seen| {
            let fsync = seen.fsync.as_ref().map_err(Clone::clone)?;
            let (p50, p99) = (fsync.at(50.0), fsync.at(99.0));
            let read = format!("median {p50:.2} ms, p99 {p99:.2} ms of {}", fsync.times());
            Ok(State::of(p99 < FSYNC_MS_MAX, read, || {
                vec![Fix::act(format!("put {} on a faster disk, or one of its own", dir(seen)))]
            }))
        },
    },
];

/// A field of INFO that must be `ok`.
fn status(seen: &AuditSnapshot, field: &str, fixes: impl FnOnce() -> Vec<Fix>) -> Checked {
    let status = seen.field(field)?;
    Ok(State::of(status == "ok", format!("{field} {status}"), fixes))
}

fn dir(seen: &AuditSnapshot) -> &str {
    seen.text("dir").unwrap_or("the server's folder")
}

/// Whether a failed snapshot stops writes: as it does unless told otherwise, which may not be known here.
fn refuses_writes(seen: &AuditSnapshot) -> bool {
    let has_points = seen.text("save").map_or(true, |save| !crate::audit::meaning::same("save", save, ""));
    has_points && seen.yes("stop-writes-on-bgsave-error").unwrap_or(true)
}

fn disk_room(seen: &AuditSnapshot) -> Checked {
    if !seen.yes("appendonly")? {
        return Ok(State::Idle("there is no AOF: see persistence.aof".into()));
    }
    let disk = seen.host()?.disk()?;
    let limit = seen.limit()?;
    let growth = u64::try_from(seen.number("auto-aof-rewrite-percentage")?).unwrap_or(0);
    let needed = limit.saturating_mul(200 + growth) / 100;
    let there = disk.free_bytes.saturating_add(seen.count("aof_current_size").unwrap_or(0));
    let read = format!("{} for the AOF in {}, {} may be needed", size(there), disk.path, size(needed));
    Ok(State::of(there >= needed, read, || {
        // The growth for which there is room, where that leaves a rewrite anything to wait for.
        let growth = (there.saturating_mul(100) / limit.max(1)).saturating_sub(200).min(100);
        if growth >= 20 {
            return vec![Fix::set("auto-aof-rewrite-percentage", growth.to_string())];
        }
        vec![Fix::act(format!("give {} a disk with {} of room, or lower maxmemory", disk.path, size(needed)))]
    }))
}

/// A rule on the file system that the server writes to. One of Forebay's own writes to a temporary folder, which
/// says nothing about anybody's server.
fn dir_is(seen: &AuditSnapshot, good: fn(&forebay_watch::machine::Disk) -> bool) -> Checked {
    if seen.is_own {
        return Ok(State::Idle("the server is Forebay's own, in a temporary folder".into()));
    }
    let disk = seen.host()?.disk()?;
    Ok(State::of(good(disk), format!("{} is on {}", disk.path, disk.file_system), || {
        vec![Fix::act("stop the server, move its folder to a local disk, and set dir to the new place")]
    }))
}
