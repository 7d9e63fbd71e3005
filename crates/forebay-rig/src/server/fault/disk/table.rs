//! Which disks of our own are mounted, so that none is left behind, and those of a killed run are found.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::mount::{UnmountFlags, unmount};

use crate::server::Purpose;
use crate::server::folder::{clear, remove_emptied};
use crate::server::mark::began;

/// What our disks are called in the table of mounts, before who owns them: `forebay-disk:<process>:<when it
/// began>`.
const NAME: &str = "forebay-disk";
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
        let _ = remove_emptied(&path);
    }
}

/// Unmounts the disks that a killed run of this user left behind and removes their mount points; which these were. Only
/// ours are touched, and only those whose owner is gone: nothing that was on them can be read any more.
pub fn clear_left() -> Vec<PathBuf> {
    let left = table().into_iter().filter(Line::is_left).map(|disk| disk.path);
    let left: Vec<PathBuf> = left.collect();
    for path in &left {
        take_away(path);
        // What was beneath has its own mark, or stays.
        let _ = clear(path);
    }
    left
}

/// Where disks of ours are mounted, whoever owns them.
pub(in crate::server) fn mounted() -> Vec<PathBuf> {
    table().into_iter().map(|disk| disk.path).collect()
}

/// What a disk of this process is called in the table of mounts.
pub(super) fn name() -> String {
    let process = std::process::id();
    format!("{NAME}:{process}:{}", began(process).unwrap_or(0))
}

/// A line of the table of mounts.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    path: PathBuf,
    /// A process, and when it began.
    owner: (u32, u64),
}

fn table() -> Vec<Line> {
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| Line::parse(&String::from_utf8_lossy(line)))
        .collect()
}

impl Line {
    /// None where the disk is not of ours.
    fn parse(line: &str) -> Option<Self> {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let is_fuse = kind.next()?.starts_with("fuse");
        let mut name = kind.next()?.split(':');
        if !is_fuse || name.next()? != NAME {
            return None;
        }
        let path = unescaped(mount.split(' ').nth(4)?);
        let owner = (name.next()?.parse().ok()?, name.next()?.parse().ok()?);
        let user = format!("user_id={}", rustix::process::geteuid().as_raw());
        let is_ours = path.file_name()?.to_str()?.starts_with(&Purpose::Disk.prefix())
            && kind.next()?.split(',').any(|option| option == user);
        is_ours.then_some(Self { path, owner })
    }

    /// The disk itself is asked last: it answers as its owner does, and one that is stopped does not.
    fn is_left(&self) -> bool {
        let (process, start) = self.owner;
        began(process) != Some(start)
            && std::fs::metadata(&self.path)
                .is_err_and(|error| error.raw_os_error() == Some(OWNER_GONE.raw_os_error()))
    }
}

/// A path as it is: the table writes blanks and the like as octal numbers, `\040`.
fn unescaped(path: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), path);
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let byte = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(byte.unwrap_or(b'\\'));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    bytes.extend(rest.bytes());
    OsString::from_vec(bytes).into()
}

/// Unmounts, also while something is still open there: that is gone for good.
fn take_away(path: &Path) {
    let Err(error) = unmount(path, UnmountFlags::DETACH) else { return };
    // Somebody else was faster.
    if matches!(error, rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) {
        return;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_of_ours_is_known_in_the_table_by_its_name_and_its_folder() {
        let line = |path: &str, name: &str| {
            let user = rustix::process::geteuid().as_raw();
            Line::parse(&format!(
                "36 35 0:40 / {path} rw,nosuid,nodev - fuse {name} rw,user_id={user},group_id=0"
            ))
        };
        let disk = Line { path: "/tmp/a b\\c/forebay-disk-x".into(), owner: (12, 34) };
        assert_eq!(line("/tmp/a\\040b\\134c/forebay-disk-x", "forebay-disk:12:34"), Some(disk));
        for (path, name) in [
            ("/tmp/forebay-disk-x", "other:12:34"),
            ("/tmp/forebay-disk-x", "forebay-disk"),
            ("/tmp/somebodys", "forebay-disk:12:34"),
        ] {
            assert_eq!(line(path, name), None, "{path} {name}");
        }
        let others = "36 35 0:40 / /tmp/forebay-disk-x rw - fuse forebay-disk:12:34 rw,user_id=4294967294";
        assert_eq!(Line::parse(others), None, "another user mounted it");
    }
}
