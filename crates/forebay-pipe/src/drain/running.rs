//! A drain on a thread, as the program runs it: for tests and proofs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;

use super::config::Config;
use super::counts::Counts;
use super::run::{DrainError, drain};

/// A drain on a thread.
pub struct Running {
    /// What it has done.
    pub counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), DrainError>>>,
}

impl Running {
    /// Begins.
    pub fn start(config: Config) -> Self {
        let (counts, stop) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
        let (count, halt) = (Arc::clone(&counts), Arc::clone(&stop));
        // Whoever runs it knows what goes wrong: it is in its counts, and belongs on nobody's screen.
        let silent = tracing::subscriber::NoSubscriber::default();
        let thread = std::thread::spawn(move || {
            tracing::subscriber::with_default(silent, || drain(&config, &count, &halt))
        });
        Self { counts, stop, thread: Some(thread) }
    }

    /// Whether it has ended by itself.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What it came to, once it has ended by itself.
    pub fn join(mut self) -> Result<(), DrainError> {
        // Proof: only a drop takes it too. One that panics is a mistake of ours.
        self.thread.take().expect("a thread").join().expect("a thread that drains")
    }

    /// Tells it to stop, and what it came to.
    pub fn end(self) -> Result<(), DrainError> {
        self.stop.store(true, Relaxed);
        self.join()
    }
}

/// A round that fails does not leave it behind.
impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
