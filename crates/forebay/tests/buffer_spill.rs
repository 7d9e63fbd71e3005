//! What is claimed of `spill` on bad days: what was accepted is stored in the end, once and in order, whatever the server
//! does meanwhile; a folder that cannot be used is named, with the way out.

use std::path::Path;
use std::time::{Duration, Instant};

use forebay::buffer::error::Error;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;

use crate::support::*;

fn spilling(folder: &Path) -> Options {
    let spill = Spill { folder: folder.into(), bytes_max: 64 << 20 };
    Options { overflow: Overflow::Spill(spill), ..options(4, 4) }
}

fn refused(address: &forebay::buffer::connect::Address, buffer: &str, folder: &Path) -> Error {
    match Writer::open(address, &buffer.parse().unwrap(), &spilling(folder)) {
        Ok(_) => panic!("{} was taken", folder.display()),
        Err(error) => error,
    }
}

fn holds_spill(folder: &Path) -> bool {
    let mut files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.any(|path| path.extension().is_some_and(|end| end == "spill"))
}

/// How soon something came about that is meant to take less than a second.
fn soon(what: &str, is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    until(what, is_so);
    let took = started.elapsed();
    println!("{what}: after {took:?}");
    assert!(took < Duration::from_secs(10), "{what}: after {took:?}");
}

#[test]
fn a_full_server_holds_nobody_up_and_has_everything_soon_after_it_has_room() {
    for policy in ["spill", "wait"] {
        let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
        let address = address(&server);
        let options = if policy == "spill" { spilling(dir.path()) } else { options(4, 4) };
        let source = Source::start(open(&address, &options), 1, 100);
        source.grant(500);
        source.until_acknowledged(500);
        tell(&server, "CONFIG SET maxmemory 1");
        source.grant(20_000);
        if policy == "spill" {
            until("all is accepted", || source.monitor.counts().accepted == 20_500);
        } else {
            until("every lane is refused", || {
                jetstream::ALL.iter().all(|lane| source.monitor.lane(*lane).retries > 8)
            });
        }
        let stored = source.monitor.counts().acknowledged;
        assert!(stored < 20_500);
        tell(&server, "CONFIG SET maxmemory 0");
        soon(&format!("{policy}: every lane goes on"), || {
            jetstream::ALL.iter().all(|lane| source.monitor.lane(*lane).acknowledged > 500)
        });
        source.until_acknowledged(20_500);
        let (ledger, counts) = source.finish();
        assert_eq!((counts.acknowledged, counts.accepted), (20_500, 20_500));
        assert_eq!(counts.spilled > 0, policy == "spill");
        assert!(policy == "wait" || !holds_spill(dir.path()));
        assert_holds_exactly(&address, &ledger);
    }
}

#[test]
fn a_folder_that_is_full_holds_the_source_back_and_nothing_is_lost() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let address = address(&server);
    let spill = Spill { folder: dir.path().into(), bytes_max: 64 << 10 };
    let options = Options { overflow: Overflow::Spill(spill), ..options(4, 4) };
    let source = Source::start(open(&address, &options), 2, 100);
    tell(&server, "CONFIG SET maxmemory 1");
    source.grant(20_000);
    until("the folder is full", || {
        source
            .monitor
            .trouble()
            .is_some_and(|why| why.contains("64.0 KiB") && why.contains("the most it may hold"))
    });
    // What the queues and the folder hold, and no more.
    let counts = source.monitor.counts();
    assert!(counts.pushed < 10_000 && counts.accepted < counts.pushed, "{counts:?}");
    let files = || std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    assert!(files().sum::<u64>() < 66 << 10, "{}", files().sum::<u64>());
    tell(&server, "CONFIG SET maxmemory 0");
    source.until_acknowledged(20_000);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.pushed, counts.acknowledged), (20_000, 20_000));
    assert!(counts.spilled > 0 && !holds_spill(dir.path()));
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn one_who_is_held_back_by_a_full_folder_gives_up_once_patience_ends_and_says_what_is_open() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let address = address(&server);
    let spill = Spill { folder: dir.path().into(), bytes_max: 4 << 10 };
    let patience = Duration::from_millis(300);
    let options = Options { overflow: Overflow::Spill(spill), patience, ..options(4, 4) };
    let source = Source::start(open(&address, &options), 2, 100);
    tell(&server, "CONFIG SET maxmemory 1");
    source.grant(20_000);
    let (ledger, writer, error) = source.stop();
    assert!(matches!(error, Some(Error::Lost { .. })), "{error:?}");
    let accepted = writer.monitor().counts();
    let Err(Error::Lost { unacknowledged, .. }) = writer.close() else { panic!("closed well") };
    assert!(unacknowledged > 0 && accepted.accepted > 0, "{accepted:?}");
    // What had been accepted is stored by the next one.
    tell(&server, "CONFIG SET maxmemory 0");
    let counts = open(&address, &spilling(dir.path())).close().unwrap();
    assert_eq!((counts.recovered, counts.unreadable), (accepted.accepted, 0));
    let found = contents(&address);
    for lane in jetstream::ALL {
        let events = events_of(lane, &found);
        assert_same(lane, &events, &ledger.lane(lane)[..events.len()]);
    }
}

#[test]
fn a_folder_in_use_one_of_another_buffer_and_one_that_is_none_are_named_with_the_way_out() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let address = address(&server);
    let folder = dir.path().join("spill");
    let mut writer = open(&address, &spilling(&folder));
    let text = refused(&address, "test", &folder).to_string();
    assert!(text.contains(folder.to_str().unwrap()) && text.contains("another writer uses it"), "{text}");
    // The one that has it goes on: it was not fenced.
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    until("they are stored", || writer.monitor().counts().acknowledged == 4);
    tell(&server, "CONFIG SET maxmemory 1");
    ledger.push_many(&mut writer, jetstream::LIKES, 4).unwrap();
    assert_eq!(writer.close().unwrap().accepted, 8);
    let text = refused(&address, "other", &folder).to_string();
    assert!(text.contains("events of buffer test") && text.contains("give another folder"), "{text}");
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let text = refused(&address, "test", &file).to_string();
    assert!(text.contains(file.to_str().unwrap()) && text.contains("File exists"), "{text}");
    tell(&server, "CONFIG SET maxmemory 0");
    assert_eq!(open(&address, &spilling(&folder)).close().unwrap().recovered, 4);
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn a_server_that_is_away_when_the_writer_opens_gets_everything_in_order_once_it_is_there() {
    let (mut server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let address = address(&server);
    server.kill().unwrap();
    let mut ledger = Ledger { padding: 50, ..Ledger::default() };
    // Two that never see it, and one that does.
    for _ in 0..2 {
        let mut writer = open(&address, &spilling(dir.path()));
        ledger.push_many(&mut writer, jetstream::LIKES, 400).unwrap();
        let counts = writer.close().unwrap();
        assert_eq!((counts.accepted, counts.acknowledged), (400, 0));
    }
    let mut writer = open(&address, &spilling(dir.path()));
    ledger.push_many(&mut writer, jetstream::LIKES, 100).unwrap();
    until("they are accepted", || writer.monitor().counts().accepted == 100);
    server.restart().unwrap();
    until("they are stored", || writer.monitor().counts().acknowledged == 100);
    ledger.push_many(&mut writer, jetstream::LIKES, 100).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.recovered), (200, 800));
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn a_server_restarted_while_it_is_full_and_loading_loses_nothing() {
    // So many microseconds for each of some thousands of commands.
    let always = [("appendonly", "yes"), ("appendfsync", "always"), ("key-load-delay", "500")];
    let (mut server, dir) = (server(&always), tempfile::tempdir().unwrap());
    let address = address(&server);
    let source = Source::start(open(&address, &spilling(dir.path())), 6, 400);
    source.grant(3_000);
    source.until_acknowledged(3_000);
    tell(&server, "CONFIG SET maxmemory 1");
    source.grant(2_000);
    until("they are on disk", || source.monitor.counts().accepted == 5_000);
    server.kill().unwrap();
    source.grant(500);
    let monitor = source.monitor.clone();
    let loading = std::thread::spawn(move || {
        until("the writer is told that the server is loading", || {
            monitor.trouble().is_some_and(|why| why.to_lowercase().contains("loading"))
        });
    });
    server.restart().unwrap();
    loading.join().unwrap();
    source.until_acknowledged(5_500);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (5_500, 0));
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn a_server_that_answers_nothing_holds_nobody_up_for_longer_than_a_moment() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let address = address(&server);
    let source = Source::start(open(&address, &spilling(dir.path())), 7, 100);
    source.grant(600);
    source.until_acknowledged(600);
    server.pause().unwrap();
    source.grant(10_000);
    soon("all is on disk", || source.monitor.counts().accepted == 10_600);
    server.resume().unwrap();
    source.until_acknowledged(10_600);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.pushed, counts.acknowledged), (10_600, 10_600));
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn another_program_that_fills_the_server_and_a_limit_that_is_lowered_lose_nothing() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let address = address(&server);
    let used: u64 = info(&server, "used_memory").parse().unwrap();
    tell(&server, &format!("CONFIG SET maxmemory {}", used + (8 << 20)));
    let source = Source::start(open(&address, &spilling(dir.path())), 8, 100);
    source.grant(500);
    source.until_acknowledged(500);
    tell(&server, &format!("SETRANGE others {} x", 8 << 20));
    source.grant(2_000);
    until("blocks are spilled", || source.monitor.counts().accepted == 2_500);
    assert!(source.monitor.counts().acknowledged < 2_500);
    tell(&server, "DEL others");
    source.until_acknowledged(2_500);
    tell(&server, &format!("CONFIG SET maxmemory {}", used / 2));
    source.grant(2_000);
    until("blocks are spilled again", || source.monitor.counts().accepted == 4_500);
    tell(&server, "CONFIG SET maxmemory 0");
    source.until_acknowledged(4_500);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (4_500, 0));
    assert_holds_exactly(&address, &ledger);
}

#[test]
fn a_lane_that_is_deleted_while_it_spills_lacks_what_was_deleted_and_that_is_counted() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let address = address(&server);
    let mut writer = open(&address, &spilling(dir.path()));
    let mut ledger = Ledger::default();
    ledger.push_many(&mut writer, jetstream::LIKES, 40).unwrap();
    until("they are stored", || writer.monitor().counts().acknowledged == 40);
    tell(&server, "CONFIG SET maxmemory 1");
    ledger.push_many(&mut writer, jetstream::LIKES, 40).unwrap();
    until("they are spilled", || writer.monitor().counts().accepted == 80);
    tell(&server, &format!("DEL {} {}", name().stream(jetstream::LIKES), name().writer(jetstream::LIKES)));
    tell(&server, "CONFIG SET maxmemory 0");
    until("all is stored", || writer.monitor().counts().acknowledged == 80);
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (80, 40));
    assert_same(
        jetstream::LIKES,
        &events_of(jetstream::LIKES, &contents(&address)),
        &ledger.lane(jetstream::LIKES)[40..],
    );
    assert!(!holds_spill(dir.path()));
}

/// The permission bits of a file or folder.
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn nobody_else_may_look_into_a_spill_folder_or_its_files() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let (address, folder) = (address(&server), dir.path().join("spill"));
    tell(&server, "CONFIG SET maxmemory 1");
    let mut writer = open(&address, &spilling(&folder));
    Ledger::default().push_many(&mut writer, jetstream::LIKES, 8).unwrap();
    assert_eq!(writer.close().unwrap().accepted, 8);
    assert!(holds_spill(&folder));
    assert_eq!(mode(&folder), 0o700);
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn what_is_no_plain_file_is_named_and_neither_waited_for_nor_followed() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let address = address(&server);
    let folder = dir.path().join("spill");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("likes-0123456789abcdef01234567-00000000.spill");
    let elsewhere = dir.path().join("elsewhere");
    std::fs::write(&elsewhere, "somebody's").unwrap();
    let refuses = |what: &str| {
        let text = refused(&address, "test", &folder).to_string();
        assert!(
            text.contains("is not a plain file; move it out") && text.contains("likes-01"),
            "{what}: {text}"
        );
        std::fs::remove_file(&file).unwrap();
    };
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    refuses("a FIFO");
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    refuses("a link");
    let _socket = std::os::unix::net::UnixListener::bind(&file).unwrap();
    refuses("a socket");
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"somebody's");
    open(&address, &spilling(&folder)).close().unwrap();
}

#[test]
fn the_folder_itself_is_locked_as_long_as_its_writer_runs() {
    use rustix::fs::{FlockOperation, flock};
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let writer = open(&address(&server), &spilling(dir.path()));
    let folder = std::fs::File::open(dir.path()).unwrap();
    assert!(flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err());
    writer.close().unwrap();
    // A process that another test begins may hold it until it is under way.
    until("nobody holds it", || flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok());
}
