//! A file of the tree, row by row, against what its commits say of it.

use std::fs::File;

use super::layout::{day_in_path, day_of, type_in_path};
use super::met::RecordType;
use super::place::hash_of;
use super::record::{CommitRecord, FileRecord};
use super::stored::{StoredFile, StoredRow};

/// Rows of a commit in a file: all of the file, but where it was compacted.
pub(super) struct Part {
    buffer: String,
    incarnation: String,
    lane: String,
    /// The first block of the commit, and the last.
    blocks: (u64, u64),
    /// As the commit made it.
    pub file: FileRecord,
    /// Where in the file they begin.
    pub first_row: u64,
}

impl Part {
    pub fn of(record: &CommitRecord, file: &FileRecord, first_row: u64) -> Self {
        Self {
            buffer: record.buffer.clone(),
            incarnation: record.incarnation.clone(),
            lane: record.lane.clone(),
            blocks: (record.first, record.last.number),
            file: file.clone(),
            first_row,
        }
    }

    /// Where in the file the next ones begin.
    fn end(&self) -> u64 {
        self.first_row.saturating_add(self.file.rows)
    }

    fn check(&self, row: &StoredRow<'_>) -> Result<(), String> {
        let place = format!("event {} of block {}", row.index, row.block);
        let (first, last) = self.blocks;
        if !(first..=last).contains(&row.block) {
            return Err(format!("{place} is not of its commit, which has {first} to {last}"));
        }
        if day_in_path(&self.file.path).is_some_and(|day| day != day_of(row.time_us)) {
            return Err(format!("{place} is of another day than its folder"));
        }
        if type_in_path(&self.file.path).is_some_and(|of| of != RecordType::of(row.line)) {
            return Err(format!("{place} is of another record type than its folder"));
        }
        Ok(())
    }
}

/// Reads a file to its end; how many rows it has. The parts are in the order of their rows.
pub(super) fn check_rows(mut found: File, file: &FileRecord, parts: &[Part]) -> Result<u64, String> {
    let (hash, _) = hash_of(&mut found).map_err(|why| why.to_string())?;
    if hash != file.sha256 {
        return Err("its bytes are not those that were committed".into());
    }
    let mut stored = StoredFile::read(found).map_err(|why| why.to_string())?;
    let footer = stored.footer().clone();
    let mut rows = 0;
    for part in parts {
        if (&footer.buffer, &footer.incarnation, &footer.lane)
            != (&part.buffer, &part.incarnation, &part.lane)
        {
            return Err(format!(
                "it says it is of lane {} of buffer {} ({})",
                footer.lane, footer.buffer, footer.incarnation
            ));
        }
        let (began, mut times) = (rows, None::<(u64, u64)>);
        while part.first_row == began && rows < part.end() {
            let Some(row) = stored.next_row().map_err(|why| why.to_string())? else { break };
            part.check(&row)?;
            rows += 1;
            let time = row.time_us;
            times = Some(times.map_or((time, time), |(from, to)| (from.min(time), to.max(time))));
        }
        if rows != part.end() || times.unwrap_or_default() != part.file.times {
            let FileRecord { path, rows: said, .. } = &part.file;
            return Err(format!(
                "it has {} rows of {path} where its record says {said}, or other times",
                rows - began
            ));
        }
    }
    let mut more = 0;
    while stored.next_row().map_err(|why| why.to_string())?.is_some() {
        more += 1;
    }
    if more > 0 || rows != file.rows {
        return Err(format!("it has {} rows, and {} were committed", rows + more, file.rows));
    }
    Ok(rows)
}
