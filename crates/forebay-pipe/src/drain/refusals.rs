//! A destination that refuses: it is left alone, longer each time, and asked again until patience is over.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::config::Config;
use super::counts::Counts;
use super::destination::DestinationError;
use super::run::DrainError;

/// How long it is left alone, at first and at the most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// How often it is looked whether the drain is told to stop.
const LOOK: Duration = Duration::from_millis(20);

/// How a destination has refused.
pub(super) struct Refusals<'a> {
    config: &'a Config,
    counts: &'a Counts,
    stop: &'a AtomicBool,
    /// Since when it refuses without any commit between, with so many commits, and how long it is left alone next.
    refused: Option<(Instant, u64, Duration)>,
}

impl<'a> Refusals<'a> {
    pub fn new(config: &'a Config, counts: &'a Counts, stop: &'a AtomicBool) -> Self {
        Self { config, counts, stop, refused: None }
    }

    /// It has done what it was asked for.
    pub fn are_over(&mut self) {
        self.refused = None;
        self.counts.is_well();
    }

    /// Leaves it alone for a while; an error once patience is over, or the drain is told to stop.
    pub fn wait(&mut self, error: &DrainError) -> Result<(), DrainError> {
        self.counts.failed(error.to_string());
        tracing::warn!("{error}; it is tried again");
        let commits = self.counts.look().commits;
        let (since, _, wait) = match self.refused {
            Some(refused) if refused.1 == commits => refused,
            // A bucket that does not answer has refused since it was asked.
            _ => {
                let silent = self.counts.silence().lasts().unwrap_or_default();
                (Instant::now().checked_sub(silent).unwrap_or_else(Instant::now), commits, BACKOFF.0)
            }
        };
        if since.elapsed() >= self.config.patience || self.stop.load(Relaxed) {
            return Err(DrainError::GaveUp { waited: since.elapsed(), why: error.to_string() });
        }
        self.pause(wait);
        self.refused = Some((since, commits, (wait * 2).min(BACKOFF.1)));
        Ok(())
    }

    /// What a bucket is asked for before a drain begins, again where it refuses. A folder that refuses then is another one than was
    /// meant, or needs rights, and that is said at once.
    pub fn through<T>(&mut self, mut ask: impl FnMut() -> Result<T, DrainError>) -> Result<T, DrainError> {
        loop {
            match ask() {
                Err(error @ DrainError::Destination(DestinationError::Bucket { may_pass: true, .. })) => {
                    self.wait(&error)?;
                }
                answer => {
                    self.are_over();
                    return answer;
                }
            }
        }
    }

    /// Waits, no longer than until the drain is told to stop.
    pub fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while Instant::now() < until && !self.stop.load(Relaxed) {
            std::thread::sleep(LOOK.min(wait));
        }
    }
}
