//! An hour of looks: what comes in and goes out, and when the buffer is full at that.

use std::collections::VecDeque;

use crate::buffer::limit::{Full, Limits};

/// How far back looks are kept.
pub const KEPT_MS: u64 = 3_600_000;

/// How far back a rate looks: long enough that single blocks do not matter, and short enough that a minute after a reader
/// has gone nothing of the time before counts.
const WINDOW_MS: u64 = 60_000;

/// Over less than that a rate says more about when blocks are cut than about what comes in.
const WINDOW_MS_MIN: u64 = 10_000;

/// What of a look is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// Milliseconds since 1970, by the server's clock.
    pub at_ms: u64,
    /// The same by the watcher's clock.
    pub seen_ms: u64,
    /// Events ever appended.
    pub appended: Option<u64>,
    /// Events held.
    pub events: Option<u64>,
    /// Events held, of those at the limit.
    pub used_ratio: Option<f64>,
    /// Events a second that came in.
    pub coming: Option<f64>,
    /// Events a second that were let go.
    pub going: Option<f64>,
    /// Milliseconds since the oldest block was stored.
    pub oldest_age_ms: Option<u64>,
    /// Events that the group furthest behind was not given.
    pub unread: Option<u64>,
}

/// Events a second over the last minute.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// What came in.
    pub coming: Option<f64>,
    /// What was let go.
    pub going: Option<f64>,
}

/// When the first limit is met.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// As it fills now: what comes in less what is let go.
    pub net: Full,
    /// If nobody read from now on.
    pub unread: Full,
    /// The same at the profile's peak.
    pub peak: Full,
}

/// The looks of the last hour.
#[derive(Debug, Clone, Default)]
pub struct History {
    points: VecDeque<Point>,
}

impl History {
    /// The looks, oldest first.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }

    /// Rates up to a look that is not among them yet.
    pub fn rates(&self, now: &Point) -> Rates {
        let from_ms = now.at_ms.saturating_sub(WINDOW_MS);
        let since = self.points.iter().find(|point| point.at_ms >= from_ms && point.appended.is_some());
        let Some(since) = since.filter(|point| point.at_ms + WINDOW_MS_MIN <= now.at_ms) else {
            return Rates::default();
        };
        let per_second = |count: &dyn Fn(&Point) -> Option<u64>| {
            let events = count(now)?.checked_sub(count(since)?)?;
            Some(events as f64 * 1_000.0 / (now.at_ms - since.at_ms) as f64)
        };
        Rates {
            coming: per_second(&|point| point.appended),
            going: per_second(&|point| point.appended?.checked_sub(point.events?)),
        }
    }

    /// Keeps a look. One that has less than was ever appended before is of a server that lost data, or of another
    /// buffer, and one of an earlier time is by a clock that was set back: nothing can be told from before.
    pub fn keep(&mut self, point: Point) {
        let is_after = |last: &Point| {
            last.at_ms < point.at_ms
                && last.appended.zip(point.appended).is_none_or(|(last, now)| last <= now)
        };
        if self.points.back().is_some_and(|last| !is_after(last)) {
            self.points.clear();
        }
        self.points.push_back(point);
        while self.points.front().is_some_and(|first| first.at_ms + KEPT_MS < point.at_ms) {
            self.points.pop_front();
        }
    }
}

impl Forecast {
    /// From the limits, the rates, and the profile's peak.
    pub fn of(limits: &Limits, rates: Rates, peak: f64) -> Self {
        let at = |rate: Option<f64>| match rate {
            Some(rate) => limits.full(rate),
            None => match limits.full(1.0) {
                Full::In(_) => Full::Unknown("how fast it fills is not known yet".into()),
                // Full already, or no limit known: no rate changes that.
                full => full,
            },
        };
        let net = rates.coming.zip(rates.going).map(|(coming, going)| (coming - going).max(0.0));
        Self { net: at(net), unread: at(rates.coming), peak: limits.full(peak) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::limit::{Bound, Kind, Room};

    fn point(at_s: u64, appended: u64, events: u64) -> Point {
        Point { at_ms: at_s * 1_000, appended: Some(appended), events: Some(events), ..Point::default() }
    }

    fn limits(events: u64) -> Limits {
        let absent = || Bound::Absent("not here".into());
        let room = Room { used_bytes: 1, limit_bytes: 2, events };
        Limits {
            events: Ok(100),
            all: [(Kind::Maxmemory, Bound::At(room)), (Kind::Disk, absent()), (Kind::Memory, absent())],
        }
    }

    #[test]
    fn rates_are_told_from_what_was_appended_and_what_is_held() {
        let mut history = History::default();
        for at in 0..60 {
            history.keep(point(at, at * 100, at * 40));
        }
        let rates = history.rates(&point(60, 6_000, 2_400));
        assert_eq!((rates.coming, rates.going), (Some(100.0), Some(60.0)));
        let forecast = Forecast::of(&limits(4_000), rates, 2_000.0);
        assert_eq!(forecast.net, Full::In(100.0));
        assert_eq!(forecast.unread, Full::In(40.0));
        assert_eq!(forecast.peak, Full::In(2.0));
    }

    #[test]
    fn a_short_look_back_knows_no_rate_and_a_full_buffer_is_full_all_the_same() {
        let mut history = History::default();
        history.keep(point(0, 0, 0));
        let rates = history.rates(&point(9, 900, 900));
        assert_eq!(rates, Rates::default());
        assert!(matches!(Forecast::of(&limits(10), rates, 1.0).net, Full::Unknown(_)));
        assert_eq!(Forecast::of(&limits(0), rates, 1.0).net, Full::Now);
    }

    #[test]
    fn what_is_read_faster_than_it_comes_never_fills() {
        let rates = Rates { coming: Some(10.0), going: Some(20.0) };
        assert_eq!(Forecast::of(&limits(10), rates, 1.0).net, Full::NotFilling);
    }

    #[test]
    fn a_server_that_lost_data_and_a_clock_set_back_begin_anew() {
        for later in [point(20, 5, 5), point(3, 500, 500)] {
            let mut history = History::default();
            history.keep(point(0, 0, 0));
            history.keep(point(10, 100, 100));
            history.keep(later);
            assert_eq!(history.points().count(), 1);
        }
    }

    #[test]
    fn an_hour_is_kept() {
        let mut history = History::default();
        for at in 0..4_000 {
            history.keep(point(at, at, at));
        }
        assert_eq!(history.points().count(), 3_601);
    }
}
