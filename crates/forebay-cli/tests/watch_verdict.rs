//! What is claimed of the verdict: the page's answer, `forebay stat`, `stat --watch`, metrics and alert rules say the same
//! of the same buffer.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use forebay::event::jetstream;
use forebay_rig::server::Server;
use forebay_watch::deploy::rules::rules;
use forebay_watch::profile::{self, Profile};
use serde_json::Value;

use super::cli_support::{forebay, run};
use super::support::{
    Ledger, add, address, drain, filled, info, likes, name, open, options, places, server, tell,
};
use super::watch_support::Watched;

/// A sentence without its figures.
fn gist(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_digit() || ".,".contains(c) { '#' } else { c }).collect();
    let words = plain.split_whitespace().map(|word| if word.contains('#') { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A verdict without its figures: level, headline, reasons.
fn said(verdict: &Value) -> (String, String, Vec<String>) {
    let text = |value: &Value| gist(value.as_str().unwrap_or_default());
    let why = verdict["why"].as_array().unwrap().iter().map(text).collect();
    (verdict["level"].as_str().unwrap().to_owned(), text(&verdict["text"]), why)
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first look of `stat --watch` that is so.
fn of_stat_watch(server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    let url = server.url();
    let args =
        ["stat", "--watch", "--json", "--profile", profile::DEFAULT, "--over", "200ms", "--buffer", "test"];
    let mut command = forebay(&[&args[..], &["--url", &url]].concat());
    let mut process = Ended(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(process.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    // A hundred looks take 20 s.
    let mut looks = lines.take(100).map(|line| serde_json::from_str::<Value>(&line).unwrap());
    looks.find(|look| is_so(look)).expect("a look that is so")
}

pub fn of_stat(server: &Server) -> (Value, String) {
    let url = server.url();
    let args = ["stat", "--profile", profile::DEFAULT, "--over", "0s", "--buffer", "test", "--url", &url];
    let json = run(&[&args[..], &["--json"]].concat()).out;
    (serde_json::from_slice(&json).unwrap(), String::from_utf8(run(&args).out).unwrap())
}

/// Whether a rule of the form `metric > line` or `metric < line` is true by what is exported, whatever its labels.
pub fn is_true(metrics: &str, alert: &str) -> bool {
    let profile = Profile::load(profile::DEFAULT).unwrap();
    let rule = rules(&profile, 1.0).into_iter().find(|rule| rule.name == alert).unwrap();
    let is_above = rule.expr.contains(" > ");
    let (metric, line) = rule.expr.split_once(if is_above { " > " } else { " < " }).unwrap();
    let line: f64 = line.parse().unwrap();
    let samples =
        metrics.lines().filter_map(|text| text.strip_prefix(metric)?.strip_prefix('{')?.rsplit(' ').next());
    samples
        .map(|value| value.parse::<f64>().unwrap())
        .any(|value| if is_above { value > line } else { value < line })
}

/// Asserts that all say what the watch's `/api/stat` says.
pub fn assert_all_say(watched: &Watched, server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    watched.until("the watch says so", &is_so);
    let page = watched.stat();
    let verdict = said(&page["verdict"]);
    let (json, text) = of_stat(server);
    assert_eq!(said(&json["verdict"]), verdict, "stat --json");
    let headline = text.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    assert!(gist(&headline).starts_with(&format!("{} {}", verdict.0.to_uppercase(), verdict.1)), "{text}");
    let live = of_stat_watch(server, &is_so);
    assert_eq!(said(&live["verdict"]), verdict, "stat --watch");
    let rank = ["good", "unknown", "warn", "bad"].iter().position(|level| *level == verdict.0).unwrap();
    assert_eq!(watched.sample(r#"forebay_buffer_verdict{buffer="test"}"#), Some(rank as f64), "metrics");

    // Figures: of the same state, within what a connection more or less takes of a server's memory.
    let near = |one: &Value, other: &Value, what: &str| match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) if one.to_bits() == other.to_bits() => {}
        (Some(one), Some(other)) => assert!((one / other - 1.0).abs() < 0.2, "{what}: {one} and {other}"),
        _ => assert!(!one.is_number() && !other.is_number(), "{what}: {one} and {other}"),
    };
    near(&page["full"]["in_s"], &json["seconds_to_full"], "if nobody reads, stat");
    near(&page["full"]["in_s"], &live["full"]["in_s"], "if nobody reads, stat --watch");
    near(&page["full"]["peak_s"], &json["seconds_to_full_at_peak"], "at the peak, stat");
    near(&page["full"]["utilisation"], &json["utilisation"]["events"], "utilisation, stat");
    assert_eq!(
        (page["events"].as_u64(), &page["oldest_age_s"].is_null()),
        (json["events"].as_u64(), &json["oldest_age_ms"].is_null())
    );
    let of_metrics = watched.sample(r#"forebay_buffer_full_seconds{buffer="test",rate="peak"}"#);
    near(&serde_json::json!(of_metrics), &page["full"]["peak_s"], "at the peak, metrics");
    page
}

/// Whether a text of a verdict has a part.
pub fn says(stat: &Value, level: &str, part: &str) -> bool {
    stat["verdict"]["level"] == level && stat["verdict"]["text"].as_str().unwrap().contains(part)
}

/// The same once nothing comes in any more: until then two looks have two rates, and two times to full.
pub fn says_at_rest(stat: &Value, level: &str, part: &str) -> bool {
    says(stat, level, part) && stat["full"]["in_s"] == "never"
}

#[test]
fn all_outputs_say_the_same_of_a_nearly_full_buffer_and_the_alert_fires() {
    let server = server(&[]);
    let mut ledger = Ledger { padding: 100, ..Ledger::default() };
    let mut writer = open(&address(&server), &options(512, 16));
    ledger.push_many(&mut writer, jetstream::LIKES, 200_000).unwrap();
    writer.close().unwrap();
    let watched = Watched::start(&address(&server));
    watched.until("it sees the buffer", |stat| stat["events"] == 200_000);
    let used: u64 = info(&server, "used_memory").parse().unwrap();
    let data = watched.stat()["bytes"].as_f64().unwrap();
    tell(&server, &format!("CONFIG SET maxmemory {}", used + (data * 0.04) as u64));
    let is_so = |stat: &Value| says_at_rest(stat, "bad", "% full, by maxmemory, not filling now");
    let page = assert_all_say(&watched, &server, is_so);
    let text = page["verdict"].to_string();
    assert!(
        !text.contains("holds") && !text.contains("full in"),
        "nothing contradicts that it is full: {text}"
    );
    assert!(is_true(&watched.get("/metrics"), "ForebayBufferAlmostFull"));
}

#[test]
fn all_outputs_know_when_a_drained_buffer_would_be_full() {
    let (server, _) = filled(20);
    tell(&server, "CONFIG SET maxmemory 1gb");
    let mut reader = likes(&address(&server), Some(("g", "c")));
    let found = drain(&mut reader);
    reader.acknowledge(places(&found)).unwrap();
    let watched = Watched::start(&address(&server));
    let page = assert_all_say(&watched, &server, |stat| stat["events"] == 0 && says(stat, "good", "holds"));
    assert!(page["full"]["peak_s"].as_f64().unwrap() > 600.0, "{page}");
    assert_eq!(page["full"]["is_weight_assumed"], true);
    let (_, text) = of_stat(&server);
    // What came in over the last minute, and what went out, a single look cannot tell of an empty buffer, nor how it fills.
    let unknown: Vec<&str> = text.lines().filter(|line| line.contains("unknown")).collect();
    assert!(unknown.len() <= 4 && unknown.iter().all(|line| !line.contains("limit")), "{text}");
    assert!(text.contains("assumed"), "{text}");
    assert!(!is_true(&watched.get("/metrics"), "ForebayBufferFilling"));
}

#[test]
fn a_buffer_that_is_nearly_empty_is_full_where_a_fuller_one_says_it_is() {
    let (server, mut ledger) = filled(20);
    tell(&server, "CONFIG SET maxmemory 1gb");
    let at_limit = || of_stat(&server).0["limit_events"].as_f64().unwrap();
    let few = at_limit();
    add(&server, &mut ledger, 15_000);
    let many = at_limit();
    assert!((0.5..2.0).contains(&(few / many)), "{few} with 40 held, {many} with 30,040");
}

#[test]
fn ages_that_nobody_can_tell_are_said_by_all_and_told_by_an_alert_of_their_own() {
    let (server, mut ledger) = filled(5);
    tell(&server, "CONFIG SET maxmemory 1gb");
    drop(likes(&address(&server), Some(("behind", "c"))));
    let ahead_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 86_400_000;
    tell(&server, &format!("XSETID {} {ahead_ms}-0", name().stream(jetstream::LIKES)));
    add(&server, &mut ledger, 5);
    let watched = Watched::start(&address(&server));
    let page = assert_all_say(&watched, &server, |stat| {
        says_at_rest(stat, "warn", "Ages are unknown: ids of blocks lie")
    });
    assert!(page["oldest_age_s"].is_null() && page["groups"][0]["behind_s"].is_null(), "{page}");
    let (json, text) = of_stat(&server);
    assert!(json["oldest_age_ms"].is_null() && json["groups"][0]["behind_ms"].is_null(), "{json}");
    assert!(text.contains("oldest   unknown: ids of blocks lie"), "{text}");
    let metrics = watched.get("/metrics");
    for absent in [
        "forebay_buffer_oldest_age_seconds{",
        "forebay_lane_oldest_age_seconds{",
        "forebay_group_behind_seconds{",
    ] {
        assert!(!metrics.contains(absent), "{absent}: {metrics}");
    }
    assert!(is_true(&metrics, "ForebayAgesUnknown"));
    // What waits is told by count, where it cannot be told by age.
    assert_eq!(page["groups"][0]["unread_events"], 20);
}
