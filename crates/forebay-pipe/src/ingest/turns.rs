//! Which host is asked, and when: the next one where one fails again and again, after waits that grow.

use std::time::{Duration, Instant};

use super::config::Config;
use super::ending::Ending;
use super::error::IngestError;
use super::host::Host;
use super::intake::Listener;
use super::plan::TRIES_MAX;
use super::source::Source;

/// The first wait before a host is asked again, and the longest.
pub(super) const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// How often a host may fail in a row before the next one is asked.
const TRIES: u32 = 3;

/// A subscription that lasts for so long need not be asked for less.
pub(super) const WELL: Duration = Duration::from_secs(10);

/// Whose turn it is.
pub(super) struct Turns<'a> {
    config: &'a Config,
    ending: Ending<'a>,
    /// Which host is asked, how often it failed in a row, and what each said last.
    pub at: usize,
    failed: u32,
    tried: Vec<Option<String>>,
    backoff: Duration,
    /// How many subscriptions gave only what was there, since one lasted.
    pub in_vain: u32,
    /// Since when nothing came.
    without: Instant,
}

impl<'a> Turns<'a> {
    pub fn new(config: &'a Config, ending: Ending<'a>) -> Self {
        Self {
            config,
            ending,
            at: 0,
            failed: 0,
            tried: config.hosts.iter().map(|_| None).collect(),
            backoff: BACKOFF.0,
            in_vain: 0,
            without: Instant::now(),
        }
    }

    /// The host whose turn it is.
    pub fn host(&self) -> &'a Host {
        &self.config.hosts[self.at]
    }

    /// Turns to where it was before, as long as that is one of the hosts.
    pub fn turn_to(&mut self, source: &Source) {
        self.at = self.config.hosts.iter().position(|host| source.is_of(host)).unwrap_or(self.at);
    }

    /// A subscription gave events, some of them new or none.
    pub fn gave(&mut self, is_new: bool, lasted: Duration) {
        self.without = Instant::now();
        self.tried[self.at] = None;
        if lasted >= WELL {
            self.in_vain = 0;
        }
        if is_new {
            (self.failed, self.backoff) = (0, BACKOFF.0);
        } else {
            self.in_vain += 1;
        }
    }

    /// A quiet one was there all the same, and answered.
    pub fn was_there(&mut self) {
        self.without = Instant::now();
        (self.failed, self.backoff) = (0, BACKOFF.0);
    }

    /// That nothing came was not the source's fault.
    pub fn was_not_asked(&mut self) {
        self.without = Instant::now();
    }

    /// A host wants to be asked after so long.
    pub fn not_before(&mut self, after: Duration) {
        self.backoff = self.backoff.max(after).min(BACKOFF.1);
    }

    /// Waits before a host is asked again, or turns to the next one; an error where none has given anything for too long.
    pub fn lost(&mut self, why: &str, was_in_vain: bool, hear: &mut dyn Listener) -> Result<(), IngestError> {
        let host = self.host();
        self.tried[self.at] = Some(format!("{host}: {why}"));
        hear.remark(&format!("{host}: {why}"));
        self.failed += 1;
        if self.without.elapsed() >= self.config.patience {
            let tried = self.tried.iter().flatten().cloned().collect();
            return Err(IngestError::Source { waited: self.without.elapsed(), tried });
        }
        if self.failed >= TRIES && self.config.hosts.len() > 1 {
            self.failed = 0;
            self.at = (self.at + 1) % self.config.hosts.len();
        }
        // One that gives too little is asked for less at once.
        if !was_in_vain || self.in_vain > TRIES_MAX {
            self.ending.wait(self.backoff);
            self.backoff = (self.backoff * 2).min(BACKOFF.1);
        }
        Ok(())
    }
}
