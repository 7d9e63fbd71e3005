//! The mark in each temporary folder of ours: which folder it is, and which process made it. A name and an age prove
//! nothing: users have folders of such names too, copies of ours among them.

use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// The file that holds it.
pub(super) const FILE: &str = ".forebay-folder";
/// More than any mark.
const BYTES_MAX: u64 = 4096;

/// Who made a folder, and which folder that was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    /// The folder's name, and its number in its file system: a copy has another, and so has a renamed one.
    name: String,
    inode: u64,
    /// The user.
    uid: u32,
    /// The process, when it began (in ticks since the machine did), where its number counts, and which start of the
    /// machine that was.
    process: u32,
    began: u64,
    processes: String,
    boot: String,
}

impl Mark {
    /// That of a folder which this process makes now.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let process = std::process::id();
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            name,
            inode: std::fs::symlink_metadata(folder)?.ino(),
            uid: rustix::process::geteuid().as_raw(),
            process,
            began: began(process).unwrap_or(0),
            processes: process_names(),
            boot: boot(),
        })
    }

    /// The same as if another process had made it.
    #[cfg(test)]
    pub(super) fn made_by(self, process: u32) -> Self {
        Self { process, ..self }
    }

    /// Writes it into its folder. Only whoever holds the folder's lock may: what is marked and not locked has lost its
    /// maker.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(folder.join(FILE))?;
        file.write_all(&serde_json::to_vec(self)?)
    }

    /// The mark of a folder, if it has one that this user wrote and that is about this very folder.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let mut options = std::fs::OpenOptions::new();
        // Neither through a link nor waiting at a pipe.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = options.read(true).custom_flags(flags).open(folder.join(FILE)).ok()?;
        let (about, seen) = (file.metadata().ok()?, std::fs::symlink_metadata(folder).ok()?);
        let uid = rustix::process::geteuid().as_raw();
        if !about.is_file() || !seen.is_dir() || about.uid() != uid || seen.uid() != uid {
            return None;
        }
        let mut text = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut text).ok()?;
        let mark: Self = serde_json::from_slice(&text).ok()?;
        let is_its = folder.file_name()?.to_str()? == mark.name && seen.ino() == mark.inode;
        (is_its && mark.uid == uid).then_some(mark)
    }

    /// Whether the process that made the folder is gone, as far as its number tells. Where its number does not count
    /// here, in another container, the lock alone says so.
    pub(super) fn has_lost_its_maker(&self) -> bool {
        let is_known = self.boot == boot() && self.processes == process_names();
        !is_known || began(self.process) != Some(self.began)
    }
}

/// When a process began, in ticks since the machine did; none where it has ended.
pub(super) fn began(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name of the program, which may have blanks and brackets: the state, and 19 fields later the start.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let has_ended = matches!(fields.first()?, &"Z" | &"X");
    if has_ended { None } else { fields.get(19)?.parse().ok() }
}

/// The set of processes that a number counts in; empty where the system does not say.
fn process_names() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid");
    link.map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Which start of the machine this is; empty where the system does not say.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_beginning_until_it_has_ended() {
        let mut process = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = process.id();
        assert!(began(pid).is_some() && began(pid) == began(pid));
        process.kill().unwrap();
        // Not yet asked how it ended, it is in the table of processes.
        while began(pid).is_some() {
            std::thread::yield_now();
        }
        process.wait().unwrap();
        assert_eq!(began(pid), None);
    }

    #[test]
    fn a_mark_is_that_of_its_own_folder_and_of_its_own_user() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("forebay-aof-a");
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(Mark::read(&folder), None);
        let mark = Mark::of(&folder).unwrap();
        mark.write(&folder).unwrap();
        assert_eq!(Mark::read(&folder), Some(mark.clone()));
        assert!(!mark.has_lost_its_maker(), "it is this process");
        // A copy under another name, one under the same, and the folder itself under another.
        let copies = [root.path().join("forebay-aof-b"), root.path().join("x").join("forebay-aof-a")];
        for copy in &copies {
            std::fs::create_dir_all(copy).unwrap();
            std::fs::copy(folder.join(FILE), copy.join(FILE)).unwrap();
            assert_eq!(Mark::read(copy), None, "{}", copy.display());
        }
        let renamed = root.path().join("forebay-aof-c");
        std::fs::rename(&folder, &renamed).unwrap();
        assert_eq!(Mark::read(&renamed), None);
        std::fs::rename(&renamed, &folder).unwrap();
        for wrong in
            [Mark { uid: mark.uid + 1, ..mark.clone() }, Mark { inode: mark.inode + 1, ..mark.clone() }]
        {
            std::fs::remove_file(folder.join(FILE)).unwrap();
            wrong.write(&folder).unwrap();
            assert_eq!(Mark::read(&folder), None, "{wrong:?}");
        }
        let began = Mark { began: mark.began + 1, ..mark.clone() };
        let boot = Mark { boot: "another".into(), ..mark };
        assert!(began.has_lost_its_maker() && boot.has_lost_its_maker());
    }
}
