//! Whether a client reads so slowly, so far behind, for so long, that the host drops it.

use std::time::{Duration, Instant};

use super::fault::Fault;

/// Judges one client by how its position moves.
#[derive(Debug)]
pub(super) struct Slow {
    behind: u64,
    rate: f64,
    window: Duration,
    /// When it was first seen far behind, without having caught up or read fast enough since, and where it stood.
    bad_since: Option<(Instant, u64)>,
}

impl Slow {
    /// The judge that these faults ask for.
    pub(super) fn of(faults: &[Fault]) -> Option<Self> {
        faults.iter().find_map(|fault| match *fault {
            Fault::SlowConsumer { behind, rate, window } => {
                Some(Self { behind, rate, window, bad_since: None })
            }
            _ => None,
        })
    }

    /// How often to look.
    pub(super) fn look_every(&self) -> Duration {
        (self.window / 4).max(Duration::from_millis(10))
    }

    /// Is a client that has been sent so many events, so far behind the tip, to be dropped?
    pub(super) fn is_too_slow(&mut self, sent: u64, lag: u64, now: Instant) -> bool {
        if lag <= self.behind {
            self.bad_since = None;
            return false;
        }
        let (since, sent_then) = *self.bad_since.get_or_insert((now, sent));
        let elapsed = now.saturating_duration_since(since);
        if elapsed < self.window {
            return false;
        }
        let rate = sent.saturating_sub(sent_then) as f64 / elapsed.as_secs_f64();
        if rate >= self.rate {
            self.bad_since = Some((now, sent));
            return false;
        }
        true
    }
}
