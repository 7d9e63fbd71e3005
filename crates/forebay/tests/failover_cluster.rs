//! What is claimed of a buffer on a cluster: each lane is found wherever it is by now, over masters that die, stop, hand over, and
//! slots that move; what every replica acknowledged is not lost, nothing comes twice, and order is kept. On real clusters.

use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::group_admin::Groups;
use forebay::buffer::limit::LimitKind;
use forebay::buffer::look::look;
use forebay::buffer::measure::Machine;
use forebay::buffer::meta;
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::writer::{Ack, Counts, Options};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::{ClusterSet, Conf, ServerBinary};

use crate::failover_sentinel::{acknowledged_by, more};
use crate::support::*;

pub fn on(binary: &ServerBinary, masters: usize, replicas: usize) -> (ClusterSet, Address) {
    let conf: Conf = [("appendonly", "no"), ("save", "")].into_iter().collect();
    let set = ClusterSet::start(binary, &conf, masters, replicas).unwrap();
    let address = Address::parse(&set.url()).unwrap();
    (set, address)
}

fn set(replicas: usize) -> (ClusterSet, Address) {
    on(&ServerBinary::find(None).unwrap(), 3, replicas)
}

/// The slot of a lane that is there.
pub fn slot_of(set: &ClusterSet, address: &Address, lane: Lane) -> u16 {
    let found = meta::find(&mut address.connect().unwrap().0, &name()).unwrap().unwrap();
    set.slot_of(&found.stream(lane)).unwrap()
}

/// Which node has a lane.
pub fn master_of(set: &ClusterSet, address: &Address, lane: Lane) -> usize {
    set.master_of(slot_of(set, address, lane)).unwrap()
}

/// A fault by its name: how the master of a lane goes, and how it comes back.
pub type Fault = (&'static str, fn(&mut ClusterSet, usize), fn(&mut ClusterSet, usize));

pub const FAULTS: [Fault; 3] = [
    (
        "killed",
        |set, master| assert!(!set.server(master).kill().unwrap().success()),
        |set, old| set.server(old).restart().unwrap(),
    ),
    (
        "stopped",
        |set, master| set.server(master).pause().unwrap(),
        |set, old| set.server(old).resume().unwrap(),
    ),
    (
        "handed over",
        |set, master| {
            set.hand_over(master).unwrap();
        },
        |_, _| {},
    ),
];

/// The master of a lane goes while events are on their way, comes back as it will, and nothing that was acknowledged is missing.
fn outlives((_, goes, comes_back): Fault) {
    let (mut set, address) = set(1);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Replica)), 3, 100);
    more(&source, 2_000);
    let old = master_of(&set, &address, jetstream::LIKES);
    source.grant(2_000);
    goes(&mut set, old);
    set.failed_over_from(old).unwrap();
    // With the old one away, the shard has no replica that could acknowledge.
    comes_back(&mut set, old);
    source.until_acknowledged(source.granted());
    more(&source, 1_000);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (counts.pushed, 0));
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn what_replicas_acknowledged_outlives_a_master_of_a_cluster_that_is_killed() {
    outlives(FAULTS[0]);
}

#[test]
fn what_replicas_acknowledged_outlives_a_master_of_a_cluster_that_stops_and_goes_on() {
    outlives(FAULTS[1]);
}

#[test]
fn what_replicas_acknowledged_outlives_a_master_of_a_cluster_that_hands_over() {
    outlives(FAULTS[2]);
}

/// A master is cut off from its replica, acknowledges, and dies: what the writer says, and what is there.
fn cut_off_and_killed(tail_bytes: usize) -> (Counts, u64) {
    let (mut set, address) = set(1);
    let options = Options { tail_bytes, ..acknowledged_by(Ack::Reply) };
    let source = Source::start(open(&address, &options), 3, 100);
    more(&source, 1_000);
    set.wait_in_sync().unwrap();
    let old = master_of(&set, &address, jetstream::LIKES);
    set.cut(old).unwrap();
    more(&source, 300);
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    more(&source, 300);
    let (ledger, counts) = source.finish();
    let found = contents(&address);
    let mut there = 0;
    for lane in jetstream::ALL {
        let of_lane = events_of(lane, &found);
        there += of_lane.len() as u64;
        // In order, and none twice.
        let mut pushed = ledger.lane(lane).iter();
        assert!(of_lane.iter().all(|event| pushed.any(|known| known == event)), "{lane}");
    }
    (counts, there)
}

#[test]
fn what_a_master_of_a_cluster_alone_acknowledged_is_sent_again_to_the_new_one() {
    let (counts, there) = cut_off_and_killed(16 << 20);
    assert_eq!((counts.acknowledged, counts.lost_by_server, there), (1_600, 0, 1_600));
}

#[test]
fn without_its_newest_blocks_at_hand_what_a_master_of_a_cluster_alone_acknowledged_is_lost() {
    let (counts, there) = cut_off_and_killed(0);
    assert!(counts.lost_by_server > 0 && there == 1_600 - counts.lost_by_server, "{counts:?}, {there} there");
}

/// A reader that was given what then is lost with the master and sent again to the next one.
fn reads_over_a_failover(group: Option<(&str, &str)>) {
    let (mut set, address) = set(1);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 600);
    let mut reader = Reader::open(&address, &name(), read_options(&jetstream::ALL, group)).unwrap();
    let (mut found, mut events, mut last) = (Vec::new(), 0, None);
    let mut read = |upto: u64| {
        until("the reader has been given them", || {
            let items = reader.next(Duration::from_millis(50)).unwrap();
            for item in &items {
                let ReadItem::Block(lane, entry) = item else { continue };
                // Each with the next one: of what is lost with the master, some is acknowledged, and some is not.
                if let Some(block) = last.replace((*lane, entry.id)).filter(|_| group.is_some()) {
                    reader.acknowledge([block]).unwrap();
                }
                events += entry.events;
            }
            found.extend(items);
            events >= upto
        });
    };
    read(600);
    set.wait_in_sync().unwrap();
    let old = master_of(&set, &address, jetstream::LIKES);
    set.cut(old).unwrap();
    more(&source, 300);
    read(900);
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    more(&source, 600);
    read(1_500);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (1_500, 0));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    if group.is_some() {
        reader.acknowledge(last).unwrap();
        drop(reader);
        // Nothing is left for the group, under whichever id.
        let stat = look(&address, &name()).unwrap();
        assert!(stat.groups.iter().all(|group| group.pending_blocks == Some(0)), "{:?}", stat.groups);
        assert_eq!(stat.events(), Some(0));
    }
}

#[test]
fn a_group_is_given_nothing_twice_that_comes_again_after_a_failover() {
    reads_over_a_failover(Some(("g", "c")));
}

#[test]
fn a_reader_without_a_group_goes_on_by_number_after_a_failover() {
    reads_over_a_failover(None);
}

#[test]
fn a_buffer_on_a_cluster_is_written_read_and_looked_at_through_any_of_its_nodes() {
    let (set, _) = set(0);
    // Of a node alone: the others are found through it.
    let address = Address::parse(&set.urls()[0].replace("redis://", "redis+cluster://")).unwrap();
    let source = Source::start(open(&address, &options(4, 8)), 3, 100);
    more(&source, 1_000);
    let stat = look(&address, &name()).unwrap();
    assert_eq!((stat.lanes.len(), stat.events()), (6, Some(1_000)));
    let masters = jetstream::ALL.map(|lane| master_of(&set, &address, lane));
    assert_eq!([0, 1, 2].map(|master| masters.iter().filter(|found| **found == master).count()), [2, 2, 2]);
    let mut reader =
        Reader::open(&address, &name(), read_options(&jetstream::ALL, Some(("g", "c")))).unwrap();
    let mut found = Vec::new();
    until("the group has all of it", || {
        let items = reader.next(Duration::from_millis(300)).unwrap();
        for item in &items {
            if let ReadItem::Block(lane, entry) = item {
                reader.acknowledge([(*lane, entry.id)]).unwrap();
            }
        }
        found.extend(items);
        jetstream::ALL.iter().map(|lane| events_of(*lane, &found).len()).sum::<usize>() == 1_000
    });
    drop(reader);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (1_000, 0));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
}

#[test]
fn a_group_is_made_once_replicas_have_it_and_is_there_after_a_failover() {
    let (mut set, address) = set(1);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 600);
    let old = master_of(&set, &address, jetstream::LIKES);
    let mut groups = Groups::open(&address, &name()).unwrap();
    let replica = set.replicas_of(old).unwrap()[0];
    set.server(replica).pause().unwrap();
    let error = groups.add("late").unwrap_err().to_string();
    assert!(error.contains("replicas did not have the group"), "{error}");
    set.server(replica).resume().unwrap();
    set.wait_whole().unwrap();
    set.wait_in_sync().unwrap();
    groups.add("late").unwrap();
    set.server(old).kill().unwrap();
    set.failed_over_from(old).unwrap();
    more(&source, 100);
    assert_eq!(
        look(&address, &name()).unwrap().groups.iter().filter(|group| group.group == "late").count(),
        6
    );
    source.finish();
}

/// A waiting reader hears of a block on any node.
#[test]
fn a_reader_that_waits_is_given_what_comes_to_any_lane_of_a_cluster() {
    let (_set, address) = set(0);
    let mut reader = Reader::open(&address, &name(), read_options(&jetstream::ALL, None)).unwrap();
    let mut writer = open(&address, &options(1, 8));
    let mut ledger = Ledger::default();
    for lane in jetstream::ALL {
        assert!(reader.next(Duration::from_millis(20)).unwrap().is_empty());
        ledger.push(&mut writer, lane).unwrap();
        let found = reader.next(Duration::from_secs(10)).unwrap();
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
    writer.close().unwrap();
}

/// In the old way, key by key, with a look at the middle of it; slots that come back, too.
#[test]
fn a_lane_whose_slot_moves_to_another_master_goes_on_there() {
    let (set, address) = set(0);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 1_000);
    let slot = slot_of(&set, &address, jetstream::LIKES);
    for _ in 0..3 {
        let from = set.master_of(slot).unwrap();
        let to = (from + 1) % 3;
        source.grant(300);
        set.begin_move(slot, to).unwrap();
        // One of the lane's two keys is here, and the other there.
        assert_eq!(set.move_keys(slot, to, 1).unwrap(), 1);
        source.grant(100);
        set.move_keys(slot, to, usize::MAX).unwrap();
        set.end_move(slot, to).unwrap();
        source.until_acknowledged(source.granted());
    }
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (2_200, 0));
    assert_holds_exactly(&address, &ledger);
}

/// The node with the likes has the least room, and three fifths of the events come to it.
#[test]
fn a_buffer_on_a_cluster_is_full_when_the_first_of_its_nodes_is() {
    let (mut set, address) = set(0);
    let mut writer = open(&address, &options(64, 8));
    let mut ledger = Ledger { padding: 200, ..Ledger::default() };
    for lane in [jetstream::LIKES, jetstream::LIKES, jetstream::LIKES, jetstream::POSTS, jetstream::REPOSTS] {
        ledger.push_many(&mut writer, lane, 2_000).unwrap();
    }
    writer.close().unwrap();
    let likes = master_of(&set, &address, jetstream::LIKES);
    for node in 0..3 {
        let used: u64 = info(set.server(node), "used_memory").parse().unwrap();
        let room: u64 = if node == likes { 16 << 20 } else { 32 << 20 };
        tell(set.server(node), &format!("CONFIG SET maxmemory {}", used + room));
    }
    let stat = look(&address, &name()).unwrap();
    assert_eq!(stat.nodes.len(), 3);
    assert!(stat.nodes[0].lanes.contains(&jetstream::LIKES), "{:?}", stat.nodes[0].lanes);
    let why = || "not looked at".to_owned();
    let limits = stat.limits(&Machine { memory: Err(why()), free_bytes: Err(why()) }, Some(100.0));
    let (kind, room) = limits.first().unwrap();
    assert_eq!(kind, LimitKind::Maxmemory);
    let expected = f64::from(16 << 20) / 100.0 * 5.0 / 3.0;
    let off = room.events as f64 / expected - 1.0;
    // The server's own use moves between the two questions.
    assert!(off.abs() < 0.1, "{} of {expected}", room.events);
}
