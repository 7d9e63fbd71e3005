//! A cluster made of data: healthy, but for what is planted.

use super::seeded_faults::FaultSource;
use crate::audit::cluster::{Cluster, nodes};
use crate::audit::rule::Unread;
use crate::audit::snapshot::{AuditSnapshot, Read};
use forebay::buffer::connect::Facts;

/// Three masters with a replica each.
const NODES: &str = "a 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-5460\n\
    b 10.0.0.2:6379@16379 master - 0 0 2 connected 5461-10922\n\
    c 10.0.0.3:6379@16379 master - 0 0 3 connected 10923-16383\n\
    d 10.0.1.1:6379@16379 slave a 0 0 1 connected\n\
    e 10.0.1.2:6379@16379 slave b 0 0 2 connected\n\
    f 10.0.1.3:6379@16379 slave c 0 0 3 connected\n";

const INFO: &str =
    "cluster_state:ok\ncluster_slots_assigned:16384\ncluster_slots_pfail:0\ncluster_slots_fail:0\n";

/// What INFO says of a node, beside what it says of any server.
const NODE: [(&str, &str); 5] = [
    ("redis_version", "7.2.4"),
    ("valkey_version", "8.0.9"),
    ("cluster_enabled", "1"),
    ("connected_slaves", "1"),
    ("slave0", "ip=10.0.1.1,port=6379,state=online,offset=14,lag=0"),
];

/// Makes a server one of them.
pub(super) fn join(seen: &mut AuditSnapshot) {
    if let Ok(settings) = &mut seen.settings {
        settings.set("cluster-enabled", "yes");
        settings.set("min-replicas-to-write", "1");
        if let Ok(on_disk) = &mut seen.on_disk {
            *on_disk = Some(settings.clone());
        }
    }
    let Ok(info) = &mut seen.info else { return };
    for (name, value) in NODE {
        info.set(name, value);
    }
    let own = info.clone();
    seen.cluster = nodes(NODES).map(|nodes| {
        let others = nodes.iter().filter(|node| !node.is("myself"));
        let others = others.map(|node| (node.place(), Ok(own.clone()))).collect();
        Cluster { info: Facts::of(INFO), nodes, others }
    });
}

/// Plants a fault into what a node tells.
pub(super) fn spoil(seen: &mut Read<Cluster>, how: &FaultSource) {
    let Ok(cluster) = seen else { return };
    match how {
        FaultSource::ClusterSays(pairs) => {
            for (name, value) in *pairs {
                cluster.info.set(name, value);
            }
        }
        FaultSource::OthersSay(pairs) => {
            for (_, facts) in &mut cluster.others {
                let Ok(facts) = facts else { continue };
                for (name, value) in *pairs {
                    facts.set(name, value);
                }
            }
        }
        FaultSource::ClusterNodes(text) => match nodes(text) {
            Ok(nodes) => cluster.nodes = nodes,
            Err(Unread(why)) => *seen = Err(Unread(why)),
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::audit::judge;
    use crate::audit::negative_controls::{made_up, of_rules};
    use crate::audit::outcome::{Finding, Outcome};
    use forebay_watch::profile::Profile;

    fn node(faults: &[FaultSource]) -> AuditSnapshot {
        node_on(tempfile::tempdir().unwrap().path(), faults)
    }

    /// The same on a machine whose files stay: some are read when a rule asks.
    fn node_on(root: &Path, faults: &[FaultSource]) -> AuditSnapshot {
        let all: Vec<FaultSource> =
            [FaultSource::InCluster].into_iter().chain(faults.iter().copied()).collect();
        made_up(&Profile::load("bluesky-8h").unwrap(), root, &all)
    }

    fn finding(seen: &AuditSnapshot, id: &str) -> Finding {
        judge::audit(seen, "", false).rules.into_iter().find(|finding| finding.id == id).unwrap()
    }

    #[test]
    fn a_healthy_node_breaks_no_rule_and_shows_everything() {
        let root = tempfile::tempdir().unwrap();
        let audit = judge::audit(&node_on(root.path(), &[]), "", false);
        let is_odd = |finding: &&Finding| [Outcome::Broken, Outcome::NotShown].contains(&finding.outcome);
        let odd = audit.rules.iter().filter(is_odd);
        assert_eq!(odd.map(|finding| (&finding.id, &finding.read)).collect::<Vec<_>>(), []);
        let own = audit.rules.iter().filter(|finding| finding.id.starts_with("replication.cluster-"));
        assert!(own.clone().count() == 11 && own.clone().all(|finding| finding.outcome == Outcome::Ok));
        // Outside a cluster none of them is about the server.
        let alone = made_up_alone();
        for finding in own {
            let alone = self::finding(&alone, &finding.id);
            assert_eq!(alone.outcome, Outcome::DoesNotApply, "{alone:?}");
        }
    }

    #[test]
    fn what_a_node_or_its_neighbours_do_not_tell_is_not_shown_and_never_ok() {
        let mut seen = node(&[]);
        let why = || Unread("CLUSTER is not permitted".into());
        seen.cluster = Err(why());
        for id in [
            "replication.cluster-state",
            "replication.cluster-slots",
            "replication.cluster-nodes",
            "replication.cluster-quorum",
            "replication.cluster-replicas",
            "replication.cluster-versions",
            "replication.unknown-replica",
            "replication.empty-restart",
        ] {
            let found = finding(&seen, id);
            assert!(found.outcome == Outcome::NotShown && found.read == why().0, "{found:?}");
        }
        // One neighbour that says nothing is enough.
        let mut seen = node(&[]);
        seen.cluster.as_mut().unwrap().others[1].1 = Err(Unread("it hung up".into()));
        for id in ["replication.cluster-versions", "replication.empty-restart"] {
            let found = finding(&seen, id);
            assert_eq!(found.read, "10.0.0.3:6379 could not be asked: it hung up");
            assert_eq!(found.outcome, Outcome::NotShown);
        }
        // What another has is found all the same.
        spoil(
            &mut seen.cluster,
            &FaultSource::OthersSay(&[("valkey_version", "8.0.6"), ("aof_enabled", "0")]),
        );
        for id in ["replication.cluster-versions", "replication.empty-restart"] {
            assert!(finding(&seen, id).is_broken());
        }
        for version in ["8.1.8", "9.0.2", "9.1.2"] {
            let pairs: &'static [(&str, &str)] = vec![("valkey_version", version)].leak();
            let found = finding(&node(&[FaultSource::Says(pairs)]), "version.failover");
            assert!(found.outcome == Outcome::NotShown && found.read.contains(version), "{found:?}");
        }
    }

    #[test]
    fn a_client_that_copies_is_told_from_a_replica_whose_address_is_another_here() {
        let found = |says: &'static [(&str, &str)]| {
            finding(&node(&[FaultSource::Says(says)]), "replication.unknown-replica")
        };
        let translated = found(&[("slave0", "ip=172.17.0.5,port=6379,state=online,offset=1,lag=0")]);
        assert!(translated.outcome == Outcome::NotShown && translated.read.contains("172.17.0.5:6379"));
        // One more than the cluster has is strange whatever the addresses.
        let more = found(&[
            ("connected_slaves", "2"),
            ("slave0", "ip=172.17.0.5,port=6379,state=online,offset=1,lag=0"),
            ("slave1", "ip=172.17.0.6,port=6379,state=online,offset=1,lag=0"),
        ]);
        assert!(more.is_broken(), "{more:?}");
        assert_eq!(found(&[("connected_slaves", "0")]).outcome, Outcome::Ok);
        assert_eq!(found(&[("slave0", "ip=10.0.1.1")]).outcome, Outcome::NotShown);
    }

    #[test]
    fn a_replica_is_judged_as_the_next_master_and_not_for_being_none() {
        let seen = node(&[FaultSource::Says(&[("role", "slave"), ("connected_slaves", "0")])]);
        for id in ["replication.role", "replication.too-few"] {
            assert_eq!(finding(&seen, id).outcome, Outcome::DoesNotApply, "{id}");
        }
        for id in ["replication.backlog", "replication.min-replicas", "replication.output-buffer"] {
            assert_eq!(finding(&seen, id).outcome, Outcome::Ok, "{id}");
        }
    }

    /// The control that `forebay audit` plants into what it has read of a node.
    #[test]
    fn settings_of_a_node_are_changed_for_the_worse_too() {
        let (alone, node) = (made_up_alone(), node(&[]));
        let tried = |seen: &AuditSnapshot| {
            let control = of_rules(seen);
            assert!(control.is_refuted(), "{control:?}");
            let words = control.what.split_once("; and ").unwrap().1;
            words.split(' ').next().unwrap().parse::<i32>().unwrap()
        };
        // One of them, replica-priority, is for servers outside a cluster.
        assert_eq!(tried(&node) - tried(&alone), 8 - 1);
    }

    fn made_up_alone() -> AuditSnapshot {
        let root = tempfile::tempdir().unwrap();
        made_up(&Profile::load("bluesky-8h").unwrap(), root.path(), &[])
    }
}
