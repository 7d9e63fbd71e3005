//! What is claimed where a replica becomes the master that has missed what others acknowledged: it is sent to it again while the
//! writer lives. The sharpest scene there is: the one that had it is dead, and the master too.

use std::sync::atomic::AtomicBool;

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::writer::{Ack, Counts, Options, Writer};
use forebay::event::jetstream;
use forebay_rig::server::{ClusterSet, Conf, ServerBinary, ServerKind, Version};

use crate::buffer_fsync::servers;
use crate::failover_cluster::{master_of, on};
use crate::failover_sentinel::{acknowledged_by, more};
use crate::support::*;

/// Events are acknowledged by a master and one of its two replicas; both die, and the other one takes over.
fn stale_one_takes_over(tail_bytes: usize) -> (Counts, u64) {
    let (mut set, address) = on(&ServerBinary::find(None).unwrap(), 3, 2);
    let options = Options { tail_bytes, ..acknowledged_by(Ack::Replica) };
    let source = Source::start(open(&address, &options), 3, 100);
    more(&source, 600);
    let master = master_of(&set, &address, jetstream::LIKES);
    let replicas = set.replicas_of(master).unwrap();
    set.wait_in_sync().unwrap();
    set.server(replicas[1]).pause().unwrap();
    // It does not come again, and has in its socket only what was sent before.
    tell(set.server(master), "CLIENT KILL TYPE replica");
    // Once the cluster holds it for failing, the other one is enough.
    more(&source, 600);
    set.server(replicas[0]).kill().unwrap();
    set.server(master).kill().unwrap();
    set.server(replicas[1]).resume().unwrap();
    set.failed_over_from(master).unwrap();
    // A replica that acknowledges is needed again.
    set.server(master).restart().unwrap();
    more(&source, 300);
    let (_, counts) = source.finish();
    let found = contents(&address);
    let there = jetstream::ALL.iter().map(|lane| events_of(*lane, &found).len() as u64).sum();
    (counts, there)
}

#[test]
fn what_a_replica_has_missed_is_sent_to_it_when_it_becomes_the_master() {
    let (counts, there) = stale_one_takes_over(16 << 20);
    assert_eq!((counts.acknowledged, counts.lost_by_server, there), (1_500, 0, 1_500), "{counts:?}");
}

#[test]
fn without_its_newest_blocks_at_hand_what_a_replica_has_missed_is_lost_when_it_becomes_the_master() {
    let (counts, there) = stale_one_takes_over(0);
    assert!(counts.lost_by_server > 0, "{counts:?}");
    assert_eq!(there, 1_500 - counts.lost_by_server);
}

/// Where the servers have it: Redis from 7.2 on.
#[test]
fn blocks_count_once_every_replica_has_them_on_its_disk() {
    let able =
        |binary: &ServerBinary| binary.kind == ServerKind::Redis && binary.version >= Version::new(7, 4, 2);
    let Some(binary) = servers().into_iter().find(able) else {
        return println!("no Redis from 7.4.2 on is here: not tried");
    };
    let conf: Conf = [("appendonly", "yes"), ("appendfsync", "everysec"), ("save", "")].into_iter().collect();
    let mut set = ClusterSet::start(&binary, &conf, 3, 1).unwrap();
    let address = Address::parse(&set.url()).unwrap();
    // Its claims are waited for in the same way: on a slow machine, more than once.
    let options = acknowledged_by(Ack::ReplicaFsync);
    let writer =
        Writer::open_patiently(&address, &name(), &options, &AtomicBool::new(false)).unwrap().unwrap();
    let source = Source::start(writer, 3, 100);
    more(&source, 300);
    let master = master_of(&set, &address, jetstream::LIKES);
    let replica = set.replicas_of(master).unwrap()[0];
    // It has them in memory all the same.
    tell(set.server(replica), "CONFIG SET appendonly no");
    source.grant(60);
    until("the writer says what it waits for", || {
        source.monitor.trouble().iter().any(|trouble| trouble.contains("replicas have it on disk in time"))
    });
    assert!(source.monitor.counts().acknowledged < 360);
    tell(set.server(replica), "CONFIG SET appendonly yes");
    source.until_acknowledged(360);
    let (ledger, counts) = source.finish();
    assert_eq!(counts.lost_by_server, 0);
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn servers_that_cannot_tell_of_their_replicas_disks_are_refused_with_what_they_lack() {
    let (_set, address) = on(&ServerBinary::find(None).unwrap(), 3, 1);
    let error = Writer::open(&address, &name(), &acknowledged_by(Ack::ReplicaFsync)).err().unwrap();
    assert!(matches!(&error, Error::NoFsync(_)), "{error}");
}
