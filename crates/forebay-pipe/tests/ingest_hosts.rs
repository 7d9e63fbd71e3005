//! Hosts that behave as no simulated one does, connection by connection.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forebay::buffer::writer::{Options, Writer};
use forebay_pipe::ingest::running::Running;
use forebay_rig::jetstream::{Fault, Protocol, Settings, Simulator};

use crate::scripted::{Asked, Scripted, event};
use crate::support::{Waits, config, for_each, ledger_of, read_all, server, until, urls};

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

/// Numbers of the events that are stored, in order.
fn stored(server: &forebay_rig::server::Server) -> Vec<u64> {
    let of = |line: &Vec<u8>| {
        let value: serde_json::Value = serde_json::from_slice(line).ok()?;
        value["commit"]["rkey"].as_str()?.parse().ok()
    };
    read_all(server).iter().flatten().filter_map(of).collect()
}

#[test]
fn a_live_end_that_begins_with_what_has_no_time_or_an_early_one_does_not_end_the_replay() {
    let base = now_us();
    for_each([r#"{"kind":"odd"}"#.to_owned(), event(99, base - 3_600_000_000, None)], |first| {
        let host = Scripted::start(move |mut asked: Asked| {
            if asked.cursor.is_some() {
                (0..99).for_each(|n| asked.send(&event(n, base - 5_000_000 + n, None)));
            }
            asked.send(&first);
            (100..110).for_each(|n| asked.send(&event(n, base + n, None)));
            asked.stay();
        });
        let server = server(&[]);
        let mut config = config(&server, &host.url("/subscribe"));
        config.since_us = Some(base - 6_000_000);
        let running = Running::start(config);
        running.wait_for(100);
        running.wait_for_silence();
        let (outcome, heard) = running.end();
        let stored = stored(&server);
        let lost: Vec<_> = (0..110).filter(|n| *n != 99 && !stored.contains(n)).collect();
        assert!(lost.is_empty(), "lost {lost:?} {outcome:?} {heard:?}");
    });
}

#[test]
fn a_host_that_gives_nothing_new_and_then_nobody_is_asked_with_waits() {
    let base = now_us();
    let host = Scripted::raw(move |number, stream| {
        if number < 3 {
            let Ok(mut socket) = tungstenite::accept(stream) else { return };
            for n in 1..10 {
                let _ = socket.send(tungstenite::Message::text(event(n, base + n, Some(5_000 + n))));
            }
            std::thread::sleep(Duration::from_millis(100));
            let _ = socket.close(None);
        }
    });
    let server = server(&[]);
    let running = Running::start(config(&server, &host.url("/subscribe")));
    until("that it is asked again", &running, |counted| counted.connections >= 3);
    std::thread::sleep(Duration::from_secs(3));
    let connections = host.connections();
    let (outcome, heard) = running.end();
    assert!(connections < 12, "{connections} connections in 3 s: {outcome:?} {}", heard.remarks.len());
}

#[test]
fn a_host_that_calls_every_cursor_too_old_is_asked_with_waits() {
    let base = now_us();
    let host = Scripted::raw(move |number, mut stream| {
        use std::io::{Read, Write};
        if number > 0 {
            let _ = stream.read(&mut [0; 4_096]);
            let body = r#"{"error":"CursorTooOld","message":"m"}"#;
            let _ =
                write!(stream, "HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            return;
        }
        let Ok(mut socket) = tungstenite::accept(stream) else { return };
        for n in 1..10 {
            let _ = socket.send(tungstenite::Message::text(event(n, base + n, Some(5_000 + n))));
        }
        std::thread::sleep(Duration::from_secs(1));
    });
    let server = server(&[]);
    let mut config = config(&server, &host.url("/subscribe"));
    config.patience = Duration::from_secs(4);
    let running = Running::start(config);
    running.wait_for(9);
    let since = Instant::now();
    while !running.is_over() && since.elapsed() < Duration::from_secs(12) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (connections, finished) = (host.connections(), running.is_over());
    let (outcome, heard) = running.end();
    assert!(connections < 30, "{connections} connections: {outcome:?} {}", heard.remarks.len());
    assert!(finished && outcome.is_err(), "patience does not end it: {outcome:?}");
}

#[test]
fn a_quiet_host_that_is_lost_once_is_asked_again_whatever_the_patience() {
    let host = Scripted::start(move |mut asked: Asked| {
        if asked.number == 0 {
            let socket = asked.socket.get_ref().try_clone().unwrap();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_secs(11));
                let _ = socket.shutdown(std::net::Shutdown::Both);
            });
        }
        asked.stay();
    });
    let server = server(&[]);
    let mut config = config(&server, &host.url("/subscribe"));
    config.patience = Duration::from_secs(5);
    let running = Running::start(config);
    let since = Instant::now();
    while host.connections() < 2 && since.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (outcome, _) = running.end();
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn a_network_of_many_events_a_second_comes_once_from_another_host() {
    let settings = |first_seq| Settings {
        protocol: Protocol::V2,
        seed: 34,
        rate: 5_000.0,
        history: 60_000,
        last: Some(129_999),
        first_seq,
        ..Settings::default()
    };
    let (first, second) =
        (Simulator::start(settings(1)).unwrap(), Simulator::start(settings(777_000)).unwrap());
    let server = server(&[]);
    let hosts = [urls(&first, Protocol::V2, false), urls(&second, Protocol::V2, false)].concat();
    let running = Running::start(config(&server, &hosts));
    running.wait_for(100_000);
    drop(first);
    running.wait_for(130_000);
    running.wait_for_silence();
    let (outcome, heard) = running.end();
    let ledger = ledger_of(&second, &server, 0, 130_000);
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?} {outcome:?} {heard:?}");
}

#[test]
fn after_a_clock_was_set_back_an_ingest_that_begins_again_knows_what_it_has() {
    for_each([Protocol::V1, Protocol::V2], |protocol| {
        let simulator = Simulator::start(Settings {
            protocol,
            seed: 32,
            rate: 1_000.0,
            history: 3_000,
            last: Some(11_999),
            faults: vec![Fault::TimeStep { at_index: 4_000, back_us: 3_600_000_000 }],
            ..Settings::default()
        })
        .unwrap();
        let server = server(&[]);
        let config = config(&server, &urls(&simulator, protocol, false));
        let mut pushed = 0;
        let mut said = Vec::new();
        for upto in [6_000, 9_000, 12_000] {
            let running = Running::start(config.clone());
            running.wait_for(u64::saturating_sub(upto, pushed));
            let (outcome, heard) = running.end();
            pushed += outcome.as_ref().unwrap().pushed;
            said.push((outcome, heard));
        }
        let ledger = ledger_of(&simulator, &server, 0, 12_000);
        assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{protocol:?} {ledger:?} {said:?}");
    });
}

#[test]
fn a_host_that_is_another_one_with_higher_numbers_is_asked_by_time() {
    for_each([false, true], |own| {
        let simulator = Simulator::start(Settings {
            protocol: Protocol::V2,
            seed: 33,
            rate: 2_000.0,
            history: 150_000,
            last: Some(155_999),
            ..Settings::default()
        })
        .unwrap();
        let server = server(&[]);
        let running = Running::start(config(&server, &urls(&simulator, Protocol::V2, own)));
        running.wait_for(151_000);
        simulator.change(|settings| settings.first_seq = 2_000_000);
        simulator.cut();
        running.wait_for(156_000);
        running.wait_for_silence();
        let (outcome, heard) = running.end();
        let ledger = ledger_of(&simulator, &server, 0, 156_000);
        assert!(
            ledger.lost().is_empty() && ledger.twice.is_empty(),
            "{own} {ledger:?} {outcome:?} {heard:?}"
        );
        assert!(outcome.as_ref().unwrap().missed.is_empty(), "{own} {outcome:?}");
    });
}

#[test]
fn an_event_of_a_far_future_does_not_say_where_the_source_stands() {
    let base = now_us();
    let time = move |n: u64| match n {
        100 => base + 315_360_000_000_000,
        0..300 => base - 60_000_000 + n * 200_000,
        _ => base + n,
    };
    for_each([None, Some(base - 61_000_000)], |since_us| {
        let host = Scripted::start(move |mut asked: Asked| {
            let events = match asked.cursor {
                None if asked.number == 0 => 0..200,
                Some(cursor) if cursor <= now_us() => 0..400,
                _ => 300..400,
            };
            let cursor = asked.cursor.unwrap_or(0);
            events.filter(|n| time(*n) >= cursor).for_each(|n| asked.send(&event(n, time(n), None)));
            if asked.number > 0 {
                asked.stay();
            }
            std::thread::sleep(Duration::from_secs(1));
        });
        let server = server(&[]);
        let mut config = config(&server, &host.url("/subscribe"));
        config.since_us = since_us;
        let running = Running::start(config);
        running.wait_for(300);
        running.wait_for_silence();
        let (outcome, heard) = running.end();
        let stored = stored(&server);
        let lost: Vec<_> = (0..400).filter(|n| !stored.contains(n)).collect();
        assert!(lost.is_empty(), "lost {lost:?} {outcome:?} {heard:?}");
        assert!(outcome.as_ref().unwrap().missed.is_empty(), "{outcome:?}");
    });
}

#[test]
fn what_another_writer_appends_between_two_ingests_makes_nothing_come_twice() {
    for_each([Protocol::V1, Protocol::V2], |protocol| {
        let simulator = Simulator::start(Settings {
            protocol,
            seed: 37,
            rate: 1_000.0,
            history: 3_000,
            last: Some(7_999),
            ..Settings::default()
        })
        .unwrap();
        let server = server(&[]);
        let config = config(&server, &urls(&simulator, protocol, false));
        let running = Running::start(config.clone());
        running.wait_for(5_000);
        let one = running.end().0.unwrap().pushed;
        let mut writer = Writer::open(&config.address, &config.name, &Options::default()).unwrap();
        let line = event(1, now_us(), None);
        let event = config.name.events().parse(line.as_bytes()).unwrap();
        writer.push(&event).unwrap();
        writer.close().unwrap();
        let running = Running::start(config);
        running.wait_for(8_000_u64.saturating_sub(one));
        running.wait_for_silence();
        let (outcome, heard) = running.end();
        let ledger = ledger_of(&simulator, &server, 0, 8_000);
        assert!(
            ledger.lost().is_empty() && ledger.twice.is_empty(),
            "{protocol:?} {ledger:?} {outcome:?} {heard:?}"
        );
    });
}
