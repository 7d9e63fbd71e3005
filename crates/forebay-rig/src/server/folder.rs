//! Temporary folders of our own, which go with their owner; and those that a killed run has left behind.
//!
//! The owner holds a lock on each, which the kernel gives back however the owner ends, and writes its mark into it once it
//! has the lock. Only what is marked, of this user, and neither locked nor made by a process that lives is ever removed.

use std::fs::File;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::mark::{self, Mark};

/// What every name begins with.
const PREFIX: &str = "forebay-";

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A server's settings, log and data.
    Server,
    /// A copy of an AOF.
    Aof,
    /// Blocks that a full server does not take.
    Spill,
    /// Where a disk of our own is mounted.
    Disk,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Server, Self::Aof, Self::Spill, Self::Disk];

    /// What the names of such folders begin with.
    pub(super) fn prefix(self) -> String {
        let what = match self {
            Self::Server => "server",
            Self::Aof => "aof",
            Self::Spill => "spill",
            Self::Disk => "disk",
        };
        format!("{PREFIX}{what}-")
    }
}

/// A temporary folder. Dropped, it is removed.
#[derive(Debug)]
pub struct Folder {
    dir: TempDir,
    _lock: File,
}

impl Folder {
    /// Makes one, which only this user may open.
    pub fn new(purpose: Purpose) -> io::Result<Self> {
        let only_us = std::fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix(&purpose.prefix()).permissions(only_us).tempdir()?;
        let lock = File::open(dir.path())?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Mark::of(dir.path())?.write(dir.path())?;
        Ok(Self { dir, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// How a file in a temporary folder is written: for this user alone.
pub(super) fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).write(true).mode(0o600);
    options
}

/// Removes the folders in the temporary folder that a process of this user made which is gone; which these were. Where a
/// disk is mounted, the owner's lock and mark are out of sight beneath it, and a disk whose owner is stopped does not even
/// answer: those are left alone.
pub(super) fn clear_left(mounted: &[PathBuf]) -> Vec<PathBuf> {
    clear_left_in(&std::env::temp_dir(), mounted)
}

fn clear_left_in(temporary: &Path, mounted: &[PathBuf]) -> Vec<PathBuf> {
    // As the table of mounts has it.
    let Ok(temporary) = temporary.canonicalize() else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(temporary) else { return Vec::new() };
    let prefixes = Purpose::ALL.map(Purpose::prefix);
    let named = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())).then(|| entry.path())
    });
    named.filter(|path| !mounted.contains(path)).filter(|path| clear(path).unwrap_or(false)).collect()
}

/// Removes a folder if its mark says that it is ours, and nobody owns it any more; whether it did.
pub(super) fn clear(path: &Path) -> io::Result<bool> {
    // The mark first: a folder that is just being made is not to be locked by anybody but its maker.
    if !Mark::read(path).is_some_and(|mark| mark.has_lost_its_maker()) {
        return Ok(false);
    }
    let lock = File::open(path)?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() || Mark::read(path).is_none() {
        return Ok(false);
    }
    // The mark last: what cannot be removed now is still known for ours by the next.
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == mark::FILE {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    remove_emptied(path).map(|()| true)
}

/// Removes a folder of ours that has nothing in it but its mark.
pub(super) fn remove_emptied(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path.join(mark::FILE))?;
    std::fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder such as a run leaves that was killed: its maker was another process, which is gone.
    fn left(root: &Path, name: &str) -> PathBuf {
        let path = root.join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::create_dir(path.join("appendonlydir")).unwrap();
        std::fs::write(path.join("redis.conf"), "port 0").unwrap();
        let mut process = std::process::Command::new("true").spawn().unwrap();
        process.wait().unwrap();
        Mark::of(&path).unwrap().made_by(process.id()).write(&path).unwrap();
        path
    }

    #[test]
    fn only_marked_folders_whose_maker_is_gone_are_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let (left, held) = (left(&root, "forebay-server-a"), left(&root, "forebay-aof-b"));
        // What a user may have there: no mark, the mark of another folder, no folder, a link to one of ours.
        let theirs = root.join("forebay-aof-theirs");
        std::fs::create_dir(&theirs).unwrap();
        std::fs::write(theirs.join("appendonly.aof"), "events").unwrap();
        let copy = root.join("forebay-server-copy");
        std::fs::create_dir(&copy).unwrap();
        std::fs::copy(left.join(mark::FILE), copy.join(mark::FILE)).unwrap();
        std::fs::write(root.join("forebay-spill-file"), "no folder").unwrap();
        let elsewhere = self::left(&root, "elsewhere");
        std::os::unix::fs::symlink(&elsewhere, root.join("forebay-spill-link")).unwrap();
        // Made by this process, which lives, and not even locked.
        let living = root.join("forebay-disk-living");
        std::fs::create_dir(&living).unwrap();
        Mark::of(&living).unwrap().write(&living).unwrap();

        let lock = File::open(&held).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        let mounted = [left.clone()];
        assert_eq!(clear_left_in(&root, &mounted), Vec::<PathBuf>::new(), "a disk is mounted there");
        assert_eq!(clear_left_in(&root, &[]), mounted);
        // Not by closing it: a program that another test begins has the file too until it is under way.
        flock(&lock, FlockOperation::Unlock).unwrap();
        assert_eq!(clear_left_in(&root, &[]), [held]);
        for path in [&theirs, &copy, &elsewhere, &living, &root.join("forebay-spill-link")] {
            assert!(path.symlink_metadata().is_ok(), "{}", path.display());
        }
        assert_eq!(std::fs::read(theirs.join("appendonly.aof")).unwrap(), b"events");
    }

    #[test]
    fn a_folder_is_closed_to_others_and_goes_with_its_owner() {
        let folder = Folder::new(Purpose::Server).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        assert_eq!(std::fs::metadata(path.join(mark::FILE)).unwrap().permissions().mode() & 0o7777, 0o600);
        drop(folder);
        assert!(!path.exists());
    }
}
