//! What is claimed of `forebay stat` and of help: what is known and what is not, in 80 columns.

use super::cli_support::{append, forebay, holds, run, said, synthetic};
use super::support::{server, tell, until};

fn text(args: &[&str]) -> String {
    let ran = run(args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
    String::from_utf8(ran.out).unwrap()
}

/// The value behind a label.
fn value<'a>(text: &'a str, label: &str) -> &'a str {
    let label = format!("  {label:<9}");
    text.lines()
        .find_map(|line| line.strip_prefix(&label))
        .unwrap_or_else(|| panic!("no {label:?} in {text}"))
}

fn is_80_wide(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
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
    for part in ["3,000 (", "parquet", "likes", "no limit is set", "out      unknown"] {
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
fn time_to_full_is_said_for_every_case() {
    let server = server(&[]);
    let url = server.url();
    append(&server, &synthetic(2_000), &[]);
    let look = |over: &str| text(&["stat", "--over", over, "--url", &url]);
    // Of a server on another machine, as a name that is not this one's own has it, nothing else is known.
    let remote = |over: &str| text(&["stat", "--over", over, "--url", &url.replace("127.0.0.1", "127.1")]);
    let none = remote("0s");
    for label in ["full at", "full in", "at peak"] {
        assert!(value(&none, label).starts_with("unknown: "), "{label}: {none}");
    }
    let limits = [
        "  maxmemory  none: it is not set\n",
        "  disk       none: the server writes no append-only log\n",
        "  RAM        unknown: the server runs on another machine\n",
    ];
    holds(&none, &limits);
    // Of this one its memory is.
    assert!(value(&look("0s"), "full at").ends_with(" events, by RAM: a fork may need more than there is"));
    tell(&server, "CONFIG SET maxmemory 1gb");
    assert!(value(&remote("1s"), "full at").ends_with(" events, by maxmemory: writes are refused"));
    // The lanes are old enough for a rate of their own, or two looks give one, which is 0 by now.
    let full = look("1s");
    assert!(value(&full, "full in").contains(" events/s, if nobody reads"), "{full}");
    holds(value(&full, "filled"), &["% of events, ", " of 1.00 GiB"]);
    assert!(value(&full, "at peak").ends_with(" at 2,000 events/s, if nobody reads"), "{full}");
    tell(&server, "CONFIG SET maxmemory-policy allkeys-lru");
    assert!(value(&look("0s"), "full at").ends_with(" events, by maxmemory: allkeys-lru evicts whole lanes"));
    tell(&server, "CONFIG SET maxmemory-policy noeviction");
    tell(&server, "CONFIG SET maxmemory 1");
    let full = look("0s");
    assert!(full.lines().all(|line| line.chars().count() <= 80), "{full}");
    for label in ["full in", "at peak"] {
        assert_eq!(value(&full, label), "now: the limit is met", "{full}");
    }
    assert!(value(&full, "full at").starts_with("2,000 events, by maxmemory"), "{full}");
}

#[test]
fn names_as_long_as_can_be_stay_within_80_columns_and_are_whole_in_json() {
    let server = server(&[]);
    let (url, name, group) = (server.url(), "b".repeat(64), "g".repeat(64));
    append(&server, &synthetic(2_000), &["--buffer", &name]);
    run(&["read", "--group", &group, "--buffer", &name, "--url", &url]);
    let args = ["stat", "--over", "0s", "--buffer", &name, "--url", &url];
    is_80_wide(text(&args).replacen(&name, "name", 1).as_str());
    assert!(text(&args).contains("ggg…"));
    let json: serde_json::Value = serde_json::from_str(&text(&[&args[..], &["--json"]].concat())).unwrap();
    assert_eq!((json["buffer"].as_str(), json["groups"][0]["group"].as_str()), (Some(&*name), Some(&*group)));
}

#[test]
fn json_says_nothing_where_nothing_is_known_and_what_is_held_to_the_event() {
    let server = server(&[]);
    let url = server.url();
    let input = synthetic(3_000);
    append(&server, &input, &["--max-events", "10"]);
    run(&[
        "read",
        "--quiet",
        "--group",
        "g",
        "--consumer",
        "c",
        "--lane",
        "likes",
        "--count",
        "1",
        "--url",
        &url,
    ]);
    let look_at = |url: &str| -> serde_json::Value {
        serde_json::from_str(&text(&["stat", "--json", "--over", "0s", "--url", url])).unwrap()
    };
    let look = || look_at(&url);
    // Another machine's: its own memory and disk are not known.
    let json = look_at(&url.replace("127.0.0.1", "127.1"));
    for why in ["seconds_to_full_why", "seconds_to_full_at_peak_why"] {
        assert!(json[why].is_string(), "{why}: {json}");
    }
    let states: Vec<_> = json["limits"].as_array().unwrap().iter().map(|limit| &limit["state"]).collect();
    assert_eq!(states, ["absent", "absent", "unknown"]);
    for field in ["events_per_second_out", "maxmemory", "seconds_to_full", "seconds_to_full_at_peak"] {
        assert!(json.as_object().unwrap().contains_key(field) && json[field].is_null(), "{field}: {json}");
    }
    let lanes = json["lanes"].as_array().unwrap();
    let sum: u64 = lanes.iter().map(|lane| lane["events"].as_u64().unwrap()).sum();
    assert_eq!((json["events"].as_u64(), sum, lanes.len()), (Some(3_000), 3_000, 6));
    let likes = lanes.iter().find(|lane| lane["lane"] == "likes").unwrap();
    let group = &json["groups"][0];
    assert_eq!((group["group"].as_str(), group["lane"].as_str()), (Some("g"), Some("likes")));
    let given = likes["events"].as_u64().unwrap() - group["unread_events"].as_u64().unwrap();
    assert!(given > 0 && given <= group["pending_blocks"].as_u64().unwrap() * 10, "{group}");
    // A lane read empty has no oldest event, and not one of age 0.
    run(&["read", "--quiet", "--group", "g", "--consumer", "c", "--ack", "--lane", "likes", "--url", &url]);
    let json = look();
    let likes =
        json["lanes"].as_array().unwrap().iter().find(|lane| lane["lane"] == "likes").unwrap().clone();
    assert_eq!((likes["events"].as_u64(), likes["oldest_age_ms"].is_null()), (Some(0), true), "{likes}");
    assert!(likes["total"].as_u64().unwrap() > 1_000, "{likes}");
}

#[test]
fn stat_changes_nothing() {
    let server = server(&[]);
    said(&["stat", "--url", &server.url()], 2);
    assert_eq!(super::support::ask::<u64>(&server, "DBSIZE").unwrap(), 0);
}

const VERBS: [&str; 16] = [
    "prove",
    "audit",
    "baseline",
    "capacity",
    "durability",
    "failover",
    "pressure",
    "throughput",
    "append",
    "read",
    "stat",
    "verify",
    "load",
    "synth",
    "ingest",
    "completions",
];

#[test]
fn help_fits_80_columns() {
    for verb in [""].into_iter().chain(VERBS) {
        let verb: &[&str] = if verb.is_empty() { &[] } else { &[verb] };
        let help = |columns: &str| {
            let ran = forebay(&[verb, &["--help"]].concat()).env("COLUMNS", columns).output().unwrap();
            assert_eq!(ran.status.code(), Some(0));
            String::from_utf8(ran.stdout).unwrap()
        };
        let (narrow, wide) = (help("80"), help("100"));
        holds(&narrow, &["Usage:", "Examples:", "--json"]);
        is_80_wide(&narrow);
        // Examples and remarks are set by hand: broken once more they read badly.
        let by_hand = |help: &str| help.split_once("Examples:").unwrap().1.to_owned();
        assert_eq!(by_hand(&narrow), by_hand(&wide));
    }
}

#[test]
fn every_verb_has_help_with_examples_and_shells_have_completions() {
    for verb in VERBS {
        let ran = run(&[verb, "--help"]);
        let text = String::from_utf8(ran.out).unwrap();
        assert!(ran.code == 0 && text.contains("Examples:"), "{verb}: {text}");
        // Whoever tries an example shall not write to what may be in production.
        let (_, examples) = text.split_once("Examples:").unwrap();
        let writes = |line: &&str| line.contains("forebay append") && line.starts_with("  ");
        for line in examples.lines().filter(writes) {
            assert!(line.contains("--buffer ") || line.contains("--spill DIR"), "{verb}: {line}");
        }
    }
    // What a person must know before the first run.
    for (verb, word) in [
        ("verify", "An AOF from elsewhere is a program"),
        ("append", "the disk of one machine"),
        ("read", "acknowledge"),
        ("durability", "--allow-faults"),
    ] {
        let text = String::from_utf8(run(&[verb, "--help"]).out).unwrap();
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(one_line.contains(word), "{verb}: {word}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).out.len() > 1_000, "{shell}");
    }
}

#[test]
fn what_a_server_says_of_a_script_is_told_without_the_script_s_hash() {
    let server = server(&[("maxmemory", "1")]);
    // What it says last may be that the server was too busy to answer.
    until("it says why the server refuses", || {
        let said = append_quietly(&server);
        assert!(!said.contains("script:"), "{said}");
        said.contains("OOM")
    });
}

/// What `append` says of a server that takes nothing, for a moment.
fn append_quietly(server: &forebay_rig::server::Server) -> String {
    let args = ["append", "--patience", "1s", "--url", &server.url()];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"{\"time_us\":1}\n").unwrap();
    let ran = forebay(&args).stdin(std::fs::File::open(file.path()).unwrap()).output().unwrap();
    String::from_utf8(ran.stderr).unwrap()
}

#[test]
fn one_lane_alone_has_a_time_to_full() {
    let server = server(&[("maxmemory", "1gb")]);
    append(&server, b"{\"time_us\":1}\n", &[]);
    let look = text(&["stat", "--over", "0s", "--url", &server.url()]);
    assert!(value(&look, "at peak").ends_with(" at 2,000 events/s, if nobody reads"), "{look}");
}

#[test]
fn a_damaged_block_at_either_end_of_a_lane_leaves_the_rest_of_the_look() {
    for (is_last, id) in [(true, "*"), (false, "1-1")] {
        let server = server(&[]);
        if !is_last {
            tell(&server, &format!("XADD forebay:{{events.other.0}} {id} f 9"));
            tell(&server, "HSET forebay:{events.other.0}:writer epoch 1 s 1 e 10");
        }
        append(&server, b"{\"time_us\":1}\n", &[]);
        let post = br#"{"time_us":2,"kind":"commit","commit":{"collection":"app.bsky.feed.post"}}"#;
        append(&server, post, &[]);
        tell(&server, "XGROUP CREATE forebay:{events.other.0} g 1-1");
        if is_last {
            tell(&server, &format!("XADD forebay:{{events.other.0}} {id} f 9"));
        }
        let url = server.url();
        let json: serde_json::Value =
            serde_json::from_str(&text(&["stat", "--json", "--over", "0s", "--url", &url])).unwrap();
        let lane =
            |name: &str| json["lanes"].as_array().unwrap().iter().find(|lane| lane["lane"] == name).unwrap();
        assert_eq!((lane("posts")["events"].as_u64(), lane("other")["blocks"].as_u64()), (Some(1), Some(2)));
        assert!(lane("other")["oldest_age_ms"].is_u64(), "{json}");
        let unread = json["groups"][0]["unread_events"].as_u64();
        let damaged = lane("other")["damaged"].as_array().unwrap();
        assert_eq!(
            (damaged.len(), damaged[0]["why"].as_str()),
            (1, Some("its encoding is 9, this build reads up to 2: use a newer forebay"))
        );
        assert_eq!(damaged[0]["id"] == "1-1", !is_last);
        assert_eq!(lane("posts")["damaged"], serde_json::json!([]));
        let told = text(&["stat", "--over", "0s", "--url", &url]);
        holds(&told, &[&format!("damaged: other {}: its encoding is 9", damaged[0]["id"].as_str().unwrap())]);
        if is_last {
            // Of a damaged block at the end the hash knows how many events it held: none that it has counted.
            assert_eq!((lane("other")["events"].as_u64(), unread), (Some(1), None), "{json}");
        } else {
            assert_eq!((lane("other")["events"].as_u64(), unread), (None, Some(1)), "{json}");
            assert!(json["events"].is_null(), "{json}");
            let look = text(&["stat", "--over", "0s", "--url", &url]);
            assert!(value(&look, "events").starts_with("unknown"), "{look}");
        }
    }
}

#[test]
fn a_user_that_may_not_read_settings_sees_the_rest_and_why_a_limit_is_unknown() {
    let server = server(&[("appendonly", "yes"), ("maxmemory", "1gb")]);
    append(&server, &synthetic(2_000), &[]);
    tell(&server, "ACL SETUSER someone on >secret ~* &* +@all -config");
    let url = server.url().replace("redis://", "redis://someone:secret@");
    let look = text(&["stat", "--over", "0s", "--url", &url]);
    holds(&look, &["  disk       unknown: the server refuses CONFIG GET dir (NOPERM)\n", "by maxmemory"]);
    is_80_wide(&look);
}
