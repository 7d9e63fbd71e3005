//! The files of a destination into a ledger: in the order of its records, and then whatever else a reader finds in the tree.

use std::collections::BTreeSet;
use std::path::Path;

use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::replay::{Wanted, replay};
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::drain::stored::StoredFile;
use forebay_pipe::drain::verify::verify;

use super::seen::Seen;
use crate::ledger::Ledger;

/// An event's lane and bytes.
pub(crate) type Line = (Lane, Vec<u8>);

/// What a round saw, with what became of each of these events, all of which are owed but for `excused`: its lane's events from
/// one number on, so many. The files of several destinations are read as one.
pub(crate) fn read_back(
    events: &[Line],
    excused: &[(Lane, u64, u64)],
    targets: &[Target],
    mut seen: Seen,
) -> Seen {
    let make = |index: u64, out: &mut Vec<u8>| out.extend_from_slice(&events[index as usize].1);
    let mut ledger = Ledger::new(&make);
    for (index, (lane, _)) in (0..).zip(events) {
        ledger.offered(*lane, index);
    }
    for lane in jetstream::ALL {
        ledger.acknowledged(lane, u64::MAX);
    }
    for (lane, first, count) in excused {
        ledger.given_up(*lane, *first, *count);
    }
    for target in targets {
        match Archive::open(target) {
            Ok(archive) => look(&archive, &mut ledger, &mut seen),
            Err(why) => {
                seen.faults += 1;
                seen.note(why);
            }
        }
    }
    seen.findings = ledger.findings();
    seen
}

fn look(archive: &Archive, ledger: &mut Ledger<'_>, seen: &mut Seen) {
    match verify(archive, |_| {}) {
        Ok(verified) => {
            seen.faults += verified.faults;
            seen.files += verified.files;
            verified.told.iter().for_each(|told| seen.note(told));
        }
        Err(why) => {
            seen.faults += 1;
            seen.note(why);
        }
    }
    let replayed = replay::<DrainError>(archive, &Wanted::default(), |lane, line| {
        take(ledger, lane, line);
        Ok(true)
    });
    if let Err(why) = replayed {
        seen.torn += 1;
        seen.note(why);
    }
    // What no record has is there all the same for whoever reads the tree.
    let known = recorded(archive).unwrap_or_default();
    for path in archive.tree().unwrap_or_default().iter().filter(|path| !known.contains(*path)) {
        if let Err(why) = read(archive, path, |lane, line| take(ledger, lane, line)) {
            seen.torn += 1;
            seen.note(format!("{path}: {why}"));
        }
    }
}

fn take(ledger: &mut Ledger<'_>, lane: &str, line: &[u8]) {
    // A lane that nobody knows has events that nobody offered.
    let lane = jetstream::ALL.into_iter().find(|known| known.name() == lane).unwrap_or(jetstream::ALL[0]);
    ledger.read(lane, line);
}

/// Paths of all files that have what commits have.
fn recorded(archive: &Archive) -> Result<BTreeSet<String>, DrainError> {
    let mut paths = BTreeSet::new();
    for lane in archive.lanes()? {
        for commit in 1..=archive.last_commit(&lane)? {
            let record = archive.record(&lane, commit)?;
            for file in record.into_iter().flat_map(|record| record.files) {
                paths.extend(archive.find(&file.path)?.map(|found| found.at.path));
            }
        }
    }
    Ok(paths)
}

/// Reads a file to its end, as one who knows nothing of records.
fn read(archive: &Archive, path: &str, mut hear: impl FnMut(&str, &[u8])) -> Result<(), String> {
    let found = archive.file(path).map_err(|why| why.to_string())?.ok_or("it is not there")?;
    let mut file = StoredFile::read(found).map_err(|why| why.to_string())?;
    let lane = file.footer().lane.clone();
    while let Some(row) = file.next_row().map_err(|why| why.to_string())? {
        hear(&lane, row.line);
    }
    Ok(())
}

/// The files of a tree as somebody reads them who comes now and then, each once.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Those that were whole.
    pub whole: BTreeSet<String>,
    /// What is said of the others.
    pub torn: Vec<String>,
}

impl Looked {
    /// Reads what has come to a tree since to its end.
    pub fn look(&mut self, root: &Path) {
        // Where nothing was drained yet there is no tree.
        let Ok(archive) = Archive::of_folder(root) else { return };
        for path in archive.tree().unwrap_or_default() {
            if self.whole.contains(&path) {
                continue;
            }
            match read(&archive, &path, |_, _| {}) {
                Ok(()) => {
                    self.whole.insert(path);
                }
                Err(why) => self.torn.push(format!("{path}: {why}")),
            }
        }
    }
}
