//! The folder that blocks are spilled to: whose it is, what it holds, how much of it is used.
//!
//! The writer that uses the folder holds a lock on the folder itself, so that no other writer takes it, and nobody who
//! clears folders away takes it for one that is left over. Only this user may look into a folder that is made here, and
//! into every file. A name that leads elsewhere, or to anything but a plain file, is refused: opening a FIFO would wait for ever.
//!
//! | file | what |
//! |---|---|
//! | `<lane>-<session>.session` | says that the server may have a field about this session of a writer, and of what events it was |
//! | `<lane>-<session>-<number>.spill` | blocks of a session, see `record.rs` |

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::AcqRel;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::record;
use crate::buffer::error::Error;
use crate::buffer::keys::Name;
use crate::buffer::overflow::Spill;
use crate::buffer::random::random;
use crate::buffer::text;
use crate::event::lane::{Lane, Lanes};
use crate::event::stream::Stream;

/// Bytes of a file, about, but for a folder that may hold little.
const FILE_BYTES: u64 = 16 << 20;

/// Bytes of a file's head that say whose it is: the longest name has 64.
const HEAD_BYTES_MAX: u64 = 128;

/// Bytes of a marker, at the most.
const MARKER_BYTES_MAX: u64 = 64 << 10;

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
    files: Vec<LeftFile>,
    markers: Vec<(Lane, Arc<str>)>,
    /// The folder, open: held with its lock as long as it is used.
    lock: File,
}

/// A file that an earlier session left.
#[derive(Debug, Clone)]
pub(super) struct LeftFile {
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
        let failed = |why: io::Error| Error::spill(&path, why);
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        let lock = File::open(&path).map_err(failed)?;
        take(&lock).map_err(failed)?;
        let (lanes, mut files, mut markers) = (buffer.lanes(), Vec::new(), Vec::new());
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if let Some(marker) = marker_of(&path, lanes) {
                markers.push(marker);
            }
            if let Some(found) = LeftFile::at(path, lanes)? {
                found.check(&spill.folder, buffer)?;
                files.push(found);
            }
        }
        for (lane, session) in &markers {
            if files.iter().any(|file: &LeftFile| file.lane == *lane && file.session == *session) {
                must_be_of_these_events(&marker_at(&path, *lane, session), &spill.folder, buffer)?;
            }
        }
        files.sort_by(|a, b| (&a.session, a.number).cmp(&(&b.session, b.number)));
        let newest = files.iter().map(|file| &file.session).chain(markers.iter().map(|(_, session)| session));
        let session = session_after(newest.max().map(|session| &**session));
        let used = AtomicU64::new(files.iter().map(|file| file.bytes).sum());
        let (events, buffer, bytes_max) = (buffer.events(), buffer.to_string(), spill.bytes_max);
        let folder = Self { path: path.clone(), buffer, session, bytes_max, used, files, markers, lock };
        for lane in lanes {
            let mut marker = create(&folder.marker(lane, &folder.session)).map_err(failed)?;
            marker.write_all(events.text().as_bytes()).and_then(|()| marker.sync_all()).map_err(failed)?;
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
    pub(super) fn left(&self, lane: Lane) -> impl Iterator<Item = &LeftFile> {
        self.files.iter().filter(move |file| file.lane == lane)
    }

    /// Whether earlier sessions left files of a lane.
    pub(in crate::buffer) fn has_left(&self, lane: Lane) -> bool {
        self.left(lane).next().is_some()
    }

    /// Takes so many bytes of what the folder may hold, or says why not.
    pub(super) fn reserve(&self, bytes: u64) -> io::Result<()> {
        let before = self.used.fetch_add(bytes, AcqRel);
        if before + bytes <= self.bytes_max {
            return Ok(());
        }
        self.release(bytes);
        let max = text::bytes(self.bytes_max);
        Err(io::Error::other(format!("it holds {max}, which is the most it may hold")))
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
    pub(super) fn sync(&self) -> io::Result<()> {
        self.lock.sync_all()
    }

    fn marker(&self, lane: Lane, session: &str) -> PathBuf {
        marker_at(&self.path, lane, session)
    }
}

fn marker_at(folder: &Path, lane: Lane, session: &str) -> PathBuf {
    folder.join(format!("{lane}-{session}.session"))
}

/// Takes the folder's lock. A program that this process begins has its files too until it is under way, and so the lock of
/// a writer that has ended: that much is waited for.
fn take(folder: &File) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match flock(folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if started.elapsed() < LOCK_WAIT => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::other("another writer uses it; give each writer a folder of its own"));
            }
            Err(why) => return Err(io::Error::other(format!("it cannot be locked: {why}"))),
        }
    }
}

/// Makes a file of the folder's, which must not be there: nothing that stands under its name is followed or written over.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(path)
}

/// Opens a file of the folder's for reading, where it is a plain file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let not_plain =
        || io::Error::other(format!("{} is not a plain file; move it out of the folder", path.display()));
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = opened.map_err(|why| match why.raw_os_error().map(Errno::from_raw_os_error) {
        // A link; a socket.
        Some(Errno::LOOP | Errno::NXIO) => not_plain(),
        _ => why,
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_plain()) }
}

impl LeftFile {
    /// The file, where its name is one of a spill file.
    fn at(path: PathBuf, lanes: Lanes) -> Result<Option<Self>, Error> {
        let parse = || {
            let name = path.file_name()?.to_str()?.strip_suffix(".spill")?;
            let (rest, number) = name.rsplit_once('-')?;
            let (lane, session) = rest.rsplit_once('-')?;
            Some((lane, session_of(session)?, number.parse::<u64>().ok()?))
        };
        let Some((lane, session, number)) = parse() else { return Ok(None) };
        let folder = path.parent().unwrap_or(&path);
        let Some(lane) = lanes.find(lane) else {
            let why = format!(
                "it holds events of lane {lane}, and the buffer has {lanes}; append what it holds with its own stream"
            );
            return Err(Error::Spill { folder: folder.into(), why, source: None });
        };
        let bytes = open(&path).and_then(|file| Ok(file.metadata()?.len()));
        let bytes = bytes.map_err(|why| Error::spill(path.parent().unwrap_or(&path), why))?;
        Ok(Some(Self { lane, session, number, path, bytes }))
    }

    /// Whether the file is of this buffer's. One whose head cannot be read is: its blocks are looked at one by one.
    fn check(&self, folder: &Path, buffer: &Name) -> Result<(), Error> {
        let mut head = Vec::new();
        let read = open(&self.path).and_then(|file| file.take(HEAD_BYTES_MAX).read_to_end(&mut head));
        read.map_err(|why| Error::spill(folder, why))?;
        match record::owner(&head).filter(|(owner, _)| *owner != buffer.to_string()) {
            None => Ok(()),
            Some((owner, _)) => Err(Error::Spill {
                folder: folder.into(),
                why: format!("it holds events of buffer {owner}; append to that one, or give another folder"),
                source: None,
            }),
        }
    }
}

/// An error where a marker says that the blocks of its session are of other events: they would be damaged in this buffer.
fn must_be_of_these_events(marker: &Path, folder: &Path, buffer: &Name) -> Result<(), Error> {
    let mut text = String::new();
    let read = open(marker).and_then(|file| file.take(MARKER_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|why| Error::spill(folder, why))?;
    match Stream::of_text(&text) {
        Ok(theirs) if !buffer.events().extends(theirs) => Err(Error::Spill {
            folder: folder.into(),
            why: format!(
                "it holds blocks of other events than these: of {theirs}, not of {}; append those first, or give another folder",
                buffer.events()
            ),
            source: None,
        }),
        // One that a power cut shortened says nothing.
        _ => Ok(()),
    }
}

fn marker_of(path: &Path, lanes: Lanes) -> Option<(Lane, Arc<str>)> {
    let (lane, session) = path.file_name()?.to_str()?.strip_suffix(".session")?.rsplit_once('-')?;
    Some((lanes.find(lane)?, session_of(session)?))
}

fn session_of(text: &str) -> Option<Arc<str>> {
    (text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.into())
}

/// A session's name: nanoseconds, so that sessions sort as they came, and chance, so that two folders never share one.
fn session_after(newest: Option<&str>) -> Arc<str> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.map_or(0, |now| now.as_nanos() as u64);
    // The clock may have gone back.
    let before = newest.and_then(|newest| u64::from_str_radix(&newest[..16], 16).ok()).unwrap_or(0);
    format!("{:016x}{:08x}", nanos.max(before.saturating_add(1)), random() as u32).into()
}
