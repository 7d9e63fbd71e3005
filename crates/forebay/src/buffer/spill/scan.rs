//! Looks for blocks in a spill file, as it was written or not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::record::{self, At, HEAD_BYTES, MAGIC, Mark};

/// What the head of `len` bytes of a file of `end` bytes tells: events of its session in earlier files, and its mark;
/// none where it is damaged.
pub(super) fn head(file: &File, len: u64, end: u64) -> io::Result<Option<(u64, Option<Mark>)>> {
    let mut bytes = vec![0; len.min(end) as usize];
    file.read_exact_at(&mut bytes, 0)?;
    let is_whole = bytes.len() as u64 == len;
    Ok(record::owner(&bytes).map(|(_, before)| (before, Mark::read(&bytes).filter(|_| is_whole))))
}

/// What stands at a place of a file of `end` bytes.
pub(super) fn record_at(file: &File, at: u64, end: u64) -> io::Result<At> {
    let mut bytes = vec![0; (end - at).min(HEAD_BYTES as u64) as usize];
    file.read_exact_at(&mut bytes, at)?;
    let Some(whole) = record::whole_len(&bytes) else { return Ok(record::read(&bytes)) };
    bytes.resize((end - at).min(whole as u64) as usize, 0);
    file.read_exact_at(&mut bytes, at)?;
    Ok(record::read(&bytes))
}

/// Where the next block begins, from a place on.
pub(super) fn next_record(file: &File, from: u64, end: u64) -> io::Result<Option<u64>> {
    let mut rest = vec![0; end.saturating_sub(from) as usize];
    file.read_exact_at(&mut rest, from)?;
    let begins = memchr::memmem::find_iter(&rest, MAGIC)
        .find(|at| matches!(record::read(&rest[*at..]), At::Record(..) | At::Damaged(..)));
    Ok(begins.map(|at| from + at as u64))
}
