//! The model as a mounted file system: each request of the kernel is one step of the model.
//!
//! Nothing is cached by the kernel that a power cut could take back: names and attributes are asked for each time, and
//! pages only live as long as a file is open. Writes come through at once.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::model::{Body, Model, ROOT};

/// How long the kernel may believe what it was told: not at all.
const BELIEVED: Duration = Duration::ZERO;
const BLOCK_BYTES: u32 = 4096;

/// The tree and what befalls it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) model: Model,
    pub(super) fsync: Fsync,
    /// Power cuts so far. An fsync that was under way at one does not count.
    pub(super) cuts: u64,
    /// Asked for and not answered.
    pub(super) under_way: u64,
    /// Done, and failed, so far.
    pub(super) fsyncs: u64,
    pub(super) failed: u64,
    /// Writes that did not fit, in whole or in part, so far.
    pub(super) refused: u64,
    /// Whether two names can be exchanged in one step, as not every file system can.
    pub(super) exchanges: bool,
}

/// What an fsync comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fsync {
    /// It is done at once.
    Works,
    /// It is done after so long.
    Takes(Duration),
    /// It fails with an input/output error, and nothing is kept by it.
    Fails,
    /// Of a folder it is said to be done, and nothing is kept by it; of a file it is done at once.
    ForgetsNames,
}

pub(super) type Shared = Arc<Mutex<State>>;

/// The values behind the lock are valid between any two statements, so a panic elsewhere does not spoil them.
pub(super) fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What answers the kernel.
#[derive(Debug)]
pub(super) struct Mounted {
    pub(super) state: Shared,
    pub(super) owner: (u32, u32),
}

impl Mounted {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn attributes(&self, model: &Model, number: u64) -> Result<FileAttr, Errno> {
        let node = model.node(number).map_err(errno)?;
        let is_folder = matches!(node.body, Body::Folder(_));
        Ok(FileAttr {
            ino: INodeNo(number),
            size: node.length(),
            blocks: node.length().div_ceil(512),
            atime: node.changed,
            mtime: node.changed,
            ctime: node.changed,
            crtime: node.changed,
            kind: if is_folder { FileType::Directory } else { FileType::RegularFile },
            perm: node.mode,
            nlink: if is_folder { 2 } else { 1 },
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            blksize: BLOCK_BYTES,
            flags: 0,
        })
    }

    fn make(&self, folder: INodeNo, name: &OsStr, mode: u32, is_folder: bool) -> Result<FileAttr, Errno> {
        let mut state = self.lock();
        let number = state.model.make(folder.0, name, (mode & 0o7777) as u16, is_folder).map_err(errno)?;
        self.attributes(&state.model, number)
    }

    /// Does an fsync, now or later, and answers.
    fn sync(&self, number: INodeNo, reply: ReplyEmpty) {
        let mut state = self.lock();
        let (outcome, cuts) = (state.fsync, state.cuts);
        let changes = match state.model.changes(number.0) {
            Ok(changes) => changes,
            Err(error) => return reply.error(errno(error)),
        };
        state.under_way += 1;
        drop(state);
        let shared = Arc::clone(&self.state);
        let finish = move || {
            let mut state = lock(&shared);
            state.under_way -= 1;
            if outcome == Fsync::Fails || state.cuts != cuts {
                state.failed += 1;
                drop(state);
                return reply.error(Errno::EIO);
            }
            state.model.settle(number.0, changes);
            state.fsyncs += 1;
            drop(state);
            reply.ok();
        };
        match outcome {
            // The kernel asks on meanwhile, so the wait is a thread's of its own.
            Fsync::Takes(time) => {
                thread::spawn(move || {
                    thread::sleep(time);
                    finish();
                });
            }
            Fsync::Works | Fsync::Fails | Fsync::ForgetsNames => finish(),
        }
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_i32(error.raw_os_error())
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let state = self.lock();
        let found = state.model.look_up(parent.0, name).map_err(errno);
        match found.and_then(|number| self.attributes(&state.model, number)) {
            Ok(attributes) => reply.entry(&BELIEVED, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(&self.lock().model, number.0) {
            Ok(attributes) => reply.attr(&BELIEVED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut state = self.lock();
        let set_size = |model: &mut Model| size.map_or(Ok(()), |size| model.resize(number.0, size));
        let set_mode =
            |model: &mut Model| mode.map_or(Ok(()), |mode| model.set_mode(number.0, (mode & 0o7777) as u16));
        let set = set_size(&mut state.model).and_then(|()| set_mode(&mut state.model)).map_err(errno);
        match set.and_then(|()| self.attributes(&state.model, number.0)) {
            Ok(attributes) => reply.attr(&BELIEVED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        match self.make(parent, name, mode & !umask, true) {
            Ok(attributes) => reply.entry(&BELIEVED, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.make(parent, name, mode & !umask, false).and_then(|attributes| {
            self.lock().model.opened(attributes.ino.0).map_err(errno)?;
            Ok(attributes)
        });
        match made {
            Ok(attributes) => {
                reply.created(&BELIEVED, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(reply, self.lock().model.remove(parent.0, name, false));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(reply, self.lock().model.remove(parent.0, name, true));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags == RenameFlags::RENAME_EXCHANGE && self.lock().exchanges {
            return done(reply, self.lock().model.exchange((parent.0, name), (new_parent.0, new_name)));
        }
        if !flags.is_empty() {
            return reply.error(Errno::EINVAL);
        }
        done(reply, self.lock().model.rename((parent.0, name), (new_parent.0, new_name)));
    }

    fn link(&self, _: &Request, number: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut state = self.lock();
        let linked = state.model.link(number.0, parent.0, name).map_err(errno);
        match linked.and_then(|()| self.attributes(&state.model, number.0)) {
            Ok(attributes) => reply.entry(&BELIEVED, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.lock().model.opened(number.0) {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.lock().model.read(number.0, offset, size) {
            Ok(bytes) => reply.data(bytes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = self.lock();
        let written = state.model.write(number.0, offset, data);
        let is_refused = match &written {
            Ok(written) => *written < data.len(),
            Err(error) => *error == rustix::io::Errno::NOSPC,
        };
        state.refused += u64::from(is_refused);
        drop(state);
        match written {
            Ok(written) => reply.written(written as u32),
            Err(error) => reply.error(errno(error)),
        }
    }

    /// A close that tells of nothing: what was written is where it is.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.lock().model.closed(number.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        self.sync(number, reply);
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        if self.lock().fsync == Fsync::ForgetsNames {
            return reply.ok();
        }
        self.sync(number, reply);
    }

    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let state = self.lock();
        let names = match state.model.names(number.0) {
            Ok(names) => names,
            Err(error) => return reply.error(errno(error)),
        };
        let dots = [(OsStr::new("."), number.0), (OsStr::new(".."), ROOT)];
        let all = dots.into_iter().chain(names.iter().map(|(name, number)| (name.as_os_str(), *number)));
        for (place, (name, number)) in all.enumerate().skip(offset as usize) {
            let is_file = state.model.node(number).is_ok_and(|node| matches!(node.body, Body::File(_)));
            let kind = if is_file { FileType::RegularFile } else { FileType::Directory };
            if reply.add(INodeNo(number), place as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let state = self.lock();
        let block = u64::from(BLOCK_BYTES);
        let (room, used) = (state.model.room, state.model.used());
        let free = room.saturating_sub(used) / block;
        reply.statfs(room.max(used) / block, free, free, 0, 0, BLOCK_BYTES, 255, BLOCK_BYTES);
    }
}

fn done(reply: ReplyEmpty, outcome: Result<(), rustix::io::Errno>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}
