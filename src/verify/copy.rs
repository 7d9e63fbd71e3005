//! From the user's folder into one of ours, so that nothing is ever written to the former.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::find::{Kind, Source, list};
use super::{Error, PARTS};
use crate::proof::progress::Progress;
use crate::server::{self, ServerError};

/// Room that is left beside the copy: the server makes a new file or two.
const RESERVE_BYTES: u64 = 16 << 20;
/// So many bytes are copied at once: between two such pieces a signal is heeded and progress told.
const PIECE_BYTES: u64 = 64 << 20;

/// Copies what was found into `to`, and gives the folder that holds the files now. Refused where there is no room.
pub(super) fn copy(source: &Source, to: &Path, progress: &dyn Progress) -> Result<PathBuf, Error> {
    let needed = source.bytes().saturating_add(RESERVE_BYTES);
    let free = free_bytes(to)?;
    if needed > free {
        return Err(Error::Room { needed, free, at: std::env::temp_dir() });
    }
    let into = if source.kind == Kind::Parts { to.join(PARTS) } else { to.to_owned() };
    // Not `create_dir_all`: a signal may have removed our folder just now, and it must stay removed.
    if into != to {
        std::fs::create_dir(&into).map_err(|why| Error::Folder { path: into.clone(), why })?;
    }
    progress.begin("copying, MiB", source.bytes() >> 20);
    let mut done = 0;
    for file in &source.files {
        let (from, to) = (source.folder.join(&file.name), into.join(&file.name));
        let failed = |why| Error::Copy { file: from.clone(), to: to.clone(), why };
        // Made anew, not with the permissions of the original: the server must write to it.
        let (mut from, mut to) = (File::open(&from).map_err(failed)?, File::create(&to).map_err(failed)?);
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

/// Files of the folder whose sizes are no longer what they were: somebody writes to it.
pub(super) fn changed(source: &Source) -> Result<Vec<String>, Error> {
    let now = list(&source.folder)?.0;
    let is_same = |name: &str, bytes| now.iter().any(|file| file.name == name && file.bytes == bytes);
    let other = source.files.iter().filter(|file| !is_same(&file.name, file.bytes));
    Ok(other.map(|file| file.name.clone()).collect())
}

fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let failed = |why: rustix::io::Errno| Error::Folder { path: folder.to_owned(), why: why.into() };
    let seen = rustix::fs::statvfs(folder).map_err(failed)?;
    Ok(seen.f_bavail.saturating_mul(seen.f_frsize))
}
