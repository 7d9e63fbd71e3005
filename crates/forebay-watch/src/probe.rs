//! How long a PING takes, asked five times a second: what every client of the server has to wait at that moment.
//!
//! A server that stands still delays all the PINGs that would have been sent meanwhile: each counts with the time that
//! it would have waited, as a load generator without coordinated omission counts.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::profile::Profile;
use crate::thresholds::Thresholds;
use forebay::buffer::connect::Address;
use forebay::buffer::lock;

/// How often it is asked.
pub const EVERY: Duration = Duration::from_millis(200);

/// How long an answer may take before the connection counts as gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Seconds up to which answers are counted, ascending, beside the profile's lines.
const BOUNDS: [f64; 13] = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0];

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counted {
    /// Seconds, ascending, the last infinite; and answers within them and above those before.
    pub buckets: Vec<(f64, u64)>,
    /// Seconds, all together.
    pub sum: f64,
}

impl Counted {
    /// None yet. The profile's lines are bounds: else its rules would have to guess what lies above them.
    fn for_profile(profile: &Profile) -> Self {
        let lines = Thresholds::of(profile);
        let mut bounds: Vec<f64> = BOUNDS.into_iter().chain([lines.slow_s, lines.too_slow_s]).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let buckets = bounds.into_iter().chain([f64::INFINITY]).map(|bound| (bound, 0)).collect();
        Self { buckets, sum: 0.0 }
    }

    fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some((_, count)) = self.buckets.iter_mut().find(|(bound, _)| seconds <= *bound) {
            *count += 1;
        }
        self.sum += seconds;
    }

    /// One that took so long, and those that would have been sent while it did.
    fn add_with_delayed(&mut self, took: Duration) {
        let mut waited = took;
        self.add(waited);
        while waited > EVERY {
            waited -= EVERY;
            self.add(waited);
        }
    }
}

/// The probe.
pub struct Probe(Mutex<Counted>);

impl Probe {
    /// One that has asked nothing yet.
    pub(super) fn new(profile: &Profile) -> Self {
        Self(Mutex::new(Counted::for_profile(profile)))
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        lock(&self.0).clone()
    }

    /// Asks until it is over. A server that refuses connections is down, which is told otherwise; one that takes them and says
    /// nothing counts with the time that it says nothing.
    pub(super) fn run(&self, address: &Address, is_over: impl Fn() -> bool, rest_until: impl Fn(Instant)) {
        let mut pinger = None;
        while !is_over() {
            let started = Instant::now();
            if pinger.is_none() {
                let reached = address.pinger(PATIENCE);
                let took = started.elapsed();
                if reached.is_err() && took >= PATIENCE {
                    // It stands still: whoever sent a PING meanwhile would wait as long.
                    lock(&self.0).add_with_delayed(took);
                }
                pinger = reached.ok();
                rest_until(started + EVERY.max(took));
                continue;
            }
            let is_answered = pinger.as_mut().is_some_and(|pinger| pinger.ping().is_ok());
            let took = started.elapsed();
            if is_answered || took >= PATIENCE {
                lock(&self.0).add_with_delayed(took);
            }
            if !is_answered {
                pinger = None;
            }
            rest_until(started + EVERY.max(took));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bounds that hold what was counted, and how much each holds.
    fn filled(counted: &Counted) -> Vec<(f64, u64)> {
        counted.buckets.iter().copied().filter(|(_, count)| *count > 0).collect()
    }

    fn none() -> Counted {
        Counted::for_profile(&Profile::load(crate::profile::DEFAULT).unwrap())
    }

    #[test]
    fn what_would_have_been_sent_during_a_pause_counts_with_its_wait() {
        let mut counted = none();
        counted.add_with_delayed(Duration::from_millis(1_050));
        // 1,050, 850, 650, 450, 250 and 50 ms.
        assert_eq!(filled(&counted), [(0.05, 1), (0.5, 2), (1.0, 2), (2.0, 1)]);
        assert!((counted.sum - 3.3).abs() < 1e-9);
    }

    #[test]
    fn a_bound_counts_what_took_exactly_that_long() {
        let mut counted = none();
        counted.add(Duration::from_millis(20));
        counted.add(Duration::from_secs(9));
        assert_eq!(filled(&counted), [(0.02, 1), (f64::INFINITY, 1)]);
    }
}
