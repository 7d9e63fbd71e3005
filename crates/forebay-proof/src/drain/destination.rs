//! Where the drains of a round go.

use std::path::PathBuf;

use forebay_rig::server::Scratch;
use forebay_rig::server::fault::disk::Disk;

/// Room on a disk of our own, which lives in memory.
pub(super) const ROOM: u64 = 256 << 20;

/// Where the drains of a round go.
pub(super) enum Destination {
    /// A folder of this machine's.
    Folder(Scratch),
    /// A folder on a disk of our own, in which faults act.
    Disk(Disk),
}

impl Destination {
    /// A folder.
    pub fn folder() -> anyhow::Result<Self> {
        Ok(Self::Folder(Scratch::new()?))
    }

    /// A disk; an error where none can be mounted here.
    pub fn disk() -> anyhow::Result<Self> {
        Ok(Self::Disk(Disk::mount(ROOM)?))
    }

    /// The folder of this name in it, for a drain.
    pub fn at(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.path().join(name),
            Self::Disk(disk) => disk.path().join(name),
        }
    }

    /// The disk under it.
    pub fn as_disk(&self) -> anyhow::Result<&Disk> {
        match self {
            Self::Disk(disk) => Ok(disk),
            Self::Folder(_) => anyhow::bail!("the destination is no disk of our own"),
        }
    }
}
