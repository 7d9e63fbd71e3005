//! From the user's folder into one of ours, so that nothing is ever written to the former.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::folder::Folder;
use super::source::{DataLayout, Source};
use crate::progress::Progress;
use forebay_rig::server::{self, ServerError};

/// The folder in ours that the parts of an AOF are copied to.
pub(super) const PARTS: &str = "parts";
/// Room that is left beside the copy: the server makes a new file or two.
const RESERVE_BYTES: u64 = 16 << 20;
/// So many bytes are copied at once: between two such pieces a signal is heeded and progress told.
const PIECE_BYTES: u64 = 64 << 20;

/// Copies what a server loads, and nothing else, into `to`; the folder that holds the files now. Refused where there is no
/// room.
pub(super) fn copy(
    source: &Source,
    folder: &Folder,
    to: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, Error> {
    let needed = source.bytes().saturating_add(RESERVE_BYTES);
    let free = free_bytes(to)?;
    if needed > free {
        return Err(Error::Room { needed, free, at: std::env::temp_dir() });
    }
    let into = if source.kind == DataLayout::Parts { to.join(PARTS) } else { to.to_owned() };
    // Not `create_dir_all`: a signal may have removed our folder just now, and it must stay removed.
    if into != to {
        std::fs::create_dir(&into).map_err(|why| Error::Folder { path: into.clone(), why })?;
    }
    progress.begin("copying, MiB", source.bytes() >> 20);
    let mut done = 0;
    for file in &source.files {
        let (from, to) = (source.folder.join(&file.name), into.join(&file.name));
        let failed = |why| Error::Copy { file: from.clone(), to: to.clone(), why };
        let mut from = folder.file(&file.name).map_err(failed)?;
        let mut to = create(&to).map_err(failed)?;
        // No more than was there at first: the room was reckoned with that.
        let end = done + file.bytes;
        while done < end {
            if server::ending() {
                return Err(Error::Server(ServerError::Ending));
            }
            let piece = PIECE_BYTES.min(end - done);
            let copied = io::copy(&mut from.by_ref().take(piece), &mut to).map_err(failed)?;
            done += copied;
            progress.at(done >> 20);
            if copied < piece {
                break;
            }
        }
        done = end;
    }
    Ok(into)
}

/// A new file that only this user may read. Not with the permissions of the original: the server must write to it.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Files of the folder whose sizes are no longer what they were: somebody writes to it.
pub(super) fn changed(source: &Source, folder: &Folder) -> Vec<String> {
    let other = source.files.iter().filter(|file| folder.bytes_now(&file.name) != Some(file.bytes));
    other.map(|file| file.name.clone()).collect()
}

fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let failed = |why: rustix::io::Errno| Error::Folder { path: folder.to_owned(), why: why.into() };
    let seen = rustix::fs::statvfs(folder).map_err(failed)?;
    Ok(seen.f_bavail.saturating_mul(seen.f_frsize))
}
