//! What is claimed of a buffer's source: page, terminal, JSON, metrics and rules say the same of how long it is until it forgets,
//! how far behind it is, and what it no longer had; and its name is text, whatever is in it.

use std::time::{SystemTime, UNIX_EPOCH};

use forebay::buffer::keys::Name;
use forebay::event::jetstream;
use forebay_rig::server::Server;
use serde_json::json;

use super::browser::Page;
use super::cli_support::run;
use super::support::{address, connection, filled, name, tell};
use super::watch_support::Watched;
use super::watch_verdict::{assert_all_say, is_true, of_stat, says, says_at_rest};

const HOST: &str = "wss://source.example/subscribe";

fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Writes down what `forebay ingest` does: the source, and up to where everything of it is settled.
fn settled(server: &Server, host: &str, minutes_ago: u64) {
    let source = json!({ "host": host, "kind": "v1", "unit": "us", "keeps_hours": 24 }).to_string();
    let mut set = redis::cmd("HSET");
    set.arg(name().meta()).arg(Name::source(0)).arg(source).exec(&mut connection(server)).unwrap();
    let at = now_us() - minutes_ago * 60_000_000;
    tell(server, &format!("HSET {} c {at} w {at}", name().writer(jetstream::LIKES)));
}

/// Writes a gap down that was found so long ago.
fn missed(server: &Server, minutes_ago: u64, events: Option<u64>) {
    let to = now_us() - minutes_ago * 60_000_000;
    let gap = json!({ "host": HOST, "from": to - 60_000_000, "to": to, "unit": "us", "events": events })
        .to_string();
    let mut set = redis::cmd("HSET");
    set.arg(name().meta()).arg(Name::missed(to)).arg(gap).exec(&mut connection(server)).unwrap();
}

/// A text as it was before it was cut into lines.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sample(watched: &Watched, figure: &str) -> Option<f64> {
    watched.sample(&format!(r#"forebay_source_{figure}{{buffer="test"}}"#))
}

#[test]
fn all_outputs_say_that_the_source_forgets_before_long_and_the_alert_fires() {
    let (server, _) = filled(5);
    tell(&server, "CONFIG SET maxmemory 1gb");
    // Half an hour is left.
    settled(&server, HOST, 23 * 60 + 30);
    let watched = Watched::start(&address(&server));
    let page = assert_all_say(&watched, &server, |stat| says_at_rest(stat, "bad", "The source forgets in"));
    let source = &page["source"];
    assert_eq!((source["host"].as_str(), source["keeps_hours"].as_u64()), (Some(HOST), Some(24)), "{source}");
    let left = source["forgets_s"].as_f64().unwrap();
    assert!((1_600.0..1_801.0).contains(&left), "{source}");
    let (json, text) = of_stat(&server);
    let of_stat = json["source"]["forgets_in_ms"].as_f64().unwrap() / 1_000.0;
    let of_metrics = sample(&watched, "forgets_seconds").unwrap();
    assert!(
        (of_stat - left).abs() < 60.0 && (of_metrics - left).abs() < 60.0,
        "{of_stat} {of_metrics} {left}"
    );
    assert!(sample(&watched, "behind_seconds").unwrap() > 23.4 * 3_600.0);
    assert!(in_one_line(&text).contains("the source forgets that in") && text.contains(HOST), "{text}");
    assert!(is_true(&watched.get("/metrics"), "ForebaySourceForgets"));

    // It has forgotten already: what it no longer has is more each minute.
    settled(&server, HOST, 25 * 60);
    watched.until("it has", |stat| says(stat, "bad", "The source forgot"));
    assert!(sample(&watched, "forgets_seconds").unwrap() < -3_500.0);
    assert!(is_true(&watched.get("/metrics"), "ForebaySourceForgets"));

    settled(&server, HOST, 60);
    watched.until("there is time", |stat| stat["source"]["forgets_s"].as_f64() > Some(80_000.0));
    watched.until("that is over", |stat| !stat["verdict"].to_string().contains("forg"));
    assert!(!is_true(&watched.get("/metrics"), "ForebaySourceForgets"));
}

#[test]
fn all_outputs_say_what_the_source_no_longer_had_and_the_alert_fires_for_an_hour() {
    let (server, _) = filled(5);
    tell(&server, "CONFIG SET maxmemory 1gb");
    settled(&server, HOST, 0);
    let watched = Watched::start(&address(&server));
    watched.until("it knows the source", |stat| stat["source"]["gaps"] == 0);
    let figures = |watched: &Watched| {
        ["gaps", "missed_events", "gap_age_seconds"].map(|figure| sample(watched, figure))
    };
    assert_eq!(figures(&watched), [Some(0.0), Some(0.0), None]);
    for minutes in 0..8 {
        missed(&server, 90 + minutes, (minutes > 0).then_some(100));
    }
    watched.until("it sees them", |stat| stat["source"]["gaps"] == 8);
    let stat = watched.stat();
    assert_eq!(stat["source"]["missed_events"], 700);
    assert_eq!(stat["source"]["newest_gaps"].as_array().unwrap().len(), 5, "{stat}");
    assert!(!stat["verdict"].to_string().contains("no longer had"), "that is over for long: {stat}");
    assert!(!is_true(&watched.get("/metrics"), "ForebaySourceMissed"));
    let (json, text) = of_stat(&server);
    assert_eq!((json["missed"].as_array().unwrap().len(), &json["source"]["gaps"]), (8, &json!(8)), "{json}");
    let text = in_one_line(&text);
    assert!(
        text.contains("an unknown number of events from") && text.contains("5 gaps before these"),
        "{text}"
    );

    missed(&server, 1, Some(56_280));
    let is_so =
        |stat: &serde_json::Value| says_at_rest(stat, "bad", "The source no longer had 56,280 events from");
    let page = assert_all_say(&watched, &server, is_so);
    assert_eq!((&page["source"]["gaps"], &page["source"]["missed_events"]), (&json!(9), &json!(56_980)));
    let [gaps, events, age] = figures(&watched);
    assert_eq!((gaps, events), (Some(9.0), Some(56_980.0)));
    assert!((60.0..600.0).contains(&age.unwrap()), "{age:?}");
    assert!(is_true(&watched.get("/metrics"), "ForebaySourceMissed"));
}

#[test]
fn a_buffer_without_a_source_has_no_figure_of_one() {
    let (server, _) = filled(5);
    // Of nobody who brings events in: there is nothing to find beside it.
    missed(&server, 1, Some(5));
    let watched = Watched::start(&address(&server));
    watched.until("it sees the buffer", |stat| stat["present"] == true);
    assert!(watched.stat()["source"].is_null());
    assert!(!watched.get("/metrics").contains("forebay_source_"));
    // How long it keeps events is not known of every source.
    settled(&server, HOST, 25 * 60);
    let source = json!({ "host": HOST, "unit": "us" }).to_string();
    tell(&server, &format!("HSET {} {} {source}", name().meta(), Name::source(0)));
    watched.until("it knows the source", |stat| stat["source"]["host"] == HOST);
    let source = &watched.stat()["source"];
    assert!(source["forgets_s"].is_null() && source["behind_s"].as_f64() > Some(80_000.0), "{source}");
    assert_eq!(sample(&watched, "forgets_seconds"), None);
}

#[test]
fn the_page_shows_the_source_and_its_name_is_text_whatever_is_in_it() {
    let host = "wss://<b>\"it's\"</b><img/src=\"x\"/onerror=\"alert(1)\">\u{1b}[31m\u{202e}";
    let (server, _) = filled(5);
    tell(&server, "CONFIG SET maxmemory 1gb");
    let watched = Watched::start(&address(&server));
    let mut page = Page::open(&watched.url("/"));
    page.until("it shows a verdict", "document.getElementById('verdict').dataset.level !== 'unknown'");
    assert_eq!(page.evaluate("document.getElementById('source').hidden"), true);
    settled(&server, host, 23 * 60 + 30);
    missed(&server, 2, Some(56_280));
    let text = |id: &str| format!("document.getElementById('{id}').textContent");
    page.until("it shows the source", "document.getElementById('source').hidden === false");
    page.until("it shows the gap", &format!("{} === '1'", text("source-gaps")));
    assert!(page.evaluate(&text("source-host")).as_str().unwrap().starts_with("wss://<b>"));
    page.until("time left", &format!("/^(29|30) min$/.test({})", text("source-forgets")));
    page.until("in red", "document.getElementById('source-forgets').classList.contains('harm')");
    page.until("behind", &format!("{} === '23.5 h'", text("source-behind")));
    page.until("the gap's events", &format!("{}.includes('56,280 events from')", text("source-list")));
    assert_eq!(page.evaluate("document.querySelectorAll('#source b, #source img').length"), 0);
    settled(&server, host, 25 * 60);
    page.until("it has forgotten", &format!("{} === '60 min ago'", text("source-forgets")));
    page.narrow(360);
    page.until("it fits a phone", "innerWidth === 360 && document.scrollingElement.scrollWidth <= 360");
    assert!(page.complaints().is_empty(), "{:?}", page.complaints());
    // In a terminal it moves no cursor.
    let url = server.url();
    let ran = run(&["stat", "--over", "0s", "--buffer", "test", "--url", &url]);
    assert!(!ran.out.contains(&0x1b) && String::from_utf8(ran.out).unwrap().contains("wss://<b>"));
}
