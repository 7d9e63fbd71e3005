//! How many bytes of files an hour of events comes to, by the time of the events: a backlog that is drained in a moment counts as what
//! it is.

use super::record::FileRecord;

/// What bytes an hour are reckoned from is this much of events' time at the most: what comes in changes.
const HOURS_MAX: u64 = 48;
const HOUR_US: u64 = 3_600_000_000;
const MINUTE_US: u64 = 60_000_000;

/// Bytes of files, and what time of events is in them.
#[derive(Debug, Default)]
pub(super) struct Hourly {
    bytes: u64,
    times: Option<(u64, u64)>,
}

impl Hourly {
    /// Files were committed.
    pub fn add(&mut self, files: &[FileRecord]) {
        self.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
        let times = files.iter().map(|file| file.times).chain(self.times);
        self.times = times.reduce(|all, of| (all.0.min(of.0), all.1.max(of.1)));
        // What came long ago counts for less and less.
        if let Some((from, to)) = &mut self.times
            && *to - *from > HOURS_MAX * HOUR_US
        {
            (self.bytes, *from) = (self.bytes / 2, *from + (*to - *from) / 2);
        }
    }

    /// None where what is in files is of less than a minute: of so few events a file is mostly frame.
    pub fn per_hour(&self) -> Option<u64> {
        let (from, to) = self.times?;
        let span = to.saturating_sub(from);
        (span >= MINUTE_US).then(|| (self.bytes as f64 * HOUR_US as f64 / span as f64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_an_hour_are_of_the_events_time_and_forget_what_came_long_ago() {
        let mut hourly = Hourly::default();
        let mut add = |bytes: u64, from: u64, to: u64| {
            let times = (from * MINUTE_US, to * MINUTE_US);
            hourly.add(&[FileRecord { path: String::new(), bytes, sha256: String::new(), rows: 1, times }]);
            hourly.per_hour()
        };
        let day = 24 * 60;
        assert_eq!(add(100, 30 * day, 30 * day), None);
        // A backlog of a day, drained in a moment.
        assert_eq!(add(2_300, 30 * day, 31 * day), Some(100));
        assert_eq!(add(2_400, 31 * day, 32 * day), Some(100));
        // Ten times as much from now on.
        let mut hour = 32 * day;
        let mut said = None;
        for _ in 0..10 * 24 {
            said = add(1_000, hour, hour + 60);
            hour += 60;
        }
        assert!((950..1_001).contains(&said.unwrap()), "{said:?}");
    }
}
