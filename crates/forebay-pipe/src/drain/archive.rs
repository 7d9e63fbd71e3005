//! What was committed to a destination, for whoever reads it: its lanes, their commits, and the files of these.

use std::fs::File;
use std::path::Path;

use super::destination::{DestinationError, Drained};
use super::place::silence::Patience;
use super::place::{Place, RECORD_BYTES_MAX, Target};
use super::record::CommitRecord;

/// The tree, from the top of a place.
pub const EVENTS: &str = "events";
const COMMITS: &str = "forebay/commits";
const PENDING: &str = "forebay/pending";
/// What is drained there.
pub(super) const DESTINATION: &str = "forebay/destination.json";

/// A destination that is read.
pub struct Archive {
    pub(super) place: Box<dyn Place>,
}

impl Archive {
    /// Opens one; an error where nothing was ever drained.
    pub fn open(target: &Target) -> Result<Self, DestinationError> {
        let archive = Self { place: target.open(&Patience::default())? };
        match archive.place.read(DESTINATION)? {
            Some(_) => Ok(archive),
            None => Err(DestinationError::NotDrained { path: target.to_string() }),
        }
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
        let keys = self.place.list(&format!("{COMMITS}/{lane}"))?;
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

    /// What a person calls a file of the tree.
    pub fn shown(&self, path: &str) -> String {
        self.place.shown(&event_key(path))
    }

    /// What a person calls the place itself.
    pub(super) fn shown_root(&self) -> String {
        self.place.shown("").trim_end_matches('/').to_owned()
    }

    fn record_at(&self, key: &str) -> Result<Option<CommitRecord>, DestinationError> {
        let Some(bytes) = self.place.read(key)? else { return Ok(None) };
        let bad = |why: String| DestinationError::Record { path: self.place.shown(key), why };
        if bytes.len() as u64 > RECORD_BYTES_MAX {
            return Err(bad(format!("it has more than {RECORD_BYTES_MAX} bytes")));
        }
        CommitRecord::parse(&bytes).map(Some).map_err(bad)
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
