//! What `failover_cluster` claims of one fault, over many, on every server that is here: masters that are killed, stopped, handed
//! over, cut off and killed, and slots that move, under one writer and one group of readers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use forebay::buffer::connect::Address;
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::writer::Ack;
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::{ClusterSet, ServerBinary, ServerKind};

use crate::buffer_fsync::servers;
use crate::failover_cluster::{FAULTS, master_of, on, slot_of};
use crate::failover_sentinel::{acknowledged_by, more};
use crate::support::*;

/// Rounds of each fault on each server, unless `FOREBAY_ROUNDS` says another number.
const ROUNDS: usize = 50;

/// From a fault to when another node had the slot, and from then until all that was on its way was acknowledged.
type Times = BTreeMap<&'static str, Vec<(Duration, Duration)>>;

/// One fault at the master of a lane, with events on their way.
fn round(
    set: &mut ClusterSet,
    address: &Address,
    lane: Lane,
    fault: &'static str,
    source: &Source,
    ack: Ack,
    times: &mut Times,
) {
    let (slot, old) = (slot_of(set, address, lane), master_of(set, address, lane));
    let to =
        (0..6).find(|node| *node != old && set.replicas_of(*node).is_ok_and(|replicas| !replicas.is_empty()));
    if fault == "cut off" {
        set.cut(old).unwrap();
    }
    source.grant(300);
    let began = Instant::now();
    let known = FAULTS.iter().find(|(name, ..)| *name == fault);
    let back = match (fault, known) {
        ("cut off", _) => {
            // What it has taken by then no replica has.
            let (granted, waits) = (source.granted(), ack == Ack::Replica);
            until("it has been sent some, and has answered where it may", || {
                let counts = source.monitor.counts();
                counts.acknowledged >= granted || (waits && counts.pushed + 250 > granted)
            });
            set.server(old).kill().unwrap();
            FAULTS[0].2
        }
        (_, Some((_, goes, back))) => {
            goes(set, old);
            *back
        }
        ("moved", _) => {
            set.move_slot(slot, to.unwrap()).unwrap();
            |_: &mut ClusterSet, _: usize| {}
        }
        _ => {
            set.move_slot_atomically(slot, to.unwrap()).unwrap();
            |_: &mut ClusterSet, _: usize| {}
        }
    };
    if !fault.starts_with("moved") {
        set.failed_over_from(old).unwrap();
    }
    let taken_over = Instant::now();
    back(set, old);
    source.until_acknowledged(source.granted());
    times.entry(fault).or_default().push((taken_over - began, taken_over.elapsed()));
    set.wait_whole().unwrap();
    set.wait_in_sync().unwrap();
    more(source, 50);
}

/// Rounds of every fault under a writer that waits for replicas, or does not.
fn rounds(binary: &ServerBinary, ack: Ack, rounds: usize) -> Times {
    let (mut set, address) = on(binary, 3, 1);
    let source = Source::start(open(&address, &acknowledged_by(ack)), 3, 100);
    more(&source, 500);
    let mut times = Times::new();
    let is_over = AtomicBool::new(false);
    let found = std::thread::scope(|scope| {
        let mut reader =
            Reader::open(&address, &name(), read_options(&jetstream::ALL, Some(("g", "c")))).unwrap();
        let is_over = &is_over;
        let reading = scope.spawn(move || read(&mut reader, is_over));
        let mut faults = vec!["killed", "stopped", "handed over", "cut off", "moved"];
        if binary.kind == ServerKind::Valkey && binary.version.major >= 9 {
            faults.push("moved at once");
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (fault, index) in
                faults.iter().flat_map(|fault| (0..rounds).map(move |index| (*fault, index)))
            {
                let lane = jetstream::ALL[index % jetstream::ALL.len()];
                round(&mut set, &address, lane, fault, &source, ack, &mut times);
            }
        }));
        is_over.store(true, Relaxed);
        done.unwrap();
        reading.join().unwrap()
    });
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (counts.pushed, 0));
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
    times
}

/// Everything that a group is given until it is over, acknowledged as it comes.
fn read(reader: &mut Reader, is_over: &AtomicBool) -> Vec<ReadItem> {
    let mut found = Vec::new();
    loop {
        let was_over = is_over.load(Relaxed);
        let items = reader.next(Duration::from_millis(200)).unwrap();
        if items.is_empty() && was_over {
            return found;
        }
        let blocks = items.iter().filter_map(|item| match item {
            ReadItem::Block(lane, entry) => Some((*lane, entry.id)),
            _ => None,
        });
        reader.acknowledge(blocks.collect::<Vec<_>>()).unwrap();
        found.extend(items);
    }
}

fn middle_and_worst(mut times: Vec<Duration>) -> String {
    times.sort();
    let seconds = |at: usize| times[at].as_secs_f64();
    format!("{:.2} s ({:.2} at most)", seconds(times.len() / 2), seconds(times.len() - 1))
}

#[test]
#[ignore = "nightly"]
fn nightly_masters_of_clusters_fail_and_slots_move_under_a_writer_and_a_group() {
    let wanted =
        std::env::var("FOREBAY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let one = std::env::var("FOREBAY_ONE").ok();
    std::thread::scope(|scope| {
        let mut binaries = servers();
        binaries.sort_by_key(|binary| (binary.kind.to_string(), binary.version));
        binaries.dedup_by_key(|binary| (binary.kind, binary.version));
        for binary in binaries {
            for ack in [Ack::Replica, Ack::Reply] {
                let (binary, called) =
                    (binary.clone(), format!("{} {} {ack:?}", binary.kind, binary.version));
                if one.as_ref().is_some_and(|one| !called.contains(one)) {
                    continue;
                }
                scope.spawn(move || {
                    for (fault, times) in rounds(&binary, ack, wanted) {
                        let (elected, acknowledged): (Vec<_>, Vec<_>) = times.into_iter().unzip();
                        println!(
                            "{called}: {fault} {} times, 0 lost, 0 twice; another node after {}, all acknowledged {} later",
                            elected.len(),
                            middle_and_worst(elected),
                            middle_and_worst(acknowledged)
                        );
                    }
                });
            }
        }
    });
}
