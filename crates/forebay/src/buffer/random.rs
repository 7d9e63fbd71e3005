//! Numbers that nobody else draws.

use std::hash::{BuildHasher, RandomState};

/// One of the system's own random numbers: what the standard library keys its hashes with.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
