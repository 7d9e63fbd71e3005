//! What takes longer of `forebay drain`: many moments at which it is killed, and its memory where events are of many hours.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use forebay_rig::s3::{S3Server, Settings};
use forebay_rig::server::Server;

use crate::cli_append::peak_kib;
use crate::cli_support::{append, forebay, run};
use crate::support::{Random, server, until};

/// So many synthetic events, a line each.
fn synth(count: u64, seed: u64) -> Vec<u8> {
    run(&["synth", "--count", &count.to_string(), "--seed", &seed.to_string()]).out
}

/// How often each line is there.
fn counted(lines: &[u8]) -> BTreeMap<&[u8], u64> {
    let mut counts = BTreeMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

#[test]
#[ignore = "nightly"]
fn nightly_a_drain_is_killed_at_two_hundred_moments() {
    const BUFFERS: u64 = 10;
    const KILLS: u64 = 20;
    const EVENTS: u64 = 400;
    const TRIES: u64 = 100;
    let (mut died, mut events) = (0, 0);
    for seed in 0..BUFFERS {
        let (server, folder, mut random) = (server(&[]), tempfile::tempdir().unwrap(), Random::new(seed));
        let (url, to) = (server.url(), folder.path().join("files"));
        let drain =
            ["drain", "--url", &url, "--buffer", "demo", "--to", to.to_str().unwrap(), "--once", "--quiet"];
        let (mut all, mut died_here) = (Vec::new(), 0);
        for kill in 0..TRIES {
            if died_here == KILLS {
                break;
            }
            let lines = synth(EVENTS, 1_000 * seed + kill);
            assert_eq!(append(&server, &lines, &["--buffer", "demo"]).code, 0);
            all.extend(lines);
            let mut child = forebay(&drain).spawn().unwrap();
            let (began, after) = (Instant::now(), Duration::from_micros(random.below(60_000)));
            until("a moment", || began.elapsed() >= after);
            // It may have ended by then, in which case nothing is killed.
            died_here += u64::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
            events += EVENTS;
        }
        died += died_here;
        let last = run(&drain);
        assert_eq!(last.code, 0, "{}", last.err);
        let verified = run(&["files", "verify", to.to_str().unwrap()]);
        assert_eq!(verified.code, 0, "{}", String::from_utf8_lossy(&verified.out));
        let replayed = run(&["replay", to.to_str().unwrap(), "--quiet"]).out;
        assert!(counted(&replayed) == counted(&all), "seed {seed}: other events than were appended");
    }
    assert_eq!(died, BUFFERS * KILLS, "were killed before they had ended");
    println!(
        "nightly drain: killed at {died} moments on {BUFFERS} buffers; {events} events, 0 lost, 0 twice"
    );
}

/// What a drain takes at its peak, in MiB, of events whose times are interleaved over so many hours.
fn peak_of(server: &Server, to: &[&str], env: &[(&str, &str)]) -> f64 {
    let url = server.url();
    let mut command =
        forebay(&[&["drain", "--url", &url, "--buffer", "hours", "--once", "--quiet", "--to"], to].concat());
    command.envs(env.iter().copied());
    let mut child = command.spawn().unwrap();
    let mut peak = 0;
    until("it ends", || {
        peak = peak.max(peak_kib(child.id()).unwrap_or(0));
        child.try_wait().unwrap().is_some()
    });
    assert!(child.wait().unwrap().success());
    peak as f64 / 1024.0
}

#[test]
#[ignore = "nightly"]
fn nightly_the_memory_of_a_drain_over_two_hundred_hours_of_events() {
    const EVENTS: u64 = 2_000_000;
    const HOURS: u64 = 200;
    let (server, folder) = (server(&[("maxmemory", "2gb")]), tempfile::tempdir().unwrap());
    // The same events, each an hour later than the one before it, again and again.
    let mut lines = Vec::new();
    let events = synth(EVENTS, 7);
    let events = events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for (number, line) in (0_u64..).zip(events) {
        let text = std::str::from_utf8(line).unwrap();
        let (head, rest) = text.split_once("\"time_us\":").unwrap();
        let (time, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap());
        let time = time.parse::<u64>().unwrap() + number % HOURS * 3_600_000_000;
        lines.extend(format!("{head}\"time_us\":{time}{rest}\n").into_bytes());
    }
    assert_eq!(append(&server, &lines, &["--buffer", "hours"]).code, 0);
    let s3 = S3Server::start(Settings::default()).unwrap();
    let (endpoint, settings) = (s3.url(), s3.settings());
    let bucket = format!("s3://{}/hours", settings.bucket);
    let staging = folder.path().join("staging");
    let to_folder = peak_of(&server, &[folder.path().join("files").to_str().unwrap()], &[]);
    assert_eq!(append(&server, &lines, &["--buffer", "hours"]).code, 0);
    let env = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", &settings.access_key),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let to_bucket =
        peak_of(&server, &[&bucket, "--staging", staging.to_str().unwrap(), "--group", "bucket"], &env);
    let verified = run(&["files", "verify", folder.path().join("files").to_str().unwrap()]);
    println!(
        "nightly drain: {EVENTS} events over {HOURS} hours: peak {to_folder:.0} MiB to a folder, {to_bucket:.0} MiB to a bucket; {}",
        String::from_utf8_lossy(&verified.out)
    );
    assert!(to_folder < 150.0 && to_bucket < 150.0, "{to_folder} {to_bucket}");
}
