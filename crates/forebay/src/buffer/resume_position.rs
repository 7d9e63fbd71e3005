//! Where the lanes and the source stood when their writer was opened.

use super::source_cursor::SourceCursor;
use crate::event::lane::Lane;

/// Where a lane stood when its writer was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LanePosition {
    /// Events of the lane that were ever stored.
    pub events: u64,
    /// The number of its last block; 0 where it has none.
    pub block: u64,
    /// Where the source stood after that block, where its events had cursors.
    pub cursor: Option<u64>,
}

/// Where the lanes and the source stood when their writer was opened, by what the server holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePosition {
    pub(super) lanes: Vec<Option<LanePosition>>,
    pub(super) low_watermark: Option<SourceCursor>,
    pub(super) numbering: u32,
}

impl ResumePosition {
    /// Where to resume the source: up to this cursor everything of all lanes is acknowledged (or in the spill folder of the
    /// writer, or dropped by its policy and counted), and what came after may be stored or not. It is the highest low watermark that a lane holds; none where no event had a cursor. Ask the source for
    /// what follows it, the event at the cursor included where other events may have the same, and drop what is stored.
    pub fn low_watermark(&self) -> Option<u64> {
        self.low_watermark.map(|stored| stored.cursor)
    }

    /// Which numbering of the source that cursor, and those of the lanes, are of, also where no low watermark was stored yet: 0 until
    /// [`Writer::begin_numbering`](crate::Writer::begin_numbering).
    pub fn numbering(&self) -> u32 {
        self.numbering
    }

    /// One lane; none where it could not be told: with [`Overflow::Spill`](crate::Overflow::Spill), where the server was away, or where an earlier
    /// run has left events of the lane in the folder, which are stored now.
    pub fn lane(&self, lane: Lane) -> Option<LanePosition> {
        self.lanes.get(lane.index()).copied().flatten()
    }

    /// Events of all lanes together; none where one is not known.
    pub fn events(&self) -> Option<u64> {
        self.lanes.iter().map(|lane| lane.map(|lane| lane.events)).sum()
    }
}
