//! What is claimed of a buffer's drains: page, terminal, JSON, metrics and rules say the same of what a drain has done and what is in
//! its way, and a group that is being drained is not dropped.

use std::process::Stdio;
use std::time::Duration;

use forebay::buffer::sink::{FiguresWriter, LastCommit, Sink, SinkFigures};
use forebay_rig::server::Server;
use serde_json::json;

use super::browser::Page;
use super::cli_support::{forebay, interrupt, run, said};
use super::support::{address, filled, name, tell};
use super::watch_support::Watched;
use super::watch_verdict::{assert_all_say, is_true, of_stat, says_at_rest};

/// A server with a buffer, a sink of it, and who says something of that.
fn drained() -> (Server, Sink, FiguresWriter) {
    let (server, _) = filled(5);
    tell(&server, "CONFIG SET maxmemory 1gb");
    let sink = Sink::open_existing(&address(&server), &name(), "lake", Duration::from_secs(10)).unwrap();
    let writer = sink.figures_writer();
    (server, sink, writer)
}

fn well() -> SinkFigures {
    SinkFigures {
        to: "/srv/events".into(),
        commits: 4,
        files: 7,
        rows: 1_200,
        bytes: 90_000,
        lines_bytes: 400_000,
        lines_file_bytes: 90_000,
        age_max_ms: 3_600_000,
        last: Some(LastCommit { ago_ms: 2_000, took_ms: 500, rows: 300 }),
        free_bytes: Some(50 << 30),
        bytes_per_hour: Some(1 << 30),
        ..SinkFigures::default()
    }
}

fn sample(watched: &Watched, figure: &str) -> Option<f64> {
    watched.sample(&format!(r#"forebay_drain_{figure}{{buffer="test",group="lake"}}"#))
}

#[test]
fn all_outputs_have_the_figures_of_a_drain() {
    let (server, _sink, mut writer) = drained();
    let watched = Watched::start(&address(&server));
    watched.until("it sees the buffer", |stat| stat["present"] == true);
    assert_eq!((&watched.stat()["drains"], sample(&watched, "rows_total")), (&json!([]), None));
    assert!(writer.write(&well()).unwrap());
    watched.until("it sees the drain", |stat| stat["drains"][0]["rows"] == 1_200);
    for (figure, value) in [
        ("rows_total", 1_200.0),
        ("files_total", 7.0),
        ("bytes_total", 90_000.0),
        ("failures_total", 0.0),
        ("running", 1.0),
        ("refused", 0.0),
        ("max_age_seconds", 3_600.0),
        ("last_commit_seconds", 0.5),
        ("last_commit_rows_per_second", 600.0),
        ("compression_ratio", 0.225),
        ("free_bytes", (50_u64 << 30) as f64),
        ("bytes_per_hour", (1_u64 << 30) as f64),
    ] {
        assert_eq!(sample(&watched, figure), Some(value), "{figure}");
    }
    let (sign, last) = (sample(&watched, "sign_age_seconds"), sample(&watched, "last_commit_age_seconds"));
    assert!(sign.unwrap() + 2.0 <= last.unwrap() + 1e-6, "{sign:?} {last:?}");
    let (json, text) = of_stat(&server);
    let of = &json["drains"][0];
    assert_eq!((of["group"].as_str(), of["files"].as_u64()), (Some("lake"), Some(7)), "{json}");
    assert_eq!((&of["success_ratio"], &of["waiting_events"]), (&json!(1.0), &json["events"]), "{json}");
    assert!(text.contains("lake") && text.contains("1,200") && text.contains("in files"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_drain_that_runs_is_shown_as_running_until_it_is_ended() {
    let (server, _) = filled(5);
    let folder = tempfile::tempdir().unwrap();
    let (url, to) = (server.url(), folder.path().join("files"));
    let watched = Watched::start(&address(&server));
    let args = ["drain", "--url", &url, "--buffer", "test", "--group", "lake", "--max-age", "1s", "--to"];
    let mut drain = forebay(&[&args[..], &[to.to_str().unwrap()]].concat());
    let mut drain = drain.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    watched.until("it has all in files", |stat| {
        let of = &stat["drains"][0];
        of["state"] == "running" && of["rows"].as_u64() > Some(0) && of["waiting_events"] == 0
    });
    let rows = watched.stat()["drains"][0]["rows"].as_f64();
    assert_eq!((sample(&watched, "rows_total"), sample(&watched, "running")), (rows, Some(1.0)));
    assert!(sample(&watched, "last_commit_seconds").is_some());
    let why = said(&["group", "drop", "lake", "--url", &url, "--buffer", "test"], 2);
    assert!(why.contains("is being drained"), "{why}");
    interrupt(&drain);
    assert_eq!(drain.wait().unwrap().code(), Some(0));
    watched.until("it has ended", |stat| stat["drains"][0]["state"] == "ended");
    assert_eq!(sample(&watched, "running"), Some(0.0));
}

#[test]
fn the_page_shows_drains_where_there_are_any() {
    let (server, _sink, mut writer) = drained();
    let watched = Watched::start(&address(&server));
    let mut page = Page::open(&watched.url("/"));
    page.until("it shows a verdict", "document.getElementById('verdict').dataset.level !== 'unknown'");
    assert_eq!(page.evaluate("document.getElementById('drains-section').hidden"), true);
    assert!(writer.write(&well()).unwrap());
    let cell = |at: usize| format!("document.getElementById('drains').rows[0]?.cells[{at}]?.textContent");
    page.until("it shows the drain", "document.getElementById('drains-section').hidden === false");
    for (at, text) in [(0, "lake"), (1, "running"), (2, "1,200"), (3, "7"), (7, "600"), (9, "50.00 GiB")] {
        page.until(text, &format!("{} === '{text}'", cell(at)));
    }
    let trouble = Some("read-only".to_owned());
    assert!(writer.write(&SinkFigures { trouble, ..well() }).unwrap());
    page.until("it shows trouble", &format!("{} === 'refused'", cell(1)));
    page.narrow(360);
    page.until("it fits a phone", "innerWidth === 360 && document.scrollingElement.scrollWidth <= 360");
    assert!(page.complaints().is_empty(), "{:?}", page.complaints());
}

#[test]
fn all_outputs_say_what_is_in_the_way_of_a_drain_and_the_alert_fires() {
    let (server, _sink, mut writer) = drained();
    let watched = Watched::start(&address(&server));
    let trouble = Some("/srv/events: No space left on device (os error 28)".to_owned());
    assert!(writer.write(&SinkFigures { trouble, trouble_ms: 5_000, failures: 3, ..well() }).unwrap());
    let page = assert_all_say(&watched, &server, |stat| {
        says_at_rest(stat, "bad", "Drain lake cannot write to /srv")
    });
    assert!(page["verdict"]["text"].as_str().unwrap().contains("No space left on device"), "{page}");
    assert_eq!(page["drains"][0]["state"], "refused");
    assert!(is_true(&watched.get("/metrics"), "ForebayDrainRefused"));
    assert_eq!(sample(&watched, "failures_total"), Some(3.0));

    assert!(writer.write(&SinkFigures { free_bytes: Some(12 << 30), ..well() }).unwrap());
    let is_so =
        |stat: &serde_json::Value| says_at_rest(stat, "warn", "The disk of drain lake has 12.0 GiB left");
    assert_all_say(&watched, &server, is_so);
    assert!(!is_true(&watched.get("/metrics"), "ForebayDrainRefused"));
    assert!(writer.write(&well()).unwrap());
    watched.until("that is over", |stat| !stat["verdict"].to_string().contains("drain"));
}

#[test]
fn a_group_that_is_being_drained_is_dropped_once_its_drain_has_ended() {
    let (server, sink, mut writer) = drained();
    let url = server.url();
    let drop_it = ["group", "drop", "lake", "--url", &url, "--buffer", "test"];
    assert!(writer.write(&well()).unwrap());
    let why = said(&drop_it, 2);
    assert!(why.contains("is being drained") && why.contains("30 seconds"), "{why}");
    assert!(writer.write(&SinkFigures { is_over: true, ..well() }).unwrap());
    drop(sink);
    let dropped = run(&drop_it);
    assert_eq!(dropped.code, 0, "{}", dropped.err);
    let mut fields = redis::cmd("HKEYS");
    let left: Vec<String> =
        fields.arg(name().meta()).query(&mut super::support::connection(&server)).unwrap();
    assert!(!left.iter().any(|field| field.starts_with("drain:")), "{left:?}");
}
