//! Events that may come again: a server came back without blocks that were in files already, and the source is asked again for
//! what it lost. They are told by their identity, from the files.

use std::collections::HashMap;

use super::archive::Archive;
use super::record::{DoubtRange, FileRecord};
use super::run::DrainError;
use super::stored::StoredFile;
use crate::identity::{Identifier, Identity};

/// Events that are held so, at the most: 32 bytes each.
const EVENTS_MAX: usize = 4_000_000;

/// How much later than the last of them an event may be that is one of them: another host gives it another time.
pub const MARGIN_US: u64 = 600_000_000;

/// The events of a range that have not come again.
pub struct Doubt {
    range: DoubtRange,
    identifier: Identifier,
    left: HashMap<Identity, u32>,
}

impl Doubt {
    /// Reads the files of these commits.
    pub fn open(archive: &Archive, lane: &str, range: DoubtRange) -> Result<Self, DrainError> {
        let mut doubt = Self { range, identifier: Identifier::default(), left: HashMap::new() };
        let mut latest = range.until_us.saturating_sub(MARGIN_US);
        let mut next = archive.record(lane, range.to)?;
        let incarnation = next.as_ref().map(|record| record.incarnation.clone());
        while let Some(record) = next.filter(|record| record.commit > doubt.range.after) {
            // What a buffer had that was made before this one does not come again.
            if Some(&record.incarnation) != incarnation.as_ref() {
                break;
            }
            for file in &record.files {
                latest = latest.max(doubt.read(archive, lane, file)?);
            }
            // Events that it left out are in files from before it.
            let under = record.under.map_or(doubt.range.after, |under| under.after);
            doubt.range.after = doubt.range.after.min(under);
            next = archive.record(lane, record.commit - 1)?;
        }
        doubt.range.until_us = latest.saturating_add(MARGIN_US);
        Ok(doubt)
    }

    /// Takes the events of a file; the latest time of them.
    fn read(&mut self, archive: &Archive, lane: &str, of: &FileRecord) -> Result<u64, DrainError> {
        let failed = |why: String| DrainError::File { path: archive.shown(&of.path), why };
        let mut file = StoredFile::of(archive, of)?;
        let mut latest = 0;
        while let Some(row) = file.next_row().map_err(|why| failed(why.to_string()))? {
            latest = latest.max(row.time_us);
            *self.left.entry(self.identifier.of(row.line).identity).or_default() += 1;
            if self.left.len() > EVENTS_MAX {
                return Err(DrainError::TooMuchDoubt { lane: lane.into(), events: EVENTS_MAX });
            }
        }
        Ok(latest)
    }

    /// Whether this event was in a file already; it is told once.
    pub fn has(&mut self, line: &[u8]) -> bool {
        let identity = self.identifier.of(line).identity;
        match self.left.get_mut(&identity) {
            Some(1) => self.left.remove(&identity).is_some(),
            Some(times) => {
                *times -= 1;
                true
            }
            None => false,
        }
    }

    /// What it is about.
    pub fn about(&self) -> DoubtRange {
        self.range
    }

    /// The same, as long as anything of it can come: with nothing left, or a range behind it whose earliest event is later
    /// than all of it, it is over.
    pub fn range(&self, earliest_us: u64) -> Option<DoubtRange> {
        (!self.left.is_empty() && earliest_us <= self.range.until_us).then_some(self.range)
    }
}
