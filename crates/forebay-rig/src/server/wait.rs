//! Waiting for a condition, with a limit.

use std::time::{Duration, Instant};

/// Asks `condition` until it has an answer, with pauses of 1 ms growing to 50 ms; `None` once `limit` has passed.
pub(super) fn poll<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = condition() {
            return Some(answer);
        }
        if started.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
