//! A disk of our own, whose power can be cut: a file system in memory, mounted through FUSE.
//!
//! It keeps what POSIX promises and no more (`model`), so what a program lost on it, it may lose on a real disk. Its
//! fsync can be made slow or failing, its room can run out, its bytes can be damaged.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption, Session};

use self::model::{Model, ROOT};
use self::mount::{Fsync, Mounted, Shared, State, lock};
use self::table::Entry;
use crate::server::{Folder, Purpose};
use fastrand::Rng;

#[cfg(test)]
mod check;
mod exchange;
mod file;
mod model;
mod mount;
mod table;
mod undo;

pub(in crate::server) use table::mounted;
pub use table::{clear_left, unmount_all};

/// Why there is no such disk, or why it could not be damaged.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// No file system of our own can be mounted here.
    #[error(
        "no disk of our own can be mounted: {why}. It needs FUSE: run as root, or install fuse3 \
         (`apt-get install fuse3`); a container also needs --device /dev/fuse --cap-add SYS_ADMIN"
    )]
    Unavailable {
        /// What the system said.
        why: io::Error,
    },
    /// A file on it is not there, or is none.
    #[error("{} on the disk of our own: {why}", path.display())]
    File {
        /// The file, from the top of the disk.
        path: PathBuf,
        /// What is wrong with it.
        why: io::Error,
    },
}

/// A disk of our own. Dropping it takes it away, with all that is on it.
#[derive(Debug)]
pub struct Disk {
    state: Shared,
    // Order matters: the disk is unmounted before its mount point is removed.
    _entry: Entry,
    _session: BackgroundSession,
    folder: Folder,
}

impl Disk {
    /// Mounts an empty disk with room for so many bytes, in a temporary folder.
    pub fn mount(room: u64) -> Result<Self, DiskError> {
        let unavailable = |why| DiskError::Unavailable { why };
        let folder = Folder::new(Purpose::Disk).map_err(unavailable)?;
        let state = State {
            model: Model::new(room),
            fsync: Fsync::Works,
            cuts: 0,
            under_way: 0,
            fsyncs: 0,
            failed: 0,
            refused: 0,
            exchanges: false,
        };
        let state = Arc::new(Mutex::new(state));
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::FSName(table::name()), MountOption::NoDev, MountOption::NoSuid];
        let mounted = Mounted { state: Arc::clone(&state), owner };
        let session = Session::new(mounted, folder.path(), &config).map_err(unavailable)?;
        let entry = Entry::new(folder.path());
        let session = session.spawn().map_err(unavailable)?;
        Ok(Self { state, _entry: entry, _session: session, folder })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Everything written so far stays, as after half a minute in which the kernel has written it on its own.
    pub fn settle(&self) {
        lock(&self.state).model.settle_all();
    }

    /// The power fails: what no fsync has covered is gone, bytes and names alike. Whatever runs on the disk must have
    /// been killed before. With a seed, some of the changes that no fsync has covered stay, the oldest of each file and
    /// folder, the last of them torn: as a disk does that was writing when the power failed. How many changes are gone.
    pub fn cut_power(&self, seed: Option<u64>) -> u64 {
        let mut state = lock(&self.state);
        state.cuts += 1;
        state.model.cut_power(seed.map(Rng::with_seed).as_mut())
    }

    /// From now on two names can be exchanged in one step, of which a power cut leaves both halves or none.
    pub fn exchange_names(&self) {
        lock(&self.state).exchanges = true;
    }

    /// From now on an fsync is done only after so long.
    pub fn slow_fsync(&self, time: Duration) {
        lock(&self.state).fsync = Fsync::Takes(time);
    }

    /// From now on an fsync fails with an input/output error, and keeps nothing.
    pub fn fail_fsync(&self) {
        lock(&self.state).fsync = Fsync::Fails;
    }

    /// From now on the fsync of a folder is said to be done and keeps nothing: a rename is gone with the power, as on a disk
    /// that lies, for what must be found out.
    pub fn forget_names(&self) {
        lock(&self.state).fsync = Fsync::ForgetsNames;
    }

    /// From now on an fsync is done at once.
    pub fn heal_fsync(&self) {
        lock(&self.state).fsync = Fsync::Works;
    }

    /// How many fsyncs were done, and how many failed.
    pub fn fsyncs(&self) -> (u64, u64) {
        let state = lock(&self.state);
        (state.fsyncs, state.failed)
    }

    /// How many writes were refused, in whole or in part, because nothing more fits.
    pub fn refused(&self) -> u64 {
        lock(&self.state).refused
    }

    /// How many fsyncs are under way.
    pub fn under_way(&self) -> u64 {
        lock(&self.state).under_way
    }

    /// Bytes that fit.
    pub fn room(&self) -> u64 {
        lock(&self.state).model.room
    }

    /// From now on so many bytes fit. What is there stays, however little that is.
    pub fn set_room(&self, bytes: u64) {
        lock(&self.state).model.room = bytes;
    }

    /// Bytes of the files on it.
    pub fn used(&self) -> u64 {
        lock(&self.state).model.used()
    }

    /// Flips one bit of a file, on the disk itself.
    pub fn flip(&self, file: &Path, at: u64) -> Result<(), DiskError> {
        self.damage(file, |bytes| {
            let byte = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at));
            byte.map(|byte| *byte ^= 1).ok_or(rustix::io::Errno::INVAL)
        })
    }

    /// Cuts a file to a length, on the disk itself.
    pub fn cut(&self, file: &Path, length: u64) -> Result<(), DiskError> {
        self.damage(file, |bytes| {
            bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn damage(
        &self,
        path: &Path,
        change: impl FnOnce(&mut Vec<u8>) -> Result<(), rustix::io::Errno>,
    ) -> Result<(), DiskError> {
        let mut state = lock(&self.state);
        let names = path.strip_prefix(self.folder.path()).unwrap_or(path).components();
        let names = names.filter_map(|part| match part {
            Component::Normal(name) => Some(OsString::from(name)),
            _ => None,
        });
        let model = &mut state.model;
        let found = names.into_iter().try_fold(ROOT, |folder, name| model.look_up(folder, &name));
        found
            .and_then(|number| model.damage(number, change)?)
            .map_err(|why| DiskError::File { path: path.into(), why: why.into() })
    }
}
