//! What is claimed of `push`: whatever it takes can be read again as it was given, and what would make a block unreadable
//! is refused, in a release build too, before it counts as taken.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::Duration;

use forebay::block::frame::EVENT_BYTES_MAX;
use forebay::buffer::batch::Limits;
use forebay::buffer::error::Error;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay::event::parse::{Event, parse};

use crate::support::*;

const TIME: u64 = 1_700_000_000_000_000;

/// An event as a caller of the library may make it, whatever its bytes are.
fn made(bytes: &[u8], time_us: u64) -> Event<'_> {
    Event { bytes, time_us, lane: jetstream::LIKES, cursor: 0 }
}

fn line(time_us: u64, rest: &str) -> Vec<u8> {
    format!("{{\"time_us\":{time_us}{rest}}}").into_bytes()
}

fn refused(writer: &mut Writer, event: &Event<'_>) -> String {
    let before = writer.monitor().counts().pushed;
    let Err(error) = writer.push_at(event, Duration::ZERO) else {
        panic!("{:?} at {} was taken", String::from_utf8_lossy(event.bytes), event.time_us)
    };
    assert!(matches!(error, Error::NoEvent { .. }), "{error}");
    assert_eq!(writer.monitor().counts().pushed, before, "what is refused is not taken");
    error.to_string()
}

#[test]
fn what_would_make_a_block_unreadable_is_refused_and_its_neighbours_are_stored() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(8, 4));
    let mut ledger = Ledger::default();
    ledger.push(&mut writer, jetstream::LIKES).unwrap();
    let good = line(TIME, "");
    for (bytes, time_us, why) in [
        ([&good[..], b"\n"].concat(), TIME, "line end at byte 28"),
        ([b"\n", &good[..]].concat(), TIME, "line end at byte 0"),
        ([&good[..], b"\n", &good].concat(), TIME, "line end"),
        (line(TIME, ",\n\"a\":1"), TIME, "line end"),
        (good.clone(), TIME + 1, "its time is given as"),
        (good.clone(), 0, "its time is given as"),
        (line((1 << 53) + 1, ""), (1 << 53) + 1, "beyond 2^53"),
        (Vec::new(), TIME, "empty"),
        (b" ".to_vec(), TIME, "empty"),
        (b"{}".to_vec(), TIME, "no time_us"),
        (b"[1]".to_vec(), TIME, "not an object"),
        ([&good[..], &good].concat(), TIME, "not JSON"),
        (b"\xff".to_vec(), TIME, "not UTF-8"),
    ] {
        let said = refused(&mut writer, &made(&bytes, time_us));
        assert!(said.contains(why), "{why:?} is not in {said:?}");
    }
    let large = line(TIME, &format!(",\"a\":\"{}\"", "x".repeat(EVENT_BYTES_MAX)));
    assert!(refused(&mut writer, &made(&large, TIME)).contains("the most is"));
    ledger.push(&mut writer, jetstream::LIKES).unwrap();
    assert_eq!(writer.close().unwrap().acknowledged, 2);
    assert_holds_exactly(&address(&server), &ledger);
}

/// A caller may ask for blocks that no reader would open.
#[test]
fn blocks_stay_readable_whatever_limits_a_caller_sets() {
    let server = server(&[]);
    let limits = Limits { events_max: u64::MAX, bytes_max: usize::MAX, linger: Duration::MAX };
    let mut writer = open(&address(&server), &Options { limits, ..options(1, 1) });
    let mut ledger = Ledger::default();
    for number in 0..3 {
        let event = line(TIME + number, &format!(",\"a\":\"{}\"", "x".repeat(EVENT_BYTES_MAX - 100)));
        writer.push_at(&made(&event, TIME + number), Duration::ZERO).unwrap();
        ledger.lanes[jetstream::LIKES.index()].push(event);
    }
    assert_eq!(writer.close().unwrap().acknowledged, 3);
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn whatever_push_takes_comes_back_byte_for_byte() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(16, 8));
    let (mut random, mut ledger, mut refusals) = (Random::new(17), Ledger::default(), 0);
    for number in 0..20_000 {
        let mut bytes = line(TIME + number, &format!(",\"a\":[{number},\"\\r\\n\\u0000é\"],\"b\" :\r\t{{}}"));
        let mut time_us = TIME + number;
        // Half of them are changed somewhere: bytes replaced, put in, taken out, or another time.
        for _ in 0..random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(5) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes.insert(at, b"\n\r\0 ,{}\"1"[random.below(9) as usize]),
                2 => drop(bytes.remove(at)),
                3 => bytes.truncate(at + 1),
                _ => time_us = time_us.wrapping_add(random.below(3)).wrapping_sub(1),
            }
        }
        match writer.push_at(&made(&bytes, time_us), Duration::ZERO) {
            Ok(_) => {
                assert_eq!(parse(&bytes).unwrap().time_us, time_us);
                ledger.lanes[jetstream::LIKES.index()].push(bytes);
            }
            Err(Error::NoEvent { .. }) => refusals += 1,
            Err(error) => panic!("{error}"),
        }
    }
    let taken = ledger.lane(jetstream::LIKES).len() as u64;
    assert!(refusals > 3_000 && taken > 3_000, "{refusals} refused, {taken} taken");
    assert_eq!(writer.close().unwrap().acknowledged, taken);
    assert_holds_exactly(&address(&server), &ledger);
}
