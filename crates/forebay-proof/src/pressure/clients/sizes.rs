//! How much the experiments on clients try.

use crate::{Scale, server_setting};

/// What each of them needs.
pub type Bench<'a> = server_setting::Bench<'a, Sizes>;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Events of each fill.
    pub events: u64,
    /// Events appended while the server is in trouble.
    pub appended: u64,
    /// Bytes between what is used and `maxmemory` when a client begins not to read.
    pub room_bytes: u64,
}

impl Sizes {
    /// The sizes of a scale.
    pub fn of(scale: Scale) -> Self {
        match scale {
            Scale::Smallest => Self { events: 12_000, appended: 500, room_bytes: 12 << 20 },
            Scale::Quick => Self { events: 60_000, appended: 5_000, room_bytes: 32 << 20 },
            Scale::Full => Self { events: 1_000_000, appended: 50_000, room_bytes: 256 << 20 },
        }
    }
}
