//! Which disks of our own are mounted, so that none is left behind, and those of a killed run are found.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::mount::{UnmountFlags, unmount};

/// What our disks are called in the table of mounts.
pub(super) const NAME: &str = "forebay";
/// What a killed run leaves: a mount whose owner is gone answers so.
const OWNER_GONE: rustix::io::Errno = rustix::io::Errno::NOTCONN;

static MOUNTED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A mounted disk. Dropping it unmounts the disk.
#[derive(Debug)]
pub(super) struct Entry(PathBuf);

impl Entry {
    pub(super) fn new(path: &Path) -> Self {
        MOUNTED.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        MOUNTED.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| *path != self.0);
        take_away(&self.0);
    }
}

/// Unmounts every disk of this program, and removes the mount points. For the end of the program.
pub fn unmount_all() {
    for path in std::mem::take(&mut *MOUNTED.lock().unwrap_or_else(PoisonError::into_inner)) {
        take_away(&path);
        let _ = std::fs::remove_dir(path);
    }
}

/// Unmounts the disks that a killed run left behind and removes their mount points; which these were. Only ours are
/// touched, and only those whose owner is gone.
pub fn clear_left() -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let left: Vec<PathBuf> = table.lines().filter_map(ours).filter(|path| is_left(path)).collect();
    for path in &left {
        take_away(path);
        let _ = std::fs::remove_dir(path);
    }
    left
}

/// The mount point, where a line of the table of mounts is of a disk of ours.
fn ours(line: &str) -> Option<PathBuf> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    if !kind.next()?.starts_with("fuse") || kind.next()? != NAME {
        return None;
    }
    let path = mount.split(' ').nth(4)?;
    // The table writes blanks and the like as octal numbers; our folders have none, unless TMPDIR has.
    Path::new(path)
        .file_name()?
        .to_str()?
        .starts_with("forebay-disk-")
        .then(|| path.replace("\\040", " ").into())
}

fn is_left(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.raw_os_error() == Some(OWNER_GONE.raw_os_error()))
}

/// Unmounts, also while something is still open there: that is gone for good.
fn take_away(path: &Path) {
    let Err(error) = unmount(path, UnmountFlags::DETACH) else { return };
    let helped = error == rustix::io::Errno::PERM
        && Command::new("fusermount3")
            .args(["-u", "-z"])
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    if !helped {
        let error = io::Error::from(error);
        tracing::warn!(folder = %path.display(), %error, "a disk of our own was left mounted");
    }
}
