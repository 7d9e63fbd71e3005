//! The disk beneath a server: its room, and what kind of file system it has.

use super::unread::{Read, Unread};

/// Magic number of tmpfs.
pub const TMPFS: u32 = 0x0102_1994;

/// Magic number of NFS.
pub const NFS: u32 = 0x6969;

/// File systems by their magic number in `statfs`, those that matter here: name, in memory, remote.
const FILE_SYSTEMS: [(u32, &str, bool, bool); 9] = [
    (TMPFS, "tmpfs", true, false),
    (0x8584_58f6, "ramfs", true, false),
    (NFS, "nfs", false, true),
    (0xff53_4d42, "cifs", false, true),
    (0xfe53_4d42, "smb2", false, true),
    (0x0102_1997, "9p", false, true),
    (0x6573_5546, "fuse", false, true),
    (0x00c3_6400, "ceph", false, true),
    (0x794c_7630, "overlay", false, false),
];

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The folder that was looked at.
    pub path: String,
    /// What unprivileged users may still write.
    pub free_bytes: u64,
    /// `ext4`, `tmpfs`, …; `a local disk` where it is none of those that matter.
    pub file_system: String,
    magic: u32,
}

impl Disk {
    /// The disk of a folder.
    pub fn of(dir: &str) -> Read<Self> {
        let failed = |error: rustix::io::Errno| Unread(format!("{dir}: {error}"));
        let space = rustix::fs::statvfs(dir).map_err(failed)?;
        let magic = rustix::fs::statfs(dir).map_err(failed)?.f_type as u32;
        Ok(Self::new(dir, space.f_bavail.saturating_mul(space.f_frsize), magic))
    }

    /// A disk with so much room and a file system of that magic number.
    pub fn new(path: &str, free_bytes: u64, magic: u32) -> Self {
        let known = FILE_SYSTEMS.iter().find(|system| system.0 == magic);
        Self {
            path: path.into(),
            free_bytes,
            file_system: known.map_or("a local disk", |system| system.1).into(),
            magic,
        }
    }

    /// Whether what is written there is gone with the power.
    pub fn is_in_memory(&self) -> bool {
        FILE_SYSTEMS.iter().any(|system| system.0 == self.magic && system.2)
    }

    /// Whether it lies beyond a network, or beneath another program.
    pub fn is_remote(&self) -> bool {
        FILE_SYSTEMS.iter().any(|system| system.0 == self.magic && system.3)
    }
}
