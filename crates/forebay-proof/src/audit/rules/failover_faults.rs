//! The rule on versions with known faults in failovers of a cluster. What has a fault, and what has it no more, is as far as sources
//! and release notes were read: of anything between them nothing is said.

use super::cluster::in_cluster;
use crate::audit::rule::{Checked, Fix, Rule, Severity, State, Unread};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::{Number, Versions};

/// Versions, both ends included.
type Ranges = &'static [(Number, Number)];

/// Every version.
const ALL: Ranges = &[((0, 0, 0), (u64::MAX, 0, 0))];

/// A fault.
struct Fault {
    what: &'static str,
    source: &'static str,
    redis: Known,
    valkey: Known,
}

/// Versions that have a fault, and versions that do not.
struct Known {
    faulty: Ranges,
    free: Ranges,
}

static FAULTS: [Fault; 4] = [
    Fault {
        what: "a replica that has not copied its new master yet may be elected before one that has",
        source: "valkey#885",
        redis: Known {
            faulty: &[
                ((6, 2, 0), (6, 2, 16)),
                ((7, 0, 0), (7, 0, 15)),
                ((7, 2, 0), (7, 2, 6)),
                ((7, 4, 0), (7, 4, 1)),
            ],
            free: &[],
        },
        valkey: Known { faulty: &[((7, 2, 0), (7, 2, 7))], free: &[((8, 0, 0), (u64::MAX, 0, 0))] },
    },
    Fault {
        what: "a slot that was moved may go back at the next failover",
        source: "redis#12344",
        redis: Known { faulty: &[((7, 0, 0), (7, 0, 12))], free: &[((7, 0, 13), (u64::MAX, 0, 0))] },
        valkey: Known { faulty: &[], free: ALL },
    },
    Fault {
        what: "a replica whose config epoch is behind never wins an election: its shard stays down",
        source: "valkey#2169",
        redis: Known { faulty: &[], free: &[] },
        valkey: Known {
            faulty: &[((8, 0, 0), (8, 0, 4)), ((8, 1, 0), (8, 1, 1))],
            free: &[((8, 0, 5), (8, 0, u64::MAX)), ((9, 0, 0), (u64::MAX, 0, 0))],
        },
    },
    Fault {
        what: "a replica may skip the delay in which replicas compare what they have",
        source: "valkey#4533",
        redis: Known { faulty: &[], free: ALL },
        valkey: Known { faulty: &[((9, 1, 0), (9, 1, 1))], free: &[((0, 0, 0), (8, 1, u64::MAX))] },
    },
];

pub(super) const RULES: &[Rule] = &[Rule {
    id: "version.failover",
    severity: Severity::Warn,
    must: "The version has no known fault in failovers",
    why: "Such a fault promotes a replica with less than it could have, or none at all. It shows on the day that a \
          master dies.",
    remedy: "Valkey 8.0.5 or newer of 8.0; of others see the source",
    source: "valkey#885, valkey#2169, valkey#4533, redis#12344; sources up to Redis 7.4.1",
    versions: Versions::All,
    check: |seen| in_cluster(seen, check),
}];

fn check(seen: &AuditSnapshot) -> Checked {
    let facts = seen.info()?;
    let (is_valkey, version) = (facts.server() == "valkey", facts.version_parts());
    let is_among = |ranges: Ranges| ranges.iter().any(|(first, last)| (*first..=*last).contains(&version));
    let known = |fault: &'static Fault| if is_valkey { &fault.valkey } else { &fault.redis };
    let name = |faults: Vec<&Fault>| {
        faults
            .into_iter()
            .map(|fault| format!("{} ({})", fault.what, fault.source))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let has: Vec<&Fault> = FAULTS.iter().filter(|fault| is_among(known(fault).faulty)).collect();
    if !has.is_empty() {
        let read = format!("{}: {}", facts.running(), name(has));
        return Ok(State::Broken(read, vec![Fix::act("upgrade every node; replicas first, then hand over")]));
    }
    let unknown: Vec<&Fault> = FAULTS.iter().filter(|fault| !is_among(known(fault).free)).collect();
    if !unknown.is_empty() {
        return Err(Unread(format!("of {} it is not known whether {}", facts.running(), name(unknown))));
    }
    Ok(State::Kept(format!("{} is none of those with one", facts.running())))
}
