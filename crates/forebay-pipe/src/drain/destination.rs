//! A destination that is drained to: the steps of a commit, each of which may be done again.
//!
//! A file is staged and synced, then named by a pending record, then published into the tree, then the commit's record is written
//! and the pending one removed: each step is durable before the next begins.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::archive::{Archive, DESTINATION, commit_key, event_key, pending_key};
use super::place::{Target, hash_of};
use super::record::{CommitRecord, FileRecord};
use super::staging::Staging;
use super::step::{Step, Steps};
use super::swap;

/// Why a destination cannot be drained to, or read.
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
    /// A bucket refuses, or something on the way to it.
    #[error("{what}: {why}")]
    Bucket {
        /// What of it.
        what: String,
        /// What was said.
        why: String,
        /// Whether it is of use to try again.
        may_pass: bool,
    },
    /// Somebody else drains there.
    #[error(
        "{path}: another drain uses this destination, or it is being compacted; wait for that, or give another one"
    )]
    InUse {
        /// The destination.
        path: String,
    },
    /// Something else is drained there.
    #[error("{path} has {theirs}, and this would drain {mine}: give another destination")]
    Other {
        /// The destination.
        path: String,
        /// What it has.
        theirs: String,
        /// What would be drained.
        mine: String,
    },
    /// Its group is being drained to another place, and this one has nothing of it.
    #[error(
        "group {group} is being drained to {theirs}, and {mine} has nothing of it: end that drain first, or drain as another group"
    )]
    Elsewhere {
        /// The group.
        group: String,
        /// Where a drain that runs puts it.
        theirs: String,
        /// Where this one would.
        mine: String,
    },
    /// It has the files of another buffer than they are held against.
    #[error(
        "{path} has files of buffer {theirs:?}, and {mine:?} was named: name the buffer that was drained there"
    )]
    OtherBuffer {
        /// The destination.
        path: String,
        /// Whose files it has.
        theirs: String,
        /// Which was named.
        mine: String,
    },
    /// Nothing was ever drained there.
    #[error("{path}: nothing was drained to it (it has no {DESTINATION})")]
    NotDrained {
        /// The destination.
        path: String,
    },
    /// There is no folder for what is staged.
    #[error(
        "files for a bucket are staged on this machine, and neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME says where: name a \
         folder for them with --staging"
    )]
    NoStaging,
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
    /// Whether it may pass: a disk that is full, slow or away, a bucket that does not answer.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Bucket { may_pass: true, .. })
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

/// A destination that is drained to.
pub struct Destination {
    target: Target,
    archive: Archive,
    staging: Staging,
    steps: Steps,
}

impl Destination {
    /// Takes a destination from whoever else may drain there; a folder is made where it is not there.
    pub fn open(
        target: &Target,
        archive: Archive,
        staging: Option<&Path>,
        steps: Steps,
    ) -> Result<Self, DestinationError> {
        let staging = Staging::of(target, staging)?;
        // Nobody else is there now: what a compaction had begun is ended.
        if let Target::Folder(root) = target {
            swap::settle(root, &archive, &steps)?;
        }
        Ok(Self { target: target.clone(), archive, staging, steps })
    }

    /// What was committed to it.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Writes down what is drained to it, where nothing says so yet.
    pub fn claim(&self, mine: &Drained) -> Result<(), DestinationError> {
        if self.archive.drained()?.is_some() {
            return Ok(());
        }
        // Proof: texts and numbers.
        let text = serde_json::to_string_pretty(mine).expect("what is drained is JSON");
        self.archive.place.write(DESTINATION, format!("{text}\n").as_bytes())
    }

    /// Throws away what was staged and is named by no pending record.
    pub fn clear_staging(&self, pending: &[&CommitRecord]) -> Result<(), DestinationError> {
        self.staging.clear(pending)
    }

    /// A new file to be staged, under a name of the caller's.
    pub fn stage(&self, name: &str) -> Result<File, DestinationError> {
        self.steps.before(Step::Stage)?;
        self.staging.begin(name)
    }

    /// A staged file is whole: it gets the name that it is staged under for its place in the tree.
    pub fn staged_whole(&self, name: &str, file: &File, path: &str) -> Result<(), DestinationError> {
        self.steps.before(Step::SyncStaged)?;
        self.staging.end(name, file, path)
    }

    /// Throws a staged file away.
    pub fn unstage(&self, name: &str) {
        self.staging.discard_part(name);
    }

    /// Keeps the frame of a block that could not be opened; where, from the folder of the records.
    pub fn keep_damaged(&self, name: &str, frame: &[u8]) -> Result<String, DestinationError> {
        let at = format!("damaged/{name}");
        self.archive.place.write(&format!("forebay/{at}"), frame)?;
        Ok(at)
    }

    /// The first step of a commit: from here on exactly these files are published.
    pub fn prepare(&self, record: &CommitRecord) -> Result<(), DestinationError> {
        self.steps.before(Step::Prepare)?;
        self.archive.place.write(&pending_key(&record.lane), record.text().as_bytes())
    }

    /// Gives up a commit of which nothing can be published any more, or that was made.
    pub fn forget_pending(&self, lane: &str) -> Result<(), DestinationError> {
        self.archive.place.remove(&pending_key(lane))
    }

    /// Whether each file of a pending commit is in the tree, or staged and whole.
    pub fn can_publish(&self, record: &CommitRecord) -> Result<bool, DestinationError> {
        for file in &record.files {
            if !self.is_published(file)? && !self.is_staged(file)? {
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
            if !self.is_published(file)? {
                let staged = self.staging.whole(&file.path);
                self.archive.place.publish(&staged, &event_key(&file.path), &self.steps)?;
            }
        }
        Ok(())
    }

    /// The last step: the record is one of a commit. An error where there is another one of that number: somebody else drains.
    pub fn commit(&self, record: &CommitRecord) -> Result<(), DestinationError> {
        if self.archive.record(&record.lane, record.commit)?.is_some_and(|there| there != *record) {
            return Err(DestinationError::InUse { path: self.target.to_string() });
        }
        self.steps.before(Step::Record)?;
        let key = commit_key(&record.lane, record.commit);
        self.archive.place.write(&key, record.text().as_bytes())?;
        self.steps.before(Step::Forget)?;
        self.forget_pending(&record.lane)?;
        for file in &record.files {
            self.staging.discard(&file.path);
        }
        Ok(())
    }

    fn is_published(&self, file: &FileRecord) -> Result<bool, DestinationError> {
        let Some(found) = self.archive.file(&file.path)? else { return Ok(false) };
        let hash = hash_of(found).map_err(|why| DestinationError::Io { path: file.path.clone(), why })?;
        Ok(hash.0 == file.sha256)
    }

    fn is_staged(&self, file: &FileRecord) -> Result<bool, DestinationError> {
        let path = self.staging.whole(&file.path);
        match File::open(&path) {
            Ok(staged) => Ok(hash_of(staged).map_err(io_at(&path))?.0 == file.sha256),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(why) => Err(io_at(&path)(why)),
        }
    }
}

/// An error of the system, with its place.
pub(super) fn io_at(path: &Path) -> impl Fn(io::Error) -> DestinationError + '_ {
    |why| DestinationError::Io { path: path.display().to_string(), why }
}
