//! The threads of a writer.

use std::thread::{Builder, JoinHandle};

use super::error::Error;

/// Threads that are joined together.
#[derive(Default)]
pub(super) struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    /// Starts one more.
    pub(super) fn start(&mut self, name: String, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = Builder::new()
            .name(name)
            .spawn(work)
            .map_err(|error| Error::system("no thread could be started", error))?;
        self.0.push(thread);
        Ok(())
    }

    /// Waits until all have ended; whether one panicked.
    pub(super) fn join(&mut self) -> bool {
        let mut panicked = false;
        for thread in self.0.drain(..) {
            panicked |= thread.join().is_err();
        }
        panicked
    }
}
