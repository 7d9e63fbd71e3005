//! Files that are being written, in a folder beside the tree or on this machine's own disk: nobody but one drain is in it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::destination::{DestinationError, io_at};
use super::place::Target;
use super::place::folder::{make_folder, sync_folder};
use super::record::{CommitRecord, hex};

/// How long a lock that is held is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(1);
const LOCK_LOOK: Duration = Duration::from_millis(10);

/// Where files are staged.
pub(super) struct Staging {
    folder: PathBuf,
    /// Held, with its lock, as long as it is used.
    _lock: File,
}

impl Staging {
    /// Takes the staging folder of a destination: beside the tree of a folder; of a bucket the one that is named, or else one of
    /// this user's state, so that a drain that is started again finds what it staged.
    pub fn of(target: &Target, named: Option<&Path>) -> Result<Self, DestinationError> {
        let ours = match (target, named) {
            // Where a rename puts a file into the tree.
            (Target::Folder(root), _) => root.join("forebay"),
            (Target::Bucket(_), Some(named)) => named.join(short_name(target)),
            (Target::Bucket(_), None) => state_folder()?.join(short_name(target)),
        };
        Self::take(&ours, target)
    }

    fn take(ours: &Path, target: &Target) -> Result<Self, DestinationError> {
        let folder = ours.join("staging");
        make_folder(&folder)?;
        let path = ours.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(io_at(&path))?;
        // A program that this process begins has its files too until it is under way, and so the lock of a drain that ended.
        let since = Instant::now();
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { folder, _lock: lock }),
                Err(Errno::WOULDBLOCK) if since.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_LOOK),
                Err(Errno::WOULDBLOCK) => return Err(DestinationError::InUse { path: target.to_string() }),
                Err(why) => return Err(io_at(&path)(why.into())),
            }
        }
    }

    /// Throws away what was staged and is named by no pending record.
    pub fn clear(&self, pending: &[&CommitRecord]) -> Result<(), DestinationError> {
        let named: Vec<PathBuf> =
            pending.iter().flat_map(|record| &record.files).map(|file| self.whole(&file.path)).collect();
        for entry in std::fs::read_dir(&self.folder).map_err(io_at(&self.folder))? {
            let path = entry.map_err(io_at(&self.folder))?.path();
            if !named.contains(&path) {
                std::fs::remove_file(&path).map_err(io_at(&path))?;
            }
        }
        Ok(())
    }

    /// A new file, under a name of the caller's.
    pub fn begin(&self, name: &str) -> Result<File, DestinationError> {
        let path = self.folder.join(name);
        File::create(&path).map_err(io_at(&path))
    }

    /// A file is whole: it is on the disk, under the name that it is staged under for its place in the tree.
    pub fn end(&self, name: &str, file: &File, path: &str) -> Result<(), DestinationError> {
        let from = self.folder.join(name);
        file.sync_all().map_err(io_at(&from))?;
        std::fs::rename(&from, self.whole(path)).map_err(io_at(&from))?;
        sync_folder(&self.folder)
    }

    /// Throws a file away that is not whole.
    pub fn discard_part(&self, name: &str) {
        // Left over, it is thrown away when the folder is taken again.
        let _ = std::fs::remove_file(self.folder.join(name));
    }

    /// Throws a file away that was published.
    pub fn discard(&self, path: &str) {
        let _ = std::fs::remove_file(self.whole(path));
    }

    /// Where a whole one is staged: the name without its folders is one of its own.
    pub fn whole(&self, path: &str) -> PathBuf {
        self.folder.join(path.replace('/', "+"))
    }
}

/// The folder of this user's state: what systemd gives a service, else the usual one.
fn state_folder() -> Result<PathBuf, DestinationError> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = || of("HOME").map(|home| home.join(".local/state"));
    let named = of("STATE_DIRECTORY")
        .or_else(|| of("XDG_STATE_HOME").or_else(usual).map(|state| state.join("forebay")));
    named.ok_or(DestinationError::NoStaging)
}

/// A name of its own for each bucket and prefix.
fn short_name(target: &Target) -> String {
    hex(&Sha256::digest(target.to_string())[..8])
}
