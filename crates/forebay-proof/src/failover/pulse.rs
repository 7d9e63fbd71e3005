//! How busy this machine is: how late a thread runs that does nothing but sleep.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

/// How long it sleeps at a time.
const SLEEP: Duration = Duration::from_millis(5);

/// The thread. Dropped, it ends.
pub(super) struct Pulse {
    worst_ns: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Pulse {
    pub fn start() -> Self {
        let (worst_ns, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (worst, until) = (Arc::clone(&worst_ns), Arc::clone(&ended));
        std::thread::spawn(move || {
            while !until.load(Relaxed) {
                let slept = Instant::now();
                std::thread::sleep(SLEEP);
                worst.fetch_max(slept.elapsed().saturating_sub(SLEEP).as_nanos() as u64, Relaxed);
            }
        });
        Self { worst_ns, ended }
    }

    /// The latest it was since it was last asked.
    pub fn worst(&self) -> Duration {
        Duration::from_nanos(self.worst_ns.swap(0, Relaxed))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
    }
}
