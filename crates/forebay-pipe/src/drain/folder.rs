//! A folder that files are drained to: the tree that readers read, and beside it what only a drain writes.
//!
//! | path | what |
//! |---|---|
//! | `events/` | the tree: whole, committed files and nothing else, ever |
//! | `forebay/destination.json` | what is drained here |
//! | `forebay/lock` | held while a drain runs |
//! | `forebay/staging/` | files that are being written |
//! | `forebay/pending/<lane>.json` | the commit that is being published |
//! | `forebay/commits/<lane>/<number>.json` | commits |
//! | `forebay/damaged/` | frames of blocks that could not be opened |
//!
//! A file is staged and synced, then named by a pending record, then renamed into the tree, then the record is renamed among the
//! commits: each step is on the disk before the next begins.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::{CommitRecord, FileRecord, hex};
use super::step::{Step, Steps};

/// The tree, and what stands beside it.
pub const EVENTS: &str = "events";
const OURS: &str = "forebay";

/// How long a lock that is held is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(1);
const LOCK_LOOK: Duration = Duration::from_millis(10);

/// Bytes of a record, at the most.
const RECORD_BYTES_MAX: u64 = 16 << 20;

/// Why a destination cannot be drained to.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// The system refuses.
    #[error("{path}: {why}")]
    Io {
        /// Where.
        path: String,
        /// What it said.
        why: io::Error,
    },
    /// Somebody else drains there.
    #[error("{path}: another drain uses this folder; wait for it, or give another folder")]
    InUse {
        /// The folder.
        path: String,
    },
    /// Something else is drained there.
    #[error("{path} has {theirs}, and this would drain {mine}: give another folder")]
    Other {
        /// The folder.
        path: String,
        /// What it has.
        theirs: String,
        /// What would be drained.
        mine: String,
    },
    /// A record that cannot be read.
    #[error(
        "{path}: {why}. Nothing is drained where records are in doubt: `forebay files verify` says what is there"
    )]
    Record {
        /// The record.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// Stopped on purpose, for tests and proofs.
    #[error("stopped before {0:?}")]
    Stopped(Step),
}

impl DestinationError {
    /// Whether it may pass: a disk that is full, slow or away.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}

/// What is drained to a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drained {
    /// The version of this.
    pub version: u32,
    /// The buffer's name.
    pub buffer: String,
    /// How the tree is laid out.
    pub layout: String,
    /// Columns of the files, by their version.
    pub schema: String,
    /// Those that the configuration names, each with its pointer.
    #[serde(default)]
    pub columns: Vec<(String, String)>,
}

impl std::fmt::Display for Drained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { buffer, layout, schema, columns, .. } = self;
        write!(f, "buffer {buffer:?} in layout {layout} with columns {schema}")?;
        columns.iter().try_for_each(|(name, at)| write!(f, " {name}={at}"))
    }
}

/// A folder that is drained to.
pub struct Folder {
    root: PathBuf,
    steps: Steps,
    /// Held, with its lock, as long as it is used.
    _lock: File,
}

impl Folder {
    /// Takes a folder, which is made where it is not there.
    pub fn open(root: &Path, steps: Steps) -> Result<Self, DestinationError> {
        let ours = root.join(OURS);
        for folder in [root.join(EVENTS), ours.join("staging"), ours.join("pending"), ours.join("commits")] {
            make_folder(&folder)?;
        }
        let path = ours.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(io_at(&path))?;
        // A program that this process begins has its files too until it is under way, and so the lock of a drain that ended.
        let since = Instant::now();
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if since.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_LOOK),
                Err(Errno::WOULDBLOCK) => {
                    return Err(DestinationError::InUse { path: root.display().to_string() });
                }
                Err(why) => return Err(io_at(&path)(why.into())),
            }
        }
        Ok(Self { root: root.to_owned(), steps, _lock: lock })
    }

    /// An error where something else is drained to it.
    pub fn must_be_for(&self, mine: &Drained) -> Result<(), DestinationError> {
        let path = self.ours("destination.json");
        if let Some(bytes) = read(&path)? {
            let theirs: Drained =
                serde_json::from_slice(&bytes).map_err(|why| bad(&path, why.to_string()))?;
            if theirs == *mine {
                return Ok(());
            }
            let (path, theirs, mine) =
                (self.root.display().to_string(), theirs.to_string(), mine.to_string());
            return Err(DestinationError::Other { path, theirs, mine });
        }
        // Proof: texts and numbers.
        let text = serde_json::to_string_pretty(mine).expect("what is drained is JSON");
        self.write_whole(&path, format!("{text}\n").as_bytes())?;
        sync_folder(&self.root)
    }

    /// Throws away what was staged and is named by no pending record.
    pub fn clear_staging(&self, pending: &[&CommitRecord]) -> Result<(), DestinationError> {
        let staging = self.ours("staging");
        let named: Vec<PathBuf> =
            pending.iter().flat_map(|record| &record.files).map(|file| self.staged(&file.path)).collect();
        for entry in std::fs::read_dir(&staging).map_err(io_at(&staging))? {
            let path = entry.map_err(io_at(&staging))?.path();
            if !named.contains(&path) {
                std::fs::remove_file(&path).map_err(io_at(&path))?;
            }
        }
        Ok(())
    }

    /// A new file to be staged, under a name of the caller's.
    pub fn stage(&self, name: &str) -> Result<File, DestinationError> {
        self.steps.before(Step::Stage)?;
        let path = self.ours("staging").join(name);
        File::create(&path).map_err(io_at(&path))
    }

    /// A staged file is whole: it gets the name that it is staged under for its place in the tree.
    pub fn staged_whole(&self, name: &str, file: &File, path: &str) -> Result<(), DestinationError> {
        self.steps.before(Step::SyncStaged)?;
        let from = self.ours("staging").join(name);
        file.sync_all().map_err(io_at(&from))?;
        std::fs::rename(&from, self.staged(path)).map_err(io_at(&from))?;
        sync_folder(&self.ours("staging"))
    }

    /// Throws a staged file away.
    pub fn unstage(&self, name: &str) {
        // Left over, it is thrown away when the folder is opened again.
        let _ = std::fs::remove_file(self.ours("staging").join(name));
    }

    /// Keeps the frame of a block that could not be opened; where, from the folder of the records.
    pub fn keep_damaged(&self, name: &str, frame: &[u8]) -> Result<String, DestinationError> {
        let folder = self.ours("damaged");
        make_folder(&folder)?;
        self.write_whole(&folder.join(name), frame)?;
        sync_folder(&self.root.join(OURS))?;
        Ok(format!("damaged/{name}"))
    }

    /// The commit of a lane that was being published.
    pub fn pending(&self, lane: &str) -> Result<Option<CommitRecord>, DestinationError> {
        read_record(&self.pending_path(lane))
    }

    /// The first step of a commit: from here on exactly these files are published.
    pub fn prepare(&self, record: &CommitRecord) -> Result<(), DestinationError> {
        self.steps.before(Step::Prepare)?;
        self.write_whole(&self.pending_path(&record.lane), record.text().as_bytes())
    }

    /// Gives up a commit of which nothing can be published any more.
    pub fn forget_pending(&self, lane: &str) -> Result<(), DestinationError> {
        let path = self.pending_path(lane);
        std::fs::remove_file(&path).map_err(io_at(&path))?;
        sync_folder(&self.ours("pending"))
    }

    /// Whether each file of a pending commit is in the tree, or staged and whole.
    pub fn can_publish(&self, record: &CommitRecord) -> Result<bool, DestinationError> {
        for file in &record.files {
            if !self.is_published(file)? && !is_whole(&self.staged(&file.path), file)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether any file of it is in the tree.
    pub fn is_begun(&self, record: &CommitRecord) -> Result<bool, DestinationError> {
        for file in &record.files {
            if self.is_published(file)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The second step: its files come into the tree, each whole.
    pub fn publish(&self, record: &CommitRecord) -> Result<(), DestinationError> {
        for file in &record.files {
            if self.is_published(file)? {
                continue;
            }
            let (from, to) = (self.staged(&file.path), self.published(&file.path));
            let folder = to.parent().unwrap_or(&self.root);
            make_folder(folder)?;
            self.steps.before(Step::Publish)?;
            std::fs::rename(&from, &to).map_err(io_at(&to))?;
            self.steps.before(Step::SyncTree)?;
            self.sync_up(folder)?;
        }
        Ok(())
    }

    /// The last step: the record is one of a commit.
    pub fn commit(&self, record: &CommitRecord) -> Result<(), DestinationError> {
        self.steps.before(Step::Record)?;
        let to = commit_path(&self.root, &record.lane, record.commit);
        let folder = to.parent().unwrap_or(&self.root);
        make_folder(folder)?;
        std::fs::rename(self.pending_path(&record.lane), &to).map_err(io_at(&to))?;
        self.sync_up(folder)?;
        sync_folder(&self.ours("pending"))
    }

    /// Lanes that anything was committed of, by name.
    pub fn lanes(root: &Path) -> Result<Vec<String>, DestinationError> {
        let commits = root.join(OURS).join("commits");
        let mut lanes = Vec::new();
        for entry in std::fs::read_dir(&commits).map_err(io_at(&commits))? {
            lanes.extend(entry.map_err(io_at(&commits))?.file_name().into_string().ok());
        }
        lanes.sort();
        Ok(lanes)
    }

    /// Numbers of a lane's commits, in order.
    pub fn commits(root: &Path, lane: &str) -> Result<Vec<u64>, DestinationError> {
        let mut commits = numbers(&root.join(OURS).join("commits").join(lane))?;
        commits.sort_unstable();
        Ok(commits)
    }

    /// A commit of a lane.
    pub fn record_of(root: &Path, lane: &str, commit: u64) -> Result<Option<CommitRecord>, DestinationError> {
        read_record(&commit_path(root, lane, commit))
    }

    /// Where a file of the tree is.
    pub fn published_in(root: &Path, path: &str) -> PathBuf {
        root.join(EVENTS).join(path)
    }

    /// Every file in the tree, by its path from the tree's root.
    pub fn tree(root: &Path) -> Result<Vec<String>, DestinationError> {
        let top = root.join(EVENTS);
        let (mut folders, mut files) = (vec![top.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(io_at(&folder))? {
                let entry = entry.map_err(io_at(&folder))?;
                let path = entry.path();
                if entry.file_type().map_err(io_at(&path))?.is_dir() {
                    folders.push(path);
                } else if let Ok(path) = path.strip_prefix(&top) {
                    files.push(path.to_string_lossy().into_owned());
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Files of commits that are being published.
    pub fn pending_files(root: &Path) -> Result<Vec<String>, DestinationError> {
        let folder = root.join(OURS).join("pending");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(io_at(&folder))? {
            let path = entry.map_err(io_at(&folder))?.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Some(record) = read_record(&path)?
            {
                files.extend(record.files.into_iter().map(|file| file.path));
            }
        }
        Ok(files)
    }

    /// The last commit of a lane.
    pub fn last(&self, lane: &str) -> Result<Option<CommitRecord>, DestinationError> {
        let number = numbers(&self.ours("commits").join(lane))?.into_iter().max();
        number.map_or(Ok(None), |number| self.record(lane, number))
    }

    /// A commit of a lane.
    pub fn record(&self, lane: &str, commit: u64) -> Result<Option<CommitRecord>, DestinationError> {
        Self::record_of(&self.root, lane, commit)
    }

    /// Where a file of the tree is.
    pub fn published(&self, path: &str) -> PathBuf {
        Self::published_in(&self.root, path)
    }

    fn is_published(&self, file: &FileRecord) -> Result<bool, DestinationError> {
        is_whole(&self.published(&file.path), file)
    }

    /// Where it is staged: the name without its folders is one of its own.
    fn staged(&self, path: &str) -> PathBuf {
        self.ours("staging").join(path.replace('/', "+"))
    }

    fn ours(&self, name: &str) -> PathBuf {
        self.root.join(OURS).join(name)
    }

    fn pending_path(&self, lane: &str) -> PathBuf {
        self.ours("pending").join(format!("{lane}.json"))
    }

    /// Syncs a folder and those above it, up to the root: who made one of them may have ended before it was synced.
    fn sync_up(&self, folder: &Path) -> Result<(), DestinationError> {
        folder.ancestors().take_while(|above| above.starts_with(&self.root)).try_for_each(sync_folder)
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), DestinationError> {
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary).map_err(io_at(&temporary))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_at(&temporary))?;
        std::fs::rename(&temporary, path).map_err(io_at(path))?;
        sync_folder(path.parent().unwrap_or(&self.root))
    }
}

fn commit_path(root: &Path, lane: &str, commit: u64) -> PathBuf {
    root.join(OURS).join("commits").join(lane).join(format!("{commit:012}.json"))
}

/// Numbers of the commits in a folder, where it is there.
fn numbers(folder: &Path) -> Result<Vec<u64>, DestinationError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(io_at(folder)(why)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_at(folder))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok());
        numbers.extend(number);
    }
    Ok(numbers)
}

fn read_record(path: &Path) -> Result<Option<CommitRecord>, DestinationError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    CommitRecord::parse(&bytes).map(Some).map_err(|why| bad(path, why))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, DestinationError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(io_at(path)(why)),
    };
    let mut bytes = Vec::new();
    file.take(RECORD_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io_at(path))?;
    if bytes.len() as u64 > RECORD_BYTES_MAX {
        return Err(bad(path, format!("it has more than {RECORD_BYTES_MAX} bytes")));
    }
    Ok(Some(bytes))
}

/// Whether the file is there, with the bytes that were committed.
fn is_whole(path: &Path, file: &FileRecord) -> Result<bool, DestinationError> {
    Ok(hash_of(path)?.is_some_and(|hash| hash == file.sha256))
}

/// The hash of a file; nothing where there is none.
pub fn hash_of(path: &Path) -> Result<Option<String>, DestinationError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(io_at(path)(why)),
    };
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut piece).map_err(io_at(path))?;
        if read == 0 {
            return Ok(Some(hex(&hash.finalize())));
        }
        hash.update(&piece[..read]);
    }
}

/// Makes a folder and what is missing above it, each on the disk once its own folder is synced.
fn make_folder(folder: &Path) -> Result<(), DestinationError> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.is_dir()).collect();
    std::fs::create_dir_all(folder).map_err(io_at(folder))?;
    let above = missing.iter().filter_map(|made| made.parent());
    // Of a path from where the program is, the first part lies there.
    let named =
        |above: &'_ Path| if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.into() };
    above.map(named).try_for_each(|above| sync_folder(&above))
}

fn sync_folder(folder: &Path) -> Result<(), DestinationError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at(folder))
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> DestinationError + '_ {
    |why| DestinationError::Io { path: path.display().to_string(), why }
}

fn bad(path: &Path, why: String) -> DestinationError {
    DestinationError::Record { path: path.display().to_string(), why }
}
