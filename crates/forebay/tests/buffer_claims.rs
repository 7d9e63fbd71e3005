//! What is claimed of who may write to a lane and what counts there: after a loss, with keys that somebody deleted or
//! changed, on a clock that went back. Whatever was acknowledged is stored, and what a writer is not sure of it refuses.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::time::Duration;

use forebay::buffer::error::Error;
use forebay::buffer::writer::{Ack, Options, Writer};
use forebay::event::jetstream;
use forebay_rig::server::Server;

use crate::support::*;

/// A writer that has had so many blocks of one like each acknowledged.
fn at_work(server: &Server, blocks: u64) -> (Writer, Ledger) {
    let mut writer = open(&address(server), &options(1, 4));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, blocks).unwrap();
    until("they are acknowledged", || writer.monitor().counts().acknowledged == blocks);
    (writer, ledger)
}

/// Another writer's whole life: so many blocks of one like each. Its events have numbers of their own.
fn another(server: &Server, blocks: u64) -> Ledger {
    let mut writer = open(&address(server), &taking_over(1, 4));
    let mut ledger = Ledger { padding: 7, ..Ledger::default() };
    ledger.push_many(&mut writer, jetstream::LIKES, blocks).unwrap();
    assert_eq!(writer.close().unwrap().acknowledged, blocks);
    ledger
}

/// A fenced writer has had nothing more acknowledged, and what the newer one had acknowledged is there.
fn is_fenced(server: &Server, (mut older, mut ledger): (Writer, Ledger), newer: &Ledger) {
    let before = older.monitor().counts().acknowledged;
    let pushed = ledger.push_many(&mut older, jetstream::LIKES, 3);
    let monitor = older.monitor();
    let error = pushed.and(older.close().map(drop)).unwrap_err();
    assert!(matches!(error, Error::Fenced { lane: jetstream::LIKES, .. }), "{error}");
    assert_eq!(monitor.counts().acknowledged, before);
    let stored = events_of(jetstream::LIKES, &contents(&address(server)));
    assert!(newer.lane(jetstream::LIKES).iter().all(|event| stored.contains(event)));
}

#[test]
fn a_writer_is_fenced_by_the_next_one_even_after_the_server_lost_everything() {
    let mut server = server(&[]);
    let older = at_work(&server, 3);
    server.kill().unwrap();
    server.restart().unwrap();
    let newer = another(&server, 6);
    is_fenced(&server, older, &newer);
}

#[test]
fn a_writer_is_fenced_by_the_next_one_even_after_somebody_deleted_the_keys() {
    for keys in [vec![name().writer(jetstream::LIKES)], name().keys()] {
        let server = server(&[]);
        let older = at_work(&server, 3);
        tell(&server, &format!("DEL {}", keys.join(" ")));
        let newer = another(&server, 6);
        is_fenced(&server, older, &newer);
    }
}

/// The older writer's epoch lies ahead of the clock that the newer one was given its epoch by.
#[test]
fn a_clock_that_went_back_fences_one_of_two_writers_and_loses_neither_s_events() {
    for blocks in [0, 2, 6] {
        let mut server = server(&[]);
        tell(&server, &format!("HSET {} epoch 4000000000000 s 0 e 0", name().writer(jetstream::LIKES)));
        let (mut older, mut ledger) = at_work(&server, 3);
        server.kill().unwrap();
        server.restart().unwrap();
        let mut newer = open(&address(&server), &taking_over(1, 4));
        let mut theirs = Ledger { padding: 7, ..Ledger::default() };
        theirs.push_many(&mut newer, jetstream::LIKES, blocks).unwrap();
        until("they are acknowledged", || newer.monitor().counts().acknowledged == blocks);
        let monitor = older.monitor();
        let pushed = ledger.push_many(&mut older, jetstream::LIKES, 3);
        let outcome = pushed.and(older.close().map(drop));
        assert!(outcome.is_ok() || matches!(outcome, Err(Error::Fenced { .. })), "{outcome:?}");
        let stored = events_of(jetstream::LIKES, &contents(&address(&server)));
        let acknowledged = monitor.counts().acknowledged as usize;
        assert_eq!(acknowledged, if outcome.is_ok() { 6 } else { 3 });
        let kept = &ledger.lane(jetstream::LIKES)[3..acknowledged];
        assert!(kept.iter().chain(theirs.lane(jetstream::LIKES)).all(|event| stored.contains(event)));
        // One of them has the lane, and the other is told.
        let pushed = theirs.push_many(&mut newer, jetstream::LIKES, 1);
        let newer = pushed.and(newer.close().map(drop));
        assert_ne!(outcome.is_ok(), newer.is_ok(), "{blocks}: {outcome:?}, {newer:?}");
    }
}

#[test]
fn one_writer_alone_goes_on_after_each_loss_and_counts_what_is_lost_once() {
    let mut server = server(&[]);
    let (mut writer, mut ledger) = at_work(&server, 3);
    // 4 and 5 are there when the server loses 6 and 7; then it loses all that it ever had.
    for (lost, is_saved) in [(3, true), (5, true), (9, false)] {
        server.kill().unwrap();
        if !is_saved {
            std::fs::remove_file(server.dir().join("dump.rdb")).unwrap();
        }
        server.restart().unwrap();
        let before = writer.monitor().counts().acknowledged;
        ledger.push_many(&mut writer, jetstream::LIKES, 2).unwrap();
        until("they are acknowledged", || writer.monitor().counts().acknowledged == before + 2);
        assert_eq!(writer.monitor().counts().lost_by_server, lost);
        if before == 3 {
            tell(&server, "SAVE");
            ledger.push_many(&mut writer, jetstream::LIKES, 2).unwrap();
            until("they are acknowledged", || writer.monitor().counts().acknowledged == before + 4);
        }
    }
    writer.close().unwrap();
    assert_eq!(numbers(&contents(&address(&server))), [10, 11]);
}

#[test]
fn a_block_that_was_never_sent_is_not_acknowledged_because_the_server_says_it_has_it() {
    let server = server(&[]);
    let (mut writer, mut ledger) = at_work(&server, 3);
    tell(&server, &format!("HSET {} s 100 e 100", name().writer(jetstream::LIKES)));
    let monitor = writer.monitor();
    let pushed = ledger.push_many(&mut writer, jetstream::LIKES, 3);
    let error = pushed.and(writer.close().map(drop)).unwrap_err();
    assert!(matches!(error, Error::Foreign { lane: jetstream::LIKES, number: 4, .. }), "{error}");
    assert!(error.to_string().contains("3 events here are not acknowledged"), "{error}");
    assert_eq!(monitor.counts().acknowledged, 3);
}

/// Opening a buffer fails with all of these in the error; nothing is stored and nothing taken.
fn is_damaged(server: &Server, parts: &[&str]) {
    let all = || -> Vec<Vec<u8>> { name().keys().iter().map(|key| dump(server, key)).collect() };
    let before = all();
    let Err(error) = Writer::open(&address(server), &name(), &options(1, 4)) else {
        panic!("it was taken in spite of {parts:?}")
    };
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let text = error.to_string();
    for part in parts.iter().chain(&["another buffer"]) {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    assert_eq!(all(), before, "no lane is taken where one cannot be");
}

fn dump(server: &Server, key: &str) -> Vec<u8> {
    redis::cmd("DUMP").arg(key).query::<Option<Vec<u8>>>(&mut connection(server)).unwrap().unwrap_or_default()
}

const NO_NUMBERS: [&str; 9] =
    ["1e300", "inf", "nan", "0x10", "-5", "+7", "9007199254740993", "18446744073709551615", "abc"];

#[test]
fn an_entry_that_no_writer_wrote_stops_the_next_writer_and_is_named() {
    let stream = name().stream(jetstream::OTHER);
    for bad in NO_NUMBERS {
        for (fields, field) in [(format!("s {bad} e 1 c x"), "s"), (format!("s 7 e {bad} c x"), "e")] {
            let server = server(&[]);
            tell(&server, &format!("XADD {stream} 5-1 {fields}"));
            is_damaged(&server, &[&format!("{stream:?}"), "5-1", &format!("field {field} "), bad]);
        }
    }
    let server = server(&[]);
    for fields in ["x y", "s 7 c x", "e 7 c x"] {
        tell(&server, &format!("DEL {stream}"));
        tell(&server, &format!("XADD {stream} 5-1 {fields}"));
        is_damaged(&server, &[&format!("{stream:?}"), "5-1", "missing"]);
    }
    // Without a cursor it can be gone on from.
    tell(&server, &format!("DEL {stream}"));
    tell(&server, &format!("XADD {stream} 5-1 s 7 e 9"));
    let mut writer = open(&address(&server), &options(1, 4));
    Ledger::default().push_many(&mut writer, jetstream::OTHER, 1).unwrap();
    assert_eq!(writer.close().unwrap().acknowledged, 1);
    let hash: Vec<u64> = ask(&server, &format!("HMGET {} s e", name().writer(jetstream::OTHER))).unwrap();
    assert_eq!(hash, [8, 10]);
}

#[test]
fn a_hash_that_no_writer_wrote_stops_the_next_writer_and_is_named() {
    let hash = name().writer(jetstream::OTHER);
    for field in ["epoch", "s", "e"] {
        for bad in NO_NUMBERS {
            let server = server(&[]);
            tell(&server, &format!("HSET {hash} epoch 1 s 7 e 9"));
            tell(&server, &format!("HSET {hash} {field} {bad}"));
            is_damaged(&server, &[&format!("{hash:?}"), &format!("field {field} "), bad]);
        }
        let server = server(&[]);
        tell(&server, &format!("HSET {hash} epoch 1 s 7 e 9"));
        tell(&server, &format!("HDEL {hash} {field}"));
        is_damaged(&server, &[&format!("{hash:?}"), &format!("field {field} "), "missing"]);
    }
}

#[test]
fn what_is_damaged_under_a_writer_at_work_stops_it_and_nothing_more_is_acknowledged() {
    let (stream, hash) = (name().stream(jetstream::LIKES), name().writer(jetstream::LIKES));
    for damage in [
        vec![format!("HSET {hash} s 1e300")],
        vec![format!("HSET {hash} e 18446744073709551615")],
        vec![format!("HDEL {hash} e")],
        vec![format!("DEL {hash}"), format!("XADD {stream} * s inf e 1 c x")],
        vec![format!("DEL {hash}"), format!("XADD {stream} * s 9 c x")],
    ] {
        let server = server(&[]);
        let (mut writer, mut ledger) = at_work(&server, 3);
        for command in &damage {
            tell(&server, command);
        }
        let (monitor, held) = (writer.monitor(), held(&server));
        let pushed = ledger.push_many(&mut writer, jetstream::LIKES, 3);
        let error = pushed.and(writer.close().map(drop)).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{damage:?}: {error}");
        assert_eq!((monitor.counts().acknowledged, crate::support::held(&server)), (3, held));
    }
}

#[test]
fn a_server_that_no_longer_syncs_is_found_out_after_a_lost_connection() {
    let server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let mut writer = open(&address(&server), &Options { ack: Ack::Fsync, ..options(1, 4) });
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 3).unwrap();
    until("they are acknowledged", || writer.monitor().counts().acknowledged == 3);
    tell(&server, "CONFIG SET appendonly no");
    tell(&server, "CLIENT KILL TYPE normal");
    let monitor = writer.monitor();
    let pushed = ledger.push_many(&mut writer, jetstream::LIKES, 3);
    let error = pushed.and(writer.close().map(drop)).unwrap_err();
    assert!(matches!(&error, Error::NoFsync(why) if why.contains("appendonly is off")), "{error}");
    assert_eq!((monitor.counts().acknowledged, held(&server)), (3, 3));
}

#[test]
fn a_server_that_loads_its_aof_is_not_taken_for_one_that_has_none() {
    let slow = [("appendonly", "yes"), ("appendfsync", "always"), ("key-load-delay", "500")];
    let mut server = server(&slow);
    let fill = "for i = 1, 4000 do redis.call('SETRANGE', 'filler', i, 'x') end";
    redis::cmd("EVAL").arg(fill).arg(0).exec(&mut connection(&server)).unwrap();
    let mut writer = open(&address(&server), &Options { ack: Ack::Fsync, ..options(1, 4) });
    let (mut ledger, monitor) = (Ledger::default(), writer.monitor());
    ledger.push_many(&mut writer, jetstream::LIKES, 3).unwrap();
    until("they are acknowledged", || monitor.counts().acknowledged == 3);
    server.kill().unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 3).unwrap();
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| server.restart().unwrap());
        until("the writer is told so", || monitor.trouble().is_some_and(|why| why.contains("loading")));
        restart.join().unwrap();
    });
    assert_eq!(writer.close().unwrap().acknowledged, 6);
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn patience_is_kept_where_the_server_is_away_and_an_fsync_is_asked_for() {
    let mut server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let patience = Duration::from_millis(300);
    let mut writer = open(&address(&server), &Options { ack: Ack::Fsync, patience, ..options(1, 4) });
    server.kill().unwrap();
    let pushed = Ledger::default().push_many(&mut writer, jetstream::LIKES, 3);
    let error = pushed.and(writer.close().map(drop)).unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
}

#[test]
fn what_a_server_lost_is_counted_before_it_has_room_for_more() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &options(1, 4));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 5).unwrap();
    until("they are acknowledged", || writer.monitor().counts().acknowledged == 5);
    tell(&server, "FLUSHALL");
    tell(&server, "CONFIG SET maxmemory 1");
    ledger.push(&mut writer, jetstream::LIKES).unwrap();
    until("the loss is counted", || writer.monitor().counts().lost_by_server == 5);
    assert_eq!(held(&server), 0, "nothing more was taken");
    tell(&server, "CONFIG SET maxmemory 0");
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (6, 5));
}
