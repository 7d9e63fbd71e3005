//! What takes longer of who may write and of what overflow policies promise: many moments of opening, of a full server, and
//! of SIGTERM. Every event is stored, given up and counted, or returned to the source by its line.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use forebay::buffer::overflow::PROMISES;
use rustix::process::{Pid, Signal, kill_process};

use crate::buffer_policies::{full_of_others, full_with_others};
use crate::buffer_takeover::{two_at_once, two_takeovers_at_once};
use crate::cli_support::{Ran, forebay, read_sorted, run, synthetic};
use crate::support::{Random, server, tell};

#[test]
#[ignore = "nightly"]
fn nightly_two_writers_at_once_two_hundred_times() {
    two_at_once(200);
    two_takeovers_at_once(200);
    println!(
        "nightly two writers at once: 200 rounds, 200 of takeovers; one of two each time, every event accounted for"
    );
}

#[test]
#[ignore = "nightly"]
fn nightly_every_policy_on_servers_full_of_other_keys() {
    for seed in 0..8 {
        std::thread::scope(|scope| {
            for promise in &PROMISES {
                scope.spawn(move || {
                    full_of_others(promise, seed);
                    full_with_others(promise, seed);
                });
            }
        });
    }
    println!("nightly policies: 4 policies, 16 full servers each; every event accounted for");
}

/// What a run of `append` that was ended by a signal came to.
struct Ended {
    acknowledged: u64,
    left: u64,
    given_up: u64,
    settled: u64,
    code: i32,
}

fn ended(ran: &Ran) -> Ended {
    let counts: serde_json::Value =
        serde_json::from_slice(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
    let number = |field: &str| counts[field].as_u64().unwrap();
    Ended {
        acknowledged: number("acknowledged"),
        left: number("left"),
        given_up: number("shed"),
        settled: number("settled_through_line"),
        code: ran.code,
    }
}

/// `append` on a pipe that goes on for ever is ended after so long, under one policy; then the lines from the one it names
/// are appended by another run. All of what was written before is there, once, but for what was shed and counted.
fn terminated(policy: &str, after: Duration, is_full: bool) -> Ended {
    let server = server(&[]);
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill");
    let url = server.url();
    let mut args =
        vec!["append", "--json", "--url", &url, "--max-events", "7", "--linger", "2ms", "--patience", "2s"];
    match policy {
        "spill" => args.extend(["--spill", spill.to_str().unwrap()]),
        other => args.extend(["--overflow", other]),
    }
    let mut child = forebay(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines: Vec<Vec<u8>> =
        synthetic(6_000).split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let source = {
        let lines = lines.clone();
        // Until nobody reads any more; a pipe's writer learns of that by an error. At a pace, so that on a fast machine too
        // the end comes while there are lines.
        std::thread::spawn(move || {
            let write = |some: &[Vec<u8>]| {
                std::thread::sleep(Duration::from_millis(1));
                stdin.write_all(&some.concat())
            };
            drop(lines.chunks(20).try_for_each(write));
        })
    };
    std::thread::sleep(after);
    if is_full {
        tell(&server, "CONFIG SET maxmemory 1");
    }
    let _ = kill_process(Pid::from_child(&child), Signal::TERM);
    let ran = Ran::from(child.wait_with_output().unwrap());
    source.join().unwrap();
    tell(&server, "CONFIG SET maxmemory 0");
    if ran.out.is_empty() {
        // It was ended before it had the lanes, or before it could hear of signals: it took nothing.
        // There may not even be a buffer.
        assert!(run(&["read", "--quiet", "--url", &url]).out.is_empty(), "{}", ran.err);
        return Ended { acknowledged: 0, left: 0, given_up: 0, settled: 0, code: ran.code };
    }
    let ended = ended(&ran);
    // The source goes on at the line that was named.
    let rest: Vec<u8> = lines[ended.settled as usize..].concat();
    let mut again = forebay(&[&args[..], &["--takeover"]].concat()).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = again.stdin.take().unwrap();
    let feed = std::thread::spawn(move || stdin.write_all(&rest));
    let second = Ran::from(again.wait_with_output().unwrap());
    feed.join().unwrap().unwrap();
    assert_eq!(second.code, 0, "{policy} {after:?}: {}", second.err);
    let mut stored = read_sorted(&server);
    let repeated = stored.len();
    stored.dedup();
    // Lanes differ: after an error, events of later lines may have been stored, and come twice.
    assert!(
        ended.code == 3 || repeated == stored.len(),
        "{policy} {after:?}: {} twice",
        repeated - stored.len()
    );
    assert_eq!(stored.len() as u64 + ended.given_up, lines.len() as u64, "{policy} {after:?}: {}", ran.err);
    ended
}

#[test]
#[ignore = "nightly"]
fn nightly_sigterm_at_two_hundred_moments() {
    let mut random = Random::new(20);
    let (mut cut, mut stored, mut given_up, mut left) = (0, 0, 0, 0);
    for round in 0..200 {
        let policy = PROMISES[round % PROMISES.len()].policy;
        let after = Duration::from_micros(random.below(400_000));
        let ended = terminated(policy, after, random.below(3) == 0);
        cut += u64::from(ended.settled > 0 && ended.settled < 6_000);
        (stored, given_up, left) =
            (stored + ended.acknowledged, given_up + ended.given_up, left + ended.left);
    }
    assert!(cut > 50, "only {cut} were ended on the way");
    println!(
        "nightly SIGTERM: 200 moments, {cut} on the way; {stored} events stored, {given_up} shed and counted, {left} left in \
         spill folders, the rest returned by its line"
    );
}
