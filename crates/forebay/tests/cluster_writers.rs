//! What is claimed of writers on a cluster on bad days: what was acknowledged is sent again whatever else they do, and over two
//! failovers in a row; a slot that an operator takes away and gives to another node is found. On real clusters.

use std::collections::HashSet;

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::meta;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::{Ack, Counts, Options};
use forebay::event::jetstream;
use forebay_rig::server::{ClusterSet, ServerBinary};

use crate::failover_cluster::{master_of, on, slot_of};
use crate::failover_sentinel::{acknowledged_by, more};
use crate::support::*;

fn of(masters: usize, replicas: usize) -> (ClusterSet, Address) {
    on(&ServerBinary::find(None).unwrap(), masters, replicas)
}

/// What is there of all lanes.
fn there(address: &Address) -> u64 {
    let found = contents(address);
    jetstream::ALL.iter().map(|lane| events_of(*lane, &found).len() as u64).sum()
}

/// A master is cut off, acknowledges what its replica never has, and dies.
fn cut_off_and_killed(options: &Options) -> (Counts, u64) {
    let (mut set, address) = of(3, 1);
    let source = Source::start(open(&address, options), 3, 100);
    for _ in 0..20 {
        more(&source, 30);
    }
    set.wait_in_sync().unwrap();
    let old = master_of(&set, &address, jetstream::LIKES);
    set.cut(old).unwrap();
    for _ in 0..10 {
        more(&source, 30);
    }
    set.server(old).kill().unwrap();
    source.grant(3_000);
    set.failed_over_from(old).unwrap();
    // One that ends before has what it had acknowledged from nowhere any more.
    until("all are stored, or dropped", || {
        let counts = source.monitor.counts();
        counts.acknowledged + counts.shed == source.granted()
    });
    let (_, counts) = source.finish();
    assert!(faults(&contents(&address)).is_empty());
    (counts, there(&address))
}

#[test]
fn what_was_acknowledged_is_sent_again_by_a_writer_with_a_spill_folder_too() {
    let folder = tempfile::tempdir().unwrap();
    let spill = Spill { folder: folder.path().into(), bytes_max: 64 << 20 };
    let options = Options { overflow: Overflow::Spill(spill), ..acknowledged_by(Ack::Reply) };
    let (counts, there) = cut_off_and_killed(&options);
    assert_eq!((counts.acknowledged, counts.lost_by_server, there), (3_900, 0, 3_900), "{counts:?}");
}

#[test]
fn what_was_acknowledged_is_sent_again_by_a_writer_that_drops_what_comes_meanwhile() {
    let options = Options { overflow: Overflow::Shed, in_flight: 64, ..acknowledged_by(Ack::Reply) };
    let (counts, there) = cut_off_and_killed(&options);
    assert_eq!((counts.acknowledged + counts.shed, counts.lost_by_server), (3_900, 0), "{counts:?}");
    assert_eq!(there, counts.acknowledged);
}

/// The next master never heard of the newer writer, and the one after it neither.
#[test]
fn the_newer_writer_has_its_lanes_over_two_failovers_in_a_row() {
    let (mut set, address) = of(3, 2);
    let older = Source::start(open(&address, &options(4, 8)), 3, 100);
    more(&older, 400);
    set.wait_in_sync().unwrap();
    let first = master_of(&set, &address, jetstream::LIKES);
    set.cut(first).unwrap();
    let newer = Source::start(open(&address, &taking_over(4, 8)), 5, 101);
    more(&newer, 200);
    set.server(first).kill().unwrap();
    let second = set.failed_over_from(first).unwrap();
    // Some of it on lanes of the new master; on the others it finds out that it has lost the buffer.
    older.grant(50);
    until("the older writer has ended", || {
        older.grant(1);
        older.is_over()
    });
    let acknowledged = older.monitor.counts().acknowledged;
    set.wait_in_sync().unwrap();
    set.cut(second).unwrap();
    more(&newer, 100);
    set.server(second).kill().unwrap();
    set.failed_over_from(second).unwrap();
    more(&newer, 100);
    let (olders, _, error) = older.stop();
    assert!(matches!(error, Some(Error::Fenced { .. })), "{error:?}");
    let (newers, counts) = newer.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (400, 0));
    let found = contents(&address);
    let mut kept = 0;
    for lane in jetstream::ALL {
        let stored: HashSet<Vec<u8>> = events_of(lane, &found).into_iter().collect();
        kept += olders.lane(lane).iter().filter(|event| stored.contains(*event)).count() as u64;
        assert!(newers.lane(lane).iter().all(|event| stored.contains(event)), "{lane}: an event is missing");
        assert_eq!(events_of(lane, &found).len(), stored.len(), "{lane}: an event twice");
    }
    assert!(kept >= acknowledged, "{kept} of {acknowledged}");
}

/// By hand, as a cluster is mended: the epoch of the one that gets it is no newer.
#[test]
fn a_slot_that_nobody_had_for_a_while_is_found_at_whoever_has_it_then() {
    let (mut set, address) = of(3, 0);
    for node in 0..3 {
        tell(set.server(node), "CONFIG SET cluster-require-full-coverage no");
    }
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 600);
    let slot = slot_of(&set, &address, jetstream::LIKES);
    let from = set.master_of(slot).unwrap();
    assert!(from > 0, "nodes before it have lower epochs");
    for node in 0..3 {
        tell(set.server(node), &format!("CLUSTER DELSLOTS {slot}"));
    }
    source.grant(100);
    until("the writer says what it waits for", || {
        source.monitor.trouble().is_some_and(|why| why.contains("Hash slot not served"))
    });
    tell(set.server(0), &format!("CLUSTER ADDSLOTS {slot}"));
    source.until_acknowledged(source.granted());
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (700, 0));
    assert_holds_exactly(&address, &ledger);
}

/// As a dump of each key.
#[test]
fn a_buffer_of_one_server_keeps_its_keys_on_a_cluster_and_goes_on() {
    let single = server(&[]);
    let mut ledger = Ledger { padding: 20, ..Ledger::default() };
    let mut writer = open(&Address::parse(&single.url()).unwrap(), &options(2, 8));
    for lane in jetstream::ALL {
        ledger.push_many(&mut writer, lane, 100).unwrap();
    }
    writer.close().unwrap();
    let (set, address) = of(3, 0);
    let mut from = connection(&single);
    for key in name().keys() {
        let at = set.master_of(set.slot_of(&key).unwrap()).unwrap();
        let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query(&mut from).unwrap();
        let mut to = redis::Client::open(&*set.urls()[at]).unwrap().get_connection().unwrap();
        redis::cmd("RESTORE").arg(&key).arg(0).arg(dump).exec(&mut to).unwrap();
    }
    let mut writer = open(&address, &options(2, 8));
    for lane in jetstream::ALL {
        ledger.push_many(&mut writer, lane, 100).unwrap();
    }
    writer.close().unwrap();
    assert_holds_exactly(&address, &ledger);
    let found = meta::find(&mut address.connect().unwrap().0, &name()).unwrap().unwrap();
    assert_eq!(found.keys(), name().keys());
}
