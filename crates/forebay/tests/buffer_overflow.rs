//! What is claimed of `wait`, `shed` and `trim-oldest` on a full server: exactly what was counted is gone, told to the
//! event, and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use forebay::buffer::connect::Address;
use forebay::buffer::overflow::{Fate, FateReport, Listener, Overflow};
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::writer::{Counts, Options};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::Server;
use forebay_rig::server::fault::network::Direction;

use super::support::{
    Ledger, Source, address, assert_same, contents, drain, events_of, faults, name, open, options, proxy,
    read_options, server, tell, until,
};

/// Options of a writer with small blocks, and what it will tell.
fn told_options(overflow: Overflow) -> (Options, Arc<Mutex<Vec<FateReport>>>) {
    let told: Arc<Mutex<Vec<FateReport>>> = Arc::default();
    let ear = Arc::clone(&told);
    let listener = Some(Listener(Arc::new(move |fate| ear.lock().unwrap().push(fate))));
    (Options { overflow, listener, ..options(4, 4) }, told)
}

fn set_full(server: &Server, is_full: bool) {
    tell(server, &format!("CONFIG SET maxmemory {}", u8::from(is_full)));
}

/// Events of a lane that were not told this fate.
fn without(ledger: &Ledger, lane: Lane, told: &[FateReport], fate: Fate) -> Vec<Vec<u8>> {
    let events = ledger.lane(lane);
    let mut is_gone = vec![false; events.len()];
    for told in told.iter().filter(|told| told.lane == lane && told.fate == fate) {
        for at in told.from..told.from + told.events {
            assert!(
                !std::mem::replace(&mut is_gone[at as usize], true),
                "{lane}: event {at} is told twice: {told:?}"
            );
        }
    }
    events.iter().zip(is_gone).filter(|(_, is_gone)| !is_gone).map(|(event, _)| event.clone()).collect()
}

fn sum(told: &[FateReport], fate: Fate) -> u64 {
    told.iter().filter(|told| told.fate == fate).map(|told| told.events).sum()
}

#[test]
fn shed_drops_exactly_what_it_tells_and_counts() {
    let server = server(&[]);
    let (options, told) = told_options(Overflow::Shed);
    let source = Source::start(open(&address(&server), &options), 7, 60);
    source.grant(2_000);
    source.until_acknowledged(2_000);
    for turn in 0..3 {
        set_full(&server, true);
        let before = source.monitor.counts().shed;
        until(&format!("events are shed in turn {turn}"), || {
            source.grant(100);
            source.monitor.counts().shed > before + 500
        });
        set_full(&server, false);
        let before = source.monitor.counts().acknowledged;
        // What comes before the next try is shed too.
        until("the server takes events again", || {
            source.grant(50);
            source.monitor.counts().acknowledged > before + 500
        });
    }
    let (ledger, counts) = source.finish();
    let told = told.lock().unwrap();
    assert!(counts.shed > 1_500);
    assert_eq!((counts.shed, counts.acknowledged + counts.shed), (sum(&told, Fate::Shed), counts.pushed));
    let found = contents(&address(&server));
    assert!(faults(&found).is_empty(), "what was never sent leaves no gap: {:?}", faults(&found));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), &without(&ledger, lane, &told, Fate::Shed));
    }
}

#[test]
fn shed_ends_on_a_full_server_with_every_event_counted() {
    let server = server(&[]);
    let (options, told) = told_options(Overflow::Shed);
    let mut writer = open(&address(&server), &options);
    set_full(&server, true);
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 1_000).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.shed), (0, 1_000));
    assert_eq!(sum(&told.lock().unwrap(), Fate::Shed), 1_000);
    set_full(&server, false);
    assert!(contents(&address(&server)).is_empty());
}

/// Fills a server of so much memory until events were dropped, and then some.
fn trim(writer_at: &Address, more: u64, harm: impl FnOnce()) -> (Ledger, Counts, Vec<FateReport>) {
    let (options, told) = told_options(Overflow::TrimOldest);
    let source = Source::start(open(writer_at, &options), 11, 400);
    harm();
    until("events are dropped to make room", || {
        source.grant(500);
        source.until_acknowledged(source.granted().saturating_sub(2_000));
        source.monitor.counts().trimmed > more
    });
    let (ledger, counts) = source.finish();
    let told = told.lock().unwrap().clone();
    (ledger, counts, told)
}

/// Holds what is left against what was told.
fn assert_trimmed(server: &Server, ledger: &Ledger, counts: &Counts, told: &[FateReport]) {
    assert_eq!((counts.trimmed, counts.acknowledged), (sum(told, Fate::Trimmed), counts.pushed));
    let found = contents(&address(server));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), &without(ledger, lane, told, Fate::Trimmed));
    }
}

#[test]
fn trim_oldest_drops_exactly_what_it_tells_and_a_group_is_told_why() {
    let server = server(&[("maxmemory", "6mb")]);
    let at = address(&server);
    let group = read_options(&jetstream::ALL, Some(("late", "one")));
    // So that the group has a place in every lane from which what is missing can be told.
    let mut first = Ledger { padding: 400, ..Ledger::default() };
    let mut writer = open(&at, &options(1, 4));
    for lane in jetstream::ALL {
        first.push(&mut writer, lane).unwrap();
    }
    writer.close().unwrap();
    let mut reader = Reader::open(&at, &name(), group).unwrap();
    assert_eq!(drain(&mut reader).len(), jetstream::ALL.len());
    let (ledger, counts, told) = trim(&at, 4_000, || {});
    let found = drain(&mut reader);
    let mut missing = 0;
    for fault in faults(&found) {
        let ReadItem::Missing { events, is_trimmed: true, .. } = fault else { panic!("{fault}") };
        missing += events;
    }
    // The first event of each lane went too, and the group had it already.
    assert_eq!(missing + jetstream::ALL.len() as u64, counts.trimmed);
    let read: u64 = jetstream::ALL.into_iter().map(|lane| events_of(lane, &found).len() as u64).sum();
    assert_eq!(read + missing, ledger.lanes.iter().map(|events| events.len() as u64).sum::<u64>());
    assert_eq!(sum(&told, Fate::Trimmed), counts.trimmed);
}

#[test]
fn trim_oldest_counts_exactly_though_answers_are_lost() {
    let server = server(&[("maxmemory", "6mb")]);
    let (proxy, near) = proxy(&server);
    // Answers are small: so many cuts that some fall into those that tell what was dropped.
    let cut = || proxy.cut_after(Direction::ToClient, vec![4_001; 30]);
    let (ledger, counts, told) = trim(&near, 4_000, cut);
    assert!(proxy.cuts() > 10, "{} cuts", proxy.cuts());
    assert_trimmed(&server, &ledger, &counts, &told);
}

#[test]
fn trim_oldest_makes_room_only_in_its_own_buffer() {
    let server = server(&[("maxmemory", "6mb")]);
    let mut kept = super::support::connection(&server);
    let value = vec![b'x'; 1 << 20];
    redis::cmd("SET").arg("somebody").arg(&value).exec(&mut kept).unwrap();
    let (ledger, counts, told) = trim(&address(&server), 3_000, || {});
    assert_trimmed(&server, &ledger, &counts, &told);
    let length: u64 = redis::cmd("STRLEN").arg("somebody").query(&mut kept).unwrap();
    assert_eq!(length, 1 << 20);
}

#[test]
fn another_program_that_fills_the_server_holds_the_source_back_until_it_makes_room() {
    let server = server(&[("maxmemory", "8mb")]);
    let source = Source::start(open(&address(&server), &options(4, 4)), 3, 60);
    source.grant(1_000);
    source.until_acknowledged(1_000);
    let mut other = super::support::connection(&server);
    let value = vec![b'x'; 64 << 10];
    let mut filled = 0;
    while redis::cmd("SET").arg(format!("other:{filled}")).arg(&value).exec(&mut other).is_ok() {
        filled += 1;
    }
    // Whatever little room is left after the last value.
    tell(&server, "CONFIG SET maxmemory 1");
    source.grant(1_000);
    until("the writer says what holds it up", || {
        source.monitor.trouble().is_some_and(|why| why.contains("OOM"))
    });
    assert!(source.monitor.counts().acknowledged < 2_000);
    tell(&server, "CONFIG SET maxmemory 8mb");
    let keys: Vec<String> = (0..filled).map(|at| format!("other:{at}")).collect();
    redis::cmd("UNLINK").arg(&keys).exec(&mut other).unwrap();
    let room = Instant::now();
    source.until_acknowledged(2_000);
    println!("taken up again {:?} after there was room", room.elapsed());
    let (ledger, counts) = source.finish();
    assert_eq!(counts.acknowledged, 2_000);
    super::support::assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn a_full_server_restarted_meanwhile_has_everything_once() {
    let mut server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let source = Source::start(open(&address(&server), &options(4, 4)), 5, 60);
    source.grant(3_000);
    source.until_acknowledged(3_000);
    set_full(&server, true);
    source.grant(500);
    until("the server refuses", || source.monitor.trouble().is_some());
    server.kill().unwrap();
    server.restart().unwrap();
    // The limit was no setting of its file: it is back without one.
    source.until_acknowledged(3_500);
    let (ledger, _) = source.finish();
    super::support::assert_holds_exactly(&address(&server), &ledger);
}
