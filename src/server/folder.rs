//! Temporary folders of our own, which go with their owner; and those that a killed run has left behind.
//!
//! The owner holds a lock on each, which the kernel gives back however the owner ends. Whoever gets the lock of somebody's
//! folder knows that nobody owns it any more.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// What every name begins with.
const PREFIX: &str = "forebay-";
/// A folder that is younger may be one whose owner has not come to lock it.
const YOUNG: Duration = Duration::from_secs(60);

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
    /// Makes one.
    pub fn new(purpose: Purpose) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(&purpose.prefix()).tempdir()?;
        let lock = File::open(dir.path())?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { dir, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes the folders of this user in the temporary folder whose owner is gone; which these were. Where a disk is
/// mounted, the owner's lock is out of sight beneath it, and a disk whose owner is stopped does not even answer: those
/// are left alone.
pub(super) fn clear_left(mounted: &[PathBuf]) -> Vec<PathBuf> {
    clear_left_in(&std::env::temp_dir(), YOUNG, mounted)
}

fn clear_left_in(temporary: &Path, young: Duration, mounted: &[PathBuf]) -> Vec<PathBuf> {
    // As the table of mounts has it.
    let Ok(temporary) = temporary.canonicalize() else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(temporary) else { return Vec::new() };
    let prefixes = Purpose::ALL.map(Purpose::prefix);
    let ours = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())).then(|| entry.path())
    });
    ours.filter(|path| !mounted.contains(path))
        .filter(|path| is_left(path, young).unwrap_or(false) && std::fs::remove_dir_all(path).is_ok())
        .collect()
}

/// Whether a folder is this user's, old enough, and locked by nobody.
fn is_left(path: &Path, young: Duration) -> io::Result<bool> {
    // Not through a link: that leads to somebody else's folder.
    let seen = std::fs::symlink_metadata(path)?;
    let is_mine = seen.is_dir() && seen.uid() == rustix::process::geteuid().as_raw();
    let age = seen.modified()?.elapsed().unwrap_or_default();
    Ok(is_mine && age >= young && flock(File::open(path)?, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_ours_that_nobody_holds_are_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let make = |name: &str| {
            let path = root.join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let (left, held) = (make("forebay-server-a"), make("forebay-aof-b"));
        let (other, report) = (make("somebody-server-c"), make("forebay-report"));
        std::fs::write(left.join("redis.conf"), "port 0").unwrap();
        std::fs::write(temporary.path().join("forebay-spill-file"), "no folder").unwrap();
        std::os::unix::fs::symlink(&other, temporary.path().join("forebay-spill-link")).unwrap();
        let lock = File::open(&held).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(clear_left_in(temporary.path(), YOUNG, &[]), Vec::<PathBuf>::new(), "they are young");
        let none = Vec::<PathBuf>::new();
        let mounted = [left.clone()];
        assert_eq!(
            clear_left_in(temporary.path(), Duration::ZERO, &mounted),
            none,
            "a disk is mounted there"
        );
        assert_eq!(clear_left_in(temporary.path(), Duration::ZERO, &[]), mounted);
        assert!(held.exists() && other.exists() && report.exists());
        drop(lock);
        assert_eq!(clear_left_in(temporary.path(), Duration::ZERO, &[]), [held]);
        assert!(temporary.path().join("forebay-spill-link").symlink_metadata().is_ok());
    }
}
