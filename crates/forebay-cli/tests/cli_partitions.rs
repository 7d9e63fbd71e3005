//! What is claimed of lanes that have several partitions: events with the same value stay in order, each partition has a stream
//! of its own, and whatever reads or looks at a buffer finds all of them.

use std::collections::BTreeMap;
use std::path::Path;

use forebay_rig::server::Server;
use serde_json::Value;

use super::cli_support::{Ran, append, holds, lines, profile_of, run, synthetic};
use super::support::{ask, server, tell};

const LIKES_IN_3: &str = "[stream]\npartition_by = \"/did\"\npartitions = { likes = 3 }\n";

fn read(server: &Server, more: &[&str]) -> Ran {
    run(&[&["read", "--quiet", "--url", &server.url()], more].concat())
}

fn filled(dir: &Path, count: u64) -> (Server, Vec<u8>, String) {
    let (server, input, profile) = (server(&[]), synthetic(count), profile_of(dir, LIKES_IN_3));
    let ran = append(&server, &input, &["--profile", &profile]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    (server, input, profile)
}

fn did(line: &[u8]) -> String {
    serde_json::from_slice::<Value>(line).unwrap()["did"].as_str().unwrap().into()
}

/// The lines of each DID, in their order.
fn by_did<'a>(lines: impl Iterator<Item = &'a [u8]>) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut all: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        all.entry(did(line)).or_default().push(line.to_vec());
    }
    all
}

fn is_like(line: &[u8]) -> bool {
    String::from_utf8_lossy(line).contains("\"collection\":\"app.bsky.feed.like\"")
}

#[test]
fn events_of_one_did_stay_in_order_in_the_partition_of_its_crc_and_all_of_them_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (server, input, _) = filled(dir.path(), 3_000);
    assert_eq!(lines(&read(&server, &[]).out), lines(&input), "everything");
    let likes = read(&server, &["--lane", "likes"]).out;
    let split =
        |bytes: &[u8]| -> Vec<Vec<u8>> { bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() };
    let (given, found) = (split(&input), split(&likes));
    let expected = by_did(given.iter().map(|line| &**line).filter(|line| is_like(line)));
    assert_eq!(by_did(found.iter().map(|line| &**line)), expected, "all three, each DID in its order");
    let mut all = 0;
    for partition in 0..3_u32 {
        let of_it = split(&read(&server, &["--lane", &format!("likes.{partition}")]).out);
        let of_it: Vec<_> = of_it.iter().filter(|line| !line.is_empty()).collect();
        assert!(!of_it.is_empty(), "partition {partition} has none");
        all += of_it.len();
        for line in of_it {
            assert_eq!(crc32fast::hash(did(line).as_bytes()) % 3, partition);
        }
        let blocks: u64 = ask(&server, &format!("XLEN forebay:{{events.likes.{partition}}}")).unwrap();
        assert!(blocks > 0);
    }
    assert_eq!(all, expected.values().map(Vec::len).sum::<usize>());
    let streams: String = ask(&server, "HGET forebay:{events} streams").unwrap();
    let streams: Value = serde_json::from_str(&streams).unwrap();
    let places: Vec<(&str, u64)> = (streams.as_array().unwrap().iter())
        .map(|stream| (stream["lane"].as_str().unwrap(), stream["partition"].as_u64().unwrap()))
        .collect();
    assert_eq!(places[..4], [("posts", 0), ("likes", 0), ("likes", 1), ("likes", 2)]);
    holds(&read(&server, &["--lane", "likes.3"]).err, &["no lane \"likes.3\"", "likes.0, likes.1, likes.2"]);
    let stat = String::from_utf8(run(&["stat", "--url", &server.url()]).out).unwrap();
    holds(&stat, &["likes.0", "likes.1", "likes.2", "posts"]);
}

#[test]
fn a_group_reads_and_trims_every_partition() {
    let dir = tempfile::tempdir().unwrap();
    let (server, input, profile) = filled(dir.path(), 2_000);
    let ran = read(&server, &["--group", "g", "--consumer", "c", "--ack"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(lines(&ran.out), lines(&input));
    for key in ["likes.0", "likes.1", "likes.2", "posts.0"] {
        assert_eq!(ask::<u64>(&server, &format!("XLEN forebay:{{events.{key}}}")).unwrap(), 0, "{key}");
    }
    // A writer that comes later goes on with the numbers of each.
    assert_eq!(append(&server, &input, &["--profile", &profile]).code, 0);
    let framed = read(&server, &["--group", "g", "--consumer", "c", "--frames"]);
    let ids: Vec<String> = lines(&framed.out)
        .iter()
        .filter_map(|line| Some(serde_json::from_slice::<Value>(line).ok()?["block"].as_str()?.to_owned()))
        .collect();
    let like = ids.iter().find(|id| id.starts_with("likes.2/")).unwrap();
    let done = run(&["ack", "--group", "g", "--url", &server.url(), like]);
    assert!(done.code == 0 && done.err.contains("1 blocks acknowledged"), "{}", done.err);
    let unclear = run(&["ack", "--group", "g", "--url", &server.url(), &like.replace("likes.2", "likes")]);
    holds(&unclear.err, &["no lane \"likes\"", "likes.0, likes.1, likes.2"]);
}

#[test]
fn a_buffer_with_other_partitions_is_refused_and_both_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (server, input, _) = filled(dir.path(), 100);
    let other = tempfile::tempdir().unwrap();
    for stream in ["", &LIKES_IN_3.replace("likes = 3", "likes = 4"), &LIKES_IN_3.replace("/did", "/kind")] {
        let ran = append(&server, &input, &["--profile", &profile_of(other.path(), stream)]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        holds(
            &ran.err,
            &["was made for other events", "likes in 3 partitions by \"/did\"", "preset jetstream"],
        );
    }
}

#[test]
fn a_partition_s_stream_that_was_deleted_is_a_gap_of_that_partition_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (server, input, profile) = filled(dir.path(), 2_000);
    let of_1 = lines(&read(&server, &["--lane", "likes.1"]).out);
    tell(&server, "DEL forebay:{events.likes.1}");
    let told = append(&server, &input, &["--profile", &profile]);
    assert_eq!(told.code, 1, "{}", told.err);
    holds(&told.err, &["lane likes.1: its stream is gone"]);
    let ran = read(&server, &[]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["likes.1", &format!("{} events", of_1.len())]);
    assert!(!ran.err.contains("likes.0") && !ran.err.contains("posts"), "{}", ran.err);
    // The rest of the first run, and all of the second.
    assert_eq!(lines(&ran.out).len(), 2 * 2_000 - of_1.len());
}

#[test]
fn what_a_full_server_does_not_take_goes_through_the_spill_folder_of_each_partition() {
    let dir = tempfile::tempdir().unwrap();
    let (server, input, profile) = filled(dir.path(), 100);
    tell(&server, "CONFIG SET maxmemory 1");
    let spill = dir.path().join("spill");
    let more = ["--profile", &profile, "--overflow", "spill", "--spill", spill.to_str().unwrap()];
    assert_eq!(append(&server, &input, &more).code, 3, "left in the folder");
    tell(&server, "CONFIG SET maxmemory 0");
    assert_eq!(append(&server, b"", &more).code, 0);
    assert_eq!(lines(&read(&server, &[]).out), lines(&[&input[..], &input[..]].concat()));
}
