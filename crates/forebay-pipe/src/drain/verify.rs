//! A destination held against itself: every record against the one before it, every file against its record, every row against
//! its file and its folder, and the tree against the records.

use std::collections::BTreeSet;
use std::fs::File;

use super::archive::Archive;
use super::record::{CommitRecord, FileRecord};
use super::run::DrainError;
use super::verify_compactions::{Compacted, verify_compactions};
use super::verify_rows::{Part, check_rows};

/// Findings that are told one by one.
const TOLD_MAX: usize = 1_000;

/// What a destination came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// Lanes, or partitions of them.
    pub lanes: u64,
    /// Commits.
    pub commits: u64,
    /// Whole files that have what was committed.
    pub files: u64,
    /// Events in them.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Times that files of a folder were compacted.
    pub compactions: u64,
    /// Events that had come again and were left out.
    pub repeats: u64,
    /// Blocks that could not be opened when they were drained.
    pub damaged_blocks: u64,
    /// Events of blocks that were not there when their neighbours were drained.
    pub missing_events: u64,
    /// What is wrong.
    pub faults: u64,
    /// The first of it, in words.
    pub told: Vec<String>,
}

impl Verified {
    pub(super) fn fault(&mut self, what: String) {
        self.faults += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what);
        }
    }
}

/// Looks at everything; `hear` is told of each file.
pub fn verify(archive: &Archive, mut hear: impl FnMut(&Verified)) -> Result<Verified, DrainError> {
    let (mut verified, mut known) = (Verified::default(), BTreeSet::new());
    let mut compacted = Compacted::new();
    for lane in archive.lanes()? {
        verified.lanes += 1;
        let mut before: Option<CommitRecord> = None;
        for commit in 1..=archive.last_commit(&lane)? {
            let record = match archive.record(&lane, commit) {
                Ok(Some(record)) => record,
                Ok(None) => {
                    verified.fault(format!("lane {lane}: commit {commit} has no record"));
                    before = None;
                    continue;
                }
                Err(why) => {
                    verified.fault(why.to_string());
                    before = None;
                    continue;
                }
            };
            verified.record(&lane, commit, &record, before.as_ref());
            for file in &record.files {
                if !known.insert(file.path.clone()) {
                    verified.fault(format!("{}: two commits have it", file.path));
                }
                verified.file(archive, &record, (file, &mut compacted))?;
                hear(&verified);
            }
            before = Some(record);
        }
    }
    // Their rows are in other files now.
    for part in compacted.values().flatten() {
        known.remove(&part.file.path);
    }
    known.extend(verify_compactions(archive, compacted, &mut verified, &mut hear)?);
    let pending: BTreeSet<String> = archive.pending_files()?.into_iter().collect();
    for path in archive.tree()? {
        if !known.contains(&path) && !pending.contains(&path) {
            verified.fault(format!("{path}: it is in the tree, and no commit has it"));
        }
    }
    Ok(verified)
}

impl Verified {
    fn record(&mut self, lane: &str, commit: u64, record: &CommitRecord, before: Option<&CommitRecord>) {
        self.commits += 1;
        self.repeats += record.repeats;
        self.damaged_blocks += record.damaged_blocks;
        self.missing_events += record.missing_events;
        let at = format!("lane {lane}: commit {commit}");
        if record.lane != lane || record.commit != commit {
            self.fault(format!(
                "{at}: its record says it is commit {} of lane {}",
                record.commit, record.lane
            ));
        }
        let rows: u64 = record.files.iter().map(|file| file.rows).sum();
        if rows != record.rows || record.rows + record.repeats != record.events {
            self.fault(format!(
                "{at}: {} events were read, {} left out, and its files have {rows}",
                record.events, record.repeats
            ));
        }
        let Some(before) = before else {
            if commit == 1 && record.previous.is_some() {
                self.fault(format!("{at}: it names one before it"));
            }
            return;
        };
        if record.previous.as_deref() != Some(before.hash().as_str()) {
            self.fault(format!("{at}: the record before it is not the one that it names: one was changed"));
        }
        let is_next = record.first == before.last.number + 1;
        let is_told = !record.missing.is_empty() || record.incarnation != before.incarnation;
        // Numbers that were given again by another writer come with another epoch.
        let is_fork = record.first <= before.last.number
            && before.epoch_of(record.first) != record.epoch_of(record.first);
        if !(is_next || is_told || is_fork) {
            self.fault(format!(
                "{at}: it begins with block {}, and the commit before ended with {}",
                record.first, before.last.number
            ));
        }
    }

    fn file(
        &mut self,
        archive: &Archive,
        record: &CommitRecord,
        (file, compacted): (&FileRecord, &mut Compacted),
    ) -> Result<(), DrainError> {
        let Some(found) = archive.find(&file.path)? else {
            self.fault(format!("{}: it is not there", file.path));
            return Ok(());
        };
        let part = Part::of(record, file, found.at.first_row.unwrap_or(0));
        if found.at.first_row.is_some() {
            compacted.entry(found.at.path).or_default().push(part);
        } else {
            self.file_of_parts(found.file, file, &[part]);
        }
        Ok(())
    }

    /// Holds a file against what its commits say of it.
    pub(super) fn file_of_parts(&mut self, found: File, file: &FileRecord, parts: &[Part]) {
        match check_rows(found, file, parts) {
            Ok(rows) => {
                self.files += 1;
                self.rows += rows;
                self.bytes += file.bytes;
            }
            Err(why) => self.fault(format!("{}: {why}", file.path)),
        }
    }
}
