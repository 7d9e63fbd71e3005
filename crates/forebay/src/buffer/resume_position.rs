//! Where the lanes stood when their writer was opened.

use crate::event::lane::Lane;

/// Where a lane stood when its writer was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LanePosition {
    /// Events of the lane that were ever stored.
    pub events: u64,
    /// The number of its last block; 0 where it has none.
    pub block: u64,
}

/// Where the lanes stood when their writer was opened, by what the server holds. The position of the source itself is not kept
/// in the buffer yet: that comes with the next layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePosition {
    pub(super) lanes: Vec<Option<LanePosition>>,
}

impl ResumePosition {
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
