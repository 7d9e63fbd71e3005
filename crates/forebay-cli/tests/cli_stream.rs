//! What is claimed of streams that are not Jetstream's: their lines go in, come back byte for byte, in the lanes that their
//! profile says, and whatever looks at a buffer follows its lanes.

use std::time::Duration;

use forebay_rig::server::Server;
use forebay_watch::Subject;
use forebay_watch::profile::{DEFAULT, Profile};
use forebay_watch::serve::Served;

use super::cli_support::{Ran, append, holds, lines, profile_of as profile, run};
use super::support::{address, ask, server, until};
use super::watch_support::Watched;

const LOGS: &str = "[stream]\ntime = \"/ts\"\nunit = \"rfc3339\"\nlane = \"/type\"\ndefault = \"rest-of-it\"\n\
    lanes = { a = \"alpha\", b = \"beta\" }\n";
const LINES: &str = "[stream]\ntime = \"arrival\"\ndefault = \"log\"\n";

fn logs(count: u64) -> Vec<u8> {
    let line = |number: u64| {
        let kind = ["a", "b", "c"][number as usize % 3];
        format!("{{\"ts\":\"2026-11-28T10:{:02}:00.5Z\",\"type\":\"{kind}\",\"n\":{number}}}\n", number % 60)
    };
    (0..count).map(line).collect::<String>().into_bytes()
}

fn read(server: &Server, more: &[&str]) -> Ran {
    run(&[&["read", "--quiet", "--url", &server.url()], more].concat())
}

#[test]
fn json_with_a_time_and_a_word_of_its_own_comes_back_in_the_lanes_that_the_profile_says() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let profile = profile(dir.path(), LOGS);
    let input = logs(300);
    let ran = append(&server, &input, &["--profile", &profile, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let summary: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    let of_lanes: Vec<_> =
        summary["lanes"].as_array().unwrap().iter().map(|lane| lane["lane"].as_str().unwrap()).collect();
    assert_eq!(of_lanes, ["alpha", "beta", "rest-of-it"]);
    // Without a word of the profile: the buffer says what it is.
    assert_eq!(lines(&read(&server, &[]).out), lines(&input));
    let alpha = read(&server, &["--lane", "alpha"]);
    assert_eq!(lines(&alpha.out).len(), 100);
    assert!(lines(&alpha.out).iter().all(|line| String::from_utf8_lossy(line).contains("\"type\":\"a\"")));
    let unknown = read(&server, &["--lane", "likes"]);
    assert_eq!(unknown.code, 2);
    holds(&unknown.err, &["no lane \"likes\"", "alpha, beta, rest-of-it"]);

    let stat = run(&["stat", "--url", &server.url()]);
    holds(&String::from_utf8(stat.out).unwrap(), &["alpha", "beta", "rest-of-it"]);
    let subject = Subject {
        address: address(&server),
        name: "events".parse().unwrap(),
        profile: Profile::load(DEFAULT).unwrap(),
        is_profile_chosen: false,
        every: Duration::from_millis(200),
    };
    let watch = Watched::over(Served::bind("127.0.0.1:0".parse().unwrap()).unwrap(), subject);
    let metrics = || watch.get("/metrics");
    until("its lanes are in the metrics", || metrics().contains("lane=\"rest-of-it\""));
    assert!(!metrics().contains("lane=\"likes\""));
}

#[test]
fn a_group_reads_acknowledges_and_skips_in_the_buffer_s_own_lanes() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let url = server.url();
    assert_eq!(append(&server, &logs(30), &["--profile", &profile(dir.path(), LOGS)]).code, 0);
    let framed = read(&server, &["--group", "g", "--consumer", "c", "--frames"]);
    let ids: Vec<String> = lines(&framed.out)
        .iter()
        .filter_map(|line| {
            Some(serde_json::from_slice::<serde_json::Value>(line).ok()?["block"].as_str()?.to_owned())
        })
        .collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert!(ids.iter().any(|id| id.starts_with("rest-of-it/")), "{ids:?}");
    assert_eq!(run(&[&["group", "skip", "g", "--url", &url][..]].concat()).code, 0);
    let done = run(&[&["ack", "--group", "g", "--url", &url], &ids[..]].concat());
    assert!(done.code == 0 && done.err.contains("3 blocks acknowledged"), "{}", done.err);
    assert_eq!(ask::<u64>(&server, "XLEN forebay:{events.alpha.0}").unwrap(), 0, "trimmed");
    for verb in ["add", "drop"] {
        let ran = run(&["group", verb, "late", "--url", &url]);
        assert!(ran.code == 0 && String::from_utf8_lossy(&ran.out).contains("3 lanes"), "{}", ran.err);
    }
    let missing = run(&["ack", "--group", "g", "--url", &url, "likes/1-0"]);
    holds(&missing.err, &["no lane \"likes\"", "alpha, beta, rest-of-it"]);
}

#[test]
fn any_lines_at_all_go_in_with_the_time_when_they_came_and_come_back() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let (input, before) = (b"GET / 200\n\n{\n \n\xff\xfe not text\nlast\n", now_us());
    let ran = append(&server, input, &["--profile", &profile(dir.path(), LINES)]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let back = read(&server, &[]);
    assert_eq!((back.code, back.out.as_slice()), (0, &input[..]));
    let entries: Vec<(String, Vec<Vec<u8>>)> = ask(&server, "XRANGE forebay:{events.log.0} - +").unwrap();
    assert!(!entries.is_empty());
    for (_, fields) in entries {
        for bound in [b"a", b"z"] {
            let at = fields.iter().position(|field| field == bound).unwrap();
            let time: u128 = String::from_utf8_lossy(&fields[at + 1]).parse().unwrap();
            assert!((before..=now_us()).contains(&time), "{time}");
        }
    }
}

fn now_us() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros()
}

#[test]
fn a_line_that_the_stream_has_no_time_for_is_refused_with_the_place() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let input = b"{\"ts\":\"2026-11-28T10:00:00Z\"}\n{}\n{\"ts\":5}\nno json\n";
    let ran = append(&server, input, &["--profile", &profile(dir.path(), LOGS)]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(
        &ran.err,
        &[
            "line 2 refused: there is nothing at /ts",
            "line 3 refused: what is at /ts is no time (rfc3339)",
            "line 4 refused: not JSON",
        ],
    );
    assert_eq!(lines(&read(&server, &[]).out).len(), 1);
}

#[test]
fn a_buffer_that_was_made_with_other_lanes_is_refused_and_both_are_named() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let profile = profile(dir.path(), LOGS);
    assert_eq!(append(&server, &logs(9), &["--profile", &profile]).code, 0);
    let before = ask::<u64>(&server, "DBSIZE").unwrap();
    for more in [&[][..], &["--takeover"]] {
        let ran = append(&server, b"{\"time_us\":1}\n", more);
        assert_eq!(ran.code, 2, "{}", ran.err);
        holds(&ran.err, &["alpha, beta, rest-of-it", "posts, likes, reposts", "was made for other events"]);
    }
    assert_eq!(ask::<u64>(&server, "DBSIZE").unwrap(), before, "nothing was made");
    assert_eq!(append(&server, &logs(9), &["--profile", &profile]).code, 0, "its own go on");
}

#[test]
fn events_of_any_stream_go_through_a_spill_folder() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let profile = profile(dir.path(), LOGS);
    assert_eq!(append(&server, &logs(3), &["--profile", &profile]).code, 0);
    super::support::tell(&server, "CONFIG SET maxmemory 1");
    let spill = dir.path().join("spill");
    let more = ["--profile", &profile, "--overflow", "spill", "--spill", spill.to_str().unwrap()];
    let ran = append(&server, &logs(300), &more);
    assert_eq!(ran.code, 3, "left in the folder: {}", ran.err);
    super::support::tell(&server, "CONFIG SET maxmemory 0");
    assert_eq!(append(&server, b"", &more).code, 0);
    assert_eq!(lines(&read(&server, &[]).out).len(), 303);
}

#[test]
fn blocks_of_other_events_in_a_spill_folder_are_refused_and_stay() {
    let (one, other, dir) = (server(&[]), server(&[]), tempfile::tempdir().unwrap());
    let spill = dir.path().join("spill");
    let spilling = |server: &Server, input: &[u8], stream: &str| {
        let profile = profile(dir.path(), stream);
        append(
            server,
            input,
            &["--profile", &profile, "--overflow", "spill", "--spill", spill.to_str().unwrap()],
        )
    };
    super::support::tell(&one, "CONFIG SET maxmemory 1");
    assert_eq!(spilling(&one, b"a line\n", LINES).code, 3);
    let json = "[stream]\ntime = \"arrival\"\nlane = \"/k\"\ndefault = \"log\"\n";
    let ran = spilling(&other, b"{}\n", json);
    assert_eq!(ran.code, 2, "{}", ran.err);
    holds(&ran.err, &["blocks of other events", "any line", "another folder"]);
    super::support::tell(&one, "CONFIG SET maxmemory 0");
    assert_eq!(spilling(&one, b"", LINES).code, 0);
    assert_eq!(read(&one, &[]).out, b"a line\n");
}

#[test]
fn a_stream_that_cannot_be_meant_is_refused_with_the_word_that_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    for (stream, words) in [
        ("[stream]\npreset = \"kafka\"\n", "preset \"kafka\" is not there"),
        ("[stream]\ntime = \"ts\"\nunit = \"s\"\n", "JSON pointer"),
        ("[stream]\ntime = \"/ts\"\n", "stream.unit is missing"),
        ("[stream]\ntime = \"/ts\"\nunit = \"h\"\n", "none of us, ms, s, rfc3339"),
        ("[stream]\ntime = \"arrival\"\ndefault = \"a.b\"\n", "lane name \"a.b\" will not do"),
        ("[stream]\ntime = \"arrival\"\nlanes = { a = 1 }\nlane = \"/x\"\n", "stream.lanes.a"),
        ("[stream]\npartition_by = \"/did\"\n", "stream.partitions names no lane"),
        ("[stream]\npartitions = { likes = 2 }\n", "stream.partition_by is missing"),
        ("[stream]\npartition_by = \"/did\"\npartitions = { like = 2 }\n", "no such lane"),
        ("[stream]\npartition_by = \"/did\"\npartitions = { likes = 60 }\n", "65 lanes, partitions counted"),
        ("[stream]\npartition_by = \"did\"\npartitions = { likes = 2 }\n", "no JSON pointer"),
    ] {
        let ran = run(&[
            "append",
            "/dev/null",
            "--profile",
            &profile(dir.path(), stream),
            "--url",
            "redis://127.0.0.1:1",
        ]);
        assert_eq!(ran.code, 2, "{stream}: {}", ran.err);
        holds(&ran.err, &[words]);
    }
}

#[test]
fn a_group_made_before_the_first_event_makes_a_buffer_of_the_stream_that_is_said() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let (url, profile) = (server.url(), profile(dir.path(), LOGS));
    let add = |more: &[&str]| run(&[&["group", "add", "g", "--url", &url], more].concat());
    let made = add(&["--profile", &profile]);
    assert!(made.code == 0 && String::from_utf8_lossy(&made.out).contains("3 lanes"), "{}", made.err);
    assert_eq!(append(&server, &logs(9), &["--profile", &profile]).code, 0);
    let other = add(&["--profile", "bluesky-8h"]);
    assert_eq!(other.code, 2);
    holds(&other.err, &["alpha, beta, rest-of-it", "posts, likes", "--buffer NAME"]);
    // One that is there already says itself what it is of.
    assert_eq!(add(&[]).code, 0);
    assert_eq!(lines(&read(&server, &["--group", "g", "--consumer", "c"]).out).len(), 9);
}
