//! An ingest on a thread, as the program runs it, and what it said: for tests and proofs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;

use super::{Config, Counted, Counts, IngestError, Listener, ingest};

/// What an ingest said.
#[derive(Debug, Default)]
pub struct Heard {
    /// Why messages were refused.
    pub refused: Vec<String>,
    /// What whoever runs it should know.
    pub remarks: Vec<String>,
}

impl Listener for Heard {
    fn refused(&mut self, _: &[u8], why: &str) {
        self.refused.push(why.into());
    }

    fn remark(&mut self, text: &str) {
        self.remarks.push(text.into());
    }
}

/// An ingest on a thread.
pub struct Running {
    /// What it has taken.
    pub counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(Result<Counted, IngestError>, Heard)>>,
}

impl Running {
    /// Begins.
    pub fn start(config: Config) -> Self {
        let (counts, stop) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
        let (count, halt) = (Arc::clone(&counts), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut hear = Heard::default();
            let outcome = ingest(&config, &count, &halt, &mut hear);
            (outcome, hear)
        });
        Self { counts, stop, thread: Some(thread) }
    }

    /// Whether it has ended by itself.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Tells it to stop, and what it came to.
    pub fn end(mut self) -> (Result<Counted, IngestError>, Heard) {
        self.stop.store(true, Relaxed);
        // Proof: only a drop takes it too. One that panics is a mistake of ours.
        self.thread.take().expect("a thread").join().expect("a thread that ingests")
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
