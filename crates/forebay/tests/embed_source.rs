//! What is claimed of numberings: cursors of another host, which counts anew, stand after all before them, and whoever resumes by
//! them misses nothing, whichever moment it is that ends a writer.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::Duration;

use forebay::WriterBuilder;
use forebay::buffer::error::Error;
use forebay::buffer::look;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::reader::ReadItem;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream::{FOLLOWS, LIKES, POSTS};
use forebay::event::lane::Lane;
use forebay::event::parse::{Event, parse};
use forebay_rig::server::Server;

use crate::buffer_behind::large;
use crate::support::*;

const HIGH: u64 = 1_700_000_000_000_000;

fn builder(server: &Server) -> WriterBuilder {
    Writer::builder(server.url(), name().to_string()).patience(LIMIT).linger(Duration::ZERO)
}

fn push(writer: &mut Writer, lane: Lane, cursor: u64) {
    let bytes = event(lane, cursor % 1_000_000, 40);
    writer.push(&Event { cursor, ..parse(&bytes).unwrap() }).unwrap();
}

fn settled(writer: &mut Writer) {
    let monitor = writer.monitor();
    until("everything is acknowledged", || monitor.counts().open() == 0);
    writer.acked_through();
}

fn at(writer: &Writer) -> (u32, Option<u64>) {
    (writer.resume_position().numbering(), writer.resume_position().low_watermark())
}

/// Ends a writer as a kill does: it can say nothing any more.
fn kill(server: &Server, writer: Writer) {
    tell(server, "CLIENT KILL TYPE normal");
    drop(writer);
}

fn next(server: &Server) -> Writer {
    builder(server).takeover(true).open().unwrap()
}

/// `c` and `w` of a lane's blocks, as text.
fn stored(server: &Server, lane: Lane) -> Vec<(String, String)> {
    let text = |at: Option<forebay::SourceCursor>| at.map(|at| at.to_string()).unwrap_or_default();
    let of = |found: &ReadItem| match found {
        ReadItem::Block(of, entry) if *of == lane => Some((text(entry.cursor), text(entry.low_watermark))),
        _ => None,
    };
    contents(&address(server)).iter().filter_map(of).collect()
}

fn field(server: &Server, key: &str, field: &str) -> Option<String> {
    ask(server, &format!("HGET {key} {field}")).unwrap()
}

#[test]
fn low_cursors_of_a_new_numbering_are_resumed_at_though_other_lanes_hold_higher_ones() {
    let server = server(&[]);
    let mut writer = builder(&server).open().unwrap();
    for (lane, cursor) in [(LIKES, 1), (POSTS, 2), (FOLLOWS, 3)] {
        push(&mut writer, lane, HIGH + cursor);
    }
    writer.begin_numbering("b.example").unwrap();
    assert_eq!(writer.source(), Some("b.example"));
    assert_eq!(writer.monitor().low_watermark(), None, "nothing of it is settled");
    for cursor in [10, 20] {
        push(&mut writer, LIKES, cursor);
        settled(&mut writer);
        assert_eq!(writer.monitor().low_watermark(), Some(cursor));
    }
    push(&mut writer, POSTS, 30);
    writer.close().unwrap();
    let (old, new) = (format!("{}", HIGH + 1), format!("{}", HIGH + 3));
    let likes: Vec<(String, String)> =
        [(&*old, ""), ("1:10", &*new), ("1:20", "1:10")].map(|(c, w)| (c.into(), w.into())).into();
    assert_eq!(stored(&server, LIKES)[1..], likes[1..]);
    assert_eq!(stored(&server, LIKES)[0].0, old);

    let stat = look::look(&address(&server), &name()).unwrap();
    assert_eq!(stat.low_watermark().unwrap().to_string(), "1:30");
    let writer = next(&server);
    assert_eq!((at(&writer), writer.source()), ((1, Some(30)), Some("b.example")));
    let of = |lane| writer.resume_position().lane(lane).unwrap().cursor;
    assert_eq!([of(LIKES), of(POSTS), of(FOLLOWS)], [Some(20), Some(30), None], "of that numbering alone");
    assert_eq!(field(&server, &name().writer(FOLLOWS), "c"), Some(new), "a lane that got no block since");
}

#[test]
fn a_writer_that_is_given_up_before_anything_of_a_new_numbering_is_settled_is_resumed_in_the_old_one() {
    for pushes in [false, true] {
        let server = server(&[]);
        let mut writer = builder(&server).open().unwrap();
        writer.begin_numbering("a.example").unwrap();
        push(&mut writer, LIKES, HIGH);
        settled(&mut writer);
        push(&mut writer, LIKES, HIGH + 1);
        writer.begin_numbering("b.example").unwrap();
        if pushes {
            // Stored, and no block says that it is acknowledged.
            push(&mut writer, POSTS, 10);
            push(&mut writer, LIKES, 11);
            until("they are stored", || writer.monitor().counts().acknowledged == 4);
        }
        kill(&server, writer);
        let mut writer = next(&server);
        let resumed = HIGH + u64::from(pushes);
        assert_eq!((at(&writer), writer.source()), ((1, Some(resumed)), Some("a.example")), "{pushes}");
        // What was given up is not continued by a third that counts as low.
        push(&mut writer, LIKES, HIGH + 5);
        writer.begin_numbering("c.example").unwrap();
        push(&mut writer, LIKES, 7);
        settled(&mut writer);
        writer.close().unwrap();
        let writer = next(&server);
        let numbering = if pushes { 3 } else { 2 };
        assert_eq!((at(&writer), writer.source()), ((numbering, Some(7)), Some("c.example")), "{pushes}");
    }
}

/// Whatever moment it is: all up to the low watermark is stored, of whichever numbering that is.
#[test]
fn what_lies_up_to_the_low_watermark_is_stored_across_numberings_whenever_a_writer_is_ended() {
    let server = server(&[]);
    let mut random = Random::new(11);
    // What each numbering counts: the numbers of events, which go on.
    let (mut number, mut bases) = (0, vec![0]);
    for round in 0..30 {
        let mut writer = builder(&server).block_events(3).takeover(true).open().unwrap();
        let (numbering, begins) = at(&writer);
        let base = bases[numbering as usize];
        bases.truncate(numbering as usize + 1);
        let all: Vec<u64> = contents(&address(&server)).iter().flat_map(numbers_of).collect();
        let upto = base + begins.unwrap_or(0);
        assert!((1..=upto).all(|number| all.contains(&number)), "round {round}: not all up to {upto}");
        number = upto;
        let mut base = base;
        for _ in 0..random.below(300) {
            if random.below(100) == 0 {
                let source = format!("{round}/{number}");
                writer.begin_numbering(&source).unwrap();
                base = number;
                let numbering = numbering_of(&server, &source);
                // Numberings that nobody resumes in are passed over.
                bases.resize(numbering + 1, 0);
                bases[numbering] = base;
            }
            number += 1;
            let bytes = event(forebay::event::jetstream::ALL[random.below(6) as usize], number, 40);
            writer.push(&Event { cursor: number - base, ..parse(&bytes).unwrap() }).unwrap();
        }
        if round % 2 == 0 { drop(writer) } else { kill(&server, writer) }
    }
    assert!(number > 100 && bases.len() > 2, "{number}, {bases:?}");
}

/// The numbering that a source counts in.
fn numbering_of(server: &Server, source: &str) -> usize {
    let fields: Vec<String> = ask(server, &format!("HKEYS {}", name().meta())).unwrap();
    let is_it = |key: &&String| field(server, &name().meta(), key).as_deref() == Some(source);
    let sources = fields.iter().filter(|key| key.starts_with("source:"));
    sources.rev().find(is_it).unwrap()["source:".len()..].parse().unwrap()
}

fn numbers_of(found: &ReadItem) -> Vec<u64> {
    let ReadItem::Block(lane, _) = found else { panic!("{found:?}") };
    let number = |bytes: &Vec<u8>| parse(bytes).unwrap().time_us - HIGH;
    events_of(*lane, std::slice::from_ref(found)).iter().map(number).collect()
}

#[test]
fn on_a_full_server_a_numbering_begins_once_what_was_pushed_is_stored_and_nothing_is_lost() {
    let server = server(&[]);
    let options = |seconds| Options { patience: Duration::from_secs(seconds), ..taking_over(1, 4) };
    let mut writer = open(&address(&server), &options(2));
    push(&mut writer, LIKES, HIGH);
    settled(&mut writer);
    tell(&server, "CONFIG SET maxmemory 1");
    // Nothing is open: its note is written all the same.
    writer.begin_numbering("b.example").unwrap();
    assert_eq!(field(&server, &name().meta(), "source:1").as_deref(), Some("b.example"));
    push(&mut writer, LIKES, 1);
    let refused = writer.begin_numbering("c.example").unwrap_err();
    assert!(matches!(refused, Error::Lost { unacknowledged: 1, .. }), "{refused}");
    assert_eq!(field(&server, &name().meta(), "source:2"), None);
    drop(writer);
    tell(&server, "CONFIG SET maxmemory 0");
    let mut writer = open(&address(&server), &options(60));
    assert_eq!(at(&writer), (0, Some(HIGH)), "the event at 1 was not acknowledged");
    writer.begin_numbering("b.example").unwrap();
    tell(&server, "CONFIG SET maxmemory 1");
    push(&mut writer, LIKES, 1);
    let until_there_is_room = std::thread::spawn({
        let url = server.url();
        move || {
            std::thread::sleep(Duration::from_millis(300));
            let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
            redis::cmd("CONFIG").arg(&["SET", "maxmemory", "0"]).exec(&mut connection).unwrap();
        }
    });
    writer.begin_numbering("c.example").unwrap();
    until_there_is_room.join().unwrap();
    push(&mut writer, LIKES, 1);
    assert_eq!(writer.close().unwrap().acknowledged, 2);
    let writer = next(&server);
    assert_eq!((at(&writer), writer.source()), ((2, Some(1)), Some("c.example")));
    assert_eq!(contents(&address(&server)).len(), 3);
}

#[test]
fn large_blocks_go_behind_the_script_in_a_new_numbering_too() {
    let server = server(&[]);
    let mut writer = builder(&server).block_events(2).linger(LIMIT).open().unwrap();
    let push = |writer: &mut Writer, numbers: std::ops::Range<u64>, base: u64| {
        for number in numbers {
            let bytes = large(number);
            writer.push(&Event { cursor: base + number + 1, ..parse(&bytes).unwrap() }).unwrap();
        }
    };
    push(&mut writer, 0..4, HIGH);
    settled(&mut writer);
    push(&mut writer, 4..6, HIGH);
    writer.begin_numbering("b.example").unwrap();
    tell(&server, "CONFIG RESETSTAT");
    push(&mut writer, 6..16, 0);
    assert_eq!(writer.close().unwrap().retries, 0);
    let stat: String = redis::cmd("INFO").arg("commandstats").query(&mut connection(&server)).unwrap();
    // Two a transaction.
    assert!(stat.contains("cmdstat_rename:calls=10,"), "{stat}");
    assert_eq!(stored(&server, LIKES)[3], ("1:8".into(), (HIGH + 6).to_string()));
}

#[test]
fn a_server_that_came_back_with_less_keeps_the_cursors_of_the_numbering_that_they_are_of() {
    let mut server = server(&[]);
    let mut writer = builder(&server).open().unwrap();
    push(&mut writer, LIKES, HIGH);
    settled(&mut writer);
    writer.begin_numbering("b.example").unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    let hash = name().writer(LIKES);
    push(&mut writer, POSTS, 5);
    push(&mut writer, LIKES, 0);
    until("they are stored", || writer.monitor().counts().acknowledged == 3);
    assert_eq!(field(&server, &hash, "c"), Some(HIGH.to_string()), "as it was before");
    push(&mut writer, LIKES, 6);
    settled(&mut writer);
    push(&mut writer, LIKES, 7);
    settled(&mut writer);
    assert_eq!(field(&server, &hash, "c").as_deref(), Some("1:7"));
    assert_eq!(
        field(&server, &name().writer(POSTS), "w"),
        Some(HIGH.to_string()),
        "as long as none is settled"
    );
    // The note is gone with the server's memory; the numbering is not.
    kill(&server, writer);
    assert_eq!(at(&next(&server)), (1, Some(6)));
}

#[test]
fn a_lane_that_is_taken_late_makes_no_cursor_one_of_a_numbering_that_nobody_began() {
    let mut server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let mut writer = builder(&server).open().unwrap();
    push(&mut writer, LIKES, HIGH);
    writer.begin_numbering("b.example").unwrap();
    push(&mut writer, LIKES, 8);
    writer.close().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = address(&server);
    server.kill().unwrap();
    let spill = Spill { folder: folder.path().into(), bytes_max: 64 << 20 };
    let mut writer = open(&address, &Options { overflow: Overflow::Spill(spill), ..options(1, 4) });
    for number in 1..=100 {
        push(&mut writer, LIKES, HIGH + number);
    }
    server.restart().unwrap();
    until("they are stored", || writer.monitor().counts().acknowledged == 100);
    writer.acked_through();
    push(&mut writer, POSTS, HIGH + 200);
    writer.close().unwrap();
    let writer = next(&server);
    assert_eq!((at(&writer), writer.source()), ((1, Some(8)), Some("b.example")));
    assert_eq!(contents(&address).len(), 103);
}

/// What was dropped is not known to be settled before a later block is, and counts for nothing afterwards.
#[test]
fn after_events_were_dropped_those_of_a_new_numbering_are_open_until_they_are_stored() {
    let server = server(&[]);
    let shedding = Options { overflow: Overflow::Shed, ..options(2, 1) };
    let mut writer = open(&address(&server), &shedding);
    let monitor = writer.monitor();
    push(&mut writer, LIKES, HIGH);
    push(&mut writer, LIKES, HIGH + 1);
    until("they are acknowledged", || monitor.counts().acknowledged == 2);
    tell(&server, "CONFIG SET maxmemory 1");
    let mut cursor = HIGH + 2;
    until("some are dropped", || {
        (0..2).for_each(|more| push(&mut writer, LIKES, cursor + more));
        cursor += 2;
        monitor.counts().shed >= 20
    });
    tell(&server, "CONFIG SET maxmemory 0");
    writer.begin_numbering("b.example").unwrap();
    let before = writer.acked_through().get();
    for cursor in 1..=3 {
        push(&mut writer, LIKES, cursor);
    }
    let acknowledged = monitor.counts().acknowledged + 2;
    until("the first two are", || {
        monitor.counts().acknowledged >= acknowledged || monitor.counts().open() == 1
    });
    assert_eq!((writer.acked_through().get() - before, monitor.low_watermark()), (2, Some(2)), "3 is open");
}

#[test]
fn a_buffer_that_somebody_deleted_is_made_again_before_its_source_is_named() {
    let server = server(&[]);
    let mut writer = builder(&server).open().unwrap();
    push(&mut writer, LIKES, HIGH);
    settled(&mut writer);
    tell(&server, &format!("DEL {}", name().meta()));
    writer.begin_numbering("b.example").unwrap();
    writer.note_missed(17, "from 3 to 9").unwrap();
    assert_eq!(field(&server, &name().meta(), "layout").as_deref(), Some("2"));
    assert_eq!(field(&server, &name().meta(), "missed:0000000000000017").as_deref(), Some("from 3 to 9"));
    push(&mut writer, LIKES, 4);
    writer.close().unwrap();
    assert_eq!(contents(&address(&server)).len(), 2);
}

#[test]
fn a_writer_that_was_killed_before_it_stored_a_low_watermark_leaves_who_counts() {
    let server = server(&[]);
    let mut writer = builder(&server).open().unwrap();
    writer.begin_numbering("a.example").unwrap();
    push(&mut writer, LIKES, 7);
    until("it is acknowledged", || writer.monitor().counts().open() == 0);
    kill(&server, writer);
    let next = next(&server);
    assert_eq!((at(&next), next.source()), ((1, None), Some("a.example")));
    assert_eq!(next.resume_position().lane(LIKES).unwrap().cursor, Some(7));
}
