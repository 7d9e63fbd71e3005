//! What is claimed of streams that a program describes: their events go in, come back, and a buffer is of one stream.

use std::time::Duration;

use forebay::{Error, Groups, Item, Reader, Stream, Unit, Writer};
use forebay_rig::server::Server;

use crate::support::*;

fn logs() -> Stream {
    let logs = Stream::json().time("/ts", Unit::Rfc3339).lane("/type").route("a", "alpha");
    logs.default_lane("the-rest").build().unwrap()
}

fn writer(server: &Server, events: Stream) -> Result<Writer, Error> {
    Writer::builder(server.url(), "logs").events(events).open()
}

fn line(number: u64) -> String {
    let kind = if number.is_multiple_of(2) { "a" } else { "b" };
    format!(r#"{{"ts":"2026-11-28T10:00:{:02}Z","type":"{kind}","n":{number}}}"#, number % 60)
}

/// Everything in the buffer, with the names of its lanes.
fn contents(server: &Server, lanes: &[&str]) -> Vec<(String, Vec<u8>)> {
    let builder = Reader::builder(server.url(), "logs").wait(Duration::ZERO).lanes(lanes.iter().copied());
    let mut reader = builder.open().unwrap();
    let mut found = Vec::new();
    for item in reader.events() {
        match item.unwrap() {
            Item::Event(lane, bytes) => found.push((lane.name().to_owned(), bytes)),
            other => panic!("{other:?}"),
        }
    }
    found
}

#[test]
fn events_of_a_described_stream_come_back_in_its_lanes_and_its_readers_need_no_description() {
    let server = server(&[]);
    let mut appending = writer(&server, logs()).unwrap();
    for number in 0..1_000 {
        let line = line(number);
        let event = appending.events().parse(line.as_bytes()).unwrap();
        appending.push(&event).unwrap();
    }
    assert_eq!(appending.close().unwrap().acknowledged, 1_000);
    let (alpha, all) = (contents(&server, &["alpha"]), contents(&server, &[]));
    assert!(alpha.len() == 500 && alpha.iter().all(|(lane, _)| lane == "alpha"));
    let mut back: Vec<String> = all.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
    back.sort();
    let mut pushed: Vec<String> = (0..1_000).map(line).collect();
    pushed.sort();
    assert_eq!(back, pushed);
    let unknown = Reader::builder(server.url(), "logs").lanes(["likes"]).open().err().unwrap().to_string();
    assert!(unknown.contains("no lane \"likes\"") && unknown.contains("alpha, the-rest"), "{unknown}");
    assert_eq!(Groups::connect(&server.url(), "logs").unwrap().events(), logs());
}

#[test]
fn any_bytes_are_an_event_of_a_stream_of_lines() {
    let server = server(&[]);
    let mut appending = writer(&server, Stream::lines("log").unwrap()).unwrap();
    let lines: [&[u8]; 4] = [b"GET / 200", b"", b"\xff\x00", b"{"];
    for line in lines {
        let event = appending.events().parse(line).unwrap();
        appending.push(&event).unwrap();
    }
    assert_eq!(appending.close().unwrap().acknowledged, 4);
    let back: Vec<Vec<u8>> = contents(&server, &[]).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(back, lines);
}

#[test]
fn a_buffer_is_of_one_stream_and_a_writer_of_another_makes_nothing() {
    let server = server(&[]);
    drop(writer(&server, logs()).unwrap().close());
    let before: u64 = ask(&server, "DBSIZE").unwrap();
    let other = Stream::json().time("/time", Unit::Ms).build().unwrap();
    for events in [Stream::jetstream(), Stream::lines("log").unwrap(), other] {
        let error = writer(&server, events).err().unwrap();
        assert!(
            matches!(error, Error::OtherStream { theirs, mine, .. } if theirs == logs() && mine == events)
        );
        let told = error.to_string();
        assert!(told.contains("alpha, the-rest") && told.contains(&events.lanes().to_string()), "{told}");
    }
    assert_eq!(ask::<u64>(&server, "DBSIZE").unwrap(), before);
    drop(writer(&server, logs()).unwrap().close());
}

#[test]
fn an_event_of_another_stream_is_refused_by_push() {
    let server = server(&[]);
    let mut appending = writer(&server, logs()).unwrap();
    let text = br#"{"time_us":1,"ts":"2026-11-28T10:00:00Z"}"#;
    let other = Stream::jetstream().parse(text).unwrap();
    let refused = appending.push(&other).unwrap_err().to_string();
    assert!(refused.contains("lane other") && refused.contains("alpha, the-rest"), "{refused}");
    let mine = appending.events().parse(text).unwrap();
    let late = forebay::Event { time_us: mine.time_us + 1, ..mine };
    assert!(appending.push(&late).is_err());
    appending.push(&mine).unwrap();
    assert_eq!(appending.close().unwrap().acknowledged, 1);
}

#[test]
fn a_reader_that_was_there_first_is_told_when_the_buffer_turns_out_to_be_another() {
    let server = server(&[]);
    let mut reader = Reader::builder(server.url(), "logs").wait(Duration::from_millis(50)).open().unwrap();
    assert!(reader.batches().next().is_none(), "nothing is there yet");
    let mut appending = writer(&server, logs()).unwrap();
    let line = line(0);
    let event = appending.events().parse(line.as_bytes()).unwrap();
    appending.push(&event).unwrap();
    appending.close().unwrap();
    let told = reader.batches().next().unwrap().err().unwrap();
    assert!(matches!(told, Error::OtherStream { .. }), "{told}");
}

#[test]
fn what_stands_beside_a_buffer_and_cannot_be_read_is_named() {
    let server = server(&[]);
    drop(writer(&server, logs()).unwrap().close());
    for (command, why) in [
        ("HSET forebay:{logs} layout 1", "layout \"1\", and this build knows layout 2"),
        ("HSET forebay:{logs} layout 3", "layout \"3\", and this build knows layout 2"),
        ("HSET forebay:{logs} layout 2 lanes nonsense", "field lanes cannot be read"),
        ("HDEL forebay:{logs} lanes", "field lanes cannot be read"),
        ("HDEL forebay:{logs} incarnation", "field incarnation is missing"),
    ] {
        tell(&server, command);
        for error in [
            writer(&server, logs()).err().unwrap(),
            Reader::builder(server.url(), "logs").open().err().unwrap(),
            Groups::connect(&server.url(), "logs").err().unwrap(),
        ] {
            let told = error.to_string();
            assert!(told.contains(why) && told.contains("forebay:{logs}"), "{told}");
        }
    }
}

#[test]
fn what_a_buffer_is_is_written_again_where_its_server_lost_it_under_a_writer() {
    let server = server(&[]);
    let mut appending = writer(&server, logs()).unwrap();
    let monitor = appending.monitor();
    let mut push = |number: u64| {
        let line = line(number);
        let event = appending.events().parse(line.as_bytes()).unwrap();
        appending.push(&event).unwrap();
        appending.flush().unwrap();
    };
    push(0);
    until("it is stored", || monitor.counts().acknowledged == 1);
    tell(&server, "FLUSHALL");
    push(2);
    push(1);
    assert_eq!(appending.close().unwrap().lost_by_server, 1);
    assert_eq!(Groups::connect(&server.url(), "logs").unwrap().events(), logs());
    assert_eq!(contents(&server, &["the-rest"]), [("the-rest".to_owned(), line(1).into_bytes())]);
    assert!(ask::<u64>(&server, "XLEN forebay:{logs.alpha.0}").unwrap() > 0);
}

#[test]
fn a_reader_that_was_there_first_takes_no_block_of_other_events_for_a_damaged_one() {
    let server = server(&[]);
    // A lane that Jetstream has too.
    let events = Stream::lines("other").unwrap();
    for group in [None, Some("g")] {
        let builder = Reader::builder(server.url(), "logs").wait(Duration::from_secs(30));
        let opened = match group {
            None => builder.clone().open(),
            // A group makes the buffer, so it must be said of what.
            Some(group) => builder.clone().events(events).group(group).open(),
        };
        let mut reader = opened.unwrap();
        let appending = std::thread::scope(|scope| {
            let came = scope.spawn(|| reader.batches().next().unwrap().map(|batch| batch.events().count()));
            let mut appending = writer(&server, events).unwrap();
            let event = appending.events().parse(b"no JSON").unwrap();
            appending.push(&event).unwrap();
            appending.flush().unwrap();
            match came.join().unwrap() {
                Ok(events) => assert_eq!((group, events), (Some("g"), 1)),
                Err(told) => assert!(group.is_none() && matches!(told, Error::OtherStream { .. }), "{told}"),
            }
            appending
        });
        appending.close().unwrap();
        tell(&server, "FLUSHALL");
    }
}

#[test]
fn a_reader_is_told_when_its_buffer_is_made_anew_of_other_events() {
    for group in [None, Some("g")] {
        let mut server = server(&[]);
        drop(writer(&server, logs()).unwrap().close());
        let builder = Reader::builder(server.url(), "logs").wait(Duration::from_millis(50));
        let builder = if let Some(group) = group { builder.group(group) } else { builder };
        let mut reader = builder.open().unwrap();
        assert!(reader.batches().next().is_none(), "nothing is there yet");
        // Without persistence: it comes back empty.
        server.kill().unwrap();
        server.restart().unwrap();
        drop(writer(&server, Stream::lines("log").unwrap()).unwrap().close());
        let told = reader.batches().next().unwrap().err().unwrap();
        assert!(matches!(told, Error::OtherStream { .. }), "{told}");
        let keys: Vec<String> = ask(&server, "KEYS *alpha*").unwrap();
        assert_eq!(keys, [""; 0], "it makes none of its own lanes");
    }
}

#[test]
fn lanes_of_a_buffer_that_does_not_say_what_it_is_are_jetstreams_and_no_other_writers() {
    let server = server(&[]);
    let mut appending = writer(&server, Stream::jetstream()).unwrap();
    let event = appending.events().parse(br#"{"time_us":1}"#).unwrap();
    appending.push(&event).unwrap();
    appending.close().unwrap();
    tell(&server, "DEL forebay:{logs}");
    let refused = writer(&server, logs()).err().unwrap();
    assert!(matches!(refused, Error::OtherStream { .. }), "{refused}");
    assert_eq!(ask::<u64>(&server, "EXISTS forebay:{logs}").unwrap(), 0);
    drop(writer(&server, Stream::jetstream()).unwrap().close());
    assert_eq!(Groups::connect(&server.url(), "logs").unwrap().events(), Stream::jetstream());
    // And of another one it is said what is missing.
    drop(Writer::builder(server.url(), "more").events(logs()).open().unwrap().close());
    tell(&server, "DEL forebay:{more}");
    let error = Groups::connect(&server.url(), "more").unwrap().must_have("g").unwrap_err().to_string();
    assert!(error.contains("\"forebay:{more}\" is gone"), "{error}");
}
