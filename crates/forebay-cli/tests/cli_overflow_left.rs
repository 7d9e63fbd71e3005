//! What is claimed of `append --overflow` from run to run: what is left is told as long as it is there, and a server that is
//! full when `append` begins holds `trim-oldest` up no more than one that fills up later.

use std::io::{BufRead, BufReader};

use super::cli_support::{append, at_work, read_sorted, run, say, synthetic};
use super::support::{server, tell};

fn json(out: &[u8]) -> serde_json::Value {
    serde_json::from_slice(out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(out)))
}

#[test]
fn what_is_left_in_the_folder_gives_3_and_the_next_run_brings_it_in() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let folder = dir.path().join("spill");
    let spill = ["--spill", folder.to_str().unwrap(), "--json"];
    let input = synthetic(5_000);
    tell(&server, "CONFIG SET maxmemory 1");
    let full = append(&server, &input, &spill);
    assert_eq!(full.code, 3, "{}", full.err);
    let counts = json(&full.out);
    assert_eq!(
        (counts["acknowledged"].as_u64(), counts["spilled"].as_u64()),
        (Some(0), Some(5_000)),
        "{counts}"
    );
    assert_eq!((counts["accepted"].as_u64(), counts["left"].as_u64()), (Some(5_000), Some(5_000)));
    let again = append(&server, b"", &spill[..2]);
    assert_eq!(again.code, 3, "{}", again.err);
    assert!(again.err.contains("earlier runs' events still wait in"), "{}", again.err);
    tell(&server, "CONFIG SET maxmemory 0");
    let next = append(&server, b"", &spill);
    assert_eq!((next.code, json(&next.out)["recovered"].as_u64()), (0, Some(5_000)), "{}", next.err);
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort();
    assert_eq!(read_sorted(&server), lines);
}

#[test]
fn events_given_up_give_1_and_are_counted_by_lane() {
    let server = server(&[]);
    tell(&server, "CONFIG SET maxmemory 1");
    // Opening waits for a server that takes writes: the lanes must be taken first.
    tell(&server, "CONFIG SET maxmemory 0");
    append(&server, &synthetic(100), &[]);
    tell(&server, "CONFIG SET maxmemory 8mb");
    let trimmed = append(&server, &synthetic(120_000), &["--overflow", "trim-oldest", "--json"]);
    let counts = json(&trimmed.out);
    assert_eq!(trimmed.code, 1, "{}", trimmed.err);
    assert_eq!(counts["acknowledged"].as_u64(), Some(120_000));
    let by_lane: u64 =
        counts["lanes"].as_array().unwrap().iter().map(|lane| lane["trimmed"].as_u64().unwrap()).sum();
    assert!(by_lane > 0 && counts["trimmed"].as_u64() == Some(by_lane), "{counts}");
    assert_eq!(read_sorted(&server).len() as u64, 120_100 - by_lane);
    let said = append(&server, &synthetic(20_000), &["--overflow", "trim-oldest", "--quiet"]);
    assert!(
        said.err.contains("of the oldest events were dropped"),
        "however quiet it shall be: {}",
        said.err
    );
}

#[test]
fn a_server_that_takes_nothing_is_told_of_where_nobody_sees_a_bar_and_so_is_its_end() {
    let server = server(&[]);
    let (mut child, mut stdin) = at_work(&server, &[]);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    tell(&server, "CONFIG SET maxmemory 1");
    say(&mut stdin, 2);
    let line = said.find(|line| line.contains("takes no events")).unwrap();
    assert!(line.contains("held back: ") && line.ends_with("; 1 acknowledged"), "{line}");
    tell(&server, "CONFIG SET maxmemory 0");
    let line = said.find(|line| line.contains("takes events again")).unwrap();
    assert!(line.ends_with(": 2 acknowledged"), "{line}");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_policy_that_evicts_and_a_group_that_a_full_server_refuses_are_told_with_the_way_out() {
    let server = server(&[("maxmemory", "900mb"), ("maxmemory-policy", "allkeys-lru")]);
    let ran = append(&server, &synthetic(100), &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("allkeys-lru: a full server drops whole lanes"), "{}", ran.err);
    tell(&server, "CONFIG SET maxmemory-policy noeviction");
    assert!(!append(&server, &synthetic(100), &[]).err.contains("drops whole lanes"));
    tell(&server, "CONFIG SET maxmemory 1");
    let ran = run(&["read", "--group", "g", "--ack", "--url", &server.url()]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    for part in ["making a group on forebay:{events.", "Raise maxmemory for a moment", "the server is full"] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
}
