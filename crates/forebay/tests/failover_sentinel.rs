//! What is claimed of a master that fails and is replaced under Sentinel: what every replica acknowledged is not lost, what the
//! server alone acknowledged may be, and is then counted; and the writer with the higher epoch has the lane. On real Sentinels.

use std::collections::HashSet;
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::look::look;
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::writer::{Ack, Options};
use forebay::event::jetstream;
use forebay_rig::server::{Conf, SentinelSet, ServerBinary};

use crate::support::*;

/// A fault by its name: how a master goes, and how it comes back.
pub type Fault = (&'static str, fn(&mut SentinelSet, usize), fn(&mut SentinelSet, usize));

pub const FAULTS: [Fault; 3] = [
    (
        "killed",
        |set, master| assert!(!set.server(master).kill().unwrap().success()),
        |set, old| set.server(old).restart().unwrap(),
    ),
    // What it was sent before it stopped, it may still take as the master that it believes to be.
    (
        "stopped",
        |set, master| set.server(master).pause().unwrap(),
        |set, old| set.server(old).resume().unwrap(),
    ),
    ("handed over", |set, _| set.hand_over().unwrap(), |_, _| {}),
];

pub fn on(binary: &ServerBinary, replicas: usize) -> (SentinelSet, Address) {
    let conf: Conf = [("appendonly", "no"), ("save", "")].into_iter().collect();
    let set = SentinelSet::start(binary, &conf, replicas).unwrap();
    let address = Address::parse(&set.url()).unwrap();
    (set, address)
}

fn set(replicas: usize) -> (SentinelSet, Address) {
    on(&ServerBinary::find(None).unwrap(), replicas)
}

pub fn acknowledged_by(ack: Ack) -> Options {
    Options { ack, ..options(4, 8) }
}

/// A source at work, until so many more of its events are acknowledged.
pub fn more(source: &Source, events: u64) {
    source.grant(events);
    source.until_acknowledged(source.granted());
}

/// A master goes while events are on their way, comes back as it will, and nothing that was acknowledged is missing.
fn outlives((_, goes, comes_back): Fault) {
    let (mut set, address) = set(2);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Replica)), 3, 100);
    more(&source, 2_000);
    source.grant(2_000);
    goes(&mut set, 0);
    set.failed_over_from(0).unwrap();
    source.until_acknowledged(source.granted());
    source.grant(1_000);
    comes_back(&mut set, 0);
    source.until_acknowledged(source.granted());
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (counts.pushed, 0));
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn what_replicas_acknowledged_outlives_a_master_that_is_killed() {
    outlives(FAULTS[0]);
}

#[test]
fn what_replicas_acknowledged_outlives_a_master_that_stops_and_goes_on() {
    outlives(FAULTS[1]);
}

#[test]
fn what_replicas_acknowledged_outlives_a_master_that_hands_over() {
    outlives(FAULTS[2]);
}

/// Acknowledgements are replicated before the blocks that come after them are acknowledged.
#[test]
fn a_group_is_given_every_event_over_a_failover_and_none_twice() {
    let (mut set, address) = set(2);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Replica)), 3, 100);
    more(&source, 1_000);
    let options = read_options(&jetstream::ALL, Some(("g", "c")));
    let mut reader = Reader::open(&address, &name(), options).unwrap();
    let (mut found, mut events) = (Vec::new(), 0);
    let mut read = |upto: u64| {
        until("the group has been given them", || {
            let items = reader.next(Duration::from_millis(50)).unwrap();
            for item in &items {
                if let ReadItem::Block(lane, entry) = item {
                    reader.acknowledge([(*lane, entry.id)]).unwrap();
                    events += entry.events;
                }
            }
            found.extend(items);
            events >= upto
        });
    };
    read(600);
    source.grant(1_000);
    set.server(0).kill().unwrap();
    set.failed_over_from(0).unwrap();
    more(&source, 1_000);
    read(3_000);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (3_000, 0));
    for lane in jetstream::ALL {
        assert_same(lane, &events_of(lane, &found), ledger.lane(lane));
    }
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
}

/// What its replica never had, as long as the writer lives, which goes on, or has nothing more to send.
#[test]
fn what_the_master_alone_acknowledged_is_sent_again_to_the_new_one() {
    let (mut set, address) = set(1);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Reply)), 3, 100);
    more(&source, 1_000);
    set.wait_in_sync(1).unwrap();
    set.cut(0).unwrap();
    more(&source, 300);
    set.server(0).kill().unwrap();
    set.failed_over_from(0).unwrap();
    // Sentinels that have not heard of it yet name the old one.
    until("the new master has them all", || {
        look(&address, &name()).is_ok_and(|stat| stat.events() == Some(1_300))
    });
    more(&source, 100);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (1_400, 0), "{counts:?}");
    assert_holds_exactly(&address, &ledger);
}

/// The control of that.
#[test]
fn without_its_newest_blocks_at_hand_what_the_master_alone_acknowledged_is_lost_and_counted() {
    let (mut set, address) = set(1);
    let without = Options { tail_bytes: 0, ..acknowledged_by(Ack::Reply) };
    let source = Source::start(open(&address, &without), 3, 100);
    more(&source, 1_000);
    set.wait_in_sync(1).unwrap();
    set.cut(0).unwrap();
    more(&source, 300);
    set.server(0).kill().unwrap();
    set.failed_over_from(0).unwrap();
    more(&source, 100);
    let (ledger, counts) = source.finish();
    assert_eq!(counts.lost_by_server, 300, "{counts:?}");
    let found = contents(&address);
    let stored: usize = jetstream::ALL.iter().map(|lane| events_of(*lane, &found).len()).sum();
    let pushed: usize = jetstream::ALL.iter().map(|lane| ledger.lane(*lane).len()).sum();
    assert_eq!(pushed - stored, 300);
    // A reader is told at its place.
    assert!(!faults(&found).is_empty());
}

#[test]
fn a_writer_that_waits_for_replicas_acknowledges_nothing_that_none_has() {
    let (set, address) = set(1);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Replica)), 3, 100);
    more(&source, 200);
    set.cut(0).unwrap();
    source.grant(50);
    until("the writer says what it waits for", || {
        source.monitor.trouble().iter().any(|trouble| trouble.contains("replicas have it in time"))
    });
    assert_eq!(source.monitor.counts().acknowledged, 200);
    set.uncut(0).unwrap();
    source.until_acknowledged(250);
    let (ledger, counts) = source.finish();
    assert_eq!(counts.lost_by_server, 0);
    assert_holds_exactly(&address, &ledger);
}

/// The older one writes on there, fewer blocks than the newer one had acknowledged, or more: what it had acknowledged stays, and
/// what the newer one had comes behind it, unless it has let go of that.
#[test]
fn the_newer_writer_has_the_lane_also_where_the_new_master_never_heard_of_it() {
    std::thread::scope(|scope| {
        for (meanwhile, tail_bytes, lost) in
            [(100, 0, 200), (600, 0, 200), (100, 1 << 20, 0), (600, 1 << 20, 0)]
        {
            scope.spawn(move || newer_wins(meanwhile, tail_bytes, lost));
        }
    });
}

fn newer_wins(meanwhile: u64, tail_bytes: usize, all_lost: u64) {
    let (mut set, address) = set(1);
    let older = Source::start(open(&address, &options(4, 8)), 3, 100);
    more(&older, 400);
    set.wait_in_sync(1).unwrap();
    // The replica has nothing of the newer writer: not its claim, and not its events.
    set.cut(0).unwrap();
    let newer = Source::start(open(&address, &Options { tail_bytes, ..taking_over(4, 8) }), 5, 101);
    more(&newer, 200);
    set.server(0).kill().unwrap();
    set.failed_over_from(0).unwrap();
    more(&older, meanwhile);
    more(&newer, 300);
    let acknowledged = older.monitor.counts().acknowledged;
    until("the older writer has ended", || {
        // A push finds out.
        older.grant(1);
        older.is_over()
    });
    let (olders, _, error) = older.stop();
    assert!(matches!(error, Some(Error::Fenced { .. })), "{error:?}");
    more(&newer, 100);
    let (newers, counts) = newer.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (600, all_lost));
    let found = contents(&address);
    let (mut kept, mut lost) = (0, 0);
    for lane in jetstream::ALL {
        let stored: HashSet<Vec<u8>> = events_of(lane, &found).into_iter().collect();
        kept += olders.lane(lane).iter().filter(|event| stored.contains(*event)).count() as u64;
        lost += newers.lane(lane).iter().filter(|event| !stored.contains(*event)).count();
        let all = events_of(lane, &found).len();
        assert_eq!(all, stored.len(), "{lane}: an event twice");
    }
    assert_eq!((kept, lost), (acknowledged, all_lost as usize));
}

#[test]
fn without_a_master_that_any_sentinel_knows_nothing_is_opened_and_all_are_named() {
    let (set, _) = set(1);
    for (url, what) in [
        (set.url().replace("/main", "/other"), "knows no master \"other\""),
        ("redis+sentinel://127.0.0.1:1,127.0.0.1:2/main".into(), "127.0.0.1:2"),
    ] {
        let address = Address::parse(&url).unwrap();
        let error = address.connect().err().unwrap().to_string();
        assert!(error.contains("no Sentinel says where the master is") && error.contains(what), "{error}");
        assert!(!error.contains(set.password()), "{error}");
    }
}
