//! What tests and proofs stand on: servers of our own, faults, load, and synthetic events.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`server`] | servers of our own: found, started, ended; faults |
//! | [`load`] | requests at intended times, measured from those times |
//! | [`synth`] | events like those of the network, from a seed |

pub mod load;
pub mod server;
pub mod synth;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock whose holder panicked still guards a plain value.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
