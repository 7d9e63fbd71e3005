//! Rules on other servers: replicas and failover, by whatever means; a cluster has rules of its own beside these.

use super::checks::{size, within, yes};
use super::cluster_nodes::unasked;
use crate::audit::meaning;
use crate::audit::rule::{Checked, Fix, Rule, Severity, State, Unread};
use crate::audit::snapshot::{AuditSnapshot, Read};
use crate::audit::version::Versions;
use forebay::buffer::connect::Facts;

/// How long a replica may be away and still catch up from the backlog, in seconds.
pub(super) const OUTAGE_S: f64 = 60.0;
/// Bytes that an event takes on its way to a replica, in a small block: what a buffer takes at 94 events/s.
const EVENT_BYTES: f64 = 205.0;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "replication.role",
        severity: Severity::Danger,
        must: "The server is a master",
        why: "A replica refuses writes. One that takes them (replica-read-only no) loses them all at the next \
              synchronization.",
        remedy: "give the master's address; or, where this one is to be it, REPLICAOF NO ONE",
        source: "redis.conf: replicaof; INFO replication: role",
        versions: Versions::All,
        check: |seen| {
            if let (Some(_), Ok(master)) = (&seen.file, seen.text("replicaof")) {
                return Ok(State::of(master.is_empty(), seen.said("replicaof")?, || {
                    vec![Fix::act("take the line replicaof out, where this server is to be the master")]
                }));
            }
            let role = seen.field("role")?;
            if role != "master" && is_node(seen) {
                return Ok(State::Idle("a replica in a cluster sends writes to its master".into()));
            }
            let read = match seen.field("master_host") {
                Ok(host) => format!("role {role} of {host}:{}", seen.field("master_port").unwrap_or("?")),
                Err(_) => format!("role {role}"),
            };
            Ok(State::of(role == "master", read, || {
                vec![Fix::act("audit the master; where this server is to be it: REPLICAOF NO ONE")]
            }))
        },
    },
    Rule {
        id: "replication.empty-restart",
        severity: Severity::Danger,
        must: "No server with replicas comes back empty, nor any node of a cluster",
        why: "Restarted without AOF and snapshots it is empty, and its replicas copy that: every copy is gone. Any \
              replica is the next master.",
        remedy: "appendonly yes, on replicas too",
        source: "Redis documentation, replication: safety; valkey#579",
        versions: Versions::All,
        check: |seen| where_replicated(seen, empty_restart),
    },
    Rule {
        id: "replication.backlog",
        severity: Severity::Warn,
        must: "A replica that was away for a minute catches up without a full copy",
        why: "What the backlog no longer has forces a full synchronization: a fork and a copy of everything, just \
              when the network is bad.",
        remedy: "repl-backlog-size <the profile's peak rate x 205 bytes x 60 s>",
        source: "redis.conf: repl-backlog-size",
        versions: Versions::All,
        check: |seen| {
            where_replicated(seen, |seen| {
                let needed = (seen.profile.rates.peak * EVENT_BYTES * OUTAGE_S) as u64;
                let backlog = seen.bytes("repl-backlog-size")?;
                let read =
                    format!("repl-backlog-size {}, a minute at the peak is {}", size(backlog), size(needed));
                Ok(State::of(backlog >= needed, read, || {
                    vec![Fix::set("repl-backlog-size", format!("{}mb", (needed >> 20) + 1))]
                }))
            })
        },
    },
    Rule {
        id: "replication.min-replicas",
        severity: Severity::Warn,
        must: "Writes stop when no replica has them",
        why: "A master cut off from its replicas goes on acknowledging; after the failover those events are gone.",
        remedy: "min-replicas-to-write 1, min-replicas-max-lag 10",
        source: "redis.conf: min-replicas-to-write",
        versions: Versions::All,
        check: |seen| {
            where_replicated(seen, |seen| {
                let least = seen.number("min-replicas-to-write")?;
                Ok(State::of(least > 0, seen.said("min-replicas-to-write")?, || {
                    vec![Fix::set("min-replicas-to-write", "1"), Fix::set("min-replicas-max-lag", "10")]
                }))
            })
        },
    },
    Rule {
        id: "replication.too-few",
        severity: Severity::Danger,
        must: "As many replicas are connected as writes ask for",
        why: "With fewer, every write is refused (NOREPLICAS), and the buffer stands.",
        remedy: "connect the replicas, or min-replicas-to-write 0",
        source: "redis.conf: min-replicas-to-write; INFO replication: connected_slaves",
        versions: Versions::All,
        check: |seen| {
            if seen.number("min-replicas-max-lag").is_ok_and(|lag| lag == 0) {
                return Ok(State::Kept("min-replicas-max-lag 0: nothing is asked for".into()));
            }
            let asked = seen.number("min-replicas-to-write")?;
            if seen.field("role")? != "master" {
                return Ok(State::Idle("a replica takes no writes".into()));
            }
            // Those that answer in time, where the server counts them.
            let there = seen.count("min_slaves_good_slaves").or_else(|_| seen.count("connected_slaves"))?;
            let read = format!("min-replicas-to-write {asked}, {there} connected");
            Ok(State::of(u64::try_from(asked).unwrap_or(0) <= there, read, || {
                vec![Fix::set("min-replicas-to-write", there.to_string())]
            }))
        },
    },
    Rule {
        id: "replication.lag",
        severity: Severity::Warn,
        must: "Every replica has heard of the last ten seconds",
        why: "What a replica has not got yet is lost with the master.",
        remedy: "a faster network or disk for the replica; INFO replication on it says what it waits for",
        source: "INFO replication: slave0 … lag",
        versions: Versions::All,
        check: |seen| {
            with_replicas(seen, |seen| {
                let worst = lags(seen)?.into_iter().max().unwrap_or(0);
                Ok(State::of(worst <= 10, format!("largest lag {worst} s"), || {
                    vec![Fix::act(
                        "look at INFO replication on the replica: master_link_status, slave_repl_offset",
                    )]
                }))
            })
        },
    },
    Rule {
        id: "replication.replica-evicts",
        severity: Severity::Warn,
        must: "A replica drops nothing on its own",
        why: "With replica-ignore-maxmemory no it evicts by itself: after a failover it has fewer events.",
        remedy: "replica-ignore-maxmemory yes",
        source: "redis.conf: replica-ignore-maxmemory",
        versions: Versions::All,
        check: |seen| yes(seen, "replica-ignore-maxmemory"),
    },
    Rule {
        id: "replication.priority",
        severity: Severity::Warn,
        must: "The replica with the most data is promoted",
        why: "Sentinel looks at replica-priority first, and only then at how far a replica is: with differing ones it \
              promotes a replica that is behind. With 0 a replica is never promoted, and WAIT counts it.",
        remedy: "replica-priority 100, on every server",
        source: "redis.conf: replica-priority; compareSlavesForPromotion in sentinel.c",
        versions: Versions::All,
        check: |seen| {
            if seen.yes("cluster-enabled")? {
                return Ok(State::Idle("a cluster goes by how far a replica is alone".into()));
            }
            within(seen, "replica-priority", 100..=100, "100")
        },
    },
    Rule {
        id: "replication.output-buffer",
        severity: Severity::Warn,
        must: "A replica may copy everything without being cut off",
        why: "What comes in during a full copy waits in the master. A replica over the limit is cut off and begins \
              again, for ever.",
        remedy: "client-output-buffer-limit replica 256mb 64mb 60, or more",
        source: "redis.conf: client-output-buffer-limit",
        versions: Versions::All,
        check: |seen| {
            where_replicated(seen, |seen| {
                let needed = (seen.profile.rates.peak * EVENT_BYTES * OUTAGE_S) as u64;
                let limit = super::buffers::output_limit(seen, "slave")
                    .or_else(|_| super::buffers::output_limit(seen, "replica"))?;
                let read = format!(
                    "hard limit for replicas {}, a minute at the peak is {}",
                    size(limit),
                    size(needed)
                );
                Ok(State::of(limit == 0 || limit >= needed, read, || {
                    vec![Fix::set("client-output-buffer-limit", "replica 256mb 64mb 60")]
                }))
            })
        },
    },
];

/// Whether the server is a node of a cluster, as far as that is known.
fn is_node(seen: &AuditSnapshot) -> bool {
    seen.yes("cluster-enabled").is_ok_and(|is_node| is_node)
}

/// The rule where replicas are connected, or may be: a replica, and any node of a cluster, is the next master.
fn where_replicated(seen: &AuditSnapshot, check: fn(&AuditSnapshot) -> Checked) -> Checked {
    if is_node(seen) || seen.field("role")? != "master" { check(seen) } else { with_replicas(seen, check) }
}

/// Whether this server, and in a cluster every other node, has its data after a restart.
fn empty_restart(seen: &AuditSnapshot) -> Checked {
    let has_snapshots = !meaning::same("save", seen.text("save")?, "");
    let read = format!("{}, {}", seen.said("appendonly")?, seen.said("save")?);
    if !seen.yes("appendonly")? && !has_snapshots {
        return Ok(State::Broken(read, vec![Fix::set("appendonly", "yes")]));
    }
    if !is_node(seen) {
        return Ok(State::Kept(read));
    }
    let cluster = seen.cluster()?;
    let has_none =
        |facts: &Read<Facts>| facts.as_ref().is_ok_and(|facts| facts.number("aof_enabled") == Some(0));
    if let Some((place, _)) = cluster.others.iter().find(|(_, facts)| has_none(facts)) {
        let fix = Fix::act(format!("CONFIG SET appendonly yes on {place}, and on every other node without"));
        return Ok(State::Broken(format!("{read}; {place} has no AOF"), vec![fix]));
    }
    unasked(cluster).map_or_else(|| Ok(State::Kept(read)), Err)
}

/// The rule where replicas are connected.
fn with_replicas(seen: &AuditSnapshot, check: fn(&AuditSnapshot) -> Checked) -> Checked {
    match seen.count("connected_slaves")? {
        0 => Ok(State::Idle("no replica is connected".into())),
        _ => check(seen),
    }
}

/// Seconds since each replica was last heard of.
fn lags(seen: &AuditSnapshot) -> Result<Vec<u64>, Unread> {
    let replicas = seen.count("connected_slaves")?;
    (0..replicas)
        .map(|number| {
            let text = seen.field(&format!("slave{number}"))?;
            let lag = text.split(',').find_map(|part| part.strip_prefix("lag="));
            lag.and_then(|lag| lag.parse().ok())
                .ok_or_else(|| Unread(format!("slave{number}:{text} has no lag")))
        })
        .collect()
}
