//! What is claimed of load through the buffer's own writer: what is acknowledged is in the buffer, and what was due is
//! accounted for whatever becomes of the server.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay_rig::load::append::{self, AppendPlan};
use forebay_rig::load::outcome::Outcome;

use super::load_support::{LONG, PAYLOADS, TestLoad, assert_adds_up, told};
use super::support::*;

/// Pushes events as a run says. Blocks are cut as they usually are.
fn push(
    run: &TestLoad,
    address: &Address,
    patience: Duration,
    stop: &AtomicBool,
) -> (Outcome, Option<Error>, u64) {
    let options = Options { limits: Limits::default(), patience, ..options(1, 16) };
    let writer = Writer::open(address, &name(), &options).unwrap();
    let mut offered = 0;
    let plan = AppendPlan {
        arrivals: run.arrivals(),
        duration: run.lasts,
        grace: run.grace,
        event: &|id, out| out.extend_from_slice(&PAYLOADS.payload(id)),
        offered: &mut |_, number| {
            assert_eq!(number, offered, "events come in order");
            offered += 1;
        },
    };
    let (outcome, error) = append::run(plan, writer, stop, &mut |_| {});
    assert_adds_up(&outcome);
    assert_eq!((outcome.wrong, outcome.failed()), (0, 0), "{}", told(&outcome));
    assert_eq!(outcome.sent, offered, "{}", told(&outcome));
    (outcome, error, offered)
}

fn never() -> AtomicBool {
    AtomicBool::new(false)
}

/// Events that are in the buffer.
fn kept(address: &Address) -> u64 {
    let found = contents(address);
    assert!(faults(&found).is_empty());
    jetstream::ALL.into_iter().map(|lane| events_of(lane, &found).len() as u64).sum()
}

#[test]
fn every_event_that_was_due_is_acknowledged_and_in_the_buffer() {
    for rate in [Some(1_000.0), Some(2.0), None] {
        let server = server(&[]);
        let address = address(&server);
        let run = TestLoad { rate, ..TestLoad::millis("set", 700) };
        let (outcome, error, offered) = push(&run, &address, LIMIT, &never());
        assert!(
            error.is_none() && outcome.is_right() && !outcome.interrupted,
            "{error:?} {}",
            told(&outcome)
        );
        assert_eq!((outcome.right, outcome.due), (offered, offered), "{}", told(&outcome));
        assert_eq!(kept(&address), offered);
        if let Some(rate) = rate {
            // The time after the last one belongs to a rate.
            assert_eq!((outcome.due, outcome.asked_seconds), ((rate * 0.7).ceil() as u64, 0.7));
            assert_eq!(outcome.response().count(), offered);
        }
        assert_eq!(outcome.series.iter().map(|second| second.right).sum::<u64>(), offered);
    }
}

#[test]
fn a_pause_of_the_server_is_in_the_latency_of_every_event_that_was_due_in_it() {
    let server = server(&[]);
    let run = TestLoad::millis("set", 1_500);
    let (outcome, error, _) = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            server.pause().unwrap();
            std::thread::sleep(Duration::from_millis(500));
            server.resume().unwrap();
        });
        push(&run, &address(&server), LIMIT, &never())
    });
    assert!(error.is_none(), "{error:?}");
    assert_eq!((outcome.due, outcome.right), (1_500, 1_500), "{}", told(&outcome));
    let from_due = outcome.response();
    assert!(from_due.above(50.0) >= 450 && from_due.max() >= 500.0, "{} ms", from_due.max());
}

#[test]
fn a_server_that_is_lost_gives_an_error_and_what_was_seen_until_then() {
    // Few may be under way, so that some are due that nobody could push any more.
    for rate in [Some(1_000.0), Some(200_000.0), None] {
        let mut server = server(&[]);
        let address = address(&server);
        let run = TestLoad { rate, grace: Duration::from_secs(1), ..TestLoad::millis("set", 3_000) };
        let (outcome, error, _) = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(500));
                server.kill().unwrap();
            });
            push(&run, &address, Duration::from_millis(500), &never())
        });
        assert!(matches!(error, Some(Error::Lost { .. })), "{error:?}");
        assert!(outcome.right > 0 && outcome.unanswered > 0, "{rate:?}: {}", told(&outcome));
        assert_eq!(outcome.errors["the writer ended"], 1, "{rate:?}: {}", told(&outcome));
        assert!(!outcome.is_right(), "{rate:?}");
        assert_eq!(outcome.response().count(), outcome.due, "{rate:?}: {}", told(&outcome));
        assert!(outcome.response().max() >= 499.0, "{rate:?}: {} ms", outcome.response().max());
    }
}

#[test]
fn a_stop_ends_it_soon_and_only_what_was_due_by_then_is_owed() {
    let server = server(&[]);
    let address = address(&server);
    let run = TestLoad::of("set", LONG);
    let stop = never();
    let started = Instant::now();
    let (outcome, error, offered) = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(500));
            stop.store(true, Relaxed);
            // The writer closes while the server stands still: nothing comes due by that.
            server.pause().unwrap();
            std::thread::sleep(Duration::from_millis(500));
            server.resume().unwrap();
        });
        push(&run, &address, LIMIT, &stop)
    });
    assert!(started.elapsed() < LONG / 2 && error.is_none() && outcome.interrupted, "{error:?}");
    assert_eq!((outcome.right, outcome.unanswered), (offered, 0), "{}", told(&outcome));
    assert_eq!(kept(&address), offered);
    let due = outcome.asked_seconds * 1_000.0;
    assert!(outcome.due as f64 <= due + 1.0 && outcome.unsent() <= outcome.due / 2, "{}", told(&outcome));
    // The pause of half a second is after that end.
    assert!(outcome.seconds > outcome.asked_seconds, "{} {}", outcome.seconds, outcome.asked_seconds);
}
