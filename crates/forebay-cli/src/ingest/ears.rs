//! What an ingest hears of the engine: messages that are no events, and remarks.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use indicatif::ProgressBar;

use super::remarks::Remarks;
use crate::output;
use crate::rejects::Rejects;
use forebay::buffer::line_source::Refused;
use forebay_pipe::ingest::Listener;

/// Tells of them, and keeps messages.
pub(super) struct Ears {
    rejects: Rejects,
    remarks: Remarks,
    bar: Option<ProgressBar>,
    stop: Arc<AtomicBool>,
    quiet: bool,
}

impl Ears {
    pub(super) fn new(
        rejects: Rejects,
        bar: Option<ProgressBar>,
        stop: &Arc<AtomicBool>,
        quiet: bool,
    ) -> Self {
        Self { rejects, remarks: Remarks::default(), bar, stop: Arc::clone(stop), quiet }
    }

    /// What was refused, after the last remark.
    pub(super) fn finish(self) -> Rejects {
        let unsaid = self.remarks.unsaid();
        if unsaid > 0 && !self.quiet {
            output::tell(&format!("forebay: {unsaid} further remarks of these kinds were not shown"));
        }
        self.rejects
    }
}

impl Listener for Ears {
    fn refused(&mut self, message: &[u8], why: &str) {
        let refused = Refused {
            line: self.rejects.count + 1,
            why: why.into(),
            bytes: Some(message).filter(|message| !message.is_empty()),
        };
        // A message that can be kept nowhere is not to be followed by more.
        let kept = match &self.bar {
            Some(bar) => bar.suspend(|| self.rejects.take(&refused)),
            None => self.rejects.take(&refused),
        };
        if !kept {
            self.stop.store(true, Relaxed);
        }
    }

    fn remark(&mut self, text: &str) {
        let Some(text) = self.remarks.take(text, Instant::now()).filter(|_| !self.quiet) else { return };
        let tell = || output::tell(&format!("forebay: {text}"));
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }
}
