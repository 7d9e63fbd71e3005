//! What is claimed of `trim-oldest`: a full server costs exactly the oldest events, those that are told and counted as
//! trimmed, whoever reads meanwhile, and also where the answer to a step that dropped some is lost.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::overflow::{Fate, FateReport, Listener, Overflow};
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::scripts;
use forebay::buffer::writer::{Counts, Options};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::Server;

use crate::support::*;

/// Bytes that a server may hold beyond what it needs for itself.
const ROOM: u64 = 3 << 20;

fn limit(server: &Server) {
    let used: u64 = info(server, "used_memory").parse().unwrap();
    tell(server, &format!("CONFIG SET maxmemory {}", used + ROOM));
}

fn trimming() -> (Options, Arc<Mutex<Vec<FateReport>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    let listener = Some(Listener(Arc::new(move |fate| told.lock().unwrap().push(fate))));
    (Options { overflow: Overflow::TrimOldest, listener, ..options(20, 8) }, heard)
}

/// Pushes until so many events were dropped to make room.
fn push_until_trimmed(source: &Source, events: u64) {
    until("enough is trimmed", || {
        if source.granted() < source.monitor.counts().acknowledged + 2_000 {
            source.grant(1_000);
        }
        source.monitor.counts().trimmed >= events
    });
}

/// Holds what is in the buffer against what was told: each lane lacks exactly its first events, those told as trimmed.
fn assert_lacks_the_trimmed(address: &Address, ledger: &Ledger, counts: &Counts, heard: &[FateReport]) {
    assert_eq!((counts.pushed, counts.open(), counts.shed), (counts.acknowledged, 0, 0));
    let found = contents(address);
    let mut trimmed = 0;
    for lane in jetstream::ALL {
        let mut gone = 0;
        for told in heard.iter().filter(|told| told.lane == lane && told.fate == Fate::Trimmed) {
            assert_eq!(told.from, gone, "lane {lane}: told in order, and each once");
            gone += told.events;
        }
        assert_same(lane, &events_of(lane, &found), &ledger.lane(lane)[gone as usize..]);
        trimmed += gone;
    }
    assert_eq!(counts.trimmed, trimmed);
}

#[test]
fn exactly_the_oldest_events_that_are_told_as_trimmed_are_missing_and_a_reader_is_told_too() {
    let server = server(&[]);
    limit(&server);
    let address = address(&server);
    let (options, heard) = trimming();
    let source = Source::start(open(&address, &options), 3, 300);
    let (slow, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let reading = {
        let mut reader = Reader::open(&address, &name(), read_options(&jetstream::ALL, None)).unwrap();
        let (slow, ended) = (Arc::clone(&slow), Arc::clone(&ended));
        std::thread::spawn(move || {
            let mut all = Vec::new();
            loop {
                // Stands still for a while, so that blocks are dropped before it comes to them.
                until("the reader may go on", || !slow.load(Relaxed));
                let is_last = ended.load(Relaxed);
                let found = reader.next(Duration::from_millis(10)).unwrap();
                if is_last && found.is_empty() {
                    return all;
                }
                all.extend(found);
            }
        })
    };
    push_until_trimmed(&source, 2_000);
    slow.store(true, Relaxed);
    push_until_trimmed(&source, 20_000);
    slow.store(false, Relaxed);
    push_until_trimmed(&source, 22_000);
    let (ledger, counts) = source.finish();
    ended.store(true, Relaxed);
    let read = reading.join().unwrap();
    assert_lacks_the_trimmed(&address, &ledger, &counts, &heard.lock().unwrap());

    // The reader has every event, or is told that it was dropped to make room.
    let mut missing = 0;
    for fault in faults(&read) {
        match fault {
            ReadItem::Missing { events, is_trimmed: true, .. } => missing += events,
            other => panic!("{other}"),
        }
    }
    let events: u64 = jetstream::ALL.iter().map(|lane| events_of(*lane, &read).len() as u64).sum();
    assert_eq!(events + missing, counts.pushed);
    assert!(missing > 0 && missing <= counts.trimmed, "{missing} of {}", counts.trimmed);
}

#[test]
fn a_group_that_comes_again_is_told_what_was_dropped_meanwhile_and_no_other_group_is() {
    let server = server(&[]);
    limit(&server);
    let address = address(&server);
    let group = |name: &str| {
        Reader::open(&address, &crate::support::name(), read_options(&jetstream::ALL, Some((name, "one"))))
            .unwrap()
    };
    let (options, heard) = trimming();
    let source = Source::start(open(&address, &options), 5, 300);
    source.grant(2_000);
    source.until_acknowledged(2_000);
    // Made before anything is acknowledged, so that nothing goes for another reason.
    let waiting = group("waiting");
    let mut early = group("early");
    let mut read = drain(&mut early);
    early.acknowledge(places(&read)).unwrap();
    drop(early);
    push_until_trimmed(&source, 20_000);
    let (ledger, counts) = source.finish();
    assert_lacks_the_trimmed(&address, &ledger, &counts, &heard.lock().unwrap());

    // A new group takes memory, which a full server may not have.
    tell(&server, "CONFIG SET maxmemory 0");
    let (early, waiting, late) =
        (drain(&mut group("early")), drain(&mut { waiting }), drain(&mut group("late")));
    let of_lane = |found: &[ReadItem], lane: Lane| {
        faults(found).into_iter().find_map(|fault| match fault {
            ReadItem::Dropped { lane: of, events_max, .. } if *of == lane => Some(*events_max),
            ReadItem::Dropped { .. } => None,
            other => panic!("{other}"),
        })
    };
    read.extend(early.iter().cloned());
    for lane in jetstream::ALL {
        let pushed = ledger.lane(lane).len() as u64;
        for (found, all) in [(&early, &read), (&waiting, &waiting)] {
            let missing = pushed - events_of(lane, all).len() as u64;
            let told = of_lane(found, lane);
            assert!(missing <= told.unwrap_or(0), "lane {lane}: {missing} missing, {told:?} told");
        }
        assert_eq!(of_lane(&late, lane), None, "lane {lane}: it was made after that");
    }
    assert!(of_lane(&early, jetstream::LIKES).is_some() && of_lane(&waiting, jetstream::LIKES).is_some());
    assert!(faults(&drain(&mut group("early"))).is_empty(), "told once");
}

#[test]
fn counts_stay_exact_where_the_answer_to_a_step_is_lost() {
    const LOST: u64 = 12;
    let server = server(&[]);
    limit(&server);
    // Known to the server before, so that the first answer is the step's own.
    let room = redis::Script::new(scripts::ROOM);
    room.prepare_invoke().load(&mut connection(&server)).unwrap();
    let (proxy, near) = proxy(&server);
    let (options, heard) = trimming();
    let source = Source::start(open(&near, &options), 4, 300);
    push_until_trimmed(&source, 1_000);
    proxy.leave_unanswered(room.get_hash(), LOST);
    until("every answer that shall be lost is", || {
        source.grant(200);
        proxy.cuts() == LOST
    });
    let (ledger, counts) = source.finish();
    assert!(counts.retries >= LOST, "{counts:?}");
    assert_lacks_the_trimmed(&address(&server), &ledger, &counts, &heard.lock().unwrap());
}

#[test]
fn a_full_server_without_a_block_of_ours_holds_the_source_back_and_costs_nothing() {
    let server = server(&[]);
    let address = address(&server);
    let (options, _) = trimming();
    // One lane: what another one stores meanwhile would be the oldest.
    let (mut writer, mut ledger) = (open(&address, &options), Ledger::default());
    tell(&server, "CONFIG SET maxmemory 1");
    ledger.push_many(&mut writer, jetstream::LIKES, 200).unwrap();
    until("the server is asked again and again", || writer.monitor().counts().retries > 5);
    assert_eq!(writer.monitor().counts().acknowledged, 0);
    tell(&server, "CONFIG SET maxmemory 0");
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.trimmed), (200, 0));
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn the_last_step_of_all_counts_too_where_its_answer_is_lost() {
    let server = server(&[]);
    limit(&server);
    let room = redis::Script::new(scripts::ROOM);
    room.prepare_invoke().load(&mut connection(&server)).unwrap();
    let (proxy, near) = proxy(&server);
    let (options, heard) = trimming();
    let source = Source::start(open(&near, &options), 6, 300);
    push_until_trimmed(&source, 1);
    source.until_acknowledged(source.granted());
    proxy.leave_unanswered(room.get_hash(), 1);
    until("one answer is lost", || {
        source.grant(10);
        proxy.cuts() == 1
    });
    // From here on no other step need be taken, which would count what this one dropped.
    tell(&server, "CONFIG SET maxmemory 0");
    let (ledger, counts) = source.finish();
    assert_lacks_the_trimmed(&address(&server), &ledger, &counts, &heard.lock().unwrap());
}

#[test]
fn an_entry_that_is_no_block_hides_nothing_of_what_is_dropped_with_it() {
    // Blocks, and entries of somebody else's: before them, behind them, between them, and alone.
    for order in ["fbbb", "bbbf", "bfb", "f"] {
        let server = server(&[]);
        let mut writer = open(&address(&server), &options(1, 4));
        let (mut ledger, key) = (Ledger::default(), name().stream(jetstream::LIKES));
        let mut blocks = 0;
        let mut push = |blocks: &mut u64| {
            ledger.push_many(&mut writer, jetstream::LIKES, 1).unwrap();
            *blocks += 1;
            until("it is stored", || writer.monitor().counts().acknowledged == *blocks);
        };
        for entry in order.chars() {
            match entry {
                'b' => push(&mut blocks),
                _ => tell(&server, &format!("XADD {key} * not ours")),
            }
        }
        let dropped = blocks;
        let (last, _): (String, redis::Value) =
            ask::<Vec<_>>(&server, &format!("XREVRANGE {key} + - COUNT 1")).unwrap().remove(0);
        push(&mut blocks);
        writer.close().unwrap();
        let mut room = redis::cmd("EVAL");
        room.arg(scripts::ROOM).arg(2).arg(&key).arg(name().writer(jetstream::LIKES)).arg(&last);
        let answer: [u64; 4] = room.query(&mut connection(&server)).unwrap();
        assert_eq!(answer, [1, 0, dropped, dropped], "{order}");
        let found = contents(&address(&server));
        assert_eq!((numbers(&found), faults(&found).len()), (vec![blocks], 0), "{order}: {found:?}");
    }
}
