//! What is claimed of `forebay read`, `stat`, `synth` and of help: bytes as they came, groups, and no trace.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::cli_support::{append, forebay, interrupt, lines, run, synthetic};
use super::support::{ask, server, tell, until};

#[test]
fn what_went_in_comes_out_byte_for_byte_and_by_lane_in_order() {
    let server = server(&[]);
    let input = synthetic(5_000);
    assert_eq!(append(&server, &input, &[]).code, 0);
    let all = run(&["read", "--url", &server.url()]);
    assert_eq!((all.code, lines(&all.out)), (0, lines(&input)));
    assert!(all.err.contains("5000 events"), "{}", all.err);
    let likes = run(&["read", "--lane", "likes", "--url", &server.url()]).out;
    let is_like = |line: &&[u8]| line.windows(32).any(|part| part == br#""collection":"app.bsky.feed.like"#);
    let expected: Vec<&[u8]> = input.split(|byte| *byte == b'\n').filter(is_like).collect();
    assert_eq!(likes, [&expected.join(&b'\n')[..], b"\n"].concat());
}

#[test]
fn count_stops_within_a_block_and_with_a_group_at_the_end_of_one() {
    let server = server(&[]);
    append(&server, &synthetic(3_000), &["--max-events", "50"]);
    let url = server.url();
    assert_eq!(lines(&run(&["read", "--count", "7", "--url", &url]).out).len(), 7);
    let ran = run(&["read", "--count", "7", "--lane", "likes", "--group", "g", "--ack", "--url", &url]);
    assert_eq!(lines(&ran.out).len(), 50);
    assert_eq!(
        ask::<u64>(&server, "XLEN forebay:events:{likes}").unwrap() % 50,
        (ask::<u64>(&server, "HGET forebay:events:{likes}:writer s").unwrap() - 1) % 50
    );
}

#[test]
fn a_group_without_ack_keeps_blocks_pending_and_with_ack_lets_them_go() {
    let server = server(&[]);
    let input = synthetic(2_000);
    append(&server, &input, &[]);
    let url = server.url();
    let pending = || {
        ask::<(u64, redis::Value, redis::Value, redis::Value)>(&server, "XPENDING forebay:events:{likes} g")
            .unwrap()
            .0
    };
    assert_eq!(lines(&run(&["read", "--group", "g", "--url", &url]).out), lines(&input));
    assert!(pending() > 0);
    assert!(ask::<u64>(&server, "XLEN forebay:events:{likes}").unwrap() > 0);
    // The same consumer is given again what it did not acknowledge.
    assert_eq!(lines(&run(&["read", "--group", "g", "--ack", "--url", &url]).out), lines(&input));
    assert_eq!((pending(), ask::<u64>(&server, "XLEN forebay:events:{likes}").unwrap()), (0, 0));
    assert!(run(&["read", "--group", "g", "--url", &url]).out.is_empty());
}

#[test]
fn follow_waits_for_more_and_ends_at_ctrl_c() {
    let server = server(&[]);
    append(&server, &synthetic(10), &[]);
    let mut child =
        forebay(&["read", "--follow", "--url", &server.url()]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    (0..10).for_each(|_| assert!(out.read_line(&mut line).unwrap() > 0));
    append(&server, &synthetic(20), &[]);
    (0..20).for_each(|_| assert!(out.read_line(&mut line).unwrap() > 0));
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = forebay(&["synth", "--count", "1000000"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn damage_is_told_by_its_place_and_the_rest_is_read() {
    let server = server(&[]);
    append(&server, &synthetic(2_000), &["--max-events", "100"]);
    tell(&server, "XADD forebay:events:{likes} * f 1 s 99999 n 1 e 1 a 1 z 1 c - d nonsense");
    tell(&server, "XADD forebay:events:{posts} * f 2 s 99999 n 1 e 1 a 1 z 1 c - d later");
    let ran = run(&["read", "--url", &server.url()]);
    assert_eq!((ran.code, lines(&ran.out).len()), (1, 2_000));
    assert!(ran.err.contains("lane likes: block ") && ran.err.contains("is damaged"), "{}", ran.err);
    assert!(ran.err.contains("lane posts: block ") && ran.err.contains("newer forebay"), "{}", ran.err);
}

#[test]
fn stat_shows_what_is_held_in_80_columns_and_never_takes_unknown_for_nothing() {
    let server = server(&[]);
    append(&server, &synthetic(3_000), &[]);
    let url = server.url();
    run(&["read", "--group", "parquet", "--count", "1", "--url", &url]);
    let ran = run(&["stat", "--over", "0s", "--url", &url]);
    let text = String::from_utf8(ran.out).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for part in ["3000 (", "parquet", "likes", "no limit is set", "out     unknown"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = run(&["stat", "--json", "--over", "0s", "--url", &url]).out;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["events"], 3_000);
    assert!(json["events_per_second_out"].is_null() && json["maxmemory"].is_null(), "{json}");
    tell(&server, "CONFIG SET maxmemory 1gb");
    let json = run(&["stat", "--json", "--url", &url]).out;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert!(json["seconds_to_full_at_peak"].as_f64().unwrap() > 0.0, "{json}");
}

#[test]
fn a_buffer_that_is_not_there_is_an_error_that_says_how_to_make_one() {
    let server = server(&[]);
    let ran = run(&["stat", "--url", &server.url()]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no buffer events") && ran.err.contains("forebay append"), "{}", ran.err);
}

#[test]
fn every_verb_has_help_with_examples_and_shells_have_completions() {
    for verb in ["prove", "capacity", "append", "read", "stat", "synth"] {
        let ran = run(&[verb, "--help"]);
        let text = String::from_utf8(ran.out).unwrap();
        assert!(ran.code == 0 && text.contains("Examples:"), "{verb}: {text}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).out.len() > 1_000, "{shell}");
    }
}

#[test]
fn a_closed_pipe_ends_a_read_quietly() {
    let server = server(&[]);
    append(&server, &synthetic(20_000), &[]);
    let mut child = forebay(&["read", "--quiet", "--url", &server.url()]).spawn().unwrap();
    drop(child.stdout.take());
    until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
