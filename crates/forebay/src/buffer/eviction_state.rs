//! What the lanes of a writer know together of making room.

use std::time::Instant;

use crate::event::lane::Lanes;

/// What all lanes of a writer know of making room.
#[derive(Debug)]
pub(super) struct EvictionState {
    /// Events of each lane that were ever dropped so, where it was asked.
    pub ever: Vec<Option<u64>>,
    /// Rounds since the server took a block, and when the last one was.
    pub vain: u32,
    pub last: Option<Instant>,
    /// Blocks that the server had taken then.
    pub answered: u64,
}

impl EvictionState {
    pub fn of(lanes: Lanes) -> Self {
        Self { ever: lanes.defaults(), vain: 0, last: None, answered: 0 }
    }
}
