//! What is claimed of the audit of a cluster: on real nodes each rule finds its fault, is silent without it, and is silenced by its
//! remedy.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use forebay::buffer::connect::Address;
use forebay_proof::audit::negative_controls::seeded_faults::{MODEL, PLANTS};
use forebay_proof::audit::outcome::Outcome;
use forebay_rig::server::{Conf, Server, ServerBinary, ServerError};

use crate::audit_rules::{apply, ask, binary, finding, seen};
use crate::support::{LIMIT, address, until};

const PASSWORD: &str = "of-the-cluster";

/// A node with no slots, which knows nobody.
fn node_of(binary: &ServerBinary, change: &[(&str, &str)]) -> Server {
    let mut conf = Conf::new();
    let is_known = |name: &str| binary.version.major > 6 || !NEWER.contains(&name);
    for (name, value) in MODEL.into_iter().filter(|(name, _)| is_known(name)) {
        conf.set(name, value);
    }
    conf.set("cluster-enabled", "yes").set("requirepass", PASSWORD).set("masterauth", PASSWORD);
    conf.set("repl-diskless-sync-delay", "0").set("maxmemory", "64mb");
    for (name, value) in change {
        conf.set(name, *value);
    }
    started(binary, &conf)
}

/// Starts a node. Its bus takes a port 10,000 above its own, where the kernel gives ports to clients: one that a client had may be
/// refused for a minute, and after many polls that is so of many.
pub fn started(binary: &ServerBinary, conf: &Conf) -> Server {
    for _ in 0..20 {
        match Server::start(binary, conf) {
            Err(ServerError::ExitedEarly { log, .. }) if log.contains("ddress already in use") => {}
            outcome => return outcome.unwrap(),
        }
    }
    panic!("no port was to be had whose bus port is free")
}

/// Settings that came with 7.0.
const NEWER: [&str; 5] = [
    "maxmemory-clients",
    "aof-timestamp-enabled",
    "latency-tracking",
    "enable-debug-command",
    "enable-protected-configs",
];

fn say(server: &Server, line: &str) -> redis::Value {
    let words: Vec<&str> = line.split(' ').collect();
    ask(&address(server), &words).unwrap_or_else(|why| panic!("{line}: {why}"))
}

fn text(server: &Server, line: &str) -> String {
    redis::from_redis_value(say(server, line)).unwrap()
}

/// Gives a node these slots. One by one: Redis 6.2 knows no ranges.
fn give_slots(server: &Server, slots: std::ops::Range<u32>) {
    let slots: Vec<String> = slots.map(|slot| slot.to_string()).collect();
    say(server, &format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
}

fn is_ok(server: &Server) -> bool {
    text(server, "CLUSTER INFO").contains("cluster_state:ok")
}

/// Makes the second node known to the first.
fn meet(first: &Server, second: &Server) {
    say(first, &format!("CLUSTER MEET 127.0.0.1 {}", second.port()));
    let knows = |server: &Server| {
        let nodes = text(server, "CLUSTER NODES");
        nodes.lines().count() == 2 && !nodes.contains("handshake") && !nodes.contains("disconnected")
    };
    until("both know each other", || knows(first) && knows(second));
}

/// The same, as its replica.
fn replicate(master: &Server, replica: &Server) {
    meet(master, replica);
    let id = text(master, "CLUSTER MYID");
    say(replica, &format!("CLUSTER REPLICATE {id}"));
    // The replica hears of the slots by gossip.
    until("the replica is in sync and knows its master", || {
        text(master, "INFO replication").contains("state=online")
            && text(master, "CLUSTER NODES").contains(" slave ")
            && text(replica, "CLUSTER NODES").contains("0-16383")
    });
}

fn outcome(server: &Server, id: &str) -> Outcome {
    finding(&seen(&address(server)), id).outcome
}

#[track_caller]
fn is(server: &Server, id: &str, expected: Outcome) {
    let found = finding(&seen(&address(server)), id);
    assert_eq!(found.outcome, expected, "{found:#?}");
}

#[test]
fn a_setting_of_a_node_is_found_and_its_remedy_silences_it() {
    let node = node_of(&binary(), &[]);
    let address: Address = address(&node);
    let plants = PLANTS.iter().filter(|plant| plant.is_of_node());
    let mut tried = 0;
    for plant in plants {
        let [how] = plant.how else { panic!("{plant:?}") };
        let forebay_proof::audit::negative_controls::seeded_faults::FaultSource::Settings(pairs) = how else {
            panic!("{plant:?}")
        };
        is(&node, plant.rule, Outcome::Ok);
        for (name, value) in pairs.iter().filter(|(name, _)| *name != "cluster-enabled") {
            ask(&address, &["CONFIG", "SET", name, value]).unwrap();
        }
        let found = finding(&seen(&address), plant.rule);
        assert!(found.is_broken(), "{found:#?}");
        assert!(apply(&address, &found.fixes).is_empty());
        is(&node, plant.rule, Outcome::Ok);
        for (name, value) in
            MODEL.iter().filter(|(name, _)| name.contains("cluster-") || *name == "repl-ping-replica-period")
        {
            if *name != "cluster-enabled" {
                ask(&address, &["CONFIG", "SET", name, value]).unwrap();
            }
        }
        tried += 1;
    }
    assert_eq!(tried, 8);
}

#[test]
fn slots_that_nobody_has_are_found_where_the_state_is_ok_too() {
    let node = node_of(&binary(), &[]);
    for id in ["replication.cluster-slots", "replication.cluster-quorum"] {
        is(&node, id, Outcome::Broken);
    }
    is(&node, "replication.cluster-replicas", Outcome::NotShown);
    give_slots(&node, 0..16_383);
    until("the cluster is up", || is_ok(&node));
    is(&node, "replication.cluster-state", Outcome::Ok);
    is(&node, "replication.cluster-slots", Outcome::Broken);
    give_slots(&node, 16_383..16_384);
    is(&node, "replication.cluster-slots", Outcome::Ok);
    is(&node, "replication.cluster-nodes", Outcome::Ok);
    // One master, which no replica has.
    for id in ["replication.cluster-quorum", "replication.cluster-replicas"] {
        is(&node, id, Outcome::Broken);
    }
    // With full coverage asked for, one slot less is a cluster that is down.
    say(&node, "CONFIG SET cluster-require-full-coverage yes");
    say(&node, "CLUSTER DELSLOTS 5");
    until("the cluster is down", || !is_ok(&node));
    is(&node, "replication.cluster-state", Outcome::Broken);
}

#[test]
fn a_replica_is_asked_for_its_aof_and_a_client_that_copies_is_no_replica() {
    let (master, replica) = (node_of(&binary(), &[]), node_of(&binary(), &[]));
    give_slots(&master, 0..16_384);
    replicate(&master, &replica);
    for node in [&master, &replica] {
        for id in [
            "replication.cluster-nodes",
            "replication.cluster-replicas",
            "replication.cluster-versions",
            "replication.empty-restart",
            "replication.unknown-replica",
        ] {
            is(node, id, Outcome::Ok);
        }
        for id in ["replication.min-replicas", "replication.cluster-quorum"] {
            is(node, id, Outcome::Broken);
        }
    }
    for id in ["replication.role", "replication.too-few"] {
        is(&replica, id, Outcome::DoesNotApply);
    }

    say(&replica, "CONFIG SET appendonly no");
    for node in [&master, &replica] {
        is(node, "replication.empty-restart", Outcome::Broken);
    }
    let found = finding(&seen(&address(&master)), "replication.empty-restart");
    assert!(found.read.contains(&replica.port().to_string()), "{found:?}");
    say(&replica, "CONFIG SET appendonly yes");
    is(&master, "replication.empty-restart", Outcome::Ok);

    let mut tool = TcpStream::connect(("127.0.0.1", master.port())).unwrap();
    tool.set_read_timeout(Some(LIMIT)).unwrap();
    tool.write_all(format!("AUTH {PASSWORD}\r\nREPLCONF listening-port 7\r\n").as_bytes()).unwrap();
    // It is refused to whoever has an answer to come.
    let mut answers = [0; "+OK\r\n+OK\r\n".len()];
    tool.read_exact(&mut answers).unwrap();
    tool.write_all(b"PSYNC ? -1\r\n").unwrap();
    until("it counts as a replica", || text(&master, "INFO replication").contains("port=7,"));
    let found = finding(&seen(&address(&master)), "replication.unknown-replica");
    assert!(found.is_broken() && found.read.starts_with("127.0.0.1:7 is no replica"), "{found:?}");
    drop(tool);
    until("it is gone", || outcome(&master, "replication.unknown-replica") == Outcome::Ok);
}

#[test]
fn a_node_that_is_down_is_named_and_what_it_would_say_is_not_shown() {
    let short = [("cluster-node-timeout", "1000")];
    let (master, mut other) = (node_of(&binary(), &short), node_of(&binary(), &short));
    give_slots(&master, 0..16_384);
    meet(&master, &other);
    is(&master, "replication.cluster-nodes", Outcome::Ok);
    other.kill().unwrap();
    until("it is down", || text(&master, "CLUSTER NODES").contains("fail"));
    let found = finding(&seen(&address(&master)), "replication.cluster-nodes");
    assert!(found.is_broken() && found.read.contains(&other.port().to_string()), "{found:?}");
    for id in ["replication.cluster-versions", "replication.empty-restart"] {
        is(&master, id, Outcome::NotShown);
    }
}

#[test]
fn nodes_of_two_versions_are_told_with_both() {
    let servers = super::audit_variants::servers();
    let (Some((_, older)), Some((_, newer))) = (servers.first(), servers.last()) else { return };
    let [older, newer] = [older, newer].map(|path| ServerBinary::find(Some(path)).unwrap());
    if older.version == newer.version {
        return;
    }
    let (old, new) = (node_of(&older, &[]), node_of(&newer, &[]));
    meet(&old, &new);
    for (node, other) in [(&old, &new), (&new, &old)] {
        let found = finding(&seen(&address(node)), "replication.cluster-versions");
        assert!(found.is_broken() && found.read.contains(&other.port().to_string()), "{found:?}");
    }
    is(&old, "version.failover", Outcome::Broken);
}

#[test]
fn two_commands_of_cluster_are_enough_and_without_them_no_rule_about_it_is_shown() {
    let node = node_of(&binary(), &[]);
    give_slots(&node, 0..16_384);
    until("the cluster is up", || is_ok(&node));
    let may = "on >pw ~* -@all +@read +@connection +info +dbsize +config +acl +command";
    let found = |user: &str, rights: &str| {
        say(&node, format!("ACL SETUSER {user} {may} {rights}").trim_end());
        let url = format!("redis://{user}:pw@127.0.0.1:{}", node.port());
        finding(&seen(&Address::parse(&url).unwrap()), "replication.cluster-slots")
    };
    assert_eq!(found("looker", "+cluster|info +cluster|nodes").outcome, Outcome::Ok);
    let blind = found("blind", "");
    assert!(blind.outcome == Outcome::NotShown && blind.read.contains("NOPERM"), "{blind:?}");
}
