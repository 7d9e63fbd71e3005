//! What `failover_sentinel` claims of one failover, over many, on every server that is here: masters that are killed, stopped and
//! handed over in turn under one writer that waits for replicas.

use forebay_rig::server::ServerBinary;

use crate::buffer_fsync::servers;
use crate::failover_sentinel::{FAULTS, acknowledged_by, more, on};
use crate::support::*;
use forebay::buffer::writer::Ack;

/// Rounds of each fault on each server, unless `FOREBAY_ROUNDS` says another number.
const ROUNDS: usize = 50;

/// Events that were lost, and failovers, of one server.
fn rounds(binary: &ServerBinary, rounds: usize) -> (u64, usize) {
    let (mut set, address) = on(binary, 2);
    let source = Source::start(open(&address, &acknowledged_by(Ack::Replica)), 3, 100);
    more(&source, 500);
    let mut done = 0;
    for round in 0..rounds * FAULTS.len() {
        let (_, goes, comes_back) = FAULTS[round % FAULTS.len()];
        let old = set.master().unwrap();
        // On their way while the master goes.
        source.grant(300);
        goes(&mut set, old);
        set.failed_over_from(old).unwrap();
        source.until_acknowledged(source.granted());
        source.grant(100);
        comes_back(&mut set, old);
        source.until_acknowledged(source.granted());
        set.wait_in_sync(2).unwrap_or_else(|why| panic!("{why}"));
        done += 1;
    }
    let (ledger, counts) = source.finish();
    assert_eq!(counts.acknowledged, counts.pushed);
    assert_holds_exactly(&address, &ledger);
    (counts.lost_by_server, done)
}

#[test]
#[ignore = "nightly"]
fn nightly_masters_fail_over_under_a_writer_that_waits_for_replicas() {
    let wanted =
        std::env::var("FOREBAY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    std::thread::scope(|scope| {
        let all: Vec<_> = servers()
            .into_iter()
            .map(|binary| {
                scope.spawn(move || {
                    let (lost, done) = rounds(&binary, wanted);
                    println!(
                        "{} {}: {done} failovers, {lost} events lost, every event once and in order",
                        binary.kind, binary.version
                    );
                    assert_eq!(lost, 0);
                })
            })
            .collect();
        for server in all {
            server.join().unwrap();
        }
    });
}
