//! What is claimed of a spill folder that was damaged: a file cut at any byte, or flipped anywhere, costs the blocks that
//! it hits and no others; what is missing is counted as far as it can be known, and the damaged file is kept.

use std::path::{Path, PathBuf};
use std::time::Instant;

use forebay::block::encode::{Encoding, Wanted};
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::{Counts, Options, Writer};
use forebay::event::jetstream;
use forebay_rig::server::Server;

use crate::support::*;

/// Bytes of a file's head, with its mark, where the buffer is called `test`.
const HEAD: usize = 24 + 28;

/// Bytes of a record before its frame.
const RECORD_HEAD: usize = 88;

/// Blocks, of one event each.
const BLOCKS: u64 = 9;

/// How often a case is begun at the most.
const TRIES: usize = 10;

fn spilling(folder: &Path) -> Options {
    // Files end after an eighth of that: after three blocks, whose frames are about as long as their events.
    let spill = Spill { folder: folder.into(), bytes_max: 8 * 550 };
    let encoding = Encoding { wanted: Wanted::Plain, ..Encoding::default() };
    Options { overflow: Overflow::Spill(spill), encoding, ..options(1, 4) }
}

/// What one killed or stopped writer left: files of some blocks, all of one lane and session.
struct Left {
    server: Server,
    dir: tempfile::TempDir,
    ledger: Ledger,
    files: Vec<SpillFile>,
}

/// Name, bytes, and where each record begins and ends.
type SpillFile = (String, Vec<u8>, Vec<(usize, usize)>);

impl Left {
    fn new() -> Self {
        let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
        tell(&server, "CONFIG SET maxmemory 1");
        let folder = dir.path().join("as-it-was");
        let mut writer = open(&address(&server), &spilling(&folder));
        let mut ledger = Ledger { padding: 20, ..Ledger::default() };
        for block in 1..=BLOCKS {
            ledger.push(&mut writer, jetstream::LIKES).unwrap();
            // One by one: what comes together goes to one file.
            until("the block is on disk", || writer.monitor().counts().accepted == block);
        }
        let counts = writer.close().unwrap();
        assert_eq!((counts.accepted, counts.acknowledged), (BLOCKS, 0));
        tell(&server, "CONFIG SET maxmemory 0");
        let mut names = files(&folder, "spill");
        names.sort();
        let files = names.into_iter().map(|name| {
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            let records = records(&bytes);
            (name, bytes, records)
        });
        let files: Vec<_> = files.collect();
        assert_eq!(files.len(), 3, "{:?}", files.iter().map(|(name, ..)| name).collect::<Vec<_>>());
        assert_eq!(files.iter().map(|(.., records)| records.len()).sum::<usize>() as u64, BLOCKS);
        Self { server, dir, ledger, files }
    }

    /// Opens a writer on a copy of the folder with one file changed; what it counts, the events that are in the buffer
    /// then, by number, and the damaged files that are kept. A writer whose server gives no answer for seconds leaves
    /// the rest in the folder, and says so: such a case begins anew.
    fn open_with(
        &self,
        changed: usize,
        content: &[u8],
        before: impl Fn(),
    ) -> (Counts, Vec<u64>, Vec<String>) {
        let tried = (0..TRIES).find_map(|_| {
            before();
            self.try_with(changed, content)
        });
        tried.expect("a server that answers")
    }

    fn try_with(&self, changed: usize, content: &[u8]) -> Option<(Counts, Vec<u64>, Vec<String>)> {
        let folder = self.dir.path().join("changed");
        std::fs::create_dir(&folder).unwrap();
        for (at, (name, bytes, _)) in self.files.iter().enumerate() {
            std::fs::write(folder.join(name), if at == changed { content } else { bytes }).unwrap();
        }
        let started = Instant::now();
        let writer = Writer::open(&address(&self.server), &name(), &spilling(&folder)).unwrap();
        let counts = writer.close().unwrap();
        let (left, damaged) = (files(&folder, "spill"), files(&folder, "damaged"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(left.is_empty(), counts.earlier_bytes == 0, "{left:?}");
        if !left.is_empty() {
            assert_stalled(started, &left);
            return None;
        }
        let found = contents(&address(&self.server));
        assert!(faults(&found).is_empty(), "{:?}", faults(&found));
        let pushed = self.ledger.lane(jetstream::LIKES);
        let number = |event: &Vec<u8>| pushed.iter().position(|of| of == event).unwrap() as u64;
        Some((counts, events_of(jetstream::LIKES, &found).iter().map(number).collect(), damaged))
    }

    /// The same on an empty server: exactly `lost` are missing, `unreadable` are counted.
    fn costs(&self, file: usize, content: &[u8], lost: &[u64], unreadable: u64, is_kept: bool, what: &str) {
        let (counts, found, damaged) = self.open_with(file, content, || tell(&self.server, "FLUSHALL"));
        let expected: Vec<u64> = (0..BLOCKS).filter(|number| !lost.contains(number)).collect();
        assert_eq!(found, expected, "{what}");
        assert_eq!((counts.unreadable, counts.recovered), (unreadable, expected.len() as u64), "{what}");
        let kept = Path::new(&self.files[file].0).with_extension("damaged");
        let kept: Vec<String> = is_kept.then(|| kept.to_str().unwrap().to_owned()).into_iter().collect();
        assert_eq!(damaged, kept, "{what}");
    }

    /// Number of a file's first event.
    fn first(&self, file: usize) -> u64 {
        self.files[..file].iter().map(|(.., records)| records.len() as u64).sum()
    }
}

fn files(folder: &Path, end: &str) -> Vec<String> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path: &PathBuf| path.extension().is_some_and(|of| of == end));
    paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn records(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut records) = (HEAD, Vec::new());
    while at < bytes.len() {
        let frame = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        records.push((at, at + RECORD_HEAD + frame));
        at += RECORD_HEAD + frame;
    }
    records
}

/// Every `step`-th byte, and those around the ends of records.
fn places(bytes: &[u8], records: &[(usize, usize)], step: usize) -> Vec<usize> {
    let is_at_an_end =
        |at: &usize| records.iter().any(|(from, to)| at.abs_diff(*from) < 2 || at.abs_diff(*to) < 2);
    (0..bytes.len()).filter(|at| at % step == 0 || is_at_an_end(at)).collect()
}

#[test]
fn a_file_that_is_cut_costs_the_blocks_after_the_cut_and_a_later_file_tells_how_many() {
    cut_every(11);
}

#[test]
#[ignore = "nightly"]
fn nightly_a_file_is_cut_at_every_single_byte() {
    cut_every(1);
}

fn cut_every(step: usize) {
    let left = Left::new();
    for file in [1, 2] {
        let (_, bytes, records) = &left.files[file];
        for cut in places(bytes, records, step) {
            let gone = records.iter().enumerate().filter(|(_, (_, end))| *end > cut);
            let lost: Vec<u64> = gone.map(|(at, _)| left.first(file) + at as u64).collect();
            // Nothing comes after the last file: of its last block nothing tells, of those before it the mark, as long
            // as it is there.
            let marked = records[1].1;
            let unreadable = match (file, cut) {
                (1, _) => lost.len() as u64,
                (_, HEAD..) => records[..2].iter().filter(|(_, end)| *end > cut).count() as u64,
                _ => 0,
            };
            let is_torn = records.iter().all(|(_, end)| *end != cut);
            let is_kept = cut != 0 && (cut < marked || (file == 1 && is_torn));
            let what = format!("file {file} cut at {cut}");
            left.costs(file, &bytes[..cut], &lost, unreadable, is_kept, &what);
        }
    }
}

#[test]
fn a_flipped_byte_costs_the_block_that_it_is_in_and_no_other() {
    flip_every(17);
}

#[test]
#[ignore = "nightly"]
fn nightly_every_single_byte_of_a_file_is_flipped() {
    flip_every(1);
}

fn flip_every(step: usize) {
    let left = Left::new();
    let mut random = Random::new(11);
    for file in [0, 1, 2] {
        let (_, bytes, records) = &left.files[file];
        for at in places(bytes, records, step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << random.below(8);
            let hit = records.iter().position(|(from, to)| (*from..*to).contains(&at));
            let lost: Vec<u64> = hit.map(|hit| left.first(file) + hit as u64).into_iter().collect();
            // Where the last block's own words about itself are damaged, nothing else speaks of it.
            let is_told = hit
                .is_none_or(|hit| file < 2 || hit + 1 < records.len() || at - records[hit].0 >= RECORD_HEAD);
            let unreadable = if is_told { lost.len() as u64 } else { 0 };
            left.costs(file, &flipped, &lost, unreadable, true, &format!("file {file} flipped at {at}"));
        }
    }
}

#[test]
fn damage_to_blocks_that_are_stored_already_costs_nothing_and_repeats_nothing() {
    let left = Left::new();
    let (_, bytes, records) = &left.files[1];
    left.costs(1, bytes, &[], 0, false, "as it was");
    for at in [3, records[0].0 + 9, records[1].0 + 40, records[1].1 - 1, bytes.len() - 1] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 16;
        for content in [&flipped[..], &bytes[..at]] {
            let (counts, found, _) = left.open_with(1, content, || {});
            assert_eq!((counts.unreadable, counts.recovered), (0, 0), "{at}");
            assert_eq!(found, (0..BLOCKS).collect::<Vec<_>>(), "{at}");
        }
    }
}
