//! What `forebay ingest` says: before it begins, of what it cannot use, of what it refuses, to systemd; and with which exit code.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use forebay_rig::jetstream::{Fault, Protocol, Settings, Simulator};
use rustix::process::Signal;

use crate::cli_support::{forebay, holds, run, said};
use crate::ingest_support::{FORMS, Ingest, ended, json, signal, simulator, stored};
use crate::pipe_support::{ledger_of, urls};
use crate::support::{server, until};

fn check(args: &[&str]) -> serde_json::Value {
    let ran = run(&[&["ingest", "--check", "--json"], args].concat());
    json(&ran)
}

#[test]
fn a_check_says_what_would_be_done_within_three_seconds_and_writes_nothing() {
    for (protocol, is_own) in FORMS {
        let simulator = Simulator::start(Settings { protocol, ..Settings::default() }).unwrap();
        let server = server(&[]);
        let url = &urls(&simulator, protocol, is_own)[0];
        let args = ["--url", &server.url(), "--buffer", "test", "--source", url, "--since", "2m"];
        let began = Instant::now();
        let ran = run(&[&["ingest", "--check"], &args[..]].concat());
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let text = String::from_utf8(ran.out).unwrap();
        println!("{text}");
        let version = if protocol == Protocol::V1 { "Jetstream v1" } else { "Jetstream v2" };
        holds(
            &text,
            &[url, version, "events/s", "begins", "is not there: it is made", "Nothing was written"],
        );
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(crate::support::ask::<u64>(&server, "DBSIZE").unwrap(), 0);
        let told = check(&args);
        let rate = told["hosts"][0]["events_per_second"].as_f64().unwrap();
        assert!((300.0..3_000.0).contains(&rate), "{told}");
        assert_eq!((&told["ready"], &told["buffer"]["present"]), (&true.into(), &false.into()), "{told}");
    }
}

#[test]
fn a_check_says_where_the_buffer_stands_and_what_the_source_no_longer_has() {
    let simulator = Simulator::start(Settings { history: 5_000, ..Settings::default() }).unwrap();
    let server = server(&[]);
    let ingest = Ingest::of(&server, &[simulator.url()]).with(&["--once"]);
    assert_eq!(ingest.run().code, 0);
    let args = ["--url", &server.url(), "--buffer", "test", "--source", &simulator.url()];
    let told = check(&args);
    assert!(told["hosts"][0]["because"].as_str().unwrap().contains("low watermark"), "{told}");
    assert!(told["hosts"][0]["missed"].is_null(), "{told}");
    simulator.change(|settings| settings.retention = 10);
    let upto = simulator.tip() + 3_000;
    until("more has come to exist", || simulator.tip() > upto);
    let told = check(&args);
    assert!(told["hosts"][0]["missed"].as_str().unwrap().contains("lost from"), "{told}");
    // What a check foretells an ingest then finds, says, and writes down.
    let ran = ingest.run();
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["lost from", "no longer has them"]);
    assert_eq!(json(&ran)["missed"].as_array().unwrap().len(), 1, "{}", ran.err);
    let stat =
        String::from_utf8(run(&["stat", "--over", "0s", "--url", &server.url(), "--buffer", "test"]).out)
            .unwrap();
    let told = json(&run(&["stat", "--json", "--over", "0s", "--url", &server.url(), "--buffer", "test"]));
    assert_eq!(
        (&told["source"]["unit"], &told["source"]["keeps_hours"]),
        (&"us".into(), &24.into()),
        "{told}"
    );
    assert!(told["source"]["forgets_in_ms"].as_u64().unwrap() > 23 * 3_600_000, "{told}");
    assert_eq!(told["missed"][0]["unit"], "us", "{told}");
    holds(&stat, &["source", "settled  everything up to", "forgets", "missed"]);
    assert!(stat.lines().all(|line| line.chars().count() <= 80), "{stat}");
    println!("{stat}");
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("ws://{}/subscribe", listener.local_addr().unwrap())
}

#[test]
fn without_a_source_or_a_server_it_says_what_was_tried_and_ends_with_three() {
    let (server, source) = (server(&[]), nobody());
    let at = ["--url", &server.url(), "--buffer", "test"];
    let ran = run(&[&["ingest", "--check", "--source", &source], &at[..]].concat());
    assert_eq!(ran.code, 3, "{}", ran.err);
    let text = String::from_utf8(ran.out).unwrap();
    holds(&text, &[&source, "FAILED", "refused", source.split('/').nth(2).unwrap()]);
    let no_name = ["--source", "wss://no-such-host.example.net/subscribe", "--patience", "1s"];
    for more in [&["--source", &source, "--patience", "1s"][..], &no_name] {
        let ran = run(&[&["ingest", "--json"], &at[..], more].concat());
        assert_eq!(ran.code, 3, "{}", ran.err);
        holds(&ran.err, &["no source for", more[1], "--check"]);
        assert!(json(&ran)["error"].as_str().unwrap().contains(more[1]));
    }
    let (redis, simulator) = (
        nobody().replace("ws://", "redis://").replace("/subscribe", ""),
        simulator(Protocol::V1, 10, 0, 1.0),
    );
    for more in [&[][..], &["--check"]] {
        let ran = run(&[&["ingest", "--source", &simulator.url(), "--url", &redis], more].concat());
        assert_eq!(ran.code, 3, "{}", ran.err);
        holds(&[String::from_utf8_lossy(&ran.out).as_ref(), &ran.err].concat(), &[redis.as_str(), "refused"]);
    }
}

#[test]
fn what_cannot_be_asked_for_is_an_error_that_says_why() {
    let source = ["ingest", "--source", "ws://host.example"];
    for (args, parts) in [
        (&["ingest"][..], &["no source is given", "--source", "docs/pipeline.md"][..]),
        (&["ingest", "--source", "https://host.example"], &["neither ws:// nor wss://"]),
        (&["ingest", "--source", "wss://user:pw@host.example"], &["user"]),
        (&[&source[..], &["--compress"]].concat(), &["--dictionary"]),
        (&[&source[..], &["--dictionary", "x"]].concat(), &["--compress"]),
        (&[&source[..], &["--compress", "--dictionary", "/no/such"]].concat(), &["/no/such"]),
        (&[&source[..], &["--since", "soon"]].concat(), &["soon", "oldest"]),
        (&[&source[..], &["--since", "2100-01-01T00:00:00Z"]].concat(), &["future"]),
        (&[&source[..], &["--spill", "/tmp/x", "--overflow", "shed"]].concat(), &["leave one of them out"]),
        (&[&source[..], &["--max-event", "0"]].concat(), &["--max-event"]),
        (&[&source[..], &["--config", "/no/such"]].concat(), &["/no/such", "cannot read"]),
        (&[&source[..], &["--linger", "1s", "--latency", "low"]].concat(), &["--latency"]),
        (&[&source[..], &["--ack", "maybe"]].concat(), &["reply, fsync, replica or replica-fsync"]),
    ] {
        holds(&said(args, 2), parts);
    }
}

#[test]
fn a_file_says_all_of_it_a_flag_wins_and_a_typo_is_named() {
    let (simulator, server) = (simulator(Protocol::V1, 2_000, 0, 1_000.0), server(&[]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipeline.toml");
    let path = path.to_str().unwrap();
    let good = format!(
        "[source]\nurls = [{:?}]\ncollections = [\"app.bsky.feed.*\"]\nsince = \"oldest\"\n[buffer]\nurl = {:?}\nname = \"other\"\n\
         ack = \"reply\"\nlinger = \"50ms\"\nspill = \"spill\"\nspill_max = \"64MiB\"\n[stream]\npreset = \"jetstream\"\n",
        simulator.url(),
        server.url()
    );
    std::fs::write(path, &good).unwrap();
    let ran = run(&["ingest", "--config", path, "--once", "--json", "--buffer", "test"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told = json(&ran);
    let pushed = told["pushed"].as_u64().unwrap();
    assert!(pushed > 100 && pushed < 2_000 && told["buffer"] == "test", "{told}");
    assert_eq!(stored(&server), pushed);
    assert!(folder.path().join("spill").is_dir(), "paths are from the file's folder");
    for (from, to, parts) in [
        (
            "collections",
            "colections",
            &["pipeline.toml", "line 3", "\"colections\"", "did you mean \"collections\"?"][..],
        ),
        ("[buffer]", "[bufer]", &["did you mean \"buffer\"?"]),
        ("reply", "maybe", &["buffer.ack", "maybe", "reply, fsync, replica or replica-fsync"]),
        ("50ms", "soon", &["buffer.linger", "soon"]),
        ("\"jetstream\"", "\"jet\"", &["[stream]", "jet"]),
        ("preset", "presett", &["[stream]", "did you mean \"preset\"?"]),
        ("spill_max = \"64MiB\"", "overflow = \"drop\"", &["buffer.overflow", "trim-oldest"]),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(path, good.replace(from, to)).unwrap();
        holds(&said(&["ingest", "--config", path], 2), parts);
    }
    let secret = good.replace(&server.url(), "redis://u:hunter2@127.0.0.1:1");
    std::fs::write(path, secret.replace("spill =", "#")).unwrap();
    let ran = run(&["ingest", "--config", path, "--patience", "1s"]);
    assert!(ran.code == 3 && !ran.err.contains("hunter2"), "{}", ran.err);
    let ran = run(&["ingest", "--config", path, "--check"]);
    assert!(ran.code == 3 && !String::from_utf8_lossy(&ran.out).contains("hunter2"));
}

#[test]
fn messages_that_are_no_events_are_refused_kept_and_told_with_exit_code_one() {
    let faults = vec![Fault::Evil { every: 100 }];
    let settings = Settings { history: 3_000, last: Some(2_999), faults, ..Settings::default() };
    let (simulator, server) = (Simulator::start(settings).unwrap(), server(&[]));
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects");
    let ran = Ingest::of(&server, &[simulator.url()])
        .with(&["--once", "--rejects", rejects.to_str().unwrap()])
        .run();
    assert_eq!(ran.code, 1, "{}", ran.err);
    let told = json(&ran);
    assert!(told["refused"].as_u64().unwrap() > 0, "{told}");
    holds(&ran.err, &["message 1 refused: ", "further refused messages are counted"]);
    assert!(ran.err.bytes().all(|byte| byte == b'\n' || byte >= b' '), "nothing steers a terminal");
    assert!(std::fs::metadata(&rejects).unwrap().len() > 0);
    let lost = ledger_of(&simulator, &server, 0, 3_000).lost();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn systemd_is_told_when_it_is_ready_well_and_about_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let (simulator, server) = (simulator(Protocol::V1, 1_000, 5_000, 1_000.0), server(&[]));
    let source = ["ingest", "--source", &simulator.url(), "--url", &server.url(), "--buffer", "test"];
    let mut command = forebay(&source);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
    let child = command.spawn().unwrap();
    let hear = || {
        let mut text = vec![0; 1_000];
        let bytes = socket.recv(&mut text).unwrap();
        String::from_utf8(text[..bytes].to_vec()).unwrap()
    };
    let heard_first = hear();
    let until_heard = |part: &str, first: String| {
        let mut heard = first;
        for _ in 0..200 {
            if heard.contains(part) {
                return heard;
            }
            heard = hear();
        }
        panic!("{part} was not heard");
    };
    let ready = until_heard("READY=1", heard_first);
    holds(&ready, &["STATUS=subscribed to ws://"]);
    until_heard("WATCHDOG=1", hear());
    signal(&child, Signal::TERM);
    until_heard("STOPPING=1", hear());
    assert_eq!(ended(child).code, 0);
}
