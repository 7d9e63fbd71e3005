//! What a run waits for: that every event has its fate, and that memory is back.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::ground::Ground;
use super::seen::{LEFT_PERCENT_MAX, SETTLE};
use super::watch::Live;
use crate::buffer::writer::{Monitor, Writer};
use crate::server;

/// How long a run waits without any progress.
pub(super) const STUCK: Duration = Duration::from_secs(30);

/// Waits until every event that was pushed has its fate on the server, as long as anything moves.
pub(super) fn settle(writer: &Writer, monitor: &Monitor) -> anyhow::Result<()> {
    let mut last = (0, Instant::now());
    loop {
        let counts = monitor.counts();
        if counts.acknowledged + counts.shed + counts.unreadable >= counts.pushed {
            return Ok(());
        }
        writer.check()?;
        anyhow::ensure!(!server::ending(), "interrupted");
        if counts.acknowledged != last.0 {
            last = (counts.acknowledged, Instant::now());
        }
        anyhow::ensure!(
            last.1.elapsed() < STUCK,
            "no block was acknowledged for {STUCK:?} though a group drains the buffer: {}",
            monitor.trouble().unwrap_or_else(|| "the server says nothing".into())
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until no more than a share of the limit is used, as long as the drain goes on.
pub(super) fn settle_below(live: &Live, share: f64) -> anyhow::Result<()> {
    let mut least = (f64::INFINITY, Instant::now());
    while live.share() >= share {
        anyhow::ensure!(!server::ending(), "interrupted");
        if live.share() < least.0 {
            least = (live.share(), Instant::now());
        }
        anyhow::ensure!(
            least.1.elapsed() < STUCK,
            "no memory came back for {STUCK:?} though a group drains the buffer: {:.0} % of the limit are used",
            live.share() * 100.0
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Waits until memory is back, or as long as it may take; percent of what the events took that is left, and how long
/// that took.
pub(super) fn memory_left(ground: &Ground, live: &Live, is_drained: bool) -> (f64, Duration) {
    let since = Instant::now();
    loop {
        let left = live.used.load(Relaxed).saturating_sub(ground.empty) as f64;
        let percent = left * 100.0 / ground.limit.saturating_sub(ground.empty).max(1) as f64;
        if percent <= LEFT_PERCENT_MAX || since.elapsed() >= SETTLE || !is_drained || server::ending() {
            return (percent, since.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
