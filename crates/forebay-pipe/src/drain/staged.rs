//! What came of staging a range: what its commit record will say.

use forebay::buffer::sink::Done;
use forebay::{Entry, Id};

use super::record::{Fault, FileRecord, Roll, TOLD_MAX};

/// What came of a range.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub first: Option<(u64, Id)>,
    /// The last block that was read.
    pub last: Done,
    pub epochs: Vec<(u64, u64)>,
    pub events: u64,
    pub rows: u64,
    pub repeats: u64,
    pub cursor: Option<String>,
    pub roll: Option<Roll>,
    pub files: Vec<FileRecord>,
    pub damaged: Vec<Fault>,
    pub damaged_blocks: u64,
    pub missing: Vec<String>,
    pub missing_events: u64,
    /// The earliest time of its events.
    pub earliest_us: Option<u64>,
    /// The last block that files had already.
    pub had: Option<Id>,
}

impl Staged {
    /// A block belongs to the range.
    pub fn note(&mut self, entry: &Entry) {
        self.first.get_or_insert((entry.number, entry.id));
        self.last = Done { number: entry.number, id: entry.id, total: entry.total };
        if self.epochs.last().is_none_or(|(_, epoch)| *epoch != entry.epoch) {
            self.epochs.push((entry.number, entry.epoch));
        }
        if let Some(cursor) = entry.cursor {
            self.cursor = Some(cursor.to_string());
        }
        self.earliest_us = Some(self.earliest_us.map_or(entry.times.0, |at| at.min(entry.times.0)));
    }

    /// The epoch of a block that was noted.
    pub fn epoch_of(&self, number: u64) -> Option<u64> {
        self.epochs.iter().rev().find(|(first, _)| *first <= number).map(|(_, epoch)| *epoch)
    }

    /// A block could not be opened.
    pub fn damaged(&mut self, fault: Fault) {
        self.damaged_blocks += 1;
        if self.damaged.len() < TOLD_MAX {
            self.damaged.push(fault);
        }
    }

    /// Blocks were not there.
    pub fn missing(&mut self, what: &str, events: u64) {
        self.missing_events += events;
        if self.missing.len() < TOLD_MAX {
            self.missing.push(what.to_owned());
        }
    }
}
