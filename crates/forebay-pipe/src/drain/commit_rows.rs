//! The rows of a commit: those of its files, in the order of their blocks.

use super::archive::Archive;
use super::record::CommitRecord;
use super::run::DrainError;
use super::stored::StoredFile;

/// A row that was read.
pub(super) struct CommitRow {
    /// Its block, and its place there.
    pub place: (u64, u32),
    pub time_us: u64,
    pub line: Vec<u8>,
}

/// The files of a commit that are being read, each with its name and its next row.
pub(super) struct CommitRows {
    files: Vec<(String, StoredFile, Option<CommitRow>)>,
}

impl CommitRows {
    /// Opens those files of a commit whose first and last times are wanted.
    pub fn open(
        archive: &Archive,
        record: &CommitRecord,
        is_wanted: impl Fn((u64, u64)) -> bool,
    ) -> Result<Self, DrainError> {
        let mut files = Vec::new();
        for file in record.files.iter().filter(|file| is_wanted(file.times)) {
            files.push((archive.shown(&file.path), StoredFile::of(archive, file)?, None));
        }
        let mut rows = Self { files };
        (0..rows.files.len()).try_for_each(|at| rows.advance(at))?;
        Ok(rows)
    }

    fn advance(&mut self, at: usize) -> Result<(), DrainError> {
        let (path, file, row) = &mut self.files[at];
        let next = file.next_row();
        let next = next.map_err(|why| DrainError::File { path: path.clone(), why: why.to_string() })?;
        *row = next.map(|row| CommitRow {
            place: (row.block, row.index),
            time_us: row.time_us,
            line: row.line.to_vec(),
        });
        Ok(())
    }

    /// The next row; nothing at the end.
    pub fn next(&mut self) -> Result<Option<CommitRow>, DrainError> {
        let place = |row: &Option<CommitRow>| row.as_ref().map(|row| row.place);
        let first = self.files.iter().enumerate().filter_map(|(at, (.., row))| Some((place(row)?, at))).min();
        let Some((_, at)) = first else { return Ok(None) };
        let row = self.files[at].2.take();
        self.advance(at)?;
        Ok(row)
    }
}
