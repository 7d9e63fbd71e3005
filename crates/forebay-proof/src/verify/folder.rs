//! A folder of the user's: what lies in it, and its files opened without following links, so that nobody who may write there
//! leads us elsewhere.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, openat, statat};

use super::error::Error;

/// So many files of a folder are looked at; a server's has a dozen.
const FILES_MAX: usize = 10_000;

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Folder,
    Link,
    /// A pipe, a socket, a device.
    Special,
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub name: String,
    pub kind: EntryKind,
    pub bytes: u64,
}

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub path: PathBuf,
    fd: OwnedFd,
    /// In the order of their names.
    pub items: Vec<Item>,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// The folder that the user names, by whatever links.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |why: rustix::io::Errno| Error::Folder { path: path.to_owned(), why: why.into() };
        let fd = rustix::fs::open(path, FOLDER, Mode::empty()).map_err(failed)?;
        Self::of(path.to_owned(), fd)
    }

    /// A folder in it.
    pub(super) fn subfolder(&self, name: &str) -> Result<Self, Error> {
        let path = self.path.join(name);
        let failed = |why: rustix::io::Errno| Error::Folder { path: path.clone(), why: why.into() };
        let fd = openat(&self.fd, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?;
        Self::of(path, fd)
    }

    fn of(path: PathBuf, fd: OwnedFd) -> Result<Self, Error> {
        let items = items(&fd).map_err(|why| Error::Folder { path: path.clone(), why: why.into() })?;
        Ok(Self { path, fd, items })
    }

    /// What is there now, with this name.
    pub(super) fn bytes_now(&self, name: &str) -> Option<u64> {
        let seen = statat(self.fd.as_fd(), name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).ok()?;
        u64::try_from(seen.st_size).ok()
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> io::Result<File> {
        // A pipe that somebody has put there meanwhile is not waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(openat(&self.fd, name, flags, Mode::empty())?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file any more"))
        }
    }

    /// The regular file with this name.
    pub(super) fn regular(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.kind == EntryKind::File && item.name == name)
    }
}

fn items(fd: &OwnedFd) -> Result<Vec<Item>, rustix::io::Errno> {
    let mut items = Vec::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "." || name == ".." || items.len() >= FILES_MAX {
            continue;
        }
        let Ok(seen) = statat(fd.as_fd(), entry.file_name(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let kind = match FileType::from_raw_mode(seen.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Folder,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Special,
        };
        items.push(Item { name, kind, bytes: u64::try_from(seen.st_size).unwrap_or(0) });
    }
    items.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(items)
}
