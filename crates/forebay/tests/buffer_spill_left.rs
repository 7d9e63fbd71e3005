//! What is claimed of `spill` between runs: what one leaves the next brings in, in order, and leaves no trace of it; what is
//! damaged meanwhile is counted once.

use std::path::{Path, PathBuf};
use std::time::Instant;

use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::{Counts, Options};
use forebay::event::jetstream;
use forebay_rig::server::Server;

use super::support::{
    Ledger, address, assert_holds_exactly, assert_stalled, contents, events_of, faults, open, options,
    server, tell, until,
};

/// Events in each block of these tests.
const BLOCK: u64 = 4;

fn spilling(folder: &Path) -> Options {
    Options {
        overflow: Overflow::Spill(Spill { folder: folder.into(), bytes_max: 1 << 30 }),
        ..options(BLOCK, 4)
    }
}

fn set_full(server: &Server, is_full: bool) {
    tell(server, &format!("CONFIG SET maxmemory {}", u8::from(is_full)));
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Leaves so many likes in the folder, none of them on the server.
fn leave(server: &Server, folder: &Path, events: u64) -> Ledger {
    set_full(server, true);
    let mut ledger = Ledger { padding: 30, ..Ledger::default() };
    let mut writer = open(&address(server), &spilling(folder));
    ledger.push_many(&mut writer, jetstream::LIKES, events).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.accepted, counts.spilled), (0, events, events));
    set_full(server, false);
    ledger
}

/// A writer that brings in what a folder holds. One whose server gives no answer for seconds leaves the rest to the next.
fn bring_in(server: &Server, folder: &Path) -> Counts {
    let started = Instant::now();
    let counts = open(&address(server), &spilling(folder)).close().unwrap();
    if counts.earlier_bytes == 0 {
        return counts;
    }
    assert_stalled(started, &counts);
    let rest = bring_in(server, folder);
    Counts {
        recovered: counts.recovered + rest.recovered,
        unreadable: counts.unreadable + rest.unreadable,
        ..rest
    }
}

#[test]
fn what_was_left_comes_in_first_the_next_time_in_order_and_leaves_no_trace() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let mut ledger = leave(&server, dir.path(), 100);
    let mut writer = open(&address(&server), &spilling(dir.path()));
    ledger.push_many(&mut writer, jetstream::LIKES, 50).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.recovered, counts.acknowledged, counts.unreadable), (100, 50, 0));
    assert_holds_exactly(&address(&server), &ledger);
    assert!(files(dir.path(), "spill").is_empty());
    // The next writer finds nothing to ask about but its own session.
    assert_eq!(bring_in(&server, dir.path()).recovered, 0);
    assert_eq!(files(dir.path(), "session").len(), jetstream::ALL.len());
}

#[test]
fn a_block_damaged_while_its_writer_goes_on_is_counted_and_the_writer_ends_well() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let mut ledger = Ledger { padding: 30, ..Ledger::default() };
    let mut writer = open(&address(&server), &spilling(dir.path()));
    let monitor = writer.monitor();
    set_full(&server, true);
    ledger.push_many(&mut writer, jetstream::LIKES, 200).unwrap();
    until("all is on disk", || monitor.counts().spilled == 200);
    let file = files(dir.path(), "spill").pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    std::fs::write(&file, &bytes).unwrap();
    set_full(&server, false);
    until("the rest is on the server", || monitor.counts().acknowledged + BLOCK >= 200);
    // Straight through, after the gap.
    ledger.push_many(&mut writer, jetstream::LIKES, 40).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.unreadable, counts.acknowledged, counts.accepted), (BLOCK, 240 - BLOCK, 240));
    assert_eq!(counts.left, 0, "nothing waits for another run");
    assert!(faults(&contents(&address(&server))).is_empty());
}

#[test]
fn a_file_cut_at_any_byte_loses_only_what_was_cut_off() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let ledger = leave(&server, dir.path(), 3 * BLOCK);
    let file = files(dir.path(), "spill").pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let mut kept_most = 0;
    // Every third byte, and the last ones all: a cut is met in the head, in a record's head, in a frame.
    for length in (0..whole.len()).filter(|length| length % 3 == 0 || length + 8 > whole.len()) {
        let case = tempfile::tempdir().unwrap();
        std::fs::write(case.path().join(file.file_name().unwrap()), &whole[..length]).unwrap();
        tell(&server, "FLUSHALL");
        let counts = bring_in(&server, case.path());
        assert_eq!(counts.recovered % BLOCK, 0, "cut at {length}: whole blocks");
        assert!(counts.recovered >= kept_most && counts.recovered < 3 * BLOCK, "cut at {length}: {counts:?}");
        kept_most = counts.recovered;
        let found = events_of(jetstream::LIKES, &contents(&address(&server)));
        assert_eq!(found, ledger.lane(jetstream::LIKES)[..counts.recovered as usize], "cut at {length}");
    }
    assert_eq!(kept_most, 2 * BLOCK);
}
