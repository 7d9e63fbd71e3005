//! The policies that are tried: what becomes of events for which there is no room, and what a server evicts.

use std::path::Path;

use forebay::buffer::overflow::{Overflow, Spill};

/// Every eviction policy, the one that evicts nothing first.
pub(super) const EVICTIONS: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

/// Bytes of files that a spilling writer may keep.
const SPILL_MAX: u64 = 8 << 30;

/// What becomes of events for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Wait,
    Spill,
    Shed,
    TrimOldest,
}

impl Policy {
    pub const ALL: [Self; 4] = [Self::Wait, Self::Spill, Self::Shed, Self::TrimOldest];

    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Spill => "spill",
            Self::Shed => "shed",
            Self::TrimOldest => "trim-oldest",
        }
    }

    /// The same, for a writer.
    pub fn overflow(self, folder: &Path) -> Overflow {
        match self {
            Self::Wait => Overflow::Wait,
            Self::Spill => Overflow::Spill(Spill { folder: folder.into(), bytes_max: SPILL_MAX }),
            Self::Shed => Overflow::Shed,
            Self::TrimOldest => Overflow::TrimOldest,
        }
    }
}
