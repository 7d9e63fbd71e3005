//! What is claimed of names and numbers that are somebody else's input: whatever they are, each is told once, in text that
//! changes nothing where it is shown.

use std::collections::BTreeSet;

use super::cli_support::run;
use super::support::{address, connection, filled, name, server, until};
use super::watch_support::Watched;
use forebay::event::jetstream;

/// Makes a group by the bytes of its name.
fn group(own: &mut redis::Connection, group: &[u8]) {
    let key = name().stream(jetstream::LIKES);
    redis::cmd("XGROUP").arg("CREATE").arg(key).arg(group).arg("0").exec(own).unwrap();
}

#[test]
fn a_group_whose_name_is_no_text_or_too_long_is_told_by_a_name_of_its_own() {
    let (server, _) = filled(5);
    let mut own = connection(&server);
    let long = "n".repeat(100_000);
    let names: [&[u8]; 6] = [
        b"plain",
        b"\xff\xfe",
        b"\xff\xfd",
        br"\xff\xfe",
        &[long.as_bytes(), b"a"].concat(),
        &[long.as_bytes(), b"b"].concat(),
    ];
    for name in names {
        group(&mut own, name);
    }
    let watched = Watched::start(&address(&server));
    watched.until("all are there", |stat| stat["groups"].as_array().is_some_and(|all| all.len() == 6));
    let text = watched.get("/metrics");
    let lines = text.lines().filter(|line| line.starts_with("forebay_group_unread_events{"));
    let labels: BTreeSet<&str> = lines.filter_map(|line| line.split("group=").nth(1)).collect();
    assert_eq!(labels.len(), 6, "{labels:?}");
    assert!(labels.iter().all(|label| label.len() < 400 && label.ends_with(" 10.0")), "{labels:?}");
    assert!(text.contains(r#"group="plain""#) && text.contains(r#"group="\\xff\\xfe""#), "{labels:?}");
    assert!(labels.iter().any(|label| label.starts_with(r#""\\xff\\xfd"#)), "{labels:?}");
    // What was not asked for by its bytes would be of no group.
    assert_eq!(text.matches("forebay_group_pending_blocks{").count(), 6);
}

#[test]
fn nothing_in_a_name_moves_the_cursor_of_a_terminal() {
    let (server, _) = filled(5);
    group(&mut connection(&server), "g\u{1b}[2J\r\u{202e}x".as_bytes());
    let url = server.url();
    let ran = run(&["stat", "--url", &url, "--buffer", "test", "--over", "0s"]);
    let text = String::from_utf8(ran.out).unwrap();
    assert!(text.contains("g\\u{1b}[2J\\r"), "{text}");
    assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{text:?}");
}

/// A message of a writer with so many likes acknowledged.
fn message(id: u64, age_ms: u64, acknowledged: u64) -> String {
    format!(
        r#"{{"v":1,"id":"{id:012x}","age_ms":{age_ms},"state":"writing","why":null,"lanes":{{"likes":{{"acknowledged":{acknowledged},"spilled":0,"recovered":0,"shed":0,"trimmed":0,"unreadable":0,"lost":0,"refusals":0}}}}}}"#
    )
}

#[test]
fn many_writers_at_once_are_all_counted() {
    const WRITERS: u64 = 200;
    let server = server(&[]);
    let watched = Watched::start(&address(&server));
    watched.until_it_listens();
    let mut own = connection(&server);
    let mut say =
        |text: &str| redis::cmd("PUBLISH").arg(name().status_channel()).arg(text).exec(&mut own).unwrap();
    for round in 0..=3 {
        for id in 0..WRITERS {
            say(&message(id, round, round));
        }
    }
    let acknowledged = r#"forebay_writer_events_total{buffer="test",lane="likes",fate="acknowledged"}"#;
    until("all of them are counted", || watched.sample(acknowledged) == Some((3 * WRITERS) as f64));
    assert_eq!(watched.sample(r#"forebay_writers{buffer="test"}"#), Some(WRITERS as f64));
    let stat = watched.stat();
    let (told, more) = (stat["writers"].as_array().unwrap().len(), stat["writers_more"].as_u64());
    assert_eq!((told, more), (64, Some(WRITERS - 64)));
}

#[test]
fn more_writers_than_can_be_told_apart_are_told_of_and_never_count_twice() {
    const WRITERS: u64 = 1_100;
    let server = server(&[]);
    let watched = Watched::start(&address(&server));
    watched.until_it_listens();
    let mut own = connection(&server);
    let mut pipe = redis::pipe();
    for round in 0..=3 {
        for id in 0..WRITERS {
            pipe.cmd("PUBLISH").arg(name().status_channel()).arg(message(id, round, round)).ignore();
        }
    }
    pipe.exec(&mut own).unwrap();
    watched.until("it says so", |stat| stat["warnings"].to_string().contains("more writers than"));
    let acknowledged = r#"forebay_writer_events_total{buffer="test",lane="likes",fate="acknowledged"}"#;
    assert!(watched.sample(acknowledged) <= Some((3 * WRITERS) as f64));
}
