//! What is claimed of `spill` where the server's power fails under `appendfsync everysec`: what was accepted is stored in the end,
//! once, in order and under its numbers, though the server had acknowledged and lost it; its files go when the server's own
//! disk has it, and not before. On every server that is here.

use std::path::Path;

use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::Options;
use forebay_rig::server::fault::disk::Disk;

use crate::buffer_fsync::{cut_power, on_disk, servers};
use crate::support::*;

fn spilling(folder: &Path) -> Options {
    let spill = Spill { folder: folder.into(), bytes_max: 64 << 20 };
    Options { overflow: Overflow::Spill(spill), ..options(4, 8) }
}

fn spill_files(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "spill")).count()
}

#[test]
fn spilled_blocks_that_a_power_cut_took_from_the_server_are_stored_again_from_their_files() {
    for binary in servers() {
        let (disk, dir) = (Disk::mount(64 << 20).unwrap(), tempfile::tempdir().unwrap());
        // So that what goes straight through is on its disk.
        let mut server = on_disk(&binary, &disk, "always");
        let address = address(&server);
        let source = Source::start(open(&address, &spilling(dir.path())), 9, 100);
        source.grant(300);
        source.until_acknowledged(300);
        tell(&server, "CONFIG SET appendfsync everysec");
        tell(&server, "CONFIG SET maxmemory 1");
        source.grant(2_000);
        until("all is accepted", || source.monitor.counts().accepted == 2_300);
        tell(&server, "CONFIG SET maxmemory 0");
        source.until_acknowledged(2_300);
        assert!(spill_files(dir.path()) > 0, "{binary:?}: deleted before an fsync can have been");
        tell(&server, "SET marker there");
        cut_power(&mut server, &disk);
        let marker: Option<String> = ask(&server, "GET marker").unwrap();
        assert_eq!(marker, None, "{binary:?}: the power cut took nothing");
        until("the files are deleted", || spill_files(dir.path()) == 0);
        let (ledger, counts) = source.finish();
        assert_eq!((counts.acknowledged, counts.lost_by_server), (2_300, 0), "{binary:?}");
        assert_holds_exactly(&address, &ledger);
        // And now it has them for good.
        cut_power(&mut server, &disk);
        assert_holds_exactly(&address, &ledger);
    }
}

#[test]
fn a_server_without_a_log_has_spill_files_deleted_once_it_has_acknowledged() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let source = Source::start(open(&address(&server), &spilling(dir.path())), 9, 100);
    tell(&server, "CONFIG SET maxmemory 1");
    source.grant(500);
    until("all is accepted", || source.monitor.counts().accepted == 500);
    tell(&server, "CONFIG SET maxmemory 0");
    source.until_acknowledged(500);
    until("the files are deleted", || spill_files(dir.path()) == 0);
    let (ledger, _) = source.finish();
    assert_holds_exactly(&address(&server), &ledger);
}
