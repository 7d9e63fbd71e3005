//! What is claimed of `shed`: a full server costs exactly the events that are told and counted as shed, whoever reads
//! meanwhile, and nothing once it has room.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::buffer::overflow::{Fate, FateReport, Listener, Overflow};
use forebay::buffer::reader::Reader;
use forebay::buffer::writer::{Ack, Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;

use crate::support::*;

/// What a writer tells, and the way to hear it.
fn heard() -> (Arc<Mutex<Vec<FateReport>>>, Listener) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    (heard, Listener(Arc::new(move |fate| told.lock().unwrap().push(fate))))
}

/// The events of a lane that were told to have had this fate, in the order of their places.
fn places_of(heard: &[FateReport], lane: Lane, fate: Fate) -> Vec<u64> {
    let of = heard.iter().filter(|told| told.lane == lane && told.fate == fate);
    let mut places: Vec<u64> = of.flat_map(|told| told.from..told.from + told.events).collect();
    places.sort_unstable();
    places
}

#[test]
fn exactly_the_events_that_are_told_as_shed_are_missing_and_each_has_one_fate() {
    for seed in 1..=2 {
        let server = server(&[]);
        let address = address(&server);
        let (heard, listener) = heard();
        let options = Options { overflow: Overflow::Shed, listener: Some(listener), ..options(4 + seed, 3) };
        let source = Source::start(open(&address, &options), seed, 100);
        let ended = Arc::new(AtomicBool::new(false));
        let reading = {
            let (mut reader, ended) = (
                Reader::open(&address, &name(), read_options(&jetstream::ALL, None)).unwrap(),
                Arc::clone(&ended),
            );
            std::thread::spawn(move || {
                let mut all = Vec::new();
                loop {
                    let is_last = ended.load(Relaxed);
                    let found = reader.next(Duration::from_millis(10)).unwrap();
                    if is_last && found.is_empty() {
                        return all;
                    }
                    all.extend(found);
                }
            })
        };
        let monitor = source.monitor.clone();
        for round in 1..=4 {
            let stored = monitor.counts().acknowledged;
            // A lane that was stuck sheds until its next try goes through.
            until("the lanes take events again", || {
                source.grant(20);
                monitor.counts().acknowledged >= stored + 500
            });
            tell(&server, "CONFIG SET maxmemory 1");
            until("much is shed", || {
                source.grant(20);
                monitor.counts().shed > round * 400
            });
            tell(&server, "CONFIG SET maxmemory 0");
        }
        let (ledger, counts) = source.finish();
        ended.store(true, Relaxed);
        let read = reading.join().unwrap();
        assert_eq!(counts.pushed, counts.acknowledged + counts.shed, "seed {seed}");
        assert_eq!((counts.open(), counts.trimmed, counts.spilled), (0, 0, 0), "seed {seed}");
        assert!(faults(&read).is_empty(), "seed {seed}: {:?}", faults(&read));
        let (heard, found) = (heard.lock().unwrap(), contents(&address));
        for lane in jetstream::ALL {
            let pushed = ledger.lane(lane);
            let (shed, stored) =
                (places_of(&heard, lane, Fate::Shed), places_of(&heard, lane, Fate::Acknowledged));
            let mut both = [&shed[..], &stored[..]].concat();
            both.sort_unstable();
            assert_eq!(both, (0..pushed.len() as u64).collect::<Vec<_>>(), "seed {seed}, lane {lane}");
            assert_eq!(shed.len() as u64, monitor.lane(lane).shed, "seed {seed}, lane {lane}");
            let kept: Vec<Vec<u8>> = stored.iter().map(|place| pushed[*place as usize].clone()).collect();
            assert_same(lane, &events_of(lane, &found), &kept);
            assert_same(lane, &events_of(lane, &read), &kept);
        }
    }
}

#[test]
fn a_writer_that_is_closed_while_the_server_is_full_sheds_what_is_left_and_ends() {
    let server = server(&[]);
    let (heard, listener) = heard();
    let options = Options { overflow: Overflow::Shed, listener: Some(listener), ..options(2, 4) };
    let mut writer = open(&address(&server), &options);
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 10).unwrap();
    until("they are stored", || writer.monitor().counts().acknowledged == 10);
    tell(&server, "CONFIG SET maxmemory 1");
    ledger.push_many(&mut writer, jetstream::LIKES, 100).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.shed, counts.open()), (10, 100, 0));
    let shed = places_of(&heard.lock().unwrap(), jetstream::LIKES, Fate::Shed);
    assert_eq!(shed, (10..110).collect::<Vec<_>>());
    assert_same(
        jetstream::LIKES,
        &events_of(jetstream::LIKES, &contents(&address(&server))),
        &ledger.lane(jetstream::LIKES)[..10],
    );
}

#[test]
fn a_server_that_is_slow_and_not_full_holds_the_source_back_and_costs_nothing() {
    let server = server(&[]);
    let options = Options { overflow: Overflow::Shed, ..options(1, 1) };
    let mut writer = Writer::open(&address(&server), &name(), &options).unwrap();
    let mut ledger = Ledger::default();
    // Many more than all queues hold.
    ledger.push_many(&mut writer, jetstream::LIKES, 3_000).unwrap();
    let counts = writer.close().unwrap();
    // Unless the machine stood still for as long as makes a server count as away.
    assert_eq!((counts.acknowledged, counts.shed), (3_000, 0));
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn what_is_stored_and_not_yet_synced_when_the_server_fills_up_is_not_shed() {
    // By WAITAOF where the server has it and it waits, else with the answer.
    let server = server(&[("appendonly", "yes"), ("appendfsync", "everysec")]);
    let mut options = options(20, 8);
    (options.ack, options.overflow) = (Ack::Fsync, Overflow::Shed);
    if Writer::open(&address(&server), &name(), &options).is_err() {
        tell(&server, "CONFIG SET appendfsync always");
    }
    let source = Source::start(open(&address(&server), &options), 9, 200);
    source.grant(2_000);
    source.until_acknowledged(2_000);
    let used: u64 = info(&server, "used_memory").parse().unwrap();
    tell(&server, &format!("CONFIG SET maxmemory {}", used + (1 << 20)));
    until("much is shed", || {
        source.grant(100);
        source.monitor.counts().shed > 5_000
    });
    let (_, counts) = source.finish();
    let found = contents(&address(&server));
    let held: usize = jetstream::ALL.iter().map(|lane| events_of(*lane, &found).len()).sum();
    assert_eq!((counts.acknowledged + counts.shed, counts.open()), (counts.pushed, 0));
    assert_eq!(held as u64, counts.acknowledged, "{counts:?}");
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
}
