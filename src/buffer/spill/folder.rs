//! The folder that blocks are spilled to: whose it is, what it holds, how much of it is used.
//!
//! | file | what |
//! |---|---|
//! | `lock` | held by the writer that uses the folder |
//! | `<lane>-<session>.session` | says that the server may have a field about this session of a writer |
//! | `<lane>-<session>-<number>.spill` | blocks of a session, see `record.rs` |

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::AcqRel;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::record;
use crate::buffer::error::Error;
use crate::buffer::keys::Name;
use crate::buffer::overflow::Spill;
use crate::event::lane::Lane;

/// Bytes of a file, about, but for a folder that may hold little.
const FILE_BYTES: u64 = 16 << 20;

/// Bytes of a file's head that say whose it is: the longest name has 64.
const HEAD_BYTES_MAX: u64 = 128;

/// How long a lock that is held is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// A folder in use.
#[derive(Debug)]
pub(in crate::buffer) struct Folder {
    pub(super) path: PathBuf,
    buffer: String,
    /// This writer's session; sorts after every earlier one.
    session: Arc<str>,
    bytes_max: u64,
    used: AtomicU64,
    /// What earlier sessions left.
    files: Vec<Found>,
    markers: Vec<(Lane, Arc<str>)>,
    /// Held as long as the folder is.
    _lock: File,
}

/// A file that an earlier session left.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub lane: Lane,
    pub session: Arc<str>,
    pub number: u64,
    pub path: PathBuf,
    pub bytes: u64,
}

impl Folder {
    /// Takes the folder, which is made where it is not there, for a session of a writer of this buffer.
    pub(in crate::buffer) fn open(spill: &Spill, buffer: &Name) -> Result<Self, Error> {
        let path = spill.folder.clone();
        let failed = |why: std::io::Error| Error::Spill { folder: path.clone(), why: why.to_string() };
        std::fs::create_dir_all(&path).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        if !is_locked(&lock) {
            let why = "another writer uses it; give each writer a folder of its own".into();
            return Err(Error::Spill { folder: path, why });
        }
        let (mut files, mut markers) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if let Some(marker) = marker_of(&path) {
                markers.push(marker);
            }
            if let Some(found) = Found::at(path.clone()).map_err(failed)? {
                found.check(&spill.folder, buffer)?;
                files.push(found);
            }
        }
        files.sort_by(|a, b| (&a.session, a.number).cmp(&(&b.session, b.number)));
        let newest = files.iter().map(|file| &file.session).chain(markers.iter().map(|(_, session)| session));
        let session = session_after(newest.max().map(|session| &**session));
        let used = AtomicU64::new(files.iter().map(|file| file.bytes).sum());
        let (buffer, bytes_max) = (buffer.to_string(), spill.bytes_max);
        let folder =
            Self { path: path.clone(), buffer, session, bytes_max, used, files, markers, _lock: lock };
        for lane in Lane::ALL {
            File::create(folder.marker(lane, &folder.session)).map_err(failed)?;
        }
        folder.sync().map_err(failed)?;
        Ok(folder)
    }

    /// The field beside a lane that says how far a session's blocks are stored.
    pub(in crate::buffer) fn session(&self) -> &Arc<str> {
        &self.session
    }

    /// Sessions before this one that the server may know of, and whether they left blocks of the lane.
    pub(in crate::buffer) fn earlier(&self, lane: Lane) -> Vec<(Arc<str>, bool)> {
        let left =
            |session: &Arc<str>| self.files.iter().any(|file| file.lane == lane && file.session == *session);
        let mut sessions: Vec<Arc<str>> =
            self.markers.iter().filter(|(of, _)| *of == lane).map(|(_, session)| session.clone()).collect();
        sessions.extend(self.left(lane).map(|file| file.session.clone()));
        sessions.sort();
        sessions.dedup();
        sessions.into_iter().map(|session| (session.clone(), left(&session))).collect()
    }

    /// The server knows nothing of these sessions any more.
    pub(in crate::buffer) fn forget(&self, lane: Lane, sessions: &[Arc<str>]) {
        for session in sessions {
            // Should that fail, the next writer does it.
            let _ = std::fs::remove_file(self.marker(lane, session));
        }
    }

    /// Files that earlier sessions left, in order.
    pub(super) fn left(&self, lane: Lane) -> impl Iterator<Item = &Found> {
        self.files.iter().filter(move |file| file.lane == lane)
    }

    /// Takes so many bytes of what the folder may hold, or says why not.
    pub(super) fn reserve(&self, bytes: u64) -> std::io::Result<()> {
        let before = self.used.fetch_add(bytes, AcqRel);
        if before + bytes <= self.bytes_max {
            return Ok(());
        }
        self.release(bytes);
        let max = bytesize::ByteSize::b(self.bytes_max).display().iec();
        Err(std::io::Error::other(format!("it holds {max}, which is the most it may (--spill-max)")))
    }

    /// Gives bytes back.
    pub(super) fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, AcqRel);
    }

    /// Where a file of this session is to be.
    pub(super) fn file(&self, lane: Lane, number: u64) -> PathBuf {
        self.path.join(format!("{lane}-{}-{number:08}.spill", self.session))
    }

    /// A file of so many bytes is followed by another one: disk is given back by the file while blocks are read.
    pub(super) fn file_bytes(&self) -> u64 {
        FILE_BYTES.min(self.bytes_max / 8)
    }

    /// The head of a file of this session, with so many events in earlier ones, up to this place.
    pub(super) fn head(&self, before: u64, place: u64) -> Vec<u8> {
        record::head(&self.buffer, before, place)
    }

    /// Bytes of such a head.
    pub(super) fn head_bytes(&self) -> u64 {
        record::head_len(&self.buffer)
    }

    /// Makes the names of the folder's files last.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn marker(&self, lane: Lane, session: &str) -> PathBuf {
        self.path.join(format!("{lane}-{session}.session"))
    }
}

/// Takes a lock. A program that this process begins has its files too until it is under way, and so the lock of a writer
/// that has ended: that much is waited for.
fn is_locked(lock: &File) -> bool {
    let started = Instant::now();
    while flock(lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        if started.elapsed() >= LOCK_WAIT {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

impl Found {
    fn at(path: PathBuf) -> std::io::Result<Option<Self>> {
        let parse = || {
            let name = path.file_name()?.to_str()?.strip_suffix(".spill")?;
            let (lane, rest) = name.split_once('-')?;
            let (session, number) = rest.split_once('-')?;
            Some((lane_of(lane)?, session_of(session)?, number.parse::<u64>().ok()?))
        };
        let Some((lane, session, number)) = parse() else { return Ok(None) };
        let bytes = std::fs::metadata(&path)?.len();
        Ok(Some(Self { lane, session, number, path, bytes }))
    }

    /// Whether the file is of this buffer's. One whose head cannot be read is: its blocks are looked at one by one.
    fn check(&self, folder: &Path, buffer: &Name) -> Result<(), Error> {
        let mut head = Vec::new();
        let read = File::open(&self.path).and_then(|file| file.take(HEAD_BYTES_MAX).read_to_end(&mut head));
        read.map_err(|why| Error::Spill { folder: folder.into(), why: why.to_string() })?;
        match record::owner(&head).filter(|(owner, _)| *owner != buffer.to_string()) {
            None => Ok(()),
            Some((owner, _)) => Err(Error::Spill {
                folder: folder.into(),
                why: format!("it holds events of buffer {owner}; append to that one, or give another folder"),
            }),
        }
    }
}

fn marker_of(path: &Path) -> Option<(Lane, Arc<str>)> {
    let (lane, session) = path.file_name()?.to_str()?.strip_suffix(".session")?.split_once('-')?;
    Some((lane_of(lane)?, session_of(session)?))
}

fn lane_of(name: &str) -> Option<Lane> {
    Lane::ALL.into_iter().find(|lane| lane.name() == name)
}

fn session_of(text: &str) -> Option<Arc<str>> {
    (text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.into())
}

/// A session's name: nanoseconds, so that sessions sort as they came, and chance, so that two folders never share one.
fn session_after(newest: Option<&str>) -> Arc<str> {
    use std::hash::BuildHasher;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.map_or(0, |now| now.as_nanos() as u64);
    // The clock may have gone back.
    let before = newest.and_then(|newest| u64::from_str_radix(&newest[..16], 16).ok()).unwrap_or(0);
    let chance = std::hash::RandomState::new().hash_one(std::process::id()) as u32;
    format!("{:016x}{chance:08x}", nanos.max(before.saturating_add(1))).into()
}
