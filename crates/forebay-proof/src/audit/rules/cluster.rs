//! Rules on the settings of a cluster's node: what one lost shard stops, who is promoted, and when. Masters and replicas need the
//! same, since a replica is the next master.

use super::checks::no;
use super::replication::OUTAGE_S;
use crate::audit::rule::{Checked, Fix, Rule, Severity, State};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::Versions;

/// Less than this and a fork, a slow disk or the move of a large stream looks like a dead master.
const TIMEOUT_MS_MIN: u64 = 2_000;
/// What remedies set: an election that is lost is made up for in half a minute.
const TIMEOUT_MS: u64 = 5_000;
/// An election that is lost comes again after so many node timeouts.
const RETRY_TIMEOUTS: u64 = 4;
/// What an election takes beside that: its delay of up to a second, and the votes.
const ELECTION_MS: u64 = 1_000;
/// Seconds between two pings of a master to its replicas, by default.
const PING_S: u64 = 10;
/// The most that `cluster-replica-validity-factor` need be.
const FACTOR_MAX: u64 = 10;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "replication.cluster-coverage",
        severity: Severity::Warn,
        must: "A shard that is down stops its own lanes only",
        why: "By default a cluster with one slot uncovered refuses every command: lanes on healthy shards stop too.",
        remedy: "cluster-require-full-coverage no, on every node",
        source: "redis.conf: cluster-require-full-coverage",
        versions: Versions::All,
        check: |seen| in_cluster(seen, |seen| no(seen, "cluster-require-full-coverage")),
    },
    Rule {
        id: "replication.cluster-migration",
        severity: Severity::Warn,
        must: "Replicas stay with their master",
        why: "A replica that moves to another master takes a copy with it: what every replica of a shard had is then \
              on fewer servers, and nobody is told.",
        remedy: "cluster-allow-replica-migration no, on every node",
        source: "redis.conf: cluster-allow-replica-migration",
        versions: Versions::All,
        check: |seen| in_cluster(seen, |seen| no(seen, "cluster-allow-replica-migration")),
    },
    Rule {
        id: "replication.cluster-no-failover",
        severity: Severity::Warn,
        must: "Every replica may be promoted",
        why: "WAIT counts a replica that never becomes the master too: what it alone has is lost in a failover.",
        remedy: "cluster-replica-no-failover no",
        source: "redis.conf: cluster-replica-no-failover; WAIT",
        versions: Versions::All,
        check: |seen| in_cluster(seen, |seen| no(seen, "cluster-replica-no-failover")),
    },
    Rule {
        id: "replication.cluster-timeout",
        severity: Severity::Warn,
        must: "A dead master is replaced within a minute, and a slow one is not",
        why: "Too short, and a fork or a slow disk costs a failover. Too long, and an election that is lost once, \
              which comes again after four timeouts, exceeds the minute that backlogs are sized for.",
        remedy: "cluster-node-timeout 5000, on every node",
        source: "redis.conf: cluster-node-timeout; cluster_legacy.c: clusterHandleReplicaFailover",
        versions: Versions::All,
        check: |seen| in_cluster(seen, timeout),
    },
    Rule {
        id: "replication.cluster-validity",
        severity: Severity::Warn,
        must: "A replica cut off for more than a minute is not promoted, and one that lost an election is",
        why: "A replica may be promoted that has heard nothing for factor x node timeout + ping period: 160 s by \
              default. All that was acknowledged meanwhile is gone; with factor 0 there is no limit.",
        remedy: "cluster-node-timeout 5000, cluster-replica-validity-factor 10, repl-ping-replica-period 10",
        source: "redis.conf: cluster-replica-validity-factor",
        versions: Versions::All,
        check: |seen| in_cluster(seen, validity),
    },
];

/// The rule where the server is a node of a cluster.
pub(super) fn in_cluster(seen: &AuditSnapshot, check: fn(&AuditSnapshot) -> Checked) -> Checked {
    if seen.yes("cluster-enabled")? {
        check(seen)
    } else {
        Ok(State::Idle("the server stands outside a cluster".into()))
    }
}

/// Whether two elections come through in the time that a buffer is sized for.
fn is_in_time(timeout_ms: u64) -> bool {
    timeout_ms.saturating_mul(1 + RETRY_TIMEOUTS).saturating_add(2 * ELECTION_MS) <= OUTAGE_S as u64 * 1_000
}

fn timeout(seen: &AuditSnapshot) -> Checked {
    let timeout = node_timeout(seen)?;
    let waits = seen.profile.rates.peak * (timeout.saturating_add(ELECTION_MS) as f64 / 1_000.0);
    let read = format!(
        "{}: {waits:.0} events come in during a failover at the profile's peak",
        seen.said("cluster-node-timeout")?
    );
    Ok(State::of(timeout >= TIMEOUT_MS_MIN && is_in_time(timeout), read, || {
        vec![Fix::set("cluster-node-timeout", TIMEOUT_MS.to_string())]
    }))
}

fn validity(seen: &AuditSnapshot) -> Checked {
    let (factor, timeout) = (count(seen, "cluster-replica-validity-factor")?, node_timeout(seen)?);
    let ping = count(seen, "repl-ping-replica-period")?;
    let silent_ms = age_ms(factor, timeout, ping);
    let read = format!(
        "{}: {}",
        seen.said("cluster-replica-validity-factor")?,
        if factor == 0 {
            "any replica may be promoted".into()
        } else {
            format!("one that was cut off for {} s may be promoted", silent_ms / 1_000)
        }
    );
    Ok(State::of(is_valid(factor, timeout, ping), read, || remedy(timeout, ping)))
}

/// For how long a replica may have heard nothing.
fn age_ms(factor: u64, timeout_ms: u64, ping_s: u64) -> u64 {
    factor.saturating_mul(timeout_ms).saturating_add(ping_s.saturating_mul(1_000))
}

/// Whether that is long enough for a second election, and no longer than an outage may take.
fn is_valid(factor: u64, timeout_ms: u64, ping_s: u64) -> bool {
    let again = RETRY_TIMEOUTS.saturating_mul(timeout_ms).saturating_add(ELECTION_MS);
    factor > 0 && (again..=OUTAGE_S as u64 * 1_000).contains(&age_ms(factor, timeout_ms, ping_s))
}

/// The largest factor that is valid, and what else has to change where there is none.
fn remedy(timeout_ms: u64, ping_s: u64) -> Vec<Fix> {
    let factor = "cluster-replica-validity-factor";
    let fits = |timeout, ping| (1..=FACTOR_MAX).rev().find(|factor: &u64| is_valid(*factor, timeout, ping));
    if let Some(fitting) = fits(timeout_ms, ping_s) {
        return vec![Fix::set(factor, fitting.to_string())];
    }
    vec![
        Fix::set("cluster-node-timeout", TIMEOUT_MS.to_string()),
        Fix::set("repl-ping-replica-period", PING_S.to_string()),
        Fix::set(factor, FACTOR_MAX.to_string()),
    ]
}

fn node_timeout(seen: &AuditSnapshot) -> crate::audit::snapshot::Read<u64> {
    count(seen, "cluster-node-timeout")
}

/// A setting that is a number from 0 on.
fn count(seen: &AuditSnapshot, name: &str) -> crate::audit::snapshot::Read<u64> {
    Ok(seen.number(name)?.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_of_the_validity_factor_is_valid_whatever_there_was() {
        for timeout in [1, 1_000, 2_000, 5_000, 11_600, 15_000, 60_000, u64::MAX] {
            for ping in [1, 10, 60, 3_600] {
                let (mut timeout, mut ping, mut factor) = (timeout, ping, 0);
                for fix in remedy(timeout, ping) {
                    let Fix::Set { directive, value } = fix else { panic!("{fix:?}") };
                    let value = value.parse().unwrap();
                    match directive.as_str() {
                        "cluster-node-timeout" => timeout = value,
                        "repl-ping-replica-period" => ping = value,
                        _ => factor = value,
                    }
                }
                assert!(is_valid(factor, timeout, ping), "{factor} {timeout} {ping}");
            }
        }
        // The default: 160 s.
        assert!(!is_valid(10, 15_000, 10) && age_ms(10, 15_000, 10) == 160_000);
        assert!(!is_valid(0, 5_000, 10) && is_valid(10, 5_000, 10));
        // A second election would find every replica too old.
        assert!(!is_valid(1, 5_000, 10));
    }

    #[test]
    fn the_default_timeout_does_not_leave_time_for_a_second_election() {
        assert!(is_in_time(TIMEOUT_MS) && is_in_time(11_600) && !is_in_time(11_601) && !is_in_time(15_000));
        assert!(!is_in_time(u64::MAX));
    }
}
