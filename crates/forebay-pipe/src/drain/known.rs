//! What the destination has by commits that the server knows nothing of: it came back with less, and gives these blocks again.

use super::archive::Archive;
use super::record::{CommitRecord, Place};
use super::run::DrainError;

/// Blocks of a lane, by number and epoch; of none where the server is not behind.
#[derive(Debug, Default)]
pub(super) struct Known {
    records: Vec<CommitRecord>,
}

impl Known {
    /// Those of the commits after one, up to the last. Blocks of a buffer that was made before this one are none of them.
    pub fn after(archive: &Archive, last: &CommitRecord, commit: u64) -> Result<Self, DrainError> {
        let mut records = Vec::new();
        let mut next = Some(last.clone());
        while let Some(record) = next.filter(|record| record.commit > commit) {
            if record.incarnation != last.incarnation {
                break;
            }
            next = archive.record(&record.lane, record.commit - 1)?;
            // Files are not asked for here, and there may be many commits.
            records.push(CommitRecord {
                files: Vec::new(),
                damaged: Vec::new(),
                missing: Vec::new(),
                ..record
            });
        }
        Ok(Self { records })
    }

    /// Whether a file has the block.
    pub fn has(&self, number: u64, epoch: u64) -> bool {
        self.records.iter().any(|record| record.epoch_of(number) == Some(epoch))
    }

    /// The last block of the last of them.
    pub fn last(&self) -> Option<&Place> {
        self.records.first().map(|record| &record.last)
    }
}
