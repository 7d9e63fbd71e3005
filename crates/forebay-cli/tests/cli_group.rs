//! What is claimed of groups from outside: a buffer with a typo is none; groups are made, dropped, and freed of what cannot be
//! read, and what nobody holds goes at once.

use std::process::Stdio;

use super::cli_support::{append, forebay, holds, interrupt, lines, run, said, synthetic};
use super::support::{ask, server, tell, until};

const LANES: [&str; 6] = ["posts", "likes", "reposts", "follows", "blocks", "other"];

#[test]
fn a_buffer_that_is_not_there_is_an_error_and_is_not_made() {
    let server = server(&[]);
    append(&server, &synthetic(10), &["--buffer", "events"]);
    append(&server, &synthetic(10), &["--buffer", "other"]);
    let keys: u64 = ask(&server, "DBSIZE").unwrap();
    let url = server.url();
    let file = tempfile::NamedTempFile::new().unwrap();
    for more in [&[][..], &["--group", "g"], &["--follow"], &["--group", "g", "--follow"]] {
        let text = said(&[&["read", "--buffer", "evnets", "--url", &url], more].concat(), 2);
        holds(&text, &["no buffer evnets", "events, other"]);
    }
    let ran = forebay(&["read", "--buffer", "evnets", "--group", "g", "--ack", "--url", &url])
        .stdout(file.reopen().unwrap())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
    for verb in [&["group", "drop"][..], &["group", "skip"]] {
        holds(&said(&[verb, &["--buffer", "evnets", "g", "--url", &url]].concat(), 2), &["no buffer evnets"]);
    }
    assert_eq!(ask::<u64>(&server, "DBSIZE").unwrap(), keys);
    // Who wants a group before the first event says so.
    let ran = run(&["group", "add", "g", "--buffer", "later", "--url", &url]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    append(&server, &synthetic(100), &["--buffer", "later"]);
    assert_eq!(lines(&run(&["read", "--group", "g", "--buffer", "later", "--url", &url]).out).len(), 100);
    let again = run(&["group", "add", "g", "--buffer", "later", "--url", &url]);
    assert!(again.code == 0 && String::from_utf8(again.out).unwrap().contains("already"), "{}", again.err);
}

#[test]
fn a_group_of_a_reader_that_never_comes_back_is_dropped_and_what_nobody_holds_goes_at_once() {
    let server = server(&[]);
    let url = server.url();
    append(&server, &synthetic(3_000), &[]);
    run(&["group", "add", "ephemeral-web-1", "--url", &url]);
    run(&["read", "--group", "parquet", "--ack", "--url", &url]);
    let held = || -> u64 {
        LANES
            .iter()
            .map(|lane| ask::<u64>(&server, &format!("XLEN forebay:{{events.{lane}.0}}")).unwrap())
            .sum()
    };
    let before = held();
    assert!(before > 0, "the group holds all of it");
    let text = said(&["group", "drop", "ephemeral", "--url", &url], 2);
    holds(&text, &["no group ephemeral", "ephemeral-web-1, parquet"]);
    let ran = run(&["group", "drop", "ephemeral-web-1", "--url", &url]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    holds(&String::from_utf8(ran.out).unwrap(), &["6 lanes", &format!("{before} blocks trimmed")]);
    assert_eq!(held(), 0);
}

#[test]
fn a_group_that_somebody_reads_is_not_dropped() {
    let server = server(&[]);
    let url = server.url();
    append(&server, &synthetic(100), &[]);
    let child =
        forebay(&["read", "--group", "g", "--follow", "--url", &url]).stdout(Stdio::null()).spawn().unwrap();
    until("it waits at the server", || super::support::info(&server, "blocked_clients") == "1");
    holds(&said(&["group", "drop", "g", "--url", &url], 2), &["is being read", "stop it first"]);
    interrupt(&child);
    child.wait_with_output().unwrap();
    assert!(ask::<Vec<redis::Value>>(&server, "XINFO GROUPS forebay:{events.likes.0}").unwrap().len() == 1);
}

#[test]
fn after_a_group_was_destroyed_by_hand_the_next_reader_trims_although_there_is_nothing_to_read() {
    let server = server(&[]);
    let url = server.url();
    append(&server, &synthetic(3_000), &[]);
    run(&["group", "add", "dead", "--url", &url]);
    run(&["read", "--group", "g", "--ack", "--url", &url]);
    for lane in LANES {
        tell(&server, &format!("XGROUP DESTROY forebay:{{events.{lane}.0}} dead"));
        assert!(ask::<u64>(&server, &format!("XLEN forebay:{{events.{lane}.0}}")).unwrap() > 0);
    }
    let ran = run(&["read", "--group", "g", "--ack", "--url", &url]);
    assert_eq!((ran.code, ran.out.len()), (0, 0), "{}", ran.err);
    for lane in LANES {
        assert_eq!(ask::<u64>(&server, &format!("XLEN forebay:{{events.{lane}.0}}")).unwrap(), 0, "{lane}");
    }
}

#[test]
fn a_damaged_block_holds_trimming_until_it_is_let_go_and_is_counted() {
    let server = server(&[]);
    let url = server.url();
    append(&server, &synthetic(1_000), &["--max-events", "50"]);
    tell(&server, "XADD forebay:{events.likes.0} * f 1 s 99999 n 7 e 99999 a 1 z 1 p 1 c 1 w 1 d nonsense");
    tell(&server, "XADD forebay:{events.posts.0} * f 1 s what");
    tell(&server, "XADD forebay:{events.other.0} * f 99 s 1");
    assert_eq!(run(&["group", "skip", "g", "--url", &url]).code, 2, "there is no such group yet");
    let ran = run(&["read", "--group", "g", "--ack", "--url", &url]);
    assert_eq!((ran.code, lines(&ran.out).len()), (1, 1_000), "{}", ran.err);
    let held = |lane: &str| ask::<u64>(&server, &format!("XLEN forebay:{{events.{lane}.0}}")).unwrap();
    assert_eq!((held("likes"), held("posts"), held("other")), (1, 1, 1), "they are kept");
    let ran = run(&["group", "skip", "g", "--url", &url]);
    assert_eq!(ran.code, 1, "events were given up: {}", ran.err);
    let text = String::from_utf8(ran.out).unwrap();
    holds(
        &text,
        &[
            "likes/",
            "posts/",
            "2 blocks let go",
            "7 events",
            "those of 1 that do not say",
            "1 blocks of a later format",
        ],
    );
    assert_eq!((held("likes"), held("posts"), held("other")), (0, 0, 1));
    let ran = run(&["group", "skip", "g", "--json", "--url", &url]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!((json["skipped"].as_array().unwrap().len(), json["newer"].as_u64()), (0, Some(1)));
}
