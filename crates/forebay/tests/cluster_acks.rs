//! Which replicas an acknowledgement waits for: all that may be promoted, whether they are connected or not, and those that come
//! meanwhile. On real clusters.

use forebay::buffer::writer::{Ack, Writer};
use forebay::event::jetstream;
use forebay_rig::server::ServerBinary;

use crate::failover_cluster::{master_of, on};
use crate::failover_sentinel::{acknowledged_by, more};
use crate::support::*;

/// The cluster takes it for well, and would promote it.
#[test]
fn a_replica_that_is_up_and_has_lost_its_master_is_waited_for() {
    let (mut set, address) = on(&ServerBinary::find(None).unwrap(), 3, 2);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Replica)), 3, 100);
    more(&source, 100);
    source.finish();
    let master = master_of(&set, &address, jetstream::LIKES);
    let replica = set.replicas_of(master).unwrap()[1];
    tell(set.server(replica), "CONFIG SET masterauth another");
    tell(set.server(replica), "CLIENT KILL TYPE master");
    let error = Writer::open(&address, &name(), &acknowledged_by(Ack::Replica)).err().unwrap().to_string();
    assert!(error.contains("1 of 2 replicas have it in time"), "{error}");
    let password = set.password().to_owned();
    tell(set.server(replica), &format!("CONFIG SET masterauth {password}"));
    set.wait_in_sync().unwrap();
    open(&address, &acknowledged_by(Ack::Replica)).close().unwrap();
}

#[test]
fn a_replica_that_comes_while_blocks_are_acknowledged_is_waited_for_from_then_on() {
    let (mut set, address) = on(&ServerBinary::find(None).unwrap(), 3, 2);
    let writer = open(&address, &acknowledged_by(Ack::Reply));
    writer.close().unwrap();
    let master = master_of(&set, &address, jetstream::LIKES);
    let replica = set.replicas_of(master).unwrap()[1];
    set.server(replica).kill().unwrap();
    let source = {
        let opened = || Writer::open(&address, &name(), &acknowledged_by(Ack::Replica)).ok();
        let mut writer = None;
        until("the cluster has given the replica up", || {
            writer = opened();
            writer.is_some()
        });
        Source::start(writer.unwrap(), 3, 100)
    };
    more(&source, 300);
    assert_eq!(source.monitor.counts().repeats, 0);
    set.server(replica).restart().unwrap();
    set.wait_in_sync().unwrap();
    more(&source, 300);
    // What one replica had is sent again until both have it.
    assert!(source.monitor.counts().repeats > 0);
    let (ledger, counts) = source.finish();
    assert_eq!(counts.lost_by_server, 0);
    assert_holds_exactly(&address, &ledger);
}
