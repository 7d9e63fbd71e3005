//! Blocks that the caller was handed and that are not acknowledged, as far as this reader knows: the server gives them again
//! after a lost connection, or once they have lain for long, and the caller shall not have them twice.

use std::collections::HashSet;

use super::entry::Id;
use super::read_item::ReadItem;
use crate::event::lane::Lane;

/// Blocks that a consumer may hold; about 60 MB. A block is up to 512 events.
const MAX: usize = 1 << 20;

/// What the caller has.
pub(super) struct Unacknowledged {
    pub(super) blocks: HashSet<(Lane, Id)>,
    pub(super) max: usize,
    /// With so many, the server is asked which of them it still waits for.
    pub(super) look_at: usize,
}

impl Unacknowledged {
    pub(super) fn new() -> Self {
        Self::at_most(MAX)
    }

    pub(super) fn at_most(max: usize) -> Self {
        Self { blocks: HashSet::new(), max, look_at: max / 16 }
    }

    pub(super) fn has(&self, lane: Lane, id: Id) -> bool {
        self.blocks.contains(&(lane, id))
    }

    pub(super) fn remove(&mut self, block: &(Lane, Id)) {
        self.blocks.remove(block);
    }

    /// What the caller is about to be handed.
    pub(super) fn add(&mut self, found: &[ReadItem]) {
        self.blocks.extend(found.iter().filter_map(ReadItem::given));
    }
}
