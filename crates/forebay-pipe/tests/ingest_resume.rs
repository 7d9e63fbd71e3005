//! Whatever becomes of an ingest, its server or its source, each event is in the buffer once, or it is said that it is not.

use std::time::{Duration, Instant};

use forebay_pipe::ingest::running::Running;
use forebay_rig::jetstream::{Fault, Protocol, Settings, Simulator};

use crate::support::{LIMIT, Waits, config, for_each, ledger_of, server, set, until, urls};

fn settings(protocol: Protocol, seed: u64) -> Settings {
    Settings { protocol, seed, rate: 2_000.0, history: 6_000, last: Some(11_999), ..Settings::default() }
}

const WAYS: [(Protocol, bool); 3] = [(Protocol::V1, false), (Protocol::V2, false), (Protocol::V2, true)];

#[test]
fn an_ingest_that_is_ended_goes_on_where_it_was() {
    for_each(WAYS, |(protocol, own)| {
        let simulator = Simulator::start(settings(protocol, 1)).unwrap();
        let server = server(&[]);
        let config = config(&server, &urls(&simulator, protocol, own));
        let mut pushed = 0;
        for upto in [1_000, 5_000, 7_000, 12_000] {
            let running = Running::start(config.clone());
            running.wait_for(u64::saturating_sub(upto, pushed));
            let counted = running.end().0.unwrap();
            pushed += counted.pushed;
            assert!(counted.missed.is_empty(), "{protocol:?} {counted:?}");
        }
        let ledger = ledger_of(&simulator, &server, 0, 12_000);
        assert!(ledger.is_clean(), "{protocol:?} {ledger:?}");
    });
}

#[test]
fn a_server_that_is_killed_and_comes_back_with_less() {
    for_each(WAYS, |(protocol, own)| {
        let simulator = Simulator::start(settings(protocol, 2)).unwrap();
        let mut server = server(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
        let running = Running::start(config(&server, &urls(&simulator, protocol, own)));
        for killed in 1..=3 {
            running.wait_for(running.counts.look().pushed + 2_500);
            server.kill().unwrap();
            server.restart().unwrap();
            until("that it is noticed", &running, |counted| counted.reopened >= killed);
        }
        until("everything", &running, |counted| counted.settled_us >= simulator.time_us(11_999));
        let (outcome, heard) = running.end();
        let counted = outcome.unwrap_or_else(|why| panic!("{why} {heard:?}"));
        let ledger = ledger_of(&simulator, &server, 0, 12_000);
        assert!(
            ledger.lost().is_empty() && ledger.twice.is_empty(),
            "{protocol:?} {ledger:?} {counted:?} {heard:?}"
        );
    });
}

#[test]
fn a_full_server_lets_the_source_go_and_asks_it_again() {
    for_each(WAYS, |(protocol, own)| {
        let faults = vec![Fault::SlowConsumer { behind: 1_000, rate: 100.0, window: Duration::from_secs(1) }];
        let sim = Settings {
            faults,
            write_deadline: Duration::from_secs(3),
            history: 50_000,
            last: Some(59_999),
            ..settings(protocol, 3)
        };
        let simulator = Simulator::start(sim).unwrap();
        let server = server(&[("maxmemory-policy", "noeviction")]);
        let running = Running::start(config(&server, &urls(&simulator, protocol, own)));
        running.wait_for(3_000);
        set(&server, "maxmemory", "1mb");
        until("that it lets go", &running, |counted| counted.held_back > 0);
        set(&server, "maxmemory", "0");
        running.wait_for(60_000);
        let (outcome, heard) = running.end();
        let counted = outcome.unwrap_or_else(|why| panic!("{why} {heard:?}"));
        let ledger = ledger_of(&simulator, &server, 0, 60_000);
        assert!(ledger.is_clean(), "{protocol:?} {ledger:?} {counted:?} {heard:?}");
    });
}

#[test]
fn what_the_source_no_longer_has_is_told_and_counted() {
    for_each(WAYS, |(protocol, own)| {
        let simulator = Simulator::start(Settings { last: None, ..settings(protocol, 4) }).unwrap();
        let server = server(&[]);
        let config = config(&server, &urls(&simulator, protocol, own));
        let first = Running::start(config.clone());
        first.wait_for(6_500);
        let first = first.end().0.unwrap();
        simulator.change(|settings| settings.retention = 500);
        let since = Instant::now();
        while simulator.oldest() <= first.pushed + 3_000 {
            assert!(since.elapsed() < LIMIT);
            std::thread::sleep(Duration::from_millis(5));
        }
        let second = Running::start(config);
        second.wait_for(2_000);
        let (outcome, heard) = second.end();
        let counted = outcome.unwrap();
        let [missed] = &counted.missed[..] else { panic!("{protocol:?} {counted:?} {heard:?}") };
        let to = first.pushed + counted.pushed;
        let ledger = ledger_of(&simulator, &server, 0, simulator.oldest());
        let lost = ledger.lost().iter().filter(|index| **index < to + missed.events.unwrap()).count() as u64;
        assert!(ledger.twice.is_empty(), "{ledger:?}");
        if protocol == Protocol::V2 {
            assert_eq!(missed.events, Some(missed.to - missed.from - 1));
        }
        let said = missed.events.unwrap() as f64;
        println!("{protocol:?} {own} lost {lost} said {missed:?}");
        let share = if protocol == Protocol::V2 { 0.0 } else { 0.1 };
        assert!((lost as f64 - said).abs() <= share * said, "{protocol:?}: {lost} lost, {missed:?}");
        assert!(heard.remarks.iter().any(|remark| remark.starts_with("lost from ")), "{heard:?}");
    });
}

#[test]
fn another_host_is_asked_by_time_and_nothing_comes_twice() {
    for_each(
        [
            (Protocol::V1, Protocol::V1),
            (Protocol::V1, Protocol::V2),
            (Protocol::V2, Protocol::V1),
            (Protocol::V2, Protocol::V2),
        ],
        |(one, other)| {
            let first = Simulator::start(settings(one, 5)).unwrap();
            let second = Simulator::start(Settings { first_seq: 777_000, ..settings(other, 5) }).unwrap();
            let server = server(&[]);
            let hosts = [urls(&first, one, false), urls(&second, other, false)].concat();
            let running = Running::start(config(&server, &hosts));
            running.wait_for(7_000);
            drop(first);
            running.wait_for(12_000);
            let (outcome, heard) = running.end();
            let counted = outcome.unwrap_or_else(|why| panic!("{why} {heard:?}"));
            let ledger = ledger_of(&second, &server, 0, 12_000);
            assert!(
                ledger.lost().is_empty() && ledger.twice.is_empty(),
                "{one:?} {other:?} {ledger:?} {counted:?} {heard:?}"
            );
            assert!(counted.missed.is_empty(), "{counted:?}");
        },
    );
}
