//! What is claimed of who gets a buffer: a writer that is there keeps it, one that is gone is replaced, and of two that
//! open at once exactly one goes on.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::process::Stdio;
use std::sync::Barrier;
use std::time::Duration;

use forebay::buffer::error::Error;
use forebay::buffer::owner::SILENCE;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::Server;

use crate::cli_support::{Ran, forebay, run};
use crate::support::*;

fn try_open(server: &Server, options: &Options) -> Result<Writer, Error> {
    Writer::open(&address(server), &name(), options)
}

/// The runs that stand beside the lanes.
fn owners(server: &Server) -> Vec<String> {
    let of =
        |lane: Lane| ask::<Option<String>>(server, &format!("HGET {} writer", name().writer(lane))).unwrap();
    let mut owners: Vec<String> = jetstream::ALL.into_iter().filter_map(of).collect();
    owners.dedup();
    owners
}

fn epochs(server: &Server) -> Vec<u64> {
    jetstream::ALL
        .into_iter()
        .map(|lane| ask(server, &format!("HGET {} epoch", name().writer(lane))).unwrap())
        .collect()
}

/// Blocks of all lanes; of one event each.
fn blocks(server: &Server) -> u64 {
    jetstream::ALL
        .into_iter()
        .map(|lane| ask::<u64>(server, &format!("XLEN {}", name().stream(lane))).unwrap())
        .sum()
}

#[test]
fn a_writer_that_is_heard_is_not_taken_over_though_it_is_idle() {
    let server = server(&[]);
    let mut older = open(&address(&server), &options(1, 4));
    let before = (owners(&server), epochs(&server));
    let Err(error) = try_open(&server, &options(1, 4)) else { panic!("it was taken over") };
    assert!(matches!(error, Error::Taken { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("buffer test") && text.contains(&before.0[0]) && text.contains("heard"), "{text}");
    assert!(!text.contains("--"), "a library knows no options: {text}");
    assert_eq!((owners(&server), epochs(&server)), before, "nothing was taken");
    let mut ledger = Ledger::default();
    ledger.push_many(&mut older, jetstream::LIKES, 3).unwrap();
    assert_eq!(older.close().unwrap().acknowledged, 3);
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn a_writer_that_is_held_back_by_a_full_server_is_heard() {
    let server = server(&[]);
    let mut older = open(&address(&server), &options(1, 4));
    tell(&server, "CONFIG SET maxmemory 1");
    let mut ledger = Ledger::default();
    ledger.push_many(&mut older, jetstream::LIKES, 3).unwrap();
    until("it is held back", || older.monitor().trouble().is_some());
    let Err(error) = try_open(&server, &options(1, 4)) else { panic!("it was taken over") };
    assert!(matches!(error, Error::Taken { .. }), "{error}");
    tell(&server, "CONFIG SET maxmemory 0");
    assert_eq!(older.close().unwrap().acknowledged, 3);
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn the_command_line_names_the_ways_out_and_takes_over_where_it_is_told() {
    let server = server(&[]);
    let older = open(&address(&server), &options(1, 4));
    let append = |more: &[&str]| {
        run(&[&["append", "--url", &server.url(), "--buffer", "test", "/dev/null"], more].concat())
    };
    let refused = append(&[]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    for part in ["buffer test", "has a writer already", "--buffer", "--takeover"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(append(&["--takeover"]).code, 0);
    let mut older = older;
    let pushed = Ledger::default().push_many(&mut older, jetstream::LIKES, 1);
    let error = pushed.and(older.close().map(drop)).unwrap_err();
    assert!(matches!(error, Error::Fenced { .. }), "{error}");
}

#[test]
fn a_writer_that_ended_in_order_leaves_no_mark_and_is_replaced_at_once() {
    let server = server(&[]);
    for ends in [true, false] {
        let mut writer = open(&address(&server), &options(1, 4));
        assert_eq!(owners(&server).len(), 1);
        Ledger::default().push_many(&mut writer, jetstream::LIKES, 20).unwrap();
        if ends {
            writer.close().unwrap();
        } else {
            drop(writer);
        }
        assert_eq!(owners(&server), Vec::<String>::new(), "closed: {ends}");
    }
}

/// Nobody gives a flag to the manager of services that starts it again.
#[test]
fn a_killed_writer_is_replaced_without_a_flag_after_a_silence() {
    let server = server(&[]);
    let mut child = forebay(&["append", "--url", &server.url(), "--buffer", "test"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    until("it has the lanes", || owners(&server).len() == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(owners(&server).len(), 1, "it could not say that it ended");
    let mut writer = open(&address(&server), &options(1, 4));
    Ledger::default().push_many(&mut writer, jetstream::LIKES, 3).unwrap();
    assert_eq!(writer.close().unwrap().acknowledged, 3);
}

/// The one that has the lanes counts, not one that lost them and has not noticed.
#[test]
fn an_idle_writer_that_was_fenced_bars_nobody() {
    let server = server(&[]);
    let ghost = open(&address(&server), &options(1, 4));
    open(&address(&server), &taking_over(1, 4)).close().unwrap();
    open(&address(&server), &options(1, 4)).close().unwrap();
    drop(ghost);
    assert_eq!(owners(&server), Vec::<String>::new());
}

#[test]
fn a_writer_that_may_not_publish_is_seen_by_what_it_writes() {
    let server = server(&[]);
    tell(&server, "ACL SETUSER mute on nopass ~* +@all -publish");
    let url = server.url().replace("redis://", "redis://mute:x@");
    let mute = forebay::buffer::connect::Address::parse(&url).unwrap();
    let source = Source::start(open(&mute, &options(1, 4)), 1, 10);
    source.grant(1);
    let opened = std::thread::scope(|scope| {
        let opening = scope.spawn(|| try_open(&server, &options(1, 4)));
        while !opening.is_finished() {
            source.grant(1);
            std::thread::sleep(Duration::from_millis(20));
        }
        opening.join().unwrap()
    });
    let Err(error) = opened else { panic!("it was taken over") };
    assert!(matches!(&error, Error::Taken { why, .. } if why.contains("wrote")), "{error}");
    source.finish();
}

#[test]
fn where_nobody_may_listen_nothing_is_taken_and_the_permission_is_named() {
    let server = server(&[]);
    let writer = open(&address(&server), &options(1, 4));
    tell(&server, "ACL SETUSER deaf on nopass ~* +@all -subscribe");
    let url = server.url().replace("redis://", "redis://deaf:x@");
    let Ran { code, err, .. } = run(&["append", "--url", &url, "--buffer", "test", "/dev/null"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("+subscribe") && err.contains("--takeover"), "{err}");
    assert_eq!(writer.close().unwrap().acknowledged, 0);
}

/// Two writers open at the same moment, so many times: exactly one gets the buffer, all of its events are stored, and the
/// other one has taken nothing.
pub fn two_at_once(rounds: u64) {
    let server = server(&[]);
    let mut before = 0;
    for round in 0..rounds {
        let barrier = Barrier::new(2);
        let writers: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                scope.spawn(|| {
                    barrier.wait();
                    try_open(&server, &options(1, 4))
                })
            };
            [open(), open()].map(|opening| opening.join().unwrap()).into()
        });
        let (won, lost): (Vec<_>, Vec<_>) = writers.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 1), "round {round}: one of them");
        for error in lost.into_iter().filter_map(Result::err) {
            assert!(matches!(error, Error::Taken { .. }), "round {round}: {error}");
        }
        for mut writer in won.into_iter().filter_map(Result::ok) {
            let mut ledger = Ledger { padding: round as usize, ..Ledger::default() };
            jetstream::ALL.into_iter().try_for_each(|lane| ledger.push_many(&mut writer, lane, 2)).unwrap();
            assert_eq!(writer.close().unwrap().acknowledged, 12, "round {round}");
        }
        let events = blocks(&server);
        assert_eq!(events - before, 12, "round {round}");
        before = events;
    }
}

/// The same where both mean to take over: one of them ends fenced, and what each had acknowledged is there.
pub fn two_takeovers_at_once(rounds: u64) {
    let server = server(&[]);
    let mut acknowledged = 0;
    for round in 0..rounds {
        let barrier = Barrier::new(2);
        let outcomes: Vec<Result<u64, Error>> = std::thread::scope(|scope| {
            let write = || {
                scope.spawn(|| {
                    barrier.wait();
                    let opened = try_open(&server, &taking_over(1, 4));
                    barrier.wait();
                    let mut writer = opened?;
                    let monitor = writer.monitor();
                    let mut ledger = Ledger::default();
                    let pushed = jetstream::ALL
                        .into_iter()
                        .try_for_each(|lane| ledger.push_many(&mut writer, lane, 2));
                    let closed = pushed.and(writer.close().map(drop));
                    closed.map(|()| monitor.counts().acknowledged)
                })
            };
            let writing = [write(), write()];
            writing.map(|writing| writing.join().unwrap()).into()
        });
        let won: Vec<u64> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
        assert_eq!(won, [12], "round {round}: {outcomes:?}");
        assert!(
            outcomes
                .iter()
                .filter_map(|outcome| outcome.as_ref().err())
                .all(|error| matches!(error, Error::Fenced { .. }))
        );
        acknowledged += 12;
        assert_eq!(blocks(&server), acknowledged, "round {round}");
    }
    let epochs = epochs(&server);
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "one writer has all lanes: {epochs:?}");
}

#[test]
fn of_two_writers_that_open_at_once_exactly_one_goes_on() {
    two_at_once(4);
}

#[test]
fn of_two_writers_that_take_over_at_once_the_higher_epoch_gets_every_lane() {
    two_takeovers_at_once(6);
}

#[test]
fn a_silent_writer_is_waited_for_as_long_as_is_said() {
    assert_eq!(SILENCE, Duration::from_secs(5), "README and the help say so");
}
