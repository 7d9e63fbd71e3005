//! What a run waits for: that the writer is held back, that every event has its fate, that memory is back.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::environment::PressureEnvironment;
use super::watch::Live;
use crate::wait::go_on;
use forebay::buffer::writer::{Counts, Monitor, Writer};
use forebay_rig::server;

/// How long a run waits without any progress.
pub(super) const STUCK: Duration = Duration::from_secs(30);

/// How long nothing was taken from a writer that is held back.
const HELD_BACK: Duration = Duration::from_millis(50);

/// How long memory is waited for after the last block was acknowledged.
pub(super) const SETTLE: Duration = Duration::from_secs(5);

/// Share of what the events took that may still be there then, in percent.
pub(super) const LEFT_PERCENT_MAX: f64 = 10.0;

/// A figure, and since when it is the same.
pub(super) struct Still<T> {
    last: T,
    since: Instant,
}

impl<T: PartialEq> Still<T> {
    pub fn new(first: T) -> Self {
        Self { last: first, since: Instant::now() }
    }

    /// How long it has not changed, now that it is this.
    pub fn at(&mut self, now: T) -> Duration {
        if now != self.last {
            *self = Self::new(now);
        }
        self.since.elapsed()
    }
}

/// What shows that a writer goes on: what it takes from its source, and what becomes of it. That it tries again shows nothing.
pub(super) fn progress(counts: &Counts) -> (u64, u64) {
    (counts.pushed, counts.acknowledged)
}

/// Until the server has refused what it was sent, and taken nothing, for a while: at the very limit single blocks still
/// find room, when other memory is given back.
pub(super) fn is_held_back(monitor: &Monitor) -> impl FnMut() -> bool {
    let mut taken = Still::new(monitor.counts().acknowledged);
    move || taken.at(monitor.counts().acknowledged) >= HELD_BACK && monitor.trouble().is_some()
}

/// Waits until every event that was pushed has its fate on the server, as long as anything moves.
pub(super) fn settle(writer: &Writer, monitor: &Monitor) -> anyhow::Result<()> {
    let mut moved = Still::new(0);
    loop {
        let counts = monitor.counts();
        if counts.acknowledged + counts.shed + counts.unreadable >= counts.pushed {
            return Ok(());
        }
        writer.check()?;
        go_on()?;
        anyhow::ensure!(
            moved.at(counts.acknowledged) < STUCK,
            "no block was acknowledged for {STUCK:?} though a group drains the buffer: {}",
            monitor.trouble().unwrap_or_else(|| "the server says nothing".into())
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until no more than a share of the limit is used, as long as the drain goes on.
pub(super) fn settle_below(live: &Live, share: f64) -> anyhow::Result<()> {
    let mut least = live.share();
    let mut moved = Still::new(least);
    while live.share() >= share {
        go_on()?;
        least = least.min(live.share());
        anyhow::ensure!(
            moved.at(least) < STUCK,
            "no memory came back for {STUCK:?} though a group drains the buffer: {:.0} % of the limit are used",
            live.share() * 100.0
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Waits until memory is back, or as long as it may take; percent of what the events took that is left, and how long
/// that took.
pub(super) fn memory_left(
    environment: &PressureEnvironment,
    live: &Live,
    is_drained: bool,
) -> (f64, Duration) {
    let since = Instant::now();
    loop {
        let left = live.used.load(Relaxed).saturating_sub(environment.empty) as f64;
        let percent = left * 100.0 / environment.limit.saturating_sub(environment.empty).max(1) as f64;
        if percent <= LEFT_PERCENT_MAX || since.elapsed() >= SETTLE || !is_drained || server::ending() {
            return (percent, since.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_is_refused_again_and_again_makes_no_progress() {
        let full = Counts { pushed: 9, acknowledged: 4, retries: 1, ..Counts::default() };
        assert_eq!(progress(&full), progress(&Counts { retries: 7, repeats: 2, ..full }));
        assert_ne!(progress(&full), progress(&Counts { pushed: 10, ..full }));
        assert_ne!(progress(&full), progress(&Counts { acknowledged: 9, ..full }));
    }
}
