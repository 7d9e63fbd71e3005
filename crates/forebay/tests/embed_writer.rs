//! What is claimed of a writer inside a program that knows nothing else: it keeps time itself, gives numbers, says up to which
//! all is settled, never makes a caller wait that did not ask for it, and tells where it goes on.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::{Duration, Instant};

use forebay::WriterBuilder;
use forebay::buffer::error::Error;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::{Ack, LanePosition, TryPushError, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::{Event, parse};
use forebay_rig::server::Server;

use crate::support::*;

fn builder(server: &Server) -> WriterBuilder {
    Writer::builder(server.url(), name().to_string()).patience(LIMIT)
}

/// Pushes a lane's events from a number on; the number of the last in the run.
fn push(writer: &mut Writer, lane: Lane, numbers: std::ops::Range<u64>) -> u64 {
    let seqs = numbers.map(|number| writer.push(&parse(&event(lane, number, 40)).unwrap()).unwrap().get());
    seqs.last().unwrap()
}

#[test]
fn the_last_events_of_a_quiet_source_go_out_after_linger_without_a_call() {
    let server = server(&[]);
    let linger = Duration::from_millis(300);
    let mut writer = builder(&server).linger(linger).open().unwrap();
    let began = Instant::now();
    push(&mut writer, jetstream::LIKES, 0..3);
    let monitor = writer.monitor();
    until("they are acknowledged", || monitor.counts().acknowledged == 3);
    assert!(began.elapsed() >= linger, "{:?}", began.elapsed());
    // And again, once the timer has slept without anything to do.
    push(&mut writer, jetstream::POSTS, 0..1);
    until("that one too", || monitor.counts().acknowledged == 4);
    assert_eq!((held(&server), writer.acked_through().get()), (1, 4));
    assert_eq!(writer.close().unwrap().blocks, 2);
}

#[test]
fn a_writer_that_is_dropped_ends_its_timer() {
    let server = server(&[]);
    for linger in [Duration::from_millis(1), LIMIT] {
        let mut writer = builder(&server).linger(linger).open().unwrap();
        push(&mut writer, jetstream::LIKES, 0..1);
        // The timer sleeps by then, for as long as linger says.
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        drop(writer);
        assert!(began.elapsed() < LIMIT / 3, "it waited for its timer");
    }
}

#[test]
fn every_event_has_the_next_number_and_what_is_settled_is_told_by_it() {
    let server = server(&[]);
    let mut writer = builder(&server).linger(LIMIT).block_events(4).open().unwrap();
    assert_eq!(writer.acked_through().get(), 0);
    assert_eq!(push(&mut writer, jetstream::LIKES, 0..2), 2);
    assert_eq!(push(&mut writer, jetstream::POSTS, 0..4), 6);
    let monitor = writer.monitor();
    until("the posts are acknowledged", || monitor.counts().acknowledged == 4);
    assert_eq!(writer.acked_through().get(), 0, "the likes before them wait for others");
    // One that is refused has no number.
    let bad = Event { bytes: b"{\"time_us\":1,\n\"a\":2}", time_us: 1, lane: jetstream::LIKES, cursor: 0 };
    assert!(matches!(writer.push(&bad), Err(Error::NoEvent { .. })));
    assert!(matches!(writer.try_push(&bad), Err(TryPushError::Failed(Error::NoEvent { .. }))));
    assert_eq!(push(&mut writer, jetstream::LIKES, 2..3), 7);
    writer.flush().unwrap();
    until("all are settled", || writer.acked_through().get() == 7);
    // More than are kept numbers of at a time.
    assert_eq!(push(&mut writer, jetstream::FOLLOWS, 0..5_000), 5_007);
    until("nearly all are settled", || writer.acked_through().get() >= 5_000);
    writer.flush().unwrap();
    until("all are settled", || writer.acked_through().get() == 5_007);
    assert_eq!(writer.close().unwrap().acknowledged, 5_007);
}

#[test]
fn a_full_queue_refuses_at_once_and_what_was_taken_arrives_once_in_order() {
    let server = server(&[]);
    let mut writer = builder(&server).block_events(1).in_flight(1).open().unwrap();
    push(&mut writer, jetstream::LIKES, 0..1);
    tell(&server, "CONFIG SET maxmemory 1");
    let mut ledger = Ledger { padding: 40, ..Ledger::default() };
    ledger.lanes[jetstream::LIKES.index()].push(event(jetstream::LIKES, 0, 40));
    let (mut taken, mut refused, mut slowest) = (1, 0, Duration::ZERO);
    until("it is full", || {
        let bytes = event(jetstream::LIKES, taken, 40);
        let began = Instant::now();
        let tried = writer.try_push(&parse(&bytes).unwrap());
        slowest = slowest.max(began.elapsed());
        match tried {
            Ok(seq) => {
                taken += 1;
                assert_eq!(seq.get(), taken);
                ledger.lanes[jetstream::LIKES.index()].push(bytes);
                refused = 0;
            }
            Err(TryPushError::Full) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        refused >= 100
    });
    assert!(taken < 64, "{taken} taken by a server that takes none");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    tell(&server, "CONFIG SET maxmemory 0");
    until("all are settled", || writer.acked_through().get() == taken);
    let counts = writer.close().unwrap();
    assert_eq!((counts.pushed, counts.acknowledged), (taken, taken));
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn what_was_spilled_is_settled_and_a_position_that_is_not_known_is_not_told() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let spill = || Overflow::Spill(Spill { folder: folder.path().into(), bytes_max: 64 << 20 });
    let open = || builder(&server).overflow(spill()).linger(Duration::from_millis(1)).open().unwrap();
    let mut writer = open();
    assert_eq!(writer.resume_position().events(), Some(0));
    tell(&server, "CONFIG SET maxmemory 1");
    push(&mut writer, jetstream::LIKES, 0..5);
    until("they are on disk", || writer.acked_through().get() == 5);
    assert_eq!((writer.monitor().counts().acknowledged, writer.monitor().counts().left), (0, 5));
    drop(writer);
    let writer = open();
    assert_eq!(writer.resume_position().lane(jetstream::LIKES), None, "5 of them are on disk");
    assert!(writer.resume_position().lane(jetstream::POSTS).is_some());
    tell(&server, "CONFIG SET maxmemory 0");
    until("they are stored", || writer.monitor().counts().recovered == 5);
    drop(writer);
}

#[test]
fn a_writer_says_where_it_goes_on() {
    let server = server(&[]);
    let mut writer = builder(&server).block_events(2).ack(Ack::Reply).open().unwrap();
    push(&mut writer, jetstream::LIKES, 0..5);
    push(&mut writer, jetstream::OTHER, 0..1);
    writer.close().unwrap();
    let writer = builder(&server).open().unwrap();
    let position = writer.resume_position();
    let likes = position.lane(jetstream::LIKES).unwrap();
    assert_eq!((likes.events, likes.block), (5, 3));
    let LanePosition { events, block, .. } = position.lane(jetstream::POSTS).unwrap();
    assert_eq!((events, block, position.events()), (0, 0, Some(6)));
    writer.close().unwrap();
}

#[test]
fn a_writer_has_the_connections_that_it_says_and_refuses_what_is_no_name() {
    let server = server(&[]);
    let connections = || ask::<String>(&server, "CLIENT LIST").unwrap().lines().count() - 1;
    let writer = builder(&server).open().unwrap();
    until("it has 7", || connections() == 7);
    writer.close().unwrap();
    until("it has none", || connections() == 0);
    assert!(matches!(Writer::builder(server.url(), "a b").open(), Err(Error::Name(_))));
    assert!(matches!(Writer::builder("http://h", "b").open(), Err(Error::Url { .. })));
}
