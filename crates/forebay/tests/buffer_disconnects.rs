//! What is claimed of a writer that does not connect again: it ends before anything is appended to a server that may have come
//! back with less, and the low watermark that the server has then is one to resume at.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::reader::ReadItem;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream::{self, LIKES, POSTS};
use forebay::event::lane::Lane;
use forebay::event::parse::{Event, parse};
use forebay_rig::server::Server;

use crate::support::*;

fn ending() -> Options {
    let limits = Limits { events_max: 5, linger: Duration::from_millis(2), ..Limits::default() };
    Options { limits, reconnects: false, ..taking_over(5, 8) }
}

fn lane(cursor: u64) -> Lane {
    jetstream::ALL[(cursor * cursor / 3 % 6) as usize]
}

fn push(writer: &mut Writer, lane: Lane, cursor: u64) -> Result<(), Error> {
    let bytes = event(lane, cursor, 120);
    writer.push(&Event { cursor, ..parse(&bytes).unwrap() }).map(drop)
}

/// Pushes one event after another until the writer ends; with what.
fn push_until_it_ends(writer: &mut Writer, pushed: &AtomicU64) -> Error {
    for cursor in 1.. {
        if let Err(error) = push(writer, lane(cursor), cursor) {
            return error;
        }
        writer.acked_through();
        pushed.store(cursor, Relaxed);
        if cursor.is_multiple_of(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    unreachable!("cursors never end")
}

/// Everything that is there: lane and cursor of each event, once, and as it was pushed.
fn stored(address: &Address) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    let found = contents(address);
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    for of in jetstream::ALL {
        for bytes in events_of(of, &found) {
            let cursor = parse(&bytes).unwrap().time_us - 1_700_000_000_000_000;
            assert!(of == lane(cursor) && bytes == event(of, cursor, 120), "{of}, {cursor}");
            assert!(all.insert(cursor), "{cursor} is there twice");
        }
    }
    all
}

/// Low watermarks that blocks carry.
fn carried(address: &Address) -> BTreeSet<u64> {
    let of = |found: ReadItem| match found {
        ReadItem::Block(_, entry) => entry.low_watermark.map(|at| at.cursor),
        _ => None,
    };
    contents(address).into_iter().filter_map(of).collect()
}

/// How often the server carried out a command since it was started; what it read from its log does not count.
fn calls(server: &Server, command: &str) -> u64 {
    let stat: String = redis::cmd("INFO").arg("commandstats").query(&mut connection(server)).unwrap();
    let prefix = format!("cmdstat_{command}:calls=");
    let of = |line: &str| line.strip_prefix(&prefix)?.split(',').next()?.parse().ok();
    stat.lines().find_map(of).unwrap_or(0)
}

/// Cuts so many bytes off the end of the log, as a power cut does under `everysec`.
fn cut_log(folder: &Path, bytes: u64) {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "aof") {
                files.push(path);
            }
        }
    }
    let is_newest = |path: &&std::path::PathBuf| !path.to_string_lossy().contains(".base.");
    let log = files.iter().find(is_newest).unwrap();
    let file = std::fs::File::options().write(true).open(log).unwrap();
    file.set_len(file.metadata().unwrap().len().saturating_sub(bytes)).unwrap();
}

/// One kill, at a moment by chance, and the writer after it; how many acknowledged events were lost.
fn kill_once(random: &mut Random, cuts: bool) -> u64 {
    let everysec = [("appendonly", "yes"), ("appendfsync", "everysec"), ("aof-load-truncated", "yes")];
    let mut server = server(&everysec);
    let address = address(&server);
    let mut writer = open(&address, &ending());
    let (monitor, pushed) = (writer.monitor(), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&pushed);
    let pushing = std::thread::spawn(move || push_until_it_ends(&mut writer, &seen));
    let acknowledged = 200 + random.below(1_500);
    until("some are acknowledged", || monitor.counts().acknowledged >= acknowledged);
    std::thread::sleep(Duration::from_micros(random.below(20_000)));
    server.kill().unwrap();
    if cuts {
        cut_log(server.dir(), 1 + random.below(30_000));
    }
    server.restart().unwrap();
    until("the writer ends", || pushing.is_finished());
    let error = pushing.join().unwrap();
    assert!(matches!(error, Error::Disconnected { .. }), "{error}");
    assert_eq!(calls(&server, "xadd"), 0, "something was appended after the restart");
    let before = stored(&address);

    let writer = open(&address, &ending());
    let resumed = writer.resume_position().low_watermark().unwrap();
    assert!(carried(&address).contains(&resumed), "no block says {resumed}");
    let missing: Vec<u64> = (1..=resumed).filter(|cursor| !before.contains(cursor)).collect();
    assert!(missing.is_empty(), "up to {resumed} it lacks {missing:?}");
    drop(writer);
    // A source that repeats none: what is stored after the low watermark is passed over.
    let last = pushed.load(Relaxed);
    let mut writer = open(&address, &ending());
    for cursor in (resumed + 1..=last).filter(|cursor| !before.contains(cursor)) {
        push(&mut writer, lane(cursor), cursor).unwrap();
    }
    writer.close().unwrap();
    // The one that was pushed last may have been stored and not counted.
    let after = stored(&address);
    assert!(after.iter().copied().eq(1..=last.max(after.last().copied().unwrap_or(0))));
    monitor.counts().acknowledged.saturating_sub(before.len() as u64)
}

#[test]
fn after_a_kill_nothing_is_appended_and_all_up_to_the_low_watermark_is_there() {
    let mut random = Random::new(u64::from(std::process::id()));
    // A kill alone loses what the server had not written; every second one also the end of its log, as a power cut does. Each
    // on a server of its own: Redis may find what was cut off in a transaction again when it starts for the second time.
    let lost: u64 = (0..10).map(|round| kill_once(&mut random, round % 2 == 1)).sum();
    assert!(lost > 0, "no kill lost anything that was acknowledged");
}

#[test]
fn a_connection_that_is_killed_ends_the_writer() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &ending());
    push(&mut writer, LIKES, 1).unwrap();
    push(&mut writer, POSTS, 2).unwrap();
    until("they are acknowledged", || writer.monitor().counts().open() == 0);
    let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection(&server)).unwrap();
    // The one that appended last.
    let id = clients
        .lines()
        .find(|line| line.contains("cmd=evalsha"))
        .and_then(|line| line.split_whitespace().find_map(|field| field.strip_prefix("id=")))
        .unwrap();
    tell(&server, &format!("CLIENT KILL ID {id}"));
    let error = (3..1_000).find_map(|cursor| {
        std::thread::sleep(Duration::from_millis(2));
        push(&mut writer, if cursor % 2 == 0 { LIKES } else { POSTS }, cursor).err()
    });
    assert!(matches!(error, Some(Error::Disconnected { .. })), "{error:?}");
    assert!(matches!(writer.close(), Err(Error::Disconnected { .. })));
}

#[test]
fn a_full_server_is_waited_for() {
    let server = server(&[]);
    let mut writer = open(&address(&server), &ending());
    push(&mut writer, LIKES, 1).unwrap();
    until("it is acknowledged", || writer.monitor().counts().open() == 0);
    tell(&server, "CONFIG SET maxmemory 1");
    for cursor in 2..=20 {
        push(&mut writer, LIKES, cursor).unwrap();
    }
    until("it is refused", || {
        writer.check().unwrap();
        writer.monitor().counts().retries > 3
    });
    tell(&server, "CONFIG SET maxmemory 0");
    tell(&server, "SCRIPT FLUSH");
    push(&mut writer, POSTS, 21).unwrap();
    assert_eq!(writer.close().unwrap().acknowledged, 21);
}

#[test]
fn a_server_that_has_less_on_the_same_connection_ends_the_writer() {
    for command in ["FLUSHALL", "REPLICAOF 127.0.0.1 1"] {
        let server = server(&[]);
        let mut writer = open(&address(&server), &ending());
        for cursor in 1..=10 {
            push(&mut writer, LIKES, cursor).unwrap();
        }
        until("they are acknowledged", || writer.monitor().counts().open() == 0);
        tell(&server, command);
        tell(&server, "CONFIG RESETSTAT");
        push(&mut writer, POSTS, 11).unwrap();
        until("the writer ends", || writer.check().is_err());
        let error = writer.check().unwrap_err();
        assert!(matches!(error, Error::Disconnected { .. }), "{command}: {error}");
        assert_eq!(calls(&server, "xadd"), 0, "{command}");
    }
}

/// A lane that is taken later than others may be taken of a server that has come back with less.
#[test]
fn a_server_that_is_away_is_not_opened_with_a_spill_folder_either() {
    let mut server = server(&[]);
    let address = address(&server);
    server.kill().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spill = Spill { folder: folder.path().into(), bytes_max: 64 << 20 };
    let options = Options { overflow: Overflow::Spill(spill), ..ending() };
    let refused = Writer::open(&address, &name(), &options).err();
    assert!(matches!(refused, Some(Error::Connect { .. })), "{refused:?}");
}
