//! What is claimed of a lane whose stream is gone, deleted or evicted, with its groups: whoever writes next writes down what
//! it held, and every reader who comes to the place is told.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use forebay::buffer::reader::{ReadItem, Reader};
use forebay::event::jetstream;

use crate::support::*;

/// What readers of the likes are told is missing: first and last block, and events.
fn told(found: &[ReadItem]) -> Vec<((u64, u64), u64)> {
    let missing = faults(found).into_iter().map(|fault| match fault {
        ReadItem::Missing { lane: jetstream::LIKES, numbers, events, is_trimmed: false, .. } => {
            (*numbers, *events)
        }
        other => panic!("{other}"),
    });
    missing.collect()
}

fn group(name: &str) -> (&str, &str) {
    (name, "one")
}

#[test]
fn a_lane_that_was_evicted_while_nobody_ran_is_told_by_the_next_writer_and_to_every_reader() {
    for is_read_first in [false, true] {
        let (server, mut ledger) = filled(10);
        tell(&server, &format!("DEL {}", name().stream(jetstream::LIKES)));
        if is_read_first {
            // Its group makes the stream anew: that must not hide that it was gone.
            assert!(drain(&mut likes(&address(&server), Some(group("early")))).is_empty());
        }
        let mut writer = open(&address(&server), &options(2, 16));
        ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
        assert_eq!(writer.close().unwrap().lost_by_server, 20, "read first: {is_read_first}");
        for reader in ["early", "late"] {
            let found = drain(&mut likes(&address(&server), Some(group(reader))));
            assert_eq!(told(&found), [((1, 10), 20)], "{reader}");
            assert_same(
                jetstream::LIKES,
                &events_of(jetstream::LIKES, &found),
                &ledger.lane(jetstream::LIKES)[20..],
            );
        }
        // Told once: the next writer finds nothing new.
        assert_eq!(open(&address(&server), &options(2, 16)).close().unwrap().lost_by_server, 0);
    }
}

#[test]
fn a_lane_that_is_evicted_under_its_writer_is_told_to_every_reader() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(2, 16));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 8).unwrap();
    until("they are acknowledged", || writer.monitor().counts().acknowledged == 8);
    tell(&server, &format!("DEL {}", name().stream(jetstream::LIKES)));
    ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    writer.close().unwrap();
    let found = drain(&mut likes(&address(&server), Some(group("g"))));
    assert_eq!(told(&found), [((1, 4), 8)]);
    let found = drain(
        &mut Reader::open(&address(&server), &name(), read_options(&[jetstream::LIKES], None)).unwrap(),
    );
    assert_eq!(told(&found), [((1, 4), 8)]);
}

/// What a group had acknowledged is not lost with the stream.
#[test]
fn of_a_lane_that_was_read_in_part_the_rest_is_told() {
    let (server, mut ledger) = filled(10);
    let mut reader = likes(&address(&server), Some(group("g")));
    let read = places(&few(&mut reader));
    reader.acknowledge(read).unwrap();
    drop(reader);
    tell(&server, &format!("DEL {}", name().stream(jetstream::LIKES)));
    let mut writer = open(&address(&server), &options(2, 16));
    ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    assert_eq!(writer.close().unwrap().lost_by_server, 12);
    let found = drain(&mut likes(&address(&server), Some(group("g"))));
    assert_eq!(told(&found), [((5, 10), 12)]);
    assert_same(jetstream::LIKES, &events_of(jetstream::LIKES, &found), &ledger.lane(jetstream::LIKES)[20..]);
}

#[test]
fn a_lane_that_was_read_to_its_end_has_lost_nothing() {
    let (server, mut ledger) = filled(5);
    let mut reader = likes(&address(&server), Some(group("g")));
    let found = drain(&mut reader);
    reader.acknowledge(places(&found)).unwrap();
    assert_eq!(held(&server), 0);
    add(&server, &mut ledger, 1);
    assert_eq!((faults(&drain(&mut reader)).len(), held(&server)), (0, 1));
    let found = places(&drain(&mut likes(&address(&server), Some(group("g")))));
    reader.acknowledge(found).unwrap();
    for lane in [jetstream::POSTS, jetstream::OTHER, jetstream::LIKES] {
        // Never written, or all of it acknowledged: nothing can be missing there.
        tell(&server, &format!("DEL {}", name().stream(lane)));
    }
    assert_eq!(open(&address(&server), &options(2, 16)).close().unwrap().lost_by_server, 0);
}

/// Both places where a reader asks twice of a stream: between the two questions the stream may go.
#[test]
fn a_stream_that_comes_and_goes_between_any_two_questions_ends_no_reader() {
    let server = server(&[]);
    let key = name().stream(jetstream::LIKES);
    let is_over = AtomicBool::new(false);
    let deleted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = connection(&server);
            let mut both = redis::pipe();
            both.cmd("DEL").arg(&key).ignore();
            both.cmd("XGROUP").arg("CREATE").arg(&key).arg("g").arg(0).arg("MKSTREAM").ignore();
            while !is_over.load(Relaxed) {
                // The reader may have made the group first.
                match both.exec(&mut connection) {
                    Err(error) if error.code() != Some("BUSYGROUP") => panic!("{error}"),
                    _ => deleted.fetch_add(1, Relaxed),
                };
            }
        });
        until("the stream comes and goes", || deleted.load(Relaxed) > 100);
        let read = || {
            for _ in 0..300 {
                let mut reader = Reader::open(
                    &address(&server),
                    &name(),
                    read_options(&[jetstream::LIKES], Some(group("g"))),
                )?;
                reader.next(Duration::ZERO)?;
            }
            Ok::<(), forebay::buffer::error::Error>(())
        };
        let read = read();
        is_over.store(true, Relaxed);
        read.unwrap();
    });
}
