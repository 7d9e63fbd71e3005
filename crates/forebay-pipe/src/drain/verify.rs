//! A destination held against itself: every record against the one before it, every file against its record, every row against
//! its file and its folder, and the tree against the records.

use std::collections::BTreeSet;
use std::fs::File;

use super::archive::Archive;
use super::layout::{day_in_path, day_of, type_in_path};
use super::met::RecordType;
use super::place::hash_of;
use super::record::{CommitRecord, FileRecord};
use super::run::DrainError;
use super::stored::StoredFile;

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
    /// Files of commits that are whole.
    pub files: u64,
    /// Events in them.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
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
                verified.file(archive, &record, file)?;
                hear(&verified);
            }
            before = Some(record);
        }
    }
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
        file: &FileRecord,
    ) -> Result<(), DrainError> {
        let Some(mut found) = archive.file(&file.path)? else {
            self.fault(format!("{}: it is not there", file.path));
            return Ok(());
        };
        match rows(&mut found, record, file) {
            Ok(rows) => {
                self.files += 1;
                self.rows += rows;
                self.bytes += file.bytes;
            }
            Err(why) => self.fault(format!("{}: {why}", file.path)),
        }
        Ok(())
    }
}

/// Reads a file to its end; how many rows it has.
fn rows(found: &mut File, record: &CommitRecord, file: &FileRecord) -> Result<u64, String> {
    let (hash, _) = hash_of(&mut *found).map_err(|why| why.to_string())?;
    if hash != file.sha256 {
        return Err("its bytes are not those that were committed".into());
    }
    let found = found.try_clone().map_err(|why| why.to_string())?;
    let mut stored = StoredFile::read(found).map_err(|why| why.to_string())?;
    let footer = stored.footer().clone();
    if (&footer.buffer, &footer.incarnation, &footer.lane)
        != (&record.buffer, &record.incarnation, &record.lane)
    {
        return Err(format!(
            "it says it is of lane {} of buffer {} ({})",
            footer.lane, footer.buffer, footer.incarnation
        ));
    }
    let (mut rows, mut times) = (0, None::<(u64, u64)>);
    while let Some(row) = stored.next_row().map_err(|why| why.to_string())? {
        let place = format!("event {} of block {}", row.index, row.block);
        if !(record.first..=record.last.number).contains(&row.block) {
            return Err(format!(
                "{place} is not of its commit, which has {} to {}",
                record.first, record.last.number
            ));
        }
        if day_in_path(&file.path).is_some_and(|day| day != day_of(row.time_us)) {
            return Err(format!("{place} is of another day than its folder"));
        }
        if type_in_path(&file.path).is_some_and(|of| of != RecordType::of(row.line)) {
            return Err(format!("{place} is of another record type than its folder"));
        }
        rows += 1;
        let time = row.time_us;
        times = Some(times.map_or((time, time), |(from, to)| (from.min(time), to.max(time))));
    }
    if rows != file.rows || times.unwrap_or_default() != file.times {
        return Err(format!("it has {rows} rows where its record says {}, or other times", file.rows));
    }
    Ok(rows)
}
