//! Rules on a cluster as one of its nodes sees it: its slots, its nodes, the replicas of each master, and who else copies from this
//! one.

use super::cluster::in_cluster;
use crate::audit::cluster::{Cluster, Node, SLOTS};
use crate::audit::rule::{Checked, Fix, Rule, Severity, State, Unread};
use crate::audit::snapshot::AuditSnapshot;
use crate::audit::version::Versions;

/// Masters that a majority without one of them needs.
const MASTERS_MIN: usize = 3;
/// How many nodes a finding names.
const NAMED_MAX: usize = 5;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "replication.cluster-state",
        severity: Severity::Danger,
        must: "The cluster takes commands",
        why: "Where its state is fail, this node refuses reads and writes (CLUSTERDOWN), and the buffer stands.",
        remedy: "bring the missing nodes back; redis-cli --cluster check HOST:PORT says what is wrong",
        source: "CLUSTER INFO: cluster_state",
        versions: Versions::All,
        check: |seen| in_cluster(seen, state),
    },
    Rule {
        id: "replication.cluster-slots",
        severity: Severity::Danger,
        must: "Every slot has a node that answers",
        why: "A lane whose slot nobody has stands. With cluster-require-full-coverage no the state is ok all the same.",
        remedy: "bring the node back; where it is gone for good: redis-cli --cluster fix HOST:PORT",
        source: "CLUSTER INFO: cluster_slots_assigned, cluster_slots_pfail, cluster_slots_fail",
        versions: Versions::All,
        check: |seen| in_cluster(seen, slots),
    },
    Rule {
        id: "replication.cluster-nodes",
        severity: Severity::Warn,
        must: "Every node that the cluster names is up",
        why: "A node that is down is missing from the next election, as a vote or as a replica.",
        remedy: "bring it back; where it is gone for good: CLUSTER FORGET <id> on every other node, within a minute",
        source: "CLUSTER NODES: flags, link-state",
        versions: Versions::All,
        check: |seen| in_cluster(seen, nodes),
    },
    Rule {
        id: "replication.cluster-quorum",
        severity: Severity::Warn,
        must: "Three masters or more vote",
        why: "A failover needs the votes of most masters that have slots. Of two, one is no majority: when a master \
              dies, no replica takes over.",
        remedy: "three masters with slots, on machines of their own",
        source: "Redis Cluster specification: replica election",
        versions: Versions::All,
        check: |seen| in_cluster(seen, quorum),
    },
    Rule {
        id: "replication.cluster-replicas",
        severity: Severity::Warn,
        must: "Every master has a replica that is up",
        why: "The lanes of a master without one stand when it dies, and are lost with its disk. With --ack replica \
              nothing is acknowledged there.",
        remedy: "CLUSTER REPLICATE <id of the master>, on a node without slots",
        source: "CLUSTER NODES",
        versions: Versions::All,
        check: |seen| in_cluster(seen, replicas),
    },
    Rule {
        id: "replication.cluster-versions",
        severity: Severity::Warn,
        must: "All nodes run one version",
        why: "A newer master's data cannot always be read by an older replica, and a promoted older one runs the \
              faults that the upgrade was to end.",
        remedy: "upgrade the replicas, hand over to them (CLUSTER FAILOVER), then upgrade the old masters",
        source: "INFO of every node: redis_version, valkey_version",
        versions: Versions::All,
        check: |seen| in_cluster(seen, versions),
    },
    Rule {
        id: "replication.unknown-replica",
        severity: Severity::Warn,
        must: "Whoever copies from this node is a replica that the cluster names",
        why: "WAIT counts every client that acknowledges as a replica does, a backup or a CDC tool too: what it alone \
              has is acknowledged, and never promoted.",
        remedy: "CLUSTER REPLICATE for a replica; stop the tool, or have it read from a replica",
        source: "INFO replication: slaveN; CLUSTER NODES; replicationCountAcksByOffset in replication.c",
        versions: Versions::All,
        check: |seen| in_cluster(seen, unknown_replica),
    },
];

fn state(seen: &AuditSnapshot) -> Checked {
    let state = seen.cluster()?.field("cluster_state")?;
    Ok(State::of(state == "ok", format!("cluster_state {state}"), || {
        vec![Fix::act("redis-cli --cluster check HOST:PORT says what is missing; bring those nodes back")]
    }))
}

fn slots(seen: &AuditSnapshot) -> Checked {
    let cluster = seen.cluster()?;
    let count = |name: &str| cluster.count(&format!("cluster_slots_{name}"));
    let (assigned, silent, failed) = (count("assigned")?, count("pfail")?, count("fail")?);
    let read =
        format!("{assigned} of {SLOTS} slots are assigned, {} of nodes that are down", silent + failed);
    Ok(State::of(assigned == SLOTS && silent + failed == 0, read, || {
        vec![Fix::act("bring the node back; where it is gone for good: redis-cli --cluster fix HOST:PORT")]
    }))
}

fn nodes(seen: &AuditSnapshot) -> Checked {
    let nodes = &seen.cluster()?.nodes;
    let down = nodes.iter().filter_map(|node| Some(format!("{} {}", node.place(), node.trouble()?)));
    Ok(none_of(down, &format!("{} nodes, all up", nodes.len()), || {
        Fix::act("bring it back; where it is gone for good: CLUSTER FORGET <id> on every other node")
    }))
}

fn quorum(seen: &AuditSnapshot) -> Checked {
    let masters = seen.cluster()?.masters().count();
    Ok(State::of(masters >= MASTERS_MIN, format!("{masters} masters with slots"), || {
        vec![Fix::act(format!(
            "spread the slots over {MASTERS_MIN} masters: redis-cli --cluster reshard HOST:PORT"
        ))]
    }))
}

fn replicas(seen: &AuditSnapshot) -> Checked {
    let cluster = seen.cluster()?;
    let is_up = |node: &Node| node.trouble().is_none();
    let alone = cluster.masters().filter(|master| !cluster.replicas_of(master).any(is_up));
    let masters = cluster.masters().count();
    if masters == 0 {
        return Err(Unread("CLUSTER NODES names no master that has slots".into()));
    }
    Ok(none_of(
        alone.map(|master| format!("{} has none", master.place())),
        &format!("each of {masters} masters has one"),
        || Fix::act("CLUSTER REPLICATE <id of the master>, on a node without slots"),
    ))
}

fn versions(seen: &AuditSnapshot) -> Checked {
    let own = seen.info()?.running();
    let others = &seen.cluster()?.others;
    let other = others.iter().filter_map(|(place, facts)| {
        let running = facts.as_ref().ok()?.running();
        (running != own).then(|| format!("{place} is {running}"))
    });
    let found = none_of(other, &format!("{} nodes of {own}", others.len() + 1), || {
        Fix::act("upgrade the replicas, hand over to them (CLUSTER FAILOVER), then upgrade the old masters")
    });
    match (found, unasked(seen.cluster()?)) {
        (State::Kept(_), Some(why)) => Err(why),
        (State::Broken(read, fixes), _) => Ok(State::Broken(format!("{own} here; {read}"), fixes)),
        (found, _) => Ok(found),
    }
}

/// Why nothing is known of a node, where that is so of one.
pub(super) fn unasked(cluster: &Cluster) -> Option<Unread> {
    let mut unknown = cluster.others.iter().filter_map(|(place, facts)| Some((place, facts.as_ref().err()?)));
    let (place, Unread(why)) = unknown.next()?;
    let more = unknown.count();
    let beside = if more == 0 { String::new() } else { format!("; and {more} more") };
    Some(Unread(format!("{place} could not be asked: {why}{beside}")))
}

/// Those of `slaveN` that no replica of this node is. Addresses can be held against each other only where one of them fits: behind
/// an address translation none does.
fn unknown_replica(seen: &AuditSnapshot) -> Checked {
    let cluster = seen.cluster()?;
    let myself = cluster.myself()?;
    let named: Vec<&Node> = cluster.replicas_of(myself).collect();
    let attached = attached(seen)?;
    let fits = |(ip, port): &(String, u16), node: &&Node| {
        node.port == *port && (node.ip == *ip || node.host.as_ref() == Some(ip))
    };
    let strange: Vec<&(String, u16)> =
        attached.iter().filter(|place| !named.iter().any(|node| fits(place, node))).collect();
    let can_compare = strange.len() < attached.len() || attached.len() > named.len();
    if !strange.is_empty() && !can_compare {
        let (ip, port) = strange[0];
        return Err(Unread(format!(
            "INFO names {ip}:{port}, CLUSTER NODES another address; with replica-announce-ip they would be comparable"
        )));
    }
    Ok(none_of(
        strange.into_iter().map(|(ip, port)| format!("{ip}:{port} is no replica that the cluster names")),
        &format!("{} attached, each named by the cluster", attached.len()),
        || Fix::act("CLUSTER REPLICATE for a replica; stop the tool, or have it read from a replica"),
    ))
}

/// Where the clients are that copy from this server.
fn attached(seen: &AuditSnapshot) -> Result<Vec<(String, u16)>, Unread> {
    (0..seen.count("connected_slaves")?)
        .map(|number| {
            let text = seen.field(&format!("slave{number}"))?;
            let part = |name: &str| text.split(',').find_map(|part| part.strip_prefix(name));
            let place = part("ip=").zip(part("port=").and_then(|port| port.parse().ok()));
            place
                .map(|(ip, port)| (ip.to_owned(), port))
                .ok_or_else(|| Unread(format!("slave{number}:{text} has no address")))
        })
        .collect()
}

/// Kept where there is nothing to name, else broken by what is named.
fn none_of(found: impl Iterator<Item = String>, kept: &str, fix: impl FnOnce() -> Fix) -> State {
    let found: Vec<String> = found.collect();
    let named = found.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = found.len().saturating_sub(NAMED_MAX);
    let read = if more == 0 { named } else { format!("{named}, and {more} more") };
    State::of(found.is_empty(), if found.is_empty() { kept.to_owned() } else { read }, || vec![fix()])
}
