//! The rows of several files into one, each checked on its way: what an input has must be what was committed, and what the new
//! file gives back must be what went in.

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::path::Path;

use forebay::{Event, Stream};
use sha2::{Digest as _, Sha256};

use super::archive::Archive;
use super::place::hash_of;
use super::record::{FileRecord, hex};
use super::run::DrainError;
use super::schema::Rows;
use super::stored::{StoredFile, StoredRow};
use super::table::FileWriter;

/// Writes the rows of these files of the tree into a new one, and syncs it; its record, under the path that it gets.
pub(super) fn merge(
    archive: &Archive,
    rows: &Rows,
    inputs: &[FileRecord],
    (to, path): (&Path, String),
) -> Result<FileRecord, DrainError> {
    let staged = |why| DrainError::Staged { why };
    // It is read back.
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(to).map_err(staged)?;
    let mut writer = FileWriter::create(BufWriter::with_capacity(1 << 17, file), rows)?;
    // No column says which lane it is.
    let lane = Stream::jetstream().lanes().first();
    let (mut given, mut footer) = (Sha256::new(), None);
    for input in inputs {
        let failed = |why: String| DrainError::File { path: archive.shown(&input.path), why };
        let mut stored = open(archive, input)?;
        let of = stored.footer().clone();
        let footer = footer.get_or_insert_with(|| of.clone());
        if (&footer.buffer, &footer.incarnation, &footer.lane, footer.partition)
            != (&of.buffer, &of.incarnation, &of.lane, of.partition)
        {
            return Err(failed(format!(
                "it is of lane {} of buffer {} ({})",
                of.lane, of.buffer, of.incarnation
            )));
        }
        footer.last = of.last;
        let mut count = 0;
        while let Some(row) = stored.next_row().map_err(|why| failed(why.to_string()))? {
            note(&mut given, &row);
            let event = Event { bytes: row.line, time_us: row.time_us, lane, cursor: 0 };
            writer.push(row.block, row.index, row.partition, &event)?;
            count += 1;
        }
        if count != input.rows {
            return Err(failed(format!("it has {count} rows, and {} were committed", input.rows)));
        }
    }
    let Some(footer) = footer else { return Err(staged(std::io::Error::other("nothing was given"))) };
    let (to_file, written) = writer.finish(&footer)?;
    let file = to_file.into_inner().map_err(|why| staged(why.into_error()))?;
    file.sync_all().map_err(staged)?;
    let back = read_back(&file).map_err(|why| DrainError::File { path: to.display().to_string(), why })?;
    if back != (hex(&written.sha256), written.bytes, hex(&given.finalize())) {
        let why = "it does not give back what was written to it; nothing was compacted".into();
        return Err(DrainError::File { path: to.display().to_string(), why });
    }
    Ok(FileRecord {
        path,
        bytes: written.bytes,
        sha256: hex(&written.sha256),
        rows: written.rows,
        times: written.times.unwrap_or_default(),
    })
}

/// A file of the tree that is as it was committed.
fn open(archive: &Archive, input: &FileRecord) -> Result<StoredFile, DrainError> {
    let failed = |why: String| DrainError::File { path: archive.shown(&input.path), why };
    let mut found = archive.file(&input.path)?.ok_or_else(|| failed("it is not there".into()))?;
    let (hash, _) = hash_of(&mut found).map_err(|why| failed(why.to_string()))?;
    if hash != input.sha256 {
        return Err(failed("its bytes are not those that were committed; nothing was compacted".into()));
    }
    StoredFile::read(found).map_err(|why| failed(why.to_string()))
}

/// The hash of a file's bytes, how many these are, and the hash of its rows.
fn read_back(file: &File) -> Result<(String, u64, String), String> {
    use std::io::Seek as _;
    let text = |why: std::io::Error| why.to_string();
    let mut file = file.try_clone().map_err(text)?;
    file.rewind().map_err(text)?;
    let (hash, bytes) = hash_of(&mut file).map_err(text)?;
    let (mut stored, mut rows) = (StoredFile::read(file).map_err(|why| why.to_string())?, Sha256::new());
    while let Some(row) = stored.next_row().map_err(|why| why.to_string())? {
        note(&mut rows, &row);
    }
    Ok((hash, bytes, hex(&rows.finalize())))
}

fn note(hash: &mut Sha256, row: &StoredRow<'_>) {
    let StoredRow { block, index, partition, time_us, line } = row;
    for number in [*block, u64::from(*index), u64::from(*partition), *time_us, line.len() as u64] {
        hash.update(number.to_le_bytes());
    }
    hash.update(line);
}
