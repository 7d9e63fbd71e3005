//! What is claimed of `fsync` acknowledgement while a server's settings change under it: what was acknowledged outlives a power
//! cut, or the writer ends and says why. On every server that is here.

use std::path::Path;
use std::time::Duration;

use forebay::buffer::error::Error;
use forebay::buffer::writer::{Ack, Monitor, Options};
use forebay::event::jetstream;
use forebay_rig::server::fault::disk::Disk;
use forebay_rig::server::{Server, ServerBinary};

use crate::support::*;

/// The server of all tests, and those of `make servers`.
pub fn servers() -> Vec<ServerBinary> {
    let mut found = vec![ServerBinary::find(None).unwrap()];
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../servers"));
    for folder in folders.into_iter().flatten().flatten() {
        let programs = ["redis-server", "valkey-server"].map(|name| folder.path().join(name));
        let programs = programs.iter().filter(|path| path.is_file());
        found.extend(programs.map(|path| ServerBinary::find(Some(path)).unwrap()));
    }
    found
}

/// A server with an append-only log on a disk of its own.
pub fn on_disk(binary: &ServerBinary, disk: &Disk, appendfsync: &str) -> Server {
    let dir = disk.path().to_str().unwrap();
    let conf = [("appendonly", "yes"), ("appendfsync", appendfsync), ("save", ""), ("dir", dir)];
    let server = Server::start(binary, &conf.into_iter().collect()).unwrap();
    // No server makes the name of its log's folder last.
    disk.settle();
    server
}

/// Power fails, and comes back.
pub fn cut_power(server: &mut Server, disk: &Disk) {
    server.kill().unwrap();
    disk.cut_power(None);
    server.restart().unwrap();
}

fn options_fsync() -> Options {
    Options { ack: Ack::Fsync, patience: Duration::from_secs(20), ..options(4, 8) }
}

/// A writer at work whose server is told something: the error that it ends with, where it ends within so many more events.
fn told(server: &Server, command: &str, more: u64) -> (Ledger, Monitor, Option<Error>) {
    let source = Source::start(open(&address(server), &options_fsync()), 5, 100);
    let monitor = source.monitor.clone();
    source.grant(400);
    source.until_acknowledged(400);
    tell(server, command);
    for _ in 0..more {
        source.grant(1);
        // One at a time, so that some are acknowledged long after an fsync and some right before the power fails.
        until("one more is taken", || monitor.counts().pushed >= source.granted() || source.is_over());
    }
    until("all are acknowledged, or the writer has ended", || {
        source.is_over() || monitor.counts().acknowledged == 400 + more
    });
    let (ledger, writer, error) = source.stop();
    let error = error.or_else(|| writer.check().err());
    drop(writer);
    (ledger, monitor, error)
}

#[test]
fn what_was_acknowledged_outlives_a_power_cut_though_always_was_taken_back_meanwhile() {
    for binary in servers() {
        let disk = Disk::mount(64 << 20).unwrap();
        let mut server = on_disk(&binary, &disk, "always");
        let address = address(&server);
        let (ledger, monitor, error) = told(&server, "CONFIG SET appendfsync everysec", 300);
        let acknowledged = jetstream::ALL.map(|lane| monitor.lane(lane).acknowledged as usize);
        cut_power(&mut server, &disk);
        let found = contents(&address);
        for lane in jetstream::ALL {
            let (events, owed) = (events_of(lane, &found), acknowledged[lane.index()]);
            assert!(events.len() >= owed, "{binary:?}, {lane}: {} of {owed} acknowledged", events.len());
            assert_same(lane, &events, &ledger.lane(lane)[..events.len()]);
        }
        if let Some(error) = error {
            assert!(
                matches!(&error, Error::NoFsync(why) if why.contains("appendfsync was set to everysec")),
                "{error}"
            );
        } else {
            // Only where the server says itself when it has synced.
            assert_eq!(acknowledged.iter().sum::<usize>(), 700, "{binary:?}");
        }
    }
}

#[test]
fn a_log_that_is_turned_off_ends_a_writer_that_acknowledges_after_fsync() {
    for binary in servers() {
        let disk = Disk::mount(64 << 20).unwrap();
        let server = on_disk(&binary, &disk, "always");
        let (_, monitor, error) = told(&server, "CONFIG SET appendonly no", 300);
        let is_told = matches!(&error, Some(Error::NoFsync(why)) if why.contains("appendonly"));
        assert!(is_told, "{binary:?}: {error:?}");
        // What was under way when it was turned off may count: turning it off syncs it.
        assert!(monitor.counts().acknowledged < 700, "{binary:?}");
    }
}

#[test]
fn a_writer_that_is_unblocked_while_it_waits_for_an_fsync_sends_again_and_loses_nothing() {
    for binary in servers() {
        let disk = Disk::mount(64 << 20).unwrap();
        let server = on_disk(&binary, &disk, "everysec");
        let address = address(&server);
        let writer = forebay::buffer::writer::Writer::open(&address, &name(), &options_fsync());
        // One without WAITAOF, or with one that answers too early.
        let Ok(writer) = writer else { continue };
        let source = Source::start(writer, 6, 100);
        let waits = || -> Vec<String> {
            let clients: String = ask(&server, "CLIENT LIST").unwrap();
            let waiting =
                clients.lines().filter(|line| line.contains("cmd=waitaof") && line.contains("flags=b"));
            waiting.filter_map(|line| line.split([' ', '=']).nth(1).map(str::to_owned)).collect()
        };
        let mut unblocked = 0;
        until("several were unblocked", || {
            source.grant(20);
            for id in waits() {
                unblocked += ask::<u64>(&server, &format!("CLIENT UNBLOCK {id} ERROR")).unwrap();
            }
            unblocked >= 5
        });
        let granted = source.granted();
        source.until_acknowledged(granted);
        let (ledger, counts) = source.finish();
        assert!(counts.retries > 0, "{binary:?}: none noticed");
        assert_eq!((counts.acknowledged, counts.lost_by_server), (granted, 0));
        assert_holds_exactly(&address, &ledger);
    }
}

#[test]
fn a_block_whose_answer_was_lost_is_acknowledged_though_the_server_has_filled_up_meanwhile() {
    for binary in servers() {
        let conf = [("appendonly", "yes"), ("appendfsync", "always"), ("save", ""), ("requirepass", "")];
        let server = Server::start(&binary, &conf.into_iter().collect()).unwrap();
        let (proxy, near) = proxy(&server);
        let mut writer = open(&near, &options_fsync());
        let mut ledger = Ledger::default();
        ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
        until("the first block is acknowledged", || writer.monitor().counts().acknowledged == 4);
        proxy.leave_unanswered(&b"EVALSHA"[..], 1);
        proxy.refuse();
        ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
        until("its answer is lost", || proxy.cuts() > 0 && held(&server) == 2);
        tell(&server, "CONFIG SET maxmemory 1");
        proxy.heal();
        let counts = writer.close().unwrap_or_else(|why| panic!("{binary:?}: {why}"));
        assert_eq!((counts.acknowledged, counts.repeats), (8, 1), "{binary:?}");
        assert_holds_exactly(&address(&server), &ledger);
    }
}
