//! What is claimed of blocks that are kept back: a writer that starts again finds every event that its source may repeat, whoever
//! is done with them, and nobody else notices: not readers, not who asks what is unread.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use forebay::block::encode::{Encoding, Wanted};
use forebay::buffer::connect::Address;
use forebay::buffer::look;
use forebay::buffer::overflow::Overflow;
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream::{LIKES, POSTS};
use forebay::event::parse::{Event, parse};
use forebay_rig::server::Server;
use forebay_rig::server::fault::network::Direction;

use crate::buffer_behind::large;
use crate::support::*;

/// Blocks of two events, kept for ten cursors.
fn keeping() -> Options {
    Options { keep_back: Some(10), ..taking_over(2, 4) }
}

/// The event of a cursor.
fn bytes(cursor: u64, is_large: bool) -> Vec<u8> {
    if is_large { large(cursor) } else { event(LIKES, cursor, 40) }
}

/// Pushes likes of these cursors, and waits until each block is acknowledged before the next, so that low watermarks are known.
fn push(writer: &mut Writer, cursors: std::ops::RangeInclusive<u64>, is_large: bool) {
    let monitor = writer.monitor();
    for cursor in cursors {
        let bytes = bytes(cursor, is_large);
        writer.push(&Event { cursor, ..parse(&bytes).unwrap() }).unwrap();
        if cursor % 2 == 0 {
            until("it is acknowledged", || monitor.counts().open() == 0);
            writer.acked_through();
        }
    }
}

/// A group takes and acknowledges all that there is, and is told of nothing missing; how many blocks it was given.
fn take_all(address: &Address) -> usize {
    let mut reader = likes(address, Some(("g", "one")));
    let found = drain(&mut reader);
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    reader.acknowledge(places(&found)).unwrap();
    found.len()
}

fn kept(server: &Server) -> Option<String> {
    ask(server, &format!("HGET {} k", name().writer(LIKES))).unwrap()
}

/// The last cursor of each block that is there.
fn cursors(server: &Server) -> Vec<u64> {
    let of = |found: &ReadItem| match found {
        ReadItem::Block(_, entry) => entry.cursor.unwrap().cursor,
        other => panic!("{other:?}"),
    };
    contents(&address(server)).iter().map(of).collect()
}

fn kept_back(writer: &Writer) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    writer
        .kept_back(|lane, _, event| {
            assert_eq!(lane, LIKES);
            events.push(event.to_vec());
        })
        .unwrap();
    events
}

fn assert_kept_back(writer: &Writer, cursors: std::ops::RangeInclusive<u64>, is_large: bool) {
    let expected: Vec<Vec<u8>> = cursors.map(|cursor| bytes(cursor, is_large)).collect();
    assert_same(LIKES, &kept_back(writer), &expected);
}

#[test]
fn blocks_from_the_low_watermark_less_the_margin_on_stay_and_nobody_else_notices() {
    for (is_large, wanted) in [(false, Wanted::Plain), (false, Wanted::Dense), (true, Wanted::Plain)] {
        let server = server(&[]);
        let encoding = Encoding { wanted, ..Encoding::default() };
        let mut writer = open(&address(&server), &Options { encoding, ..keeping() });
        take_all(&address(&server));
        push(&mut writer, 1..=40, is_large);
        assert_eq!(take_all(&address(&server)), 20);
        // The last block was sent while the low watermark was 38: what lies up to 28 may go.
        assert_eq!(cursors(&server), [30, 32, 34, 36, 38, 40], "large: {is_large}");
        let stat = look::look(&address(&server), &name()).unwrap();
        let groups = || stat.groups.iter().filter(|group| group.lane == LIKES);
        assert!(groups().count() == 1 && groups().all(|group| group.unread_events == Some(0)), "{stat:?}");
        assert!(groups().all(|group| group.pending_blocks == Some(0)));
        assert_eq!(take_all(&address(&server)), 0, "nothing is given twice");
        let mut late = Reader::open(&address(&server), &name(), read_options(&[LIKES], None)).unwrap();
        assert!(faults(&drain(&mut late)).is_empty());

        // As a kill does: it can say nothing any more.
        tell(&server, "CLIENT KILL TYPE normal");
        drop(writer);
        let mut writer = open(&address(&server), &Options { encoding, ..keeping() });
        assert_eq!(writer.resume_position().low_watermark(), Some(38));
        assert_kept_back(&writer, 29..=40, is_large);
        // Up to the new writer's own low watermark less the margin, what the first one stored is needed still.
        push(&mut writer, 41..=50, is_large);
        assert_eq!(take_all(&address(&server)), 5);
        assert_eq!(cursors(&server)[0], 30, "large: {is_large}");
        push(&mut writer, 51..=60, is_large);
        take_all(&address(&server));
        assert_eq!(cursors(&server), [50, 52, 54, 56, 58, 60], "large: {is_large}");
        writer.close().unwrap();
        let writer = open(&address(&server), &keeping());
        assert_eq!(writer.resume_position().low_watermark(), Some(60));
        assert_kept_back(&writer, 49..=60, is_large);
    }
}

/// The writer cannot say which is the first before it has heard of it.
#[test]
fn the_first_blocks_of_a_lane_stay_also_where_they_are_taken_at_once() {
    for is_large in [false, true] {
        let server = server(&[]);
        let mut writer = open(&address(&server), &keeping());
        take_all(&address(&server));
        push(&mut writer, 1..=2, is_large);
        assert_eq!(take_all(&address(&server)), 1);
        assert_eq!(cursors(&server), [2], "large: {is_large}");
        drop(writer);
        let mut writer = open(&address(&server), &keeping());
        assert_kept_back(&writer, 1..=2, is_large);
        push(&mut writer, 3..=8, is_large);
        take_all(&address(&server));
        assert_eq!(cursors(&server), [2, 4, 6, 8], "large: {is_large}");
    }
}

#[test]
fn blocks_whose_answers_are_lost_are_kept_as_others() {
    for is_large in [false, true] {
        let server = server(&[]);
        let (proxy, near) = proxy(&server);
        let mut writer = open(&near, &keeping());
        take_all(&address(&server));
        // The answer to the very first block, and to one in the middle.
        proxy.cut_after(Direction::ToClient, [1]);
        push(&mut writer, 1..=8, is_large);
        take_all(&address(&server));
        assert_eq!(cursors(&server), [2, 4, 6, 8], "large: {is_large}");
        let mut random = Random::new(3);
        for round in 0..10 {
            proxy.cut_after(Direction::ToClient, [random.below(200)]);
            push(&mut writer, 9 + 10 * round..=18 + 10 * round, is_large);
            take_all(&address(&server));
            let (last, found) = (18 + 10 * round, cursors(&server));
            // From the low watermark that the last block was sent with, less the margin, on; at most a few more.
            let needed: Vec<u64> = (last - 11..=last).filter(|cursor| cursor % 2 == 0).collect();
            assert!(found.ends_with(&needed), "large: {is_large}, {round}: {found:?}");
            assert!(found.len() <= needed.len() + 5, "large: {is_large}, {round}: {found:?}");
        }
        assert!(writer.monitor().counts().repeats > 0, "no answer was lost");
        assert_eq!(writer.monitor().counts().lost_by_server, 0);
    }
}

#[test]
fn another_numbering_keeps_what_the_one_before_has_left_until_it_is_a_margin_on() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &keeping());
    take_all(&address(&server));
    push(&mut writer, 1_001..=1_020, false);
    writer.begin_numbering("b.example").unwrap();
    push(&mut writer, 1..=12, false);
    take_all(&address(&server));
    // Sent when the low watermark was the last one of the numbering before, or not a margin on in the new one.
    assert_eq!(cursors(&server)[0], 1_012);
    push(&mut writer, 13..=16, false);
    take_all(&address(&server));
    // Sent at 14: the first block, of 2, is the margin behind.
    assert_eq!(cursors(&server), [6, 8, 10, 12, 14, 16]);
}

#[test]
fn a_writer_that_keeps_nothing_writes_nothing_of_it_and_lets_go_of_what_another_kept() {
    let server = server(&[]);
    let plain = || taking_over(2, 4);
    let mut writer = open(&address(&server), &plain());
    take_all(&address(&server));
    push(&mut writer, 1..=20, false);
    assert_eq!(kept(&server), None);
    take_all(&address(&server));
    assert_eq!(held(&server), 0);
    drop(writer);
    let mut writer = open(&address(&server), &keeping());
    assert_eq!(kept_back(&writer).len(), 0);
    push(&mut writer, 21..=40, false);
    take_all(&address(&server));
    assert!(kept(&server).is_some() && held(&server) == 6);
    drop(writer);
    let mut writer = open(&address(&server), &plain());
    assert_eq!(kept(&server), None);
    push(&mut writer, 41..=44, false);
    take_all(&address(&server));
    assert_eq!((kept(&server), held(&server)), (None, 0));
}

/// Else a source without cursors would fill the server.
#[test]
fn events_without_a_cursor_are_not_kept() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &keeping());
    take_all(&address(&server));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, LIKES, 40).unwrap();
    until("they are acknowledged", || writer.monitor().counts().open() == 0);
    take_all(&address(&server));
    assert_eq!((kept(&server), held(&server)), (None, 0));
}

/// The groups were done with them.
#[test]
fn kept_blocks_that_are_deleted_or_evicted_are_not_told_as_lost() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &keeping());
    take_all(&address(&server));
    push(&mut writer, 1..=20, false);
    take_all(&address(&server));
    assert!(held(&server) > 0);
    drop(writer);
    tell(&server, &format!("DEL {}", name().stream(LIKES)));
    let mut writer = open(&address(&server), &keeping());
    push(&mut writer, 21..=22, false);
    assert_eq!(take_all(&address(&server)), 1);
    assert_eq!(writer.close().unwrap().lost_by_server, 0);
}

/// A full server gets room by them first, and nobody lost anything.
#[test]
fn kept_blocks_that_are_dropped_to_make_room_do_not_count_as_trimmed() {
    let server = server(&[]);
    let used: u64 = info(&server, "used_memory").parse().unwrap();
    tell(&server, &format!("CONFIG SET maxmemory {}", used + (3 << 20)));
    let keeps_all =
        Options { keep_back: Some(1 << 40), overflow: Overflow::TrimOldest, ..taking_over(20, 4) };
    let mut writer = open(&address(&server), &keeps_all);
    take_all(&address(&server));
    for round in 0..12 {
        for cursor in 200 * round + 1..=200 * (round + 1) {
            let bytes = event(LIKES, cursor, 2_500);
            writer.push(&Event { cursor, ..parse(&bytes).unwrap() }).unwrap();
        }
        until("they are acknowledged", || writer.monitor().counts().open() == 0);
        assert_eq!(take_all(&address(&server)), 10);
    }
    assert_eq!(writer.close().unwrap().trimmed, 0);
    assert!((20..100).contains(&held(&server)), "{}: some were dropped", held(&server));
    let found = contents(&address(&server));
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
}

#[test]
fn lanes_are_kept_each_by_its_own_blocks_and_one_low_watermark() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &keeping());
    take_all(&address(&server));
    let post = event(POSTS, 1, 40);
    for _ in 0..2 {
        writer.push(&Event { cursor: 1, ..parse(&post).unwrap() }).unwrap();
    }
    push(&mut writer, 3..=40, false);
    let all = |lanes| read_options(lanes, Some(("g", "one")));
    let mut reader = Reader::open(&address(&server), &name(), all(&[LIKES, POSTS])).unwrap();
    let found = drain(&mut reader);
    reader.acknowledge(places(&found)).unwrap();
    drop(writer);
    let writer = open(&address(&server), &keeping());
    let mut lanes = [0, 0];
    writer.kept_back(|lane, _, _| lanes[usize::from(lane == POSTS)] += 1).unwrap();
    assert_eq!(lanes, [12, 2], "the quiet lane keeps its last block");
}
