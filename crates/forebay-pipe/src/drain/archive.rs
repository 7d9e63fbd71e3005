//! What was committed to a destination, for whoever reads it: its lanes, their commits, and the files of these.

use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::compaction::Compaction;
use super::destination::{DestinationError, Drained};
use super::place::silence::Patience;
use super::place::{Place, RECORD_BYTES_MAX, Target};
use super::record::CommitRecord;
use super::successors::{Successors, Whereabouts};

/// The tree, from the top of a place.
pub const EVENTS: &str = "events";
const COMMITS: &str = "forebay/commits";
const PENDING: &str = "forebay/pending";
const COMPACTIONS: &str = "forebay/compactions";
/// The compaction that is being made.
pub(super) const PENDING_COMPACTION: &str = "forebay/compactions/pending.json";

/// How often a file is looked for that is compacted meanwhile.
const LOOKS: usize = 3;
/// What is drained there.
pub(super) const DESTINATION: &str = "forebay/destination.json";

/// A destination that is read.
pub struct Archive {
    pub(super) place: Box<dyn Place>,
    /// What files became, as it was when that was last looked at.
    successors: Mutex<Option<Successors>>,
}

/// A file of the tree that has the rows of a commit's file.
pub struct Found {
    /// The file.
    pub file: File,
    /// Where its rows are.
    pub at: Whereabouts,
}

impl Archive {
    /// Opens one; an error where nothing was ever drained.
    pub fn open(target: &Target) -> Result<Self, DestinationError> {
        let archive = Self::at(target, &Patience::default())?;
        match archive.place.read(DESTINATION)? {
            Some(_) => Ok(archive),
            None => Err(DestinationError::NotDrained { path: target.to_string() }),
        }
    }

    /// One that nothing may have been drained to yet.
    pub(super) fn at(target: &Target, patience: &Patience) -> Result<Self, DestinationError> {
        Ok(Self { place: target.open(patience)?, successors: Mutex::new(None) })
    }

    /// What is drained there; nothing where nothing ever was.
    pub fn drained(&self) -> Result<Option<Drained>, DestinationError> {
        let Some(bytes) = self.place.read(DESTINATION)? else { return Ok(None) };
        let bad = |why: serde_json::Error| DestinationError::Record {
            path: self.place.shown(DESTINATION),
            why: why.to_string(),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(bad)
    }

    /// That of a folder.
    pub fn of_folder(folder: &Path) -> Result<Self, DestinationError> {
        Self::open(&Target::Folder(folder.to_owned()))
    }

    /// Lanes that anything was committed of, by name.
    pub fn lanes(&self) -> Result<Vec<String>, DestinationError> {
        let keys = self.place.list(COMMITS)?;
        let lane = |key: &String| {
            let (lane, _) = key.strip_prefix(COMMITS)?.strip_prefix('/')?.split_once('/')?;
            Some(lane.to_owned())
        };
        let mut lanes: Vec<String> = keys.iter().filter_map(lane).collect();
        lanes.sort();
        lanes.dedup();
        Ok(lanes)
    }

    /// The number of a lane's last commit; 0 where there is none.
    pub fn last_commit(&self, lane: &str) -> Result<u64, DestinationError> {
        self.last_number(&format!("{COMMITS}/{lane}"))
    }

    /// The highest number of the records in a folder; 0 where there is none.
    fn last_number(&self, folder: &str) -> Result<u64, DestinationError> {
        let keys = self.place.list(folder)?;
        let number = |key: &String| key.rsplit('/').next()?.strip_suffix(".json")?.parse::<u64>().ok();
        Ok(keys.iter().filter_map(number).max().unwrap_or(0))
    }

    /// The last commit of a lane.
    pub fn last(&self, lane: &str) -> Result<Option<CommitRecord>, DestinationError> {
        match self.last_commit(lane)? {
            0 => Ok(None),
            number => self.record(lane, number),
        }
    }

    /// A commit of a lane.
    pub fn record(&self, lane: &str, commit: u64) -> Result<Option<CommitRecord>, DestinationError> {
        self.record_at(&commit_key(lane, commit))
    }

    /// The commit of a lane that was being published.
    pub fn pending(&self, lane: &str) -> Result<Option<CommitRecord>, DestinationError> {
        self.record_at(&pending_key(lane))
    }

    /// Files of commits that are being published.
    pub fn pending_files(&self) -> Result<Vec<String>, DestinationError> {
        let mut files = Vec::new();
        for key in self.place.list(PENDING)? {
            // Beside them may be one that was being written.
            if key.strip_suffix(".json").is_some()
                && let Some(record) = self.record_at(&key)?
            {
                files.extend(record.files.into_iter().map(|file| file.path));
            }
        }
        Ok(files)
    }

    /// Every file in the tree, by its path from the tree's root.
    pub fn tree(&self) -> Result<Vec<String>, DestinationError> {
        let keys = self.place.list(EVENTS)?;
        let path = |key: &String| Some(key.strip_prefix(EVENTS)?.strip_prefix('/')?.to_owned());
        let mut files: Vec<String> = keys.iter().filter_map(path).collect();
        files.sort();
        Ok(files)
    }

    /// A file of the tree, where it is there.
    pub fn file(&self, path: &str) -> Result<Option<File>, DestinationError> {
        self.place.open(&event_key(path))
    }

    /// The file of the tree that has the rows of a file by now; nothing where it is not there. Whoever reads what a commit has
    /// asks here: its file may have been compacted since, or may be right now.
    pub fn find(&self, path: &str) -> Result<Option<Found>, DestinationError> {
        for look in 0..LOOKS {
            let at = self.whereabouts(path, look > 0)?;
            if let Some(file) = self.file(&at.path)? {
                return Ok(Some(Found { file, at }));
            }
        }
        Ok(None)
    }

    /// Where the rows of a file are, as it was when that was last looked at, or is now.
    pub(super) fn whereabouts(&self, path: &str, is_anew: bool) -> Result<Whereabouts, DestinationError> {
        let mut successors = self.successors.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match successors.take().filter(|_| !is_anew) {
            Some(known) => known,
            None => self.successors()?,
        };
        Ok(successors.insert(known).of_file(path))
    }

    fn successors(&self) -> Result<Successors, DestinationError> {
        // First: once it is gone, it is among the others.
        let pending = self.pending_compaction()?;
        let mut all = Vec::new();
        for number in 1..=self.last_compaction()? {
            match self.compaction(number) {
                // Its files are not found then, and where records are held against each other it is told.
                Err(DestinationError::Record { .. }) => {}
                found => all.extend(found?),
            }
        }
        if let Some(pending) = pending
            && self.file(&pending.outputs[0].file.path)?.is_some()
        {
            all.push(pending);
        }
        Ok(Successors::of(&all))
    }

    /// The number of the last compaction; 0 where there is none.
    pub fn last_compaction(&self) -> Result<u64, DestinationError> {
        self.last_number(COMPACTIONS)
    }

    /// A compaction.
    pub fn compaction(&self, number: u64) -> Result<Option<Compaction>, DestinationError> {
        self.compaction_at(&compaction_key(number))
    }

    /// The one that is being made.
    pub fn pending_compaction(&self) -> Result<Option<Compaction>, DestinationError> {
        self.compaction_at(PENDING_COMPACTION)
    }

    fn compaction_at(&self, key: &str) -> Result<Option<Compaction>, DestinationError> {
        self.parsed(key, Compaction::parse)
    }

    /// What a person calls a file of the tree.
    pub fn shown(&self, path: &str) -> String {
        self.place.shown(&event_key(path))
    }

    /// What a person calls the place itself.
    pub(super) fn shown_root(&self) -> String {
        self.place.shown("").trim_end_matches('/').to_owned()
    }

    fn record_at(&self, key: &str) -> Result<Option<CommitRecord>, DestinationError> {
        self.parsed(key, CommitRecord::parse)
    }

    fn parsed<T>(
        &self,
        key: &str,
        parse: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, DestinationError> {
        let Some(bytes) = self.place.read(key)? else { return Ok(None) };
        let bad = |why: String| DestinationError::Record { path: self.place.shown(key), why };
        if bytes.len() as u64 > RECORD_BYTES_MAX {
            return Err(bad(format!("it has more than {RECORD_BYTES_MAX} bytes")));
        }
        parse(&bytes).map(Some).map_err(bad)
    }
}

pub(super) fn event_key(path: &str) -> String {
    format!("{EVENTS}/{path}")
}

pub(super) fn pending_key(lane: &str) -> String {
    format!("{PENDING}/{lane}.json")
}

pub(super) fn commit_key(lane: &str, commit: u64) -> String {
    format!("{COMMITS}/{lane}/{commit:012}.json")
}

pub(super) fn compaction_key(number: u64) -> String {
    format!("{COMPACTIONS}/{number:012}.json")
}
