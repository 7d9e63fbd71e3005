//! How long an fsync takes in a folder: measured, because no setting says it.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use forebay_watch::machine::Unread;

/// Fsyncs that are measured, unless they take longer than [`TIME_MAX`] together.
const TIMES: usize = 100;
/// When to stop measuring.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Times of fsyncs, in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct Fsync {
    sorted_ms: Vec<f64>,
}

impl Fsync {
    /// Appends 4 KiB and calls fdatasync, again and again, in a file of its own that is removed afterwards.
    pub fn measure(dir: &Path) -> Result<Self, Unread> {
        let failed =
            |error: std::io::Error| Unread(format!("no file can be written in {}: {error}", dir.display()));
        let mut file = tempfile::Builder::new().prefix("forebay-fsync-").tempfile_in(dir).map_err(failed)?;
        let (began, mut times) = (Instant::now(), Vec::with_capacity(TIMES));
        while times.len() < TIMES && began.elapsed() < TIME_MAX {
            file.write_all(&[0x5a; 4_096]).map_err(failed)?;
            let clock = Instant::now();
            file.as_file().sync_data().map_err(failed)?;
            times.push(clock.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(Self::of(times))
    }

    /// Times in milliseconds, in any order.
    pub fn of(mut times_ms: Vec<f64>) -> Self {
        times_ms.sort_by(f64::total_cmp);
        Self { sorted_ms: times_ms }
    }

    /// The time, in milliseconds, that so many of a hundred fsyncs do not exceed.
    pub fn at(&self, percent: f64) -> f64 {
        let rank = (self.sorted_ms.len() as f64 * percent / 100.0).ceil() as usize;
        self.sorted_ms.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }

    /// How many were measured.
    pub fn times(&self) -> usize {
        self.sorted_ms.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let fsync = Fsync::of((1..=100).rev().map(f64::from).collect());
        assert_eq!(
            (fsync.at(50.0), fsync.at(99.0), fsync.at(100.0), fsync.times()),
            (50.0, 99.0, 100.0, 100)
        );
        assert!(Fsync::of(Vec::new()).at(99.0).is_nan());
    }

    #[test]
    fn measuring_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Fsync::measure(dir.path()).unwrap().at(50.0) > 0.0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(Fsync::measure(&dir.path().join("none")).unwrap_err().0.contains("no file can be written"));
    }
}
