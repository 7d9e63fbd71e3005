//! What is claimed of a cluster of our own: it fails over, comes back, moves its slots, and loses what a cut takes from it.

use std::path::Path;
use std::time::Duration;

use forebay_rig::server::{ClusterSet, Conf, ServerBinary, ServerKind, Version};
use redis::{Connection, FromRedisValue, RedisResult, cmd};
use rustix::process::{Pid, Signal, kill_process};

/// The server of all tests, and those of `make servers`.
fn servers() -> Vec<ServerBinary> {
    let mut found = vec![ServerBinary::find(None).unwrap()];
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../servers"));
    for folder in folders.into_iter().flatten().flatten() {
        let programs = ["redis-server", "valkey-server"].map(|name| folder.path().join(name));
        let programs = programs.iter().filter(|path| path.is_file());
        found.extend(programs.map(|path| ServerBinary::find(Some(path)).unwrap()));
    }
    found
}

/// Three masters with a replica each.
fn start(binary: &ServerBinary) -> ClusterSet {
    ClusterSet::start(binary, &Conf::new(), 3, 1).unwrap()
}

fn connect(set: &ClusterSet, index: usize) -> Connection {
    let client = redis::Client::open(&*set.urls()[index]).unwrap();
    client.get_connection_with_timeout(Duration::from_secs(10)).unwrap()
}

fn ask<T: FromRedisValue>(set: &ClusterSet, index: usize, words: &[&str]) -> RedisResult<T> {
    cmd(words[0]).arg(&words[1..]).query(&mut connect(set, index))
}

/// Keys of one slot, which does not stay one key long.
fn keys() -> Vec<String> {
    (0..250).map(|number| format!("key{{same}}{number}")).collect()
}

fn owner(set: &ClusterSet, key: &str) -> usize {
    set.master_of(set.slot_of(key).unwrap()).unwrap()
}

fn write(set: &ClusterSet, keys: &[String]) {
    let mut connection = connect(set, owner(set, &keys[0]));
    for key in keys {
        cmd("SET").arg(key).arg(format!("of {key}")).exec(&mut connection).unwrap();
    }
}

/// How many of the keys a node has itself.
fn held(set: &ClusterSet, index: usize, keys: &[String]) -> usize {
    let slot = set.slot_of(&keys[0]).unwrap().to_string();
    let found: Vec<String> = ask(set, index, &["CLUSTER", "GETKEYSINSLOT", &slot, "10000"]).unwrap();
    assert!(found.iter().all(|key| keys.contains(key)), "{found:?}");
    found.len()
}

/// All keys are at one master with what was written, and at its replica; at no other.
fn assert_all_at(set: &ClusterSet, master: usize, keys: &[String]) {
    set.wait_whole().unwrap();
    set.wait_in_sync().unwrap();
    let mut connection = connect(set, master);
    for key in keys {
        let value: String = cmd("GET").arg(key).query(&mut connection).unwrap();
        assert_eq!(value, format!("of {key}"));
    }
    let replicas = set.replicas_of(master).unwrap();
    assert_eq!(replicas.len(), 1);
    for index in 0..set.urls().len() {
        let has = index == master || replicas.contains(&index);
        assert_eq!(held(set, index, keys), if has { keys.len() } else { 0 }, "at node {index}");
    }
}

/// A master that is not this one.
fn other(set: &ClusterSet, master: usize) -> usize {
    (0..=16_383)
        .step_by(1_000)
        .map(|slot| set.master_of(slot).unwrap())
        .find(|other| *other != master)
        .unwrap()
}

fn fails_over_and_comes_back(set: &mut ClusterSet) {
    let keys = keys();
    write(set, &keys);
    set.wait_in_sync().unwrap();
    let old = owner(set, &keys[0]);
    let replicas = set.replicas_of(old).unwrap();
    assert!(!set.server(old).kill().unwrap().success());
    let new = set.failed_over_from(old).unwrap();
    assert!(replicas.contains(&new), "{new} of {replicas:?}");
    assert_eq!(owner(set, &keys[0]), new);
    set.wait_whole().unwrap();
    ask::<()>(set, new, &["SET", &keys[0], &format!("of {}", keys[0])]).unwrap();
    set.server(old).restart().unwrap();
    assert_all_at(set, new, &keys);
    assert_eq!(set.replicas_of(new).unwrap(), [old]);

    let told = ends_only_after(|| set.failed_over_from(new).unwrap(), || set.hand_over(new).unwrap());
    assert_eq!(told, (old, old));
    assert_all_at(set, old, &keys);
    let told = set.take_over(old).unwrap();
    assert_eq!((told, set.failed_over_from(old).unwrap()), (new, new));
    assert_all_at(set, new, &keys);
}

/// What a wait and what makes it end come to. Too short a look lets a wrong wait pass, and never fails a right one.
fn ends_only_after<W: Send, T>(wait: impl FnOnce() -> W + Send, happens: impl FnOnce() -> T) -> (W, T) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(wait);
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished(), "it waited for nothing");
        let outcome = happens();
        (waiting.join().unwrap(), outcome)
    })
}

fn waits_for_a_replica_that_is_behind(set: &mut ClusterSet) {
    let keys = keys();
    let replica = set.replicas_of(owner(set, &keys[0])).unwrap()[0];
    let pid = Pid::from_raw(set.server(replica).pid().try_into().unwrap()).unwrap();
    set.server(replica).pause().unwrap();
    write(set, &keys);
    ends_only_after(|| set.wait_in_sync().unwrap(), || kill_process(pid, Signal::CONT).unwrap());
    set.wait_whole().unwrap();
}

fn fails_over_from_a_master_that_stops_and_goes_on(set: &mut ClusterSet) {
    let keys = keys();
    let old = owner(set, &keys[0]);
    set.server(old).pause().unwrap();
    let new = set.failed_over_from(old).unwrap();
    assert_eq!(owner(set, &keys[0]), new);
    set.server(old).resume().unwrap();
    assert_all_at(set, new, &keys);
}

fn moves_a_slot(set: &ClusterSet) {
    let keys = keys();
    let slot = set.slot_of(&keys[0]).unwrap();
    write(set, &keys);
    let from = owner(set, &keys[0]);
    let to = other(set, from);
    set.begin_move(slot, to).unwrap();
    assert_eq!(set.move_keys(slot, to, 120).unwrap(), 120);
    assert_eq!((held(set, from, &keys), held(set, to, &keys)), (130, 120));
    assert_eq!(owner(set, &keys[0]), from);
    let answers: Vec<_> = keys.iter().map(|key| ask::<String>(set, from, &["GET", key])).collect();
    let asked =
        answers.iter().filter_map(|answer| answer.as_ref().err()?.code()).filter(|code| *code == "ASK");
    assert_eq!(asked.count(), 120);
    assert_eq!(set.move_keys(slot, to, usize::MAX).unwrap(), 130);
    set.end_move(slot, to).unwrap();
    assert_eq!(owner(set, &keys[0]), to);
    assert_all_at(set, to, &keys);
    set.move_slot(slot, from).unwrap();
    assert_all_at(set, from, &keys);
}

fn moves_a_slot_atomically(set: &mut ClusterSet, binary: &ServerBinary) {
    let keys = keys();
    let slot = set.slot_of(&keys[0]).unwrap();
    let from = owner(set, &keys[0]);
    let to = other(set, from);
    let moved = set.move_slot_atomically(slot, to);
    if binary.kind == ServerKind::Redis || binary.version < Version::new(9, 0, 0) {
        let why = moved.unwrap_err().to_string();
        assert!(why.contains("MIGRATESLOTS") && why.contains("nknown subcommand"), "{why}");
        return;
    }
    moved.unwrap();
    assert_all_at(set, to, &keys);
    set.move_slot_atomically(slot, from).unwrap();
    assert_all_at(set, from, &keys);
}

fn a_cut_keeps_from_replicas_what_is_taken_after_it(set: &mut ClusterSet) {
    let keys = keys();
    let (before, after) = keys.split_at(100);
    let old = owner(set, &keys[0]);
    ask::<()>(set, old, &[&["DEL"], &*keys.iter().map(String::as_str).collect::<Vec<_>>()].concat()).unwrap();
    write(set, before);
    set.wait_in_sync().unwrap();
    set.cut(old).unwrap();
    write(set, after);
    assert_eq!(held(set, old, &keys), 250);
    set.server(old).kill().unwrap();
    let new = set.failed_over_from(old).unwrap();
    set.server(old).restart().unwrap();
    assert_all_at(set, new, before);
    set.cut(new).unwrap();
    write(set, after);
    let replicas = set.replicas_of(new).unwrap();
    assert_eq!((held(set, new, &keys), held(set, replicas[0], &keys)), (250, 100));
    set.uncut(new).unwrap();
    assert_all_at(set, new, &keys);
}

fn all_of(binary: &ServerBinary) {
    let mut set = start(binary);
    for index in 0..6 {
        let port = set.server(index).port();
        assert!(set.url().contains(&format!("127.0.0.1:{port}")));
        // Where outgoing connections get theirs, others could have it while the node is down.
        assert!(port + 10_000 < 32_768, "the second port of {port}");
    }
    waits_for_a_replica_that_is_behind(&mut set);
    fails_over_and_comes_back(&mut set);
    fails_over_from_a_master_that_stops_and_goes_on(&mut set);
    moves_a_slot(&set);
    moves_a_slot_atomically(&mut set, binary);
    a_cut_keeps_from_replicas_what_is_taken_after_it(&mut set);
}

#[test]
fn a_cluster_fails_over_moves_slots_and_loses_what_a_cut_takes() {
    all_of(&ServerBinary::find(None).unwrap());
}

#[test]
#[ignore = "nightly"]
fn nightly_clusters_of_every_server() {
    for binary in servers() {
        let started = std::time::Instant::now();
        all_of(&binary);
        println!("{} {}: {:?}", binary.kind, binary.version, started.elapsed());
    }
}
