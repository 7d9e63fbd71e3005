//! What is claimed of `spill` on bad days: damaged files are told by place and the rest is used, a full disk holds the
//! source back, and a folder has one buffer and one writer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::{Counts, Options, Writer};
use forebay::event::lane::Lane;
use forebay::event::parse::parse;
use forebay::server::Server;

use super::support::{
    Ledger, Source, address, assert_holds_exactly, contents, event, events_of, faults, name, open, options,
    server, tell, until,
};

/// Events in each block of these tests.
const BLOCK: u64 = 4;

fn spilling(folder: &Path) -> Options {
    with_room(folder, 1 << 30)
}

fn with_room(folder: &Path, bytes_max: u64) -> Options {
    Options { overflow: Overflow::Spill(Spill { folder: folder.into(), bytes_max }), ..options(BLOCK, 4) }
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
    ledger.push_many(&mut writer, Lane::Likes, events).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.accepted, counts.spilled), (0, events, events));
    set_full(server, false);
    ledger
}

/// A writer that brings in what a folder holds.
fn bring_in(server: &Server, folder: &Path) -> Counts {
    open(&address(server), &spilling(folder)).close().unwrap()
}

#[test]
fn what_was_left_comes_in_first_the_next_time_in_order_and_leaves_no_trace() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let mut ledger = leave(&server, dir.path(), 100);
    let mut writer = open(&address(&server), &spilling(dir.path()));
    ledger.push_many(&mut writer, Lane::Likes, 50).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.recovered, counts.acknowledged, counts.unreadable), (100, 50, 0));
    assert_holds_exactly(&address(&server), &ledger);
    assert!(files(dir.path(), "spill").is_empty());
    // The next writer finds nothing to ask about but its own session.
    assert_eq!(bring_in(&server, dir.path()).recovered, 0);
    assert_eq!(files(dir.path(), "session").len(), Lane::ALL.len());
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
        let found = events_of(Lane::Likes, &contents(&address(&server)));
        assert_eq!(found, ledger.lane(Lane::Likes)[..counts.recovered as usize], "cut at {length}");
    }
    assert_eq!(kept_most, 2 * BLOCK);
}

#[test]
fn a_flipped_byte_costs_one_block_at_the_most_which_is_counted_and_the_file_is_kept() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let ledger = leave(&server, dir.path(), 3 * BLOCK);
    let file = files(dir.path(), "spill").pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(5) {
        let case = tempfile::tempdir().unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        std::fs::write(case.path().join(file.file_name().unwrap()), &bytes).unwrap();
        tell(&server, "FLUSHALL");
        let counts = bring_in(&server, case.path());
        let missing = 3 * BLOCK - counts.recovered;
        assert!(missing == 0 || missing == BLOCK, "flipped at {at}: {counts:?}");
        let found = events_of(Lane::Likes, &contents(&address(&server)));
        let lost: Vec<_> = ledger.lane(Lane::Likes).iter().filter(|event| !found.contains(event)).collect();
        assert_eq!(lost.len() as u64, missing, "flipped at {at}");
        let is_last =
            lost.last().is_some_and(|last| **last == ledger.lane(Lane::Likes)[3 * BLOCK as usize - 1]);
        // After the last record nothing tells how many events should have come.
        assert!(counts.unreadable == missing || is_last, "flipped at {at}: {counts:?}");
        if missing > 0 && !is_last {
            assert_eq!(files(case.path(), "damaged").len(), 1, "flipped at {at}: the file is kept");
        }
    }
}

#[test]
fn a_block_damaged_while_its_writer_goes_on_is_counted_and_the_writer_ends_well() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let mut ledger = Ledger { padding: 30, ..Ledger::default() };
    let mut writer = open(&address(&server), &spilling(dir.path()));
    let monitor = writer.monitor();
    set_full(&server, true);
    ledger.push_many(&mut writer, Lane::Likes, 200).unwrap();
    until("all is on disk", || monitor.counts().spilled == 200);
    let file = files(dir.path(), "spill").pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    std::fs::write(&file, &bytes).unwrap();
    set_full(&server, false);
    until("the rest is on the server", || monitor.counts().acknowledged + BLOCK >= 200);
    // Straight through, after the gap.
    ledger.push_many(&mut writer, Lane::Likes, 40).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.unreadable, counts.acknowledged, counts.accepted), (BLOCK, 240 - BLOCK, 240));
    assert_eq!(counts.left, 0, "nothing waits for another run");
    assert!(faults(&contents(&address(&server))).is_empty());
}

#[test]
fn a_folder_that_may_hold_no_more_holds_the_source_back_and_loses_nothing() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let source = Source::start(open(&address(&server), &with_room(dir.path(), 100_000)), 9, 400);
    set_full(&server, true);
    source.grant(5_000);
    until("the writer says that the folder is full", || {
        source.monitor.trouble().is_some_and(|why| why.contains("--spill-max"))
    });
    let accepted = source.monitor.counts().accepted;
    assert!(accepted > 0 && accepted < 5_000, "{accepted} accepted");
    let used: u64 = files(dir.path(), "spill").iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(used <= 100_000, "{used} bytes");
    set_full(&server, false);
    let (ledger, counts) = source.finish();
    assert_eq!((counts.acknowledged, counts.unreadable), (5_000, 0));
    assert_holds_exactly(&address(&server), &ledger);
}

#[test]
fn a_source_held_back_by_a_full_folder_gives_up_after_its_patience() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let patience = Duration::from_millis(300);
    let mut writer = open(&address(&server), &Options { patience, ..with_room(dir.path(), 20_000) });
    set_full(&server, true);
    let error = (0..100_000)
        .find_map(|number| writer.push(&parse(&event(Lane::Likes, number, 400)).unwrap(), patience).err())
        .expect("a source held back for longer than patience allows");
    assert!(matches!(error, Error::Lost { unacknowledged, .. } if unacknowledged > 0), "{error}");
    let spilled = writer.monitor().counts().accepted;
    drop(writer);
    set_full(&server, false);
    assert_eq!(bring_in(&server, dir.path()).recovered, spilled, "what was accepted is there all the same");
}

#[test]
fn a_folder_has_one_writer_and_one_buffer() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let first = open(&address(&server), &spilling(dir.path()));
    let said = |opened: Result<Writer, Error>| opened.err().expect("a folder that is taken").to_string();
    let again = said(Writer::open(&address(&server), &name(), &spilling(dir.path())));
    assert!(again.contains("another writer uses it") && again.contains("folder of its own"), "{again}");
    first.close().unwrap();
    leave(&server, dir.path(), 8);
    let other = said(Writer::open(&address(&server), &"other".parse().unwrap(), &spilling(dir.path())));
    assert!(other.contains("events of buffer test"), "{other}");
    assert_eq!(bring_in(&server, dir.path()).recovered, 8, "and nothing was lost by it");
}

#[test]
fn a_server_that_is_away_full_or_paused_is_no_reason_not_to_begin() {
    let (mut server, dir) =
        (server(&[("appendonly", "yes"), ("appendfsync", "always")]), tempfile::tempdir().unwrap());
    let mut ledger = Ledger { padding: 30, ..Ledger::default() };
    let mut push = |at: &Address, spilled: u64| {
        let mut writer = open(at, &spilling(dir.path()));
        ledger.push_many(&mut writer, Lane::Likes, 40).unwrap();
        let counts = writer.close().unwrap();
        assert_eq!((counts.accepted, counts.spilled), (40, spilled));
    };
    let at = address(&server);
    push(&at, 0);
    server.kill().unwrap();
    push(&at, 40);
    server.restart().unwrap();
    set_full(&server, true);
    push(&at, 40);
    set_full(&server, false);
    server.pause().unwrap();
    push(&at, 40);
    server.resume().unwrap();
    assert_eq!(bring_in(&server, dir.path()).recovered, 120);
    assert_holds_exactly(&at, &ledger);
}

#[test]
fn a_lane_deleted_by_somebody_while_it_spills_loses_what_was_deleted_and_nothing_else() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let mut ledger = Ledger { padding: 30, ..Ledger::default() };
    let mut writer = open(&address(&server), &spilling(dir.path()));
    let monitor = writer.monitor();
    ledger.push_many(&mut writer, Lane::Likes, 40).unwrap();
    until("the first are on the server", || monitor.counts().acknowledged == 40);
    set_full(&server, true);
    ledger.push_many(&mut writer, Lane::Likes, 40).unwrap();
    until("the next are on disk", || monitor.counts().spilled == 40);
    tell(&server, &format!("DEL {} {}", name().stream(Lane::Likes), name().writer(Lane::Likes)));
    set_full(&server, false);
    ledger.push_many(&mut writer, Lane::Likes, 40).unwrap();
    let counts = writer.close().unwrap();
    assert_eq!((counts.acknowledged, counts.lost_by_server), (120, 40));
    let found = contents(&address(&server));
    assert_eq!(events_of(Lane::Likes, &found), ledger.lane(Lane::Likes)[40..]);
}
