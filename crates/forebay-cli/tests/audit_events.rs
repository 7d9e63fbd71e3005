//! What is claimed of rules on what has happened to a server: each is made to happen, is found, and is silent once it
//! is mended.

use std::path::PathBuf;

use forebay::buffer::connect::Address;
use forebay_proof::audit::rule::Fix;
use forebay_rig::server::Server;

use crate::audit_rules::{apply, ask, binary, finding, name, seen};
use crate::support::until;
use forebay_proof::audit::negative_controls::seeded_faults::FaultSource;
use forebay_proof::audit::negative_controls::start;

fn model(how: &[FaultSource]) -> (Server, Address) {
    start(&binary(), how, &name()).unwrap()
}

fn info(address: &Address, field: &str) -> String {
    seen(address).info.unwrap().get(field).unwrap_or_default().into()
}

fn dir(address: &Address) -> PathBuf {
    seen(address).settings.unwrap().get("dir").unwrap().into()
}

/// The rule is broken, its remedy is done, and it is silent.
fn found_and_mended(address: &Address, rule: &str) {
    let found = finding(&seen(address), rule);
    assert!(found.is_broken(), "{found:#?}");
    apply(address, &found.fixes);
    until("the remedy works", || !finding(&seen(address), rule).is_broken());
}

#[test]
fn keys_that_were_evicted_are_told_of_until_the_counter_is_reset() {
    let (_server, address) = model(&[FaultSource::Settings(&[
        ("maxmemory-policy", "allkeys-lru"),
        ("maxmemory", "4mb"),
        ("appendonly", "no"),
    ])]);
    assert!(!finding(&seen(&address), "memory.evicted").is_broken());
    for number in 0..60 {
        let value = "x".repeat(100_000);
        ask(&address, &["SET", &format!("key{number}"), &value]).unwrap();
    }
    assert_ne!(info(&address, "evicted_keys"), "0");
    found_and_mended(&address, "memory.evicted");
}

#[test]
fn clients_that_were_turned_away_are_told_of() {
    let (_server, address) = model(&[FaultSource::Settings(&[("maxclients", "10")])]);
    let held: Vec<_> = (0..10).map_while(|_| address.dial().ok()).collect();
    assert!(address.dial().is_err());
    drop(held);
    until("there is room again", || address.dial().is_ok());
    found_and_mended(&address, "network.rejected");
}

/// A folder stands where the file should go.
#[test]
fn a_snapshot_that_failed_is_told_of_until_one_succeeds() {
    let (_server, address) = model(&[]);
    let in_the_way = dir(&address).join("dump.rdb");
    std::fs::create_dir(&in_the_way).unwrap();
    ask(&address, &["BGSAVE"]).unwrap();
    until("it fails", || info(&address, "rdb_last_bgsave_status") == "err");
    std::fs::remove_dir(&in_the_way).unwrap();
    found_and_mended(&address, "persistence.last-save");
}

#[test]
fn a_rewrite_that_failed_is_told_of_until_one_succeeds() {
    let (_server, address) = model(&[]);
    let dir = dir(&address);
    let in_the_way = if dir.join("appendonlydir").exists() {
        dir.join("appendonlydir/appendonly.aof.2.base.rdb")
    } else {
        // Before 7.0 there is one file, and it cannot be both: the rewrite's own name is not known beforehand.
        return;
    };
    std::fs::create_dir(&in_the_way).unwrap();
    ask(&address, &["BGREWRITEAOF"]).unwrap();
    until("it fails", || info(&address, "aof_last_bgrewrite_status") == "err");
    std::fs::remove_dir(&in_the_way).unwrap();
    found_and_mended(&address, "persistence.last-rewrite");
}

/// The device of that name takes nothing: every write to it finds the disk full.
#[cfg(target_os = "linux")]
#[test]
fn an_aof_that_cannot_be_written_is_told_of_until_it_can() {
    let (_server, address) =
        model(&[FaultSource::Settings(&[("appendonly", "no"), ("appendfsync", "everysec")])]);
    let dir = dir(&address).join("appendonlydir");
    if seen(&address).text("appenddirname").is_err() {
        return;
    }
    std::fs::create_dir_all(&dir).unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.join("temp-appendonly.aof.incr")).unwrap();
    ask(&address, &["CONFIG", "SET", "appendonly", "yes"]).unwrap();
    until("the write fails", || {
        let _ = ask(&address, &["SET", "a", "1"]);
        info(&address, "aof_last_write_status") == "err"
    });
    let found = finding(&seen(&address), "persistence.last-write");
    assert!(found.is_broken() && matches!(found.fixes[..], [Fix::Do { .. }]), "{found:#?}");
    // Another file, on a disk with room.
    ask(&address, &["CONFIG", "SET", "appendonly", "no"]).unwrap();
    ask(&address, &["CONFIG", "SET", "appendonly", "yes"]).unwrap();
    until("it can be written", || !finding(&seen(&address), "persistence.last-write").is_broken());
}

#[test]
fn what_replicas_need_is_asked_for_once_there_is_one() {
    let small = "normal 256mb 64mb 60 slave 1mb 1mb 60 pubsub 32mb 8mb 60";
    let how = [("repl-backlog-size", "1mb"), ("appendonly", "no"), ("client-output-buffer-limit", small)];
    let (master, address) = model(&[FaultSource::Settings(Box::leak(Box::new(how)))]);
    let rules = ["backlog", "min-replicas", "empty-restart", "output-buffer"]
        .map(|rule| format!("replication.{rule}"));
    for rule in &rules {
        assert!(!finding(&seen(&address), rule).is_broken(), "{rule}: there is no replica yet");
    }
    // It answers on a socket, and a replica asks a port.
    ask(&address, &["CONFIG", "SET", "port", &master.port().to_string()]).unwrap();
    let (_replica, replica) = model(&[]);
    ask(&replica, &["CONFIG", "SET", "masteruser", "auditor"]).unwrap();
    ask(&replica, &["CONFIG", "SET", "masterauth", "forebay"]).unwrap();
    ask(&replica, &["REPLICAOF", "127.0.0.1", &master.port().to_string()]).unwrap();
    until("it is connected", || {
        info(&address, "connected_slaves") == "1" && info(&address, "slave0").contains("state=online")
    });
    assert!(finding(&seen(&replica), "replication.role").is_broken());
    assert!(!finding(&seen(&address), "replication.lag").is_broken());
    for rule in &rules {
        found_and_mended(&address, rule);
    }
}
