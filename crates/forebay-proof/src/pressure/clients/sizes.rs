//! How much the experiments try.

use std::time::Duration;

use crate::Scale;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Events of each fill.
    pub events: u64,
    /// Events kept one an entry, for comparison.
    pub plain_events: u64,
    /// Fills and drains before fragmentation is looked at.
    pub cycles: u64,
    /// How long resident memory may take to come back.
    pub settle: Duration,
    /// How often each stall is measured; the shortest counts.
    pub tries: u32,
    /// Events appended while the server is in trouble.
    pub appended: u64,
    /// Bytes between what is used and `maxmemory` when a client begins not to read.
    pub room_bytes: u64,
}

impl Sizes {
    /// The sizes of a scale.
    pub fn of(scale: Scale) -> Self {
        let settle = Duration::from_secs(4);
        let quick = Self {
            events: 60_000,
            plain_events: 20_000,
            cycles: 3,
            settle,
            tries: 3,
            appended: 5_000,
            room_bytes: 32 << 20,
        };
        match scale {
            Scale::Quick => quick,
            Scale::Full => Self {
                events: 1_000_000,
                plain_events: 200_000,
                cycles: 6,
                settle: settle * 15,
                tries: 5,
                appended: 50_000,
                room_bytes: 256 << 20,
            },
        }
    }
}
