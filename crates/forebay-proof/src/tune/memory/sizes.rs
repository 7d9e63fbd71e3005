//! How much the experiments on memory settings try.

use std::time::Duration;

use crate::{Scale, server_setting};

/// What each of them needs.
pub type Bench<'a> = server_setting::Bench<'a, Sizes>;

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
}

impl Sizes {
    /// The sizes of a scale.
    pub fn of(scale: Scale) -> Self {
        match scale {
            Scale::Smallest => Self {
                events: 12_000,
                plain_events: 2_000,
                cycles: 2,
                settle: Duration::from_secs(1),
                tries: 1,
            },
            Scale::Quick => Self {
                events: 60_000,
                plain_events: 20_000,
                cycles: 3,
                settle: Duration::from_secs(4),
                tries: 3,
            },
            Scale::Full => Self {
                events: 1_000_000,
                plain_events: 200_000,
                cycles: 6,
                settle: Duration::from_secs(60),
                tries: 5,
            },
        }
    }
}
