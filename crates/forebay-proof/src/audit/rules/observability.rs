//! Rules on what can be seen afterwards: without these the bad day leaves no trace.

use super::checks::{within, yes};
use crate::audit::rule::{Fix, Rule, Severity, State};
use crate::audit::version::Versions;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "observability.latency-monitor",
        severity: Severity::Note,
        must: "The server records its own stalls",
        why: "LATENCY HISTORY tells a slow fsync from a fork and from a slow command; at threshold 0 it records \
              nothing.",
        remedy: "latency-monitor-threshold 100",
        source: "redis.conf: latency-monitor-threshold",
        versions: Versions::All,
        check: |seen| within(seen, "latency-monitor-threshold", 1.., "100"),
    },
    Rule {
        id: "observability.slowlog",
        severity: Severity::Note,
        must: "Slow commands are kept",
        why: "The one command that held the server up for a second is found there, or nowhere.",
        remedy: "slowlog-log-slower-than 10000, slowlog-max-len 128",
        source: "redis.conf: slowlog-log-slower-than, slowlog-max-len",
        versions: Versions::All,
        check: |seen| {
            let (micros, length) = (seen.number("slowlog-log-slower-than")?, seen.number("slowlog-max-len")?);
            let read = format!("slowlog-log-slower-than {micros}, slowlog-max-len {length}");
            Ok(State::of((0..=100_000).contains(&micros) && length > 0, read, || {
                vec![Fix::set("slowlog-log-slower-than", "10000"), Fix::set("slowlog-max-len", "128")]
            }))
        },
    },
    Rule {
        id: "observability.latency-tracking",
        severity: Severity::Note,
        must: "Latencies are counted by command",
        why: "INFO latencystats then has p50, p99 and p99.9 of XADD and XREADGROUP as the server saw them, to hold \
              against what clients saw.",
        remedy: "latency-tracking yes",
        source: "redis.conf: latency-tracking",
        versions: Versions::From((7, 0, 0)),
        check: |seen| yes(seen, "latency-tracking"),
    },
    Rule {
        id: "observability.hz",
        severity: Severity::Warn,
        must: "The server looks after itself 10 to 100 times a second",
        why: "Below, it starts rewrites and drops dead clients late; above, it takes processor time from commands, \
              idle or not.",
        remedy: "hz 10",
        source: "redis.conf: hz",
        versions: Versions::All,
        check: |seen| within(seen, "hz", 10..=100, "10"),
    },
    Rule {
        id: "observability.log",
        severity: Severity::Warn,
        must: "The log tells of a cut AOF and a failed rewrite",
        why: "That an AOF was cut at its end, or a write failed, stands in the log and nowhere else.",
        remedy: "loglevel notice",
        source: "redis.conf: loglevel",
        versions: Versions::All,
        check: |seen| {
            let level = seen.text("loglevel")?.to_ascii_lowercase();
            Ok(State::of(!matches!(level.as_str(), "nothing" | "warning"), seen.said("loglevel")?, || {
                vec![Fix::set("loglevel", "notice")]
            }))
        },
    },
    Rule {
        id: "observability.crash-log",
        severity: Severity::Note,
        must: "A crash leaves a report",
        why: "Without it a server that fell over on a block says nothing of where.",
        remedy: "crash-log-enabled yes",
        source: "redis.conf: crash-log-enabled",
        versions: Versions::All,
        check: |seen| yes(seen, "crash-log-enabled"),
    },
];
