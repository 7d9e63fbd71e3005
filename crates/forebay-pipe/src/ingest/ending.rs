//! When an ingest ends: once it is told to, or after the time that it was told. Its waits end then too.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use super::config::Until;

/// How often waits look whether they are to end.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// When it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending<'a> {
    /// Whether it is told to.
    pub stop: &'a AtomicBool,
    pub at: Option<Instant>,
}

impl<'a> Ending<'a> {
    /// Of an ingest that begins now.
    pub fn new(stop: &'a AtomicBool, until: Until) -> Self {
        Self { stop, at: until.after.map(|after| Instant::now() + after) }
    }

    pub fn is_over(&self) -> bool {
        self.stop.load(Relaxed) || self.at.is_some_and(|at| Instant::now() >= at)
    }

    /// Waits for so long, or until it is over.
    pub fn wait(&self, long: Duration) {
        let since = Instant::now();
        while since.elapsed() < long && !self.is_over() {
            thread::sleep(LOOK.min(long));
        }
    }
}
