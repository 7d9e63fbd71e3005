//! What is claimed of cursors: each block has its own and the low watermark, and whoever resumes there misses nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use forebay::Groups;
use forebay::SourceCursor;
use forebay::WriterBuilder;
use forebay::buffer::error::Error;
use forebay::buffer::reader::ReadItem;
use forebay::buffer::writer::Writer;
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::{CURSOR_MAX, Event, parse};
use forebay_rig::server::Server;

use crate::support::*;

fn builder(server: &Server) -> WriterBuilder {
    Writer::builder(server.url(), name().to_string()).patience(LIMIT)
}

fn push(writer: &mut Writer, lane: Lane, cursor: u64) -> Result<(), Error> {
    let bytes = event(lane, cursor, 40);
    writer.push(&Event { cursor, ..parse(&bytes).unwrap() }).map(drop)
}

/// Cursor and low watermark of a lane's blocks, as they are stored.
fn stored(server: &Server, lane: Lane) -> Vec<(Option<u64>, Option<u64>)> {
    let found = contents(&address(server));
    let of = |found: &ReadItem| match found {
        ReadItem::Block(of, entry) if *of == lane => {
            let number = |at: Option<SourceCursor>| at.map(|at| at.cursor);
            Some((number(entry.cursor), number(entry.low_watermark)))
        }
        _ => None,
    };
    found.iter().filter_map(of).collect()
}

#[test]
fn each_block_has_its_cursor_and_the_low_watermark_and_a_writer_says_where_to_resume() {
    let server = server(&[]);
    let mut writer = builder(&server).linger(LIMIT).block_events(2).open().unwrap();
    assert_eq!(writer.resume_position().low_watermark(), None);
    let monitor = writer.monitor();
    for (lane, cursor) in [(jetstream::LIKES, 10), (jetstream::POSTS, 20), (jetstream::LIKES, 30)] {
        push(&mut writer, lane, cursor).unwrap();
    }
    until("the likes are acknowledged", || monitor.counts().acknowledged == 2);
    writer.acked_through();
    assert_eq!(monitor.low_watermark(), Some(10), "the post at 20 is open");
    push(&mut writer, jetstream::POSTS, 40).unwrap();
    until("the posts too", || monitor.counts().acknowledged == 4);
    writer.acked_through();
    for cursor in [50, 60] {
        push(&mut writer, jetstream::LIKES, cursor).unwrap();
    }
    until("all are", || monitor.counts().acknowledged == 6);
    assert_eq!(stored(&server, jetstream::LIKES), [(Some(30), None), (Some(60), Some(40))]);
    assert_eq!(stored(&server, jetstream::POSTS), [(Some(40), Some(10))]);
    writer.close().unwrap();
    let writer = builder(&server).open().unwrap();
    let position = writer.resume_position();
    assert_eq!(position.low_watermark(), Some(60), "a writer that is closed leaves nothing open");
    let cursor = |lane| position.lane(lane).unwrap().cursor;
    assert_eq!((cursor(jetstream::LIKES), cursor(jetstream::POSTS)), (Some(60), Some(40)));
    assert_eq!(cursor(jetstream::OTHER), None);
}

/// Whatever moment it is that ends a writer: all up to the low watermark that is stored by then is stored too.
#[test]
fn what_lies_up_to_the_low_watermark_is_stored_whenever_a_writer_is_ended() {
    let server = server(&[]);
    let mut random = Random::new(7);
    let mut cursor = 0;
    for round in 0..30 {
        let mut writer = builder(&server).block_events(3).takeover(true).open().unwrap();
        let begins = writer.resume_position().low_watermark().unwrap_or(0);
        let all: Vec<u64> = contents(&address(&server)).iter().flat_map(cursors_of).collect();
        assert!((1..=begins).all(|cursor| all.contains(&cursor)), "round {round}: not all up to {begins}");
        // As a source does that is asked for what comes after.
        cursor = begins;
        for _ in 0..random.below(400) {
            cursor += 1;
            push(&mut writer, jetstream::ALL[random.below(6) as usize], cursor).unwrap();
        }
        drop(writer);
    }
    assert!(cursor > 100, "the low watermark moved on to {cursor}");
}

/// The cursors of the events of a block: their numbers.
fn cursors_of(found: &ReadItem) -> Vec<u64> {
    let ReadItem::Block(lane, _) = found else { panic!("{found:?}") };
    let time = |bytes: &Vec<u8>| parse(bytes).unwrap().time_us - 1_700_000_000_000_000;
    events_of(*lane, std::slice::from_ref(found)).iter().map(time).collect()
}

#[test]
fn a_cursor_beyond_what_a_server_counts_exactly_is_refused() {
    let server = server(&[]);
    let mut writer = builder(&server).open().unwrap();
    let bytes = event(jetstream::LIKES, 1, 40);
    let at = |cursor| Event { cursor, ..parse(&bytes).unwrap() };
    writer.push(&at(CURSOR_MAX)).unwrap();
    assert!(
        matches!(writer.push(&at(CURSOR_MAX + 1)), Err(Error::NoEvent { why }) if why.contains("cursor"))
    );
    writer.close().unwrap();
}

#[test]
fn a_buffer_has_an_incarnation_which_its_writer_keeps_where_somebody_makes_it_anew_meanwhile() {
    let server = server(&[]);
    let incarnation = || ask::<String>(&server, &format!("HGET {} incarnation", name().meta())).unwrap();
    let mut writer = builder(&server).linger(std::time::Duration::ZERO).open().unwrap();
    let first = incarnation();
    assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    let monitor = writer.monitor();
    push(&mut writer, jetstream::LIKES, 1).unwrap();
    until("it is stored", || monitor.counts().acknowledged == 1);
    tell(&server, "FLUSHALL");
    // A consumer that starts on the empty server makes the buffer, and the writer is still there.
    Groups::connect(&server.url(), &name().to_string()).unwrap().add("g").unwrap();
    assert_ne!(incarnation(), first, "it was made anew");
    push(&mut writer, jetstream::LIKES, 2).unwrap();
    until("the writer goes on", || monitor.counts().acknowledged == 2);
    assert_eq!(incarnation(), first, "its numbers go on, and so it is the same buffer");
    writer.close().unwrap();
    tell(&server, "FLUSHALL");
    builder(&server).open().unwrap().close().unwrap();
    assert_ne!(incarnation(), first, "numbers begin anew");
}

#[test]
fn a_buffer_lists_its_streams_with_lane_partition_and_key() {
    let server = server(&[]);
    builder(&server).open().unwrap().close().unwrap();
    let streams: String = ask(&server, &format!("HGET {} streams", name().meta())).unwrap();
    let streams: Vec<serde_json::Value> = serde_json::from_str(&streams).unwrap();
    let keys: Vec<&str> = streams.iter().map(|stream| stream["key"].as_str().unwrap()).collect();
    assert_eq!(keys, jetstream::ALL.map(|lane| name().stream(lane)));
    assert_eq!(streams[1]["lane"], "likes");
    assert_eq!(streams[1]["partition"], 0);
    for taken in ["a.likes.0", "x.y.z.12"] {
        assert!(
            taken.parse::<forebay::buffer::keys::Name>().is_err(),
            "{taken} would be another buffer's stream"
        );
    }
    for free in ["a.likes", "v1.2", "likes.0"] {
        free.parse::<forebay::buffer::keys::Name>().unwrap();
    }
}

#[test]
fn a_dictionary_that_is_gone_comes_back_and_one_with_other_bytes_stops_the_next_writer() {
    let server = server(&[]);
    let field =
        |command: &str| ask::<redis::Value>(&server, &command.replace("META", &name().meta())).unwrap();
    let mut writer = builder(&server).open().unwrap();
    push(&mut writer, jetstream::LIKES, 1).unwrap();
    writer.close().unwrap();
    let whole = field("HGET META dict:1");
    assert!(matches!(&whole, redis::Value::BulkString(bytes) if bytes.len() > 10_000), "{whole:?}");
    field("HDEL META dict:1");
    // Who knows it reads on without.
    assert_eq!(stored(&server, jetstream::LIKES).len(), 1);
    builder(&server).open().unwrap().close().unwrap();
    assert_eq!(field("HGET META dict:1"), whole);
    field("HSET META dict:1 another");
    let refused = builder(&server).open().err().unwrap();
    let told = refused.to_string();
    assert!(matches!(refused, Error::Damaged { .. }) && told.contains("dict:1"), "{told}");
    assert_eq!(
        field("HGET META dict:1"),
        redis::Value::BulkString(b"another".to_vec()),
        "it is left as it is"
    );
}

#[test]
fn a_source_that_is_replayed_from_before_takes_no_low_watermark_back() {
    let server = server(&[]);
    let mut writer = builder(&server).open().unwrap();
    for cursor in [100, 200] {
        push(&mut writer, jetstream::LIKES, cursor).unwrap();
    }
    writer.close().unwrap();
    let mut writer = builder(&server).open().unwrap();
    assert_eq!(writer.resume_position().low_watermark(), Some(200));
    push(&mut writer, jetstream::LIKES, 150).unwrap();
    writer.close().unwrap();
    let writer = builder(&server).open().unwrap();
    assert_eq!(writer.resume_position().low_watermark(), Some(200));
}

#[test]
fn the_event_being_pushed_is_not_taken_for_settled() {
    let server = server(&[]);
    let mut writer = builder(&server).linger(LIMIT).block_events(63).open().unwrap();
    let monitor = writer.monitor();
    // As often as settled events are looked for, with nothing open before.
    for cursor in 1..=63 {
        push(&mut writer, jetstream::LIKES, cursor).unwrap();
    }
    until("they are acknowledged", || monitor.counts().acknowledged == 63);
    for cursor in 64..=66 {
        push(&mut writer, jetstream::LIKES, cursor).unwrap();
    }
    assert_eq!(monitor.counts().acknowledged, 63);
    assert_eq!((writer.acked_through().get(), monitor.low_watermark()), (63, Some(63)));
    drop(writer);
    let next = builder(&server).takeover(true).open().unwrap();
    assert!(next.resume_position().low_watermark() <= Some(63));
}

#[test]
fn a_cursor_that_goes_back_holds_the_low_watermark_while_its_event_is_open() {
    let server = server(&[]);
    let mut writer = builder(&server).linger(LIMIT).block_events(2).open().unwrap();
    let monitor = writer.monitor();
    // As a relay's times do.
    for (lane, cursor) in [(jetstream::LIKES, 5), (jetstream::LIKES, 9), (jetstream::POSTS, 7)] {
        push(&mut writer, lane, cursor).unwrap();
    }
    until("the likes are acknowledged", || monitor.counts().acknowledged == 2);
    writer.acked_through();
    assert_eq!(monitor.low_watermark(), Some(7), "the post at 7 is open");
    push(&mut writer, jetstream::POSTS, 8).unwrap();
    until("the posts too", || monitor.counts().acknowledged == 4);
    writer.acked_through();
    assert_eq!(monitor.low_watermark(), Some(9));
}

#[test]
fn a_writer_without_cursors_takes_nobody_s_position_away() {
    let server = server(&[]);
    let mut writer = builder(&server).open().unwrap();
    push(&mut writer, jetstream::LIKES, 1_000).unwrap();
    writer.close().unwrap();
    for takeover in [false, true] {
        let mut writer = builder(&server).takeover(takeover).open().unwrap();
        push(&mut writer, jetstream::LIKES, 0).unwrap();
        push(&mut writer, jetstream::POSTS, 0).unwrap();
        writer.close().unwrap();
        let next = builder(&server).open().unwrap();
        let position = next.resume_position();
        assert_eq!(position.low_watermark(), Some(1_000));
        assert_eq!(position.lane(jetstream::LIKES).unwrap().cursor, Some(1_000));
        next.close().unwrap();
    }
}
