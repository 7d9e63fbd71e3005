//! What is claimed of the load generator on bad days: whatever a server or the way to it does, the run ends in time,
//! every request that was due is accounted for, and it goes on where it can.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay_rig::load::driver::Error;
use forebay_rig::load::keyspace::Keyspace;
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::stage::Stage;

use super::load_support::{LONG, Manner, PAYLOADS, TestLoad, assert_all_right, fake, say, told};
use super::support::*;

/// What a connection that the server does not want any more may look like.
const CLOSED: [&str; 6] = [
    "the server closed the connection",
    "maxclients",
    "writing: broken pipe",
    "writing: connection reset by peer",
    "connecting: connection refused",
    "connecting: connection reset by peer",
];

fn errors(outcome: &Outcome) -> Vec<&str> {
    outcome.errors.keys().map(String::as_str).collect()
}

fn with_password(server: &forebay_rig::server::Server, password: &str) -> Address {
    Address::parse(&format!("redis://:{password}@127.0.0.1:{}", server.port())).unwrap()
}

#[test]
fn connections_that_are_one_too_many_are_counted_and_the_others_go_on() {
    let server = server(&[("maxclients", "20")]);
    let (address, name) = (address(&server), name());
    let run = TestLoad { connections: 50, ..TestLoad::of("mix", Duration::from_millis(2_500)) };
    let stage = Stage::set(&address, &name, &run.work, Keyspace::of(&PAYLOADS, run.connections)).unwrap();
    let outcome = run.on(&address);
    assert!(outcome.errors.keys().all(|kind| CLOSED.contains(&kind.as_str())), "{}", told(&outcome));
    assert!(outcome.errors.contains_key("maxclients"), "{}", told(&outcome));
    // Each of the thirty fails again and again.
    assert!(outcome.connection_failures + outcome.failed() >= 60, "{}", told(&outcome));
    assert!(outcome.right > outcome.due / 2 && outcome.wrong == 0, "{}", told(&outcome));
    assert!(outcome.series.iter().take(2).all(|second| second.right > 0), "{:?}", outcome.series);
    assert!(!outcome.is_right());
    drop(stage);
    // The server may not have noticed yet that there is room again.
    let left = || redis::cmd("DBSIZE").query::<u64>(&mut address.dial().ok()?).ok();
    until("the keys are gone", || left() == Some(0));
}

/// Runs a mix on a server that refuses writes for a while: only that is counted, and afterwards all is right again.
fn refuses(begin: &[&str], end: &[&str], kind: &str) {
    let server = server(&[]);
    let (address, name) = (address(&server), name());
    let run = TestLoad::of("mix", LONG);
    let _stage = Stage::set(&address, &name, &run.work, Keyspace::of(&PAYLOADS, run.connections)).unwrap();
    let tell_all = |commands: &[&str]| {
        for command in commands {
            tell(&server, command);
        }
    };
    let (mut failed, mut right) = (0, 0);
    let is_over = AtomicBool::new(false);
    let outcome = run.meanwhile(
        &address,
        || {
            std::thread::sleep(Duration::from_millis(500));
            tell_all(begin);
            std::thread::sleep(Duration::from_millis(700));
            tell_all(end);
            is_over.store(true, Relaxed);
        },
        |second| {
            failed += second.failed;
            right = if is_over.load(Relaxed) && second.failed == 0 { right + second.right } else { 0 };
            right > 0
        },
    );
    assert_eq!(errors(&outcome), [kind], "{}", told(&outcome));
    assert!(failed > 0 && outcome.failed() == failed, "{failed} seen: {}", told(&outcome));
    assert_eq!((outcome.wrong, outcome.connection_failures), (0, 0), "{}", told(&outcome));
}

#[test]
fn a_server_that_is_full_is_told_from_one_that_answers_wrongly() {
    let small = ["CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 1"];
    refuses(&small, &["CONFIG SET maxmemory 0"], "OOM");
}

#[test]
fn a_server_that_has_become_a_replica_is_told_from_one_that_answers_wrongly() {
    refuses(&["REPLICAOF 127.0.0.1 1"], &["REPLICAOF NO ONE"], "READONLY");
}

#[test]
fn without_the_password_every_request_fails_and_with_a_wrong_one_every_login_too() {
    let server = server(&[]);
    tell(&server, "CONFIG SET requirepass right");
    let run = TestLoad::millis("set", 300);
    let outcome = run.on(&address(&server));
    assert_eq!((errors(&outcome), outcome.failed()), (vec!["NOAUTH"], 300), "{}", told(&outcome));
    assert_eq!((outcome.connection_failures, outcome.right), (0, 0), "{}", told(&outcome));

    let outcome = run.on(&with_password(&server, "wrong"));
    assert_eq!(errors(&outcome), ["NOAUTH", "WRONGPASS"], "{}", told(&outcome));
    assert_eq!(outcome.errors["WRONGPASS"], run.connections as u64, "{}", told(&outcome));
    assert_eq!((outcome.failed(), outcome.connection_failures), (300, 4), "{}", told(&outcome));

    let (address, name) = (with_password(&server, "right"), name());
    let stage = Stage::set(&address, &name, &run.work, Keyspace::of(&PAYLOADS, run.connections)).unwrap();
    assert_all_right(&run.on(&address));
    drop(stage);
    assert!(
        Stage::set(&with_password(&server, "wrong"), &name, &run.work, Keyspace::of(&PAYLOADS, 1)).is_err()
    );
}

#[test]
fn errors_that_a_server_answers_with_are_counted_by_their_first_word() {
    let cases: [(Manner, &str); 3] = [
        (|stream| say(stream, b"-LOADING Redis is loading the dataset in memory\r\n"), "LOADING"),
        (|stream| say(stream, b"-MOVED 3999 127.0.0.1:6381\r\n"), "MOVED"),
        (
            |stream| say(stream, b"-ERR unknown command 'SET', with args\r\n"),
            "ERR unknown command 'SET', with args",
        ),
    ];
    for (manner, kind) in cases {
        let outcome = TestLoad::millis("set", 200).on(&fake(manner));
        assert_eq!((errors(&outcome), outcome.errors[kind]), (vec![kind], 200), "{}", told(&outcome));
        assert_eq!((outcome.reconnects, outcome.is_right()), (0, false), "{}", told(&outcome));
    }
}

#[test]
fn a_connection_that_ends_in_the_middle_of_an_answer_loses_what_was_under_way_and_is_made_again() {
    for pipeline in [1, 8] {
        let run = TestLoad { pipeline, rate: Some(40.0), ..TestLoad::millis("set", 500) };
        let outcome = run.on(&fake(|stream| {
            say(stream, b"$100\r\nhalf of it");
            false
        }));
        assert!(outcome.errors.keys().all(|kind| CLOSED.contains(&kind.as_str())), "{}", told(&outcome));
        assert_eq!((outcome.right, outcome.wrong), (0, 0), "{}", told(&outcome));
        assert_eq!((outcome.failed(), outcome.due), (20, 20), "{}", told(&outcome));
        assert!(outcome.reconnects > 1, "{}", told(&outcome));
        assert_eq!(outcome.response().count(), outcome.due, "what was lost has its latency");
    }
}

#[test]
fn what_is_no_answer_closes_the_connection_whatever_size_it_announces() {
    let manners: [Manner; 7] = [
        |stream| say(stream, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
        |stream| say(stream, b"*1048577\r\n"),
        |stream| say(stream, b"*9223372036854775807\r\n"),
        |stream| say(stream, b"$67108865\r\n"),
        |stream| say(stream, b"$9223372036854775808\r\n"),
        |stream| say(stream, b"*-2\r\n"),
        |stream| say(stream, &b"*1\r\n".repeat(10_000)),
    ];
    for (number, manner) in manners.into_iter().enumerate() {
        let run = TestLoad { rate: Some(40.0), ..TestLoad::millis("set", 200) };
        let outcome = run.on(&fake(manner));
        assert!(outcome.errors["what came is not RESP"] > 0, "{number}: {}", told(&outcome));
        assert_eq!((outcome.failed(), outcome.due), (8, 8), "{number}: {}", told(&outcome));
        assert_eq!((outcome.right, outcome.wrong), (0, 0), "{number}: {}", told(&outcome));
        assert!(outcome.reconnects > 0 && !outcome.is_right(), "{number}: {}", told(&outcome));
    }
}

#[test]
fn an_answer_that_is_none_to_what_was_asked_is_wrong_however_well_formed() {
    let manners: [Manner; 5] = [
        |stream| say(stream, b"+QUEUED\r\n"),
        |stream| say(stream, b":1\r\n"),
        |stream| say(stream, b"$-1\r\n"),
        |stream| say(stream, b"*2\r\n+OK\r\n+OK\r\n"),
        // As many as are taken for an answer at all.
        |stream| say(stream, &[&b"*100000\r\n"[..], &b":1\r\n".repeat(100_000)].concat()),
    ];
    for manner in manners {
        let outcome = TestLoad { rate: Some(100.0), ..TestLoad::millis("set", 200) }.on(&fake(manner));
        assert_eq!((outcome.wrong, outcome.due), (20, 20), "{}", told(&outcome));
        assert_eq!(outcome.examples.len(), 5, "{}", told(&outcome));
    }
    // Two answers to one request: the second belongs to nothing.
    let outcome = TestLoad::millis("set", 200).on(&fake(|stream| say(stream, b"+OK\r\n+OK\r\n")));
    assert!(outcome.wrong == 0 && outcome.connection_failures > 0, "{}", told(&outcome));
    assert!(outcome.errors.contains_key("an answer to nothing"), "{}", told(&outcome));
}

/// Never answers, or never to the end: the run ends by itself, and what waited has waited.
#[test]
fn requests_that_are_never_answered_are_counted_with_the_time_they_waited() {
    let manners: [Manner; 5] = [
        |_| true,
        |stream| say(stream, b"$67108864\r\n"),
        |stream| say(stream, b"*1048576\r\n"),
        |stream| {
            // A byte at a time, for as long as anybody listens.
            while say(stream, b"+") {
                std::thread::sleep(Duration::from_millis(100));
            }
            false
        },
        |stream| {
            say(stream, b"*1048576\r\n");
            while say(stream, &b"$10\r\n0123456789\r\n".repeat(10)) {
                std::thread::sleep(Duration::from_millis(10));
            }
            false
        },
    ];
    for (number, manner) in manners.into_iter().enumerate() {
        let run = TestLoad { grace: Duration::from_millis(400), pipeline: 2, ..TestLoad::millis("set", 300) };
        let outcome = run.on(&fake(manner));
        let what = format!("{number}: {}", told(&outcome));
        // Four connections with two each, and the others wait for them.
        assert_eq!((outcome.due, outcome.unanswered, outcome.unsent()), (300, 8, 292), "{what}");
        assert_eq!((outcome.wrong, outcome.failed(), outcome.connection_failures), (0, 0, 0), "{what}");
        let waited = outcome.response();
        assert_eq!((waited.count(), waited.above(399.0)), (300, 300), "{what}");
        assert!(waited.max() >= 699.0, "{} ms: {what}", waited.max());
        assert!(!outcome.interrupted && !outcome.is_right(), "{what}");
        let why = outcome.shortfall().unwrap();
        assert!(why.contains("8 never answered") && why.contains("292 never sent"), "{why}");
        // Without times the answers owed are all there is to tell it by.
        let outcome = TestLoad { rate: None, ..run }.on(&fake(manner));
        assert_eq!((outcome.due, outcome.unanswered), (8, 8), "{number}: {}", told(&outcome));
        assert!(!outcome.is_right() && outcome.response().max() >= 699.0, "{number}: {}", told(&outcome));
    }
}

/// An answer that stays within every limit but the one of all of it together.
#[test]
fn an_answer_without_end_is_given_up() {
    let run = TestLoad {
        grace: Duration::from_secs(60),
        connections: 1,
        rate: Some(1.0),
        ..TestLoad::millis("set", 200)
    };
    let outcome = run.on(&fake(|stream| {
        say(stream, b"*1048576\r\n");
        let piece = [&b"$4096\r\n"[..], &[b'x'; 4096], b"\r\n"].concat().repeat(16);
        while say(stream, &piece) {}
        false
    }));
    assert_eq!(outcome.errors["reading: an answer without end"], 1, "{}", told(&outcome));
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_found_again_and_has_all_that_it_acknowledged() {
    let mut server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let (address, name) = (address(&server), name());
    let run = TestLoad { pipeline: 2, ..TestLoad::of("mix", LONG) };
    let _stage = Stage::set(&address, &name, &run.work, Keyspace::of(&PAYLOADS, run.connections)).unwrap();
    let (mut right, is_back) = (0, AtomicBool::new(false));
    let outcome = run.meanwhile(
        &address,
        || {
            for _ in 0..2 {
                std::thread::sleep(Duration::from_millis(600));
                server.kill().unwrap();
                std::thread::sleep(Duration::from_millis(200));
                server.restart().unwrap();
            }
            is_back.store(true, Relaxed);
        },
        |second| {
            right = if is_back.load(Relaxed) { right + second.right } else { 0 };
            right > 4_000
        },
    );
    assert!(outcome.reconnects >= 8, "{}", told(&outcome));
    // At its end a run waits half a second for what is under way: four connections, two requests on each.
    assert!(outcome.wrong == 0 && outcome.unanswered <= 8, "{}", told(&outcome));
    // It may take connections before it has read its file.
    let loading = outcome.errors.get("LOADING").copied().unwrap_or(0);
    let is_known = |kind: &String| CLOSED.contains(&kind.as_str()) || kind == "LOADING";
    assert!(outcome.errors.keys().all(is_known), "{}", told(&outcome));
    // Four connections, two requests on each, two kills.
    assert!(outcome.failed() <= 16 + loading, "{}", told(&outcome));
    assert!(outcome.backlog_max >= 200, "{}", told(&outcome));
}

/// The opposite: what a server loses that keeps nothing on disk is noticed.
#[test]
fn a_server_that_comes_back_empty_has_lost_what_it_acknowledged() {
    let mut server = server(&[]);
    let address = address(&server);
    let run = TestLoad { rate: Some(4_000.0), ..TestLoad::of("get", LONG) };
    let outcome = run.meanwhile(
        &address,
        || {
            until("all keys are there", || ask::<u64>(&server, "DBSIZE").unwrap() >= 1_000);
            server.kill().unwrap();
            server.restart().unwrap();
        },
        |second| second.right + second.failed > 0,
    );
    assert!(
        outcome.wrong > 0 && outcome.examples[0].contains("was answered with nothing"),
        "{}",
        told(&outcome)
    );
}

#[test]
fn where_nobody_listens_no_run_begins() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = Address::parse(&format!("redis://127.0.0.1:{port}")).unwrap();
    let run = TestLoad::millis("set", 100);
    match run.try_on(&address, &AtomicBool::new(false), &mut |_| {}) {
        Err(Error::NoServer(why)) => {
            assert!(why.contains(&port.to_string()) && why.contains("connection refused"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert!(Stage::set(&address, &name(), &run.work, Keyspace::of(&PAYLOADS, 1)).is_err());
}

#[test]
fn where_the_server_speaks_tls_another_way_is_named() {
    let address = Address::parse("rediss://127.0.0.1:1").unwrap();
    let error =
        TestLoad::millis("set", 100).try_on(&address, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("redis:// or unix://"), "{error}");
}
