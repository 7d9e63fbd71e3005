//! What is claimed where room is short: on a master of a cluster that is full, and in what a writer keeps until replicas have it. On
//! real clusters.

use forebay::buffer::connect::Address;
use forebay::buffer::overflow::Overflow;
use forebay::buffer::writer::{Ack, Options, Writer};
use forebay::event::jetstream;
use forebay::event::parse::{Event, parse};
use forebay_rig::server::{ClusterSet, ServerBinary};

use crate::failover_cluster::{master_of, on};
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

/// Gives a node so much more memory than it uses.
fn leave(set: &mut ClusterSet, node: usize, bytes: u64) {
    let used: u64 = info(set.server(node), "used_memory").parse().unwrap();
    tell(set.server(node), &format!("CONFIG SET maxmemory {}", used + bytes));
}

#[test]
fn room_is_made_on_the_node_that_is_full_and_other_nodes_keep_all_that_they_have() {
    let (mut set, address) = of(3, 0);
    let options = Options { overflow: Overflow::TrimOldest, ..acknowledged_by(Ack::Reply) };
    let mut writer = open(&address, &options);
    let mut ledger = Ledger { padding: 3_000, ..Ledger::default() };
    // Older than all that comes to the full node.
    let full = master_of(&set, &address, jetstream::LIKES);
    let others: Vec<_> =
        jetstream::ALL.into_iter().filter(|lane| master_of(&set, &address, *lane) != full).collect();
    for lane in &others {
        ledger.push_many(&mut writer, *lane, 100).unwrap();
    }
    until("all are acknowledged", || writer.monitor().counts().acknowledged == 100 * others.len() as u64);
    leave(&mut set, full, 1 << 20);
    ledger.push_many(&mut writer, jetstream::LIKES, 2_000).unwrap();
    let counts = writer.close().unwrap();
    assert!(counts.trimmed > 0 && counts.trimmed < 2_000, "{counts:?}");
    let found = contents(&address);
    for lane in others {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
}

/// What is beyond is lost with the master, and counted.
#[test]
fn a_writer_keeps_no_more_than_it_may_until_replicas_have_it() {
    let (mut set, address) = of(3, 1);
    let options = Options { tail_bytes: 1 << 20, ..acknowledged_by(Ack::Reply) };
    let mut writer = open(&address, &options);
    let mut ledger = Ledger { padding: 2_000, ..Ledger::default() };
    let old = master_of(&set, &address, jetstream::LIKES);
    set.cut(old).unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 2_000).unwrap();
    until("all are acknowledged", || writer.monitor().counts().acknowledged == 2_000);
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 20).unwrap();
    let counts = writer.close().unwrap();
    let there = there(&address);
    assert_eq!(there + counts.lost_by_server, 2_020, "{counts:?}");
    // A megabyte of them is some 600.
    assert!((300..1_200).contains(&there), "{there} there");
}

/// The new master is as full as the old one was. What was dropped on the old one alone is there again.
#[test]
fn a_new_master_that_is_full_is_given_room_for_what_is_sent_again() {
    let (mut set, address) = of(3, 1);
    let options = Options { overflow: Overflow::TrimOldest, ..acknowledged_by(Ack::Reply) };
    let source = Source::start(open(&address, &options), 3, 3_000);
    more(&source, 1_000);
    set.wait_in_sync().unwrap();
    (0..6).for_each(|node| leave(&mut set, node, 1 << 20));
    more(&source, 3_000);
    let old = master_of(&set, &address, jetstream::LIKES);
    set.cut(old).unwrap();
    more(&source, 300);
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    more(&source, 3_000);
    let (_, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (7_300, 0), "{counts:?}");
    assert!(there(&address) + counts.trimmed >= 7_300, "{counts:?}");
}

/// A new master takes a part of it, is full, and has room later.
#[test]
fn what_is_sent_again_goes_on_where_a_full_server_has_stopped_it() {
    let (mut set, address) = of(3, 1);
    let mut writer = open(&address, &acknowledged_by(Ack::Reply));
    let mut ledger = Ledger { padding: 3_000, ..Ledger::default() };
    let mut push = |writer: &mut Writer, events: u64| {
        for _ in 0..events {
            let cursor = ledger.lane(jetstream::LIKES).len() as u64 + 1;
            let bytes = event(jetstream::LIKES, cursor, ledger.padding);
            writer.push(&Event { cursor, ..parse(&bytes).unwrap() }).unwrap();
            ledger.lanes[jetstream::LIKES.index()].push(bytes);
        }
        writer.flush().unwrap();
        ledger.lane(jetstream::LIKES).len() as u64
    };
    let upto = push(&mut writer, 100);
    until("all are acknowledged", || writer.monitor().counts().acknowledged == upto);
    set.wait_in_sync().unwrap();
    let old = master_of(&set, &address, jetstream::LIKES);
    let new = set.replicas_of(old).unwrap()[0];
    set.cut(old).unwrap();
    let upto = push(&mut writer, 1_000);
    until("all are acknowledged", || writer.monitor().counts().acknowledged == upto);
    writer.acked_through();
    leave(&mut set, new, 1 << 20);
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    let upto = push(&mut writer, 20);
    until("it is full", || writer.monitor().trouble().is_some_and(|why| why.contains("OOM")));
    tell(set.server(new), "CONFIG SET maxmemory 0");
    until("all are acknowledged", || writer.monitor().counts().acknowledged == upto);
    let counts = writer.close().unwrap();
    assert_eq!(counts.lost_by_server, 0);
    assert_holds_exactly(&address, &ledger);
    // No block says that what comes behind it is settled.
    let found = contents(&address);
    for two in entries(&found).windows(2) {
        assert!(two[0].low_watermark < two[1].cursor, "block {}", two[0].number);
    }
}

/// The shard of the likes has lost its replica, and takes all the room that there is for what is kept.
#[test]
fn lanes_whose_replicas_are_away_leave_room_for_what_others_keep() {
    let (mut set, address) = of(3, 1);
    let options = Options { tail_bytes: 2 << 20, ..acknowledged_by(Ack::Reply) };
    let mut writer = open(&address, &options);
    let mut ledger = Ledger { padding: 1_000, ..Ledger::default() };
    let likes = master_of(&set, &address, jetstream::LIKES);
    let other = jetstream::ALL.into_iter().find(|lane| master_of(&set, &address, *lane) != likes).unwrap();
    let others = master_of(&set, &address, other);
    let replica = set.replicas_of(likes).unwrap()[0];
    set.server(replica).kill().unwrap();
    ledger.push_many(&mut writer, jetstream::LIKES, 4_000).unwrap();
    until("all are acknowledged", || writer.monitor().counts().acknowledged == 4_000);
    set.cut(others).unwrap();
    ledger.push_many(&mut writer, other, 20).unwrap();
    until("all are acknowledged", || writer.monitor().counts().acknowledged == 4_020);
    set.server(others).kill().unwrap();
    set.failed_over_from(others).unwrap();
    ledger.push_many(&mut writer, other, 20).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (4_040, 0));
    assert_holds_exactly(&address, &ledger);
}
