//! Rules on persistence: which settings decide what is left after a restart, a kill or a power cut.

use super::checks::{no, size, within, yes};
use crate::audit::conf_line::conf_line;
use crate::audit::meaning;
use crate::audit::rule::{Checked, Fix, Rule, Severity, State};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::Versions;

/// From which growth on a rewrite comes too late (in percent), and below which it never ends.
const GROWTH: std::ops::RangeInclusive<i64> = 20..=200;

/// How the AOF is turned on without losing what is there.
const AOF_FIRST: &str = "where a server runs: CONFIG SET appendonly yes, wait for aof_rewrite_in_progress:0 in INFO \
                         persistence, then CONFIG REWRITE. One that starts with appendonly yes and no AOF leaves its \
                         snapshot aside, and is empty";

/// The same where CONFIG cannot be given.
const AOF_WITHOUT: &str = "a server that holds events and starts with appendonly yes and no AOF leaves its snapshot aside, and \
                           is empty. Give CONFIG back for that step, or drain the buffer before the restart";

/// Settings that decide what is left after a start; every server has the same defaults for them.
const LASTING: [&str; 7] = [
    "appendonly",
    "appendfsync",
    "save",
    "maxmemory",
    "maxmemory-policy",
    "no-appendfsync-on-rewrite",
    "auto-aof-rewrite-percentage",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "persistence.aof",
        severity: Severity::Danger,
        must: "The append-only file is on",
        why: "Without it a restart comes back with the last snapshot, or with nothing: hours of acknowledged events \
              are gone.",
        remedy: "CONFIG SET appendonly yes while it runs, then CONFIG REWRITE. Never by redis.conf and a restart alone: \
                 the server would start with an empty AOF and leave its snapshot aside",
        source: "redis.conf: appendonly; Redis documentation, persistence",
        versions: Versions::All,
        check: |seen| {
            Ok(State::of(seen.yes("appendonly")?, seen.said("appendonly")?, || {
                let mut fixes = vec![Fix::set("appendonly", "yes")];
                fixes.push(match seen.no_config() {
                    None => Fix::act(AOF_FIRST),
                    Some(why) => Fix::act(format!("{why}: {AOF_WITHOUT}")),
                });
                fixes
            }))
        },
    },
    Rule {
        id: "persistence.fsync-never",
        severity: Severity::Danger,
        must: "The server itself sees to it that the AOF reaches the disk",
        why: "With appendfsync no the kernel decides, usually within 30 s: a power cut takes that much.",
        remedy: "appendfsync everysec, or always",
        source: "redis.conf: appendfsync",
        versions: Versions::All,
        check: |seen| with_aof(seen, |seen| fsync_is_not(seen, "no", "everysec")),
    },
    Rule {
        id: "persistence.fsync-everysec",
        severity: Severity::Note,
        must: "What is acknowledged is on the disk",
        why: "With appendfsync everysec a power cut takes up to 2 s of acknowledged events; a killed process alone \
              loses them only while an fsync is slow. Blocks make always affordable: one fsync holds hundreds of \
              events.",
        remedy: "appendfsync always",
        source: "redis.conf: appendfsync; Redis source: aof.c, flushAppendOnlyFile",
        versions: Versions::All,
        check: |seen| with_aof(seen, |seen| fsync_is_not(seen, "everysec", "always")),
    },
    Rule {
        id: "persistence.fsync-on-rewrite",
        severity: Severity::Danger,
        must: "fsync goes on while the AOF is rewritten",
        why: "With no-appendfsync-on-rewrite yes there is no fsync for as long as a rewrite takes, not even under \
              always: a power cut then takes everything since it began. LATENCY DOCTOR may advise it: not for a \
              buffer.",
        remedy: "no-appendfsync-on-rewrite no",
        source: "redis.conf: no-appendfsync-on-rewrite",
        versions: Versions::All,
        check: |seen| with_aof(seen, |seen| no(seen, "no-appendfsync-on-rewrite")),
    },
    Rule {
        id: "persistence.rewrite-never",
        severity: Severity::Danger,
        must: "The AOF is rewritten by itself",
        why: "A buffer writes for ever and holds hours. With a percentage of 0 the AOF keeps what was long read and \
              trimmed, until the disk is full and writes are refused.",
        remedy: "auto-aof-rewrite-percentage 100",
        source: "redis.conf: auto-aof-rewrite-percentage",
        versions: Versions::All,
        check: |seen| with_aof(seen, |seen| within(seen, "auto-aof-rewrite-percentage", 1.., "100")),
    },
    Rule {
        id: "persistence.rewrite-percentage",
        severity: Severity::Warn,
        must: "The AOF is rewritten after growing by 20 to 200 %",
        why: "Later, it needs several times the disk and reloads slower; sooner, the server forks all the time, and \
              each fork stalls it.",
        remedy: "auto-aof-rewrite-percentage 100",
        source: "redis.conf: auto-aof-rewrite-percentage",
        versions: Versions::All,
        check: |seen| {
            with_aof(seen, |seen| {
                if seen.number("auto-aof-rewrite-percentage")? == 0 {
                    return Ok(State::Idle("never rewritten: see persistence.rewrite-never".into()));
                }
                within(seen, "auto-aof-rewrite-percentage", GROWTH, "100")
            })
        },
    },
    Rule {
        id: "persistence.rewrite-min-size",
        severity: Severity::Warn,
        must: "The size below which the AOF is never rewritten is not above maxmemory",
        why: "An AOF grown to that size on events long gone takes disk and reload time for nothing.",
        remedy: "auto-aof-rewrite-min-size 64mb",
        source: "redis.conf: auto-aof-rewrite-min-size",
        versions: Versions::All,
        check: |seen| {
            with_aof(seen, |seen| {
                let limit = seen.limit()?;
                let least = seen.bytes("auto-aof-rewrite-min-size")?;
                let read = format!("auto-aof-rewrite-min-size {}, maxmemory {}", size(least), size(limit));
                Ok(State::of(least <= limit, read, || vec![Fix::set("auto-aof-rewrite-min-size", "64mb")]))
            })
        },
    },
    Rule {
        id: "persistence.rdb-preamble",
        severity: Severity::Warn,
        must: "A rewritten AOF begins with a snapshot",
        why: "Without the preamble a rewrite writes every entry as a command: larger, slower to write, and slower to \
              load when the server must come back.",
        remedy: "aof-use-rdb-preamble yes",
        source: "redis.conf: aof-use-rdb-preamble",
        versions: Versions::All,
        check: |seen| with_aof(seen, |seen| yes(seen, "aof-use-rdb-preamble")),
    },
    Rule {
        id: "persistence.rdb-compression",
        severity: Severity::Note,
        must: "A rewrite does not compress what is compressed already",
        why: "Blocks are zstd frames. With rdbcompression yes every rewrite of the AOF runs LZF over them and saves \
              0.1 % of the disk. Without it a server under everysec took 16 % more events a second and spent 0.65 s of \
              processor time on a million events instead of 1.39 s, rewrites included.",
        remedy: "rdbcompression no",
        source: "redis.conf: rdbcompression; measured on Redis 7.0.15, 2 cores, 2026-11-28: docs/results.md",
        versions: Versions::All,
        check: |seen| with_aof(seen, |seen| no(seen, "rdbcompression")),
    },
    Rule {
        id: "persistence.load-truncated",
        severity: Severity::Note,
        must: "A cut AOF does not pass unnoticed",
        why: "With aof-load-truncated yes the server starts with what it could read of a cut AOF and only logs it. It \
              comes up either way: somebody must read the log, or look for gaps with `forebay read`.",
        remedy: "aof-load-truncated no, where a server that stays down until somebody looks is better",
        source: "redis.conf: aof-load-truncated",
        versions: Versions::All,
        check: |seen| with_aof(seen, |seen| no(seen, "aof-load-truncated")),
    },
    Rule {
        id: "persistence.timestamps",
        severity: Severity::Note,
        must: "The AOF says when things were written",
        why: "With timestamps an AOF can be cut back to a moment before a mistake (FLUSHALL, a wrong trim).",
        remedy: "aof-timestamp-enabled yes",
        source: "redis.conf: aof-timestamp-enabled",
        versions: Versions::From((7, 0, 0)),
        check: |seen| with_aof(seen, |seen| yes(seen, "aof-timestamp-enabled")),
    },
    Rule {
        id: "persistence.incremental-fsync",
        severity: Severity::Warn,
        must: "A rewrite goes to disk in small steps",
        why: "Otherwise gigabytes are flushed at once at its end, and the AOF's own fsync, and with it every writer, \
              waits for them.",
        remedy: "aof-rewrite-incremental-fsync yes",
        source: "redis.conf: aof-rewrite-incremental-fsync",
        versions: Versions::All,
        check: |seen| with_aof(seen, |seen| yes(seen, "aof-rewrite-incremental-fsync")),
    },
    Rule {
        id: "persistence.save-beside-aof",
        severity: Severity::Warn,
        must: "No snapshots are taken beside the AOF",
        why: "A stream that never pauses reaches every save point: the server forks and writes all it holds again and \
              again, for a file that is not read while there is an AOF.",
        remedy: "save \"\"",
        source: "redis.conf: save",
        versions: Versions::All,
        check: |seen| {
            with_aof(seen, |seen| {
                let is_empty = meaning::same("save", seen.text("save")?, "");
                Ok(State::of(is_empty, seen.said("save")?, || vec![Fix::set("save", "")]))
            })
        },
    },
    Rule {
        id: "persistence.stop-writes",
        severity: Severity::Warn,
        must: "A snapshot that cannot be written stops writes",
        why: "Where snapshots are what is left after a restart, going on without them acknowledges events that will \
              not be there.",
        remedy: "stop-writes-on-bgsave-error yes",
        source: "redis.conf: stop-writes-on-bgsave-error",
        versions: Versions::All,
        check: |seen| yes(seen, "stop-writes-on-bgsave-error"),
    },
    Rule {
        id: "persistence.lasting",
        severity: Severity::Danger,
        must: "What was set while the server ran is in its redis.conf too",
        why: "The next start reads the file. With appendonly yes only in memory it loads an old snapshot, or nothing, \
              and the AOF with all events stays aside.",
        remedy: "CONFIG REWRITE",
        source: "Redis documentation: CONFIG SET, CONFIG REWRITE",
        versions: Versions::All,
        check: lasting,
    },
    Rule {
        id: "persistence.config-file",
        severity: Severity::Note,
        must: "The server was started with a redis.conf",
        why: "What CONFIG SET changes is gone at the next start unless CONFIG REWRITE can write it to that file.",
        remedy: "redis-server /path/to/redis.conf",
        source: "INFO server: config_file",
        versions: Versions::All,
        check: |seen| {
            let file = seen.field("config_file")?;
            let read =
                if file.is_empty() { "config_file is empty".into() } else { format!("config_file {file}") };
            Ok(State::of(!file.is_empty(), read, || {
                vec![Fix::act("start it with a file: forebay audit --fix-conf prints the lines to put in")]
            }))
        },
    },
];

/// The rule where there is an AOF.
fn with_aof(seen: &AuditSnapshot, check: fn(&AuditSnapshot) -> Checked) -> Checked {
    if seen.yes("appendonly")? {
        check(seen)
    } else {
        Ok(State::Idle("there is no AOF: see persistence.aof".into()))
    }
}

/// `appendfsync` must be anything but this.
fn fsync_is_not(seen: &AuditSnapshot, bad: &str, fix: &str) -> Checked {
    let is_bad = seen.text("appendfsync")?.eq_ignore_ascii_case(bad);
    Ok(State::of(!is_bad, seen.said("appendfsync")?, || vec![Fix::set("appendfsync", fix)]))
}

/// The running settings against the file that the next start reads.
fn lasting(seen: &AuditSnapshot) -> Checked {
    let file = seen.on_disk.as_ref().map_err(Clone::clone)?;
    let Some(file) = file else {
        return Ok(State::Idle("there is no redis.conf: see persistence.config-file".into()));
    };
    let mut gone = Vec::new();
    for name in LASTING {
        let (running, written) = (seen.text(name)?, file.get(name).unwrap_or_default());
        if !meaning::same(name, running, written) {
            gone.push(format!("{} (in the file: {})", seen.said(name)?, conf_line(name, written)));
        }
    }
    let read = if gone.is_empty() { "the same in both".into() } else { gone.join(", ") };
    Ok(State::of(gone.is_empty(), read, || vec![Fix::command("CONFIG REWRITE")]))
}
