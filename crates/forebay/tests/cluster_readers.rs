//! What is claimed of readers and of questions on a cluster on bad days: ids that go back, a lane that is far behind, blocks that are
//! held over a failover or taken over meanwhile, slots that are being moved, and nodes that are gone. On real clusters.

use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::group_admin::Groups;
use forebay::buffer::look::look;
use forebay::buffer::meta;
use forebay::buffer::reader::Reader;
use forebay::buffer::writer::{Ack, Options};
use forebay::event::jetstream;
use forebay_rig::server::{ClusterSet, ServerBinary};

use crate::failover_cluster::{master_of, on, slot_of};
use crate::failover_sentinel::{acknowledged_by, more};
use crate::support::*;

fn of(masters: usize, replicas: usize) -> (ClusterSet, Address) {
    on(&ServerBinary::find(None).unwrap(), masters, replicas)
}

fn reader(address: &Address, group: Option<(&str, &str)>) -> Reader {
    Reader::open(address, &name(), read_options(&jetstream::ALL, group)).unwrap()
}

/// The old master's clock was ahead. The writer, over the same address, has learnt who the new one is before the reader asks again.
#[test]
fn a_reader_without_a_group_misses_nothing_where_ids_go_back() {
    let (mut set, address) = of(3, 1);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 600);
    let mut readers = [reader(&address, None), reader(&Address::parse(&set.url()).unwrap(), None)];
    let mut found = readers.each_mut().map(drain);
    set.wait_in_sync().unwrap();
    let old = master_of(&set, &address, jetstream::LIKES);
    set.cut(old).unwrap();
    let key = meta::find(&mut address.connect().unwrap().0, &name()).unwrap().unwrap();
    tell(set.server(old), &format!("XSETID {} 99999999999999-0", key.stream(jetstream::LIKES)));
    more(&source, 300);
    for (reader, found) in readers.iter_mut().zip(&mut found) {
        found.extend(drain(reader));
    }
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    more(&source, 600);
    let (ledger, counts) = source.finish();
    assert_eq!(counts.lost_by_server, 0);
    for (reader, found) in readers.iter_mut().zip(&mut found) {
        found.extend(drain(reader));
        assert!(faults(found).is_empty(), "{:?}", faults(found));
        for lane in jetstream::ALL {
            assert_same(lane, &events_of(lane, found), ledger.lane(lane));
        }
    }
}

#[test]
fn a_reader_that_is_far_behind_is_not_sent_everything_for_each_lost_connection() {
    let (mut set, address) = of(3, 0);
    let mut ledger = Ledger { padding: 2_000, ..Ledger::default() };
    let mut writer = open(&address, &options(1, 16));
    ledger.push_many(&mut writer, jetstream::LIKES, 1_000).unwrap();
    writer.close().unwrap();
    let mut reader = likes(&address, None);
    // Few at a time, so that it stays behind.
    reader.ask_for(1);
    let mut found = few(&mut reader);
    for _ in 0..3 {
        for node in 0..3 {
            tell(set.server(node), "CLIENT KILL TYPE normal");
        }
        found.extend(reader.next(LIMIT).unwrap());
    }
    let at = master_of(&set, &address, jetstream::LIKES);
    let stats: String = ask(set.server(at), "INFO commandstats").unwrap();
    let ranges = stats.lines().filter_map(|line| line.split_once("range:calls=")?.1.split(',').next());
    let ranges: u64 = ranges.map(|calls| calls.parse::<u64>().unwrap()).sum();
    assert!(ranges < 20, "a thousand blocks were asked for {ranges} times");
    found.extend(drain(&mut reader));
    assert_same(jetstream::LIKES, &events_of(jetstream::LIKES, &found), ledger.lane(jetstream::LIKES));
}

#[test]
fn blocks_that_are_held_over_a_failover_are_acknowledged_late_under_all_of_their_ids() {
    let (mut set, address) = of(3, 1);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 300);
    let mut reader = reader(&address, Some(("g", "c")));
    let mut found = drain(&mut reader);
    set.wait_in_sync().unwrap();
    let old = master_of(&set, &address, jetstream::LIKES);
    set.cut(old).unwrap();
    more(&source, 300);
    found.extend(drain(&mut reader));
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    more(&source, 300);
    // Once its connection is lost, its own are looked through: more than once.
    for _ in 0..2 {
        found.extend(drain(&mut reader));
        for node in (0..6).filter(|node| *node != old) {
            tell(set.server(node), "CLIENT KILL TYPE normal");
        }
    }
    found.extend(drain(&mut reader));
    reader.acknowledge(places(&found)).unwrap();
    let (ledger, counts) = source.finish();
    assert_eq!(counts.lost_by_server, 0);
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
    let stat = look(&address, &name()).unwrap();
    assert!(stat.groups.iter().all(|group| group.pending_blocks == Some(0)), "{:?}", stat.groups);
    assert_eq!(stat.events(), Some(0));
}

/// It was made where no replica could have it. What its consumer holds is for it still, and what it was done with is not given again.
#[test]
fn a_group_that_is_gone_with_its_master_is_made_again_where_its_consumer_was() {
    let (mut set, address) = of(3, 1);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 600);
    set.wait_in_sync().unwrap();
    let old = master_of(&set, &address, jetstream::LIKES);
    set.cut(old).unwrap();
    let mut reader = reader(&address, Some(("late", "c")));
    let mut found = drain(&mut reader);
    let all = places(&found);
    reader.acknowledge(all[..all.len() / 2].to_vec()).unwrap();
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    more(&source, 300);
    let (ledger, counts) = source.finish();
    assert_eq!(counts.lost_by_server, 0);
    found.extend(drain(&mut reader));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
    reader.acknowledge(places(&found)).unwrap();
    found = drain(&mut reader);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(look(&address, &name()).unwrap().events(), Some(0));
}

/// Taken over by another one while they were held, and come back from it.
#[test]
fn blocks_that_come_back_from_another_consumer_are_not_taken_for_repeats() {
    const IDLE: Duration = Duration::from_millis(50);
    let (_set, address) = of(3, 0);
    let mut writer = open(&address, &options(1, 8));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 60).unwrap();
    until("all are there", || writer.monitor().counts().acknowledged == 60);
    let options = |consumer: &str| forebay::buffer::reader::Options {
        claim_idle: IDLE,
        ..read_options(&[jetstream::LIKES], Some(("g", consumer)))
    };
    let mut one = Reader::open(&address, &name(), options("one")).unwrap();
    // From 62 on it asks which it still holds.
    one.hold_at_most(1_000);
    assert_eq!(drain(&mut one).len(), 60);
    let mut two = Reader::open(&address, &name(), options("two")).unwrap();
    until("another one takes some over", || !two.next(Duration::ZERO).unwrap().is_empty());
    drop(two);
    ledger.push_many(&mut writer, jetstream::LIKES, 10).unwrap();
    writer.close().unwrap();
    let mut found = Vec::new();
    until("it is given the new ones, and those that it no longer held", || {
        found.extend(one.next(Duration::from_millis(20)).unwrap());
        found.len() > 10
    });
    let stat = look(&address, &name()).unwrap();
    assert_eq!(stat.groups.iter().map(|group| group.pending_blocks.unwrap()).sum::<u64>(), 70);
}

/// In the old way: first one of the lane's keys is gone from its node, then both.
#[test]
fn readers_of_all_lanes_and_questions_go_on_while_a_slot_is_being_moved() {
    let (set, address) = of(3, 0);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 600);
    let slot = slot_of(&set, &address, jetstream::LIKES);
    let to = (set.master_of(slot).unwrap() + 1) % 3;
    let keys = meta::find(&mut address.connect().unwrap().0, &name()).unwrap().unwrap().keys();
    // One that knows of nothing that others learn.
    let mut earlier = Address::parse(&set.url()).unwrap().connect().unwrap().0;
    set.begin_move(slot, to).unwrap();
    for step in ["one", "both"] {
        assert_eq!(set.move_keys(slot, to, 1).unwrap(), 1);
        let mut connection = address.connect().unwrap().0;
        let there: u64 = redis::cmd("EXISTS").arg(&keys).query(&mut connection).unwrap();
        assert_eq!(there, 13, "{step}");
        assert_eq!(look(&address, &name()).unwrap().events(), Some(600), "{step}");
        assert_eq!(Groups::open(&address, &name()).unwrap().add(step).unwrap(), 6);
        for group in [None, Some((step, "c"))] {
            let found = drain(&mut reader(&address, group));
            let events: usize = jetstream::ALL.iter().map(|lane| events_of(*lane, &found).len()).sum();
            assert_eq!(events, 600, "{step} {group:?}");
        }
    }
    set.end_move(slot, to).unwrap();
    assert_eq!(redis::cmd("EXISTS").arg(&keys[0]).query::<u64>(&mut earlier), Ok(1));
    assert_eq!(redis::cmd("EXISTS").arg(&keys).query::<u64>(&mut earlier), Ok(13));
    let (ledger, _) = source.finish();
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn after_a_question_that_a_dead_node_leaves_unanswered_none_is_given_anothers_answer() {
    let (mut set, address) = of(3, 0);
    let mut writer = open(&address, &options(1, 8));
    let mut ledger = Ledger::default();
    for lane in jetstream::ALL {
        ledger.push(&mut writer, lane).unwrap();
    }
    writer.close().unwrap();
    let mut connection = address.connect().unwrap().0;
    let found = meta::find(&mut connection, &name()).unwrap().unwrap();
    let mut exists = redis::cmd("EXISTS");
    exists.arg(found.keys());
    assert_eq!(exists.query::<u64>(&mut connection), Ok(13));
    let likes = master_of(&set, &address, jetstream::LIKES);
    set.server((likes + 1) % 3).kill().unwrap();
    assert!(exists.query::<u64>(&mut connection).is_err());
    let number: redis::RedisResult<u64> =
        redis::cmd("HGET").arg(found.writer(jetstream::LIKES)).arg("epoch").query(&mut connection);
    assert!(number.is_err(), "{number:?}");
}

/// All along, on every node; masters hand over meanwhile.
#[test]
fn scripts_that_nodes_forget_hold_nobody_up() {
    let (mut set, address) = of(3, 1);
    let options = Options { in_flight: 16, ..acknowledged_by(Ack::Replica) };
    let source = Source::start(open(&address, &options), 3, 100);
    let mut reader = reader(&address, Some(("g", "c")));
    let mut found = Vec::new();
    for round in 0..30 {
        source.grant(50);
        for node in 0..6 {
            tell(set.server(node), "SCRIPT FLUSH");
        }
        if round % 10 == 5 {
            let old = master_of(&set, &address, jetstream::LIKES);
            set.hand_over(old).unwrap();
        }
        let items = reader.next(Duration::from_millis(10)).unwrap();
        reader.acknowledge(places(&items)).unwrap();
        found.extend(items);
    }
    source.until_acknowledged(source.granted());
    let (ledger, counts) = source.finish();
    assert_eq!(counts.lost_by_server, 0);
    found.extend(drain(&mut reader));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
}
