//! An hour of looks: what comes in and goes out, and when the buffer is full at that.

use std::collections::VecDeque;

use forebay::buffer::limit::{Full, Limits};
use forebay::buffer::rate::has_stopped;

/// How far back looks are kept.
pub const KEPT_MS: u64 = 3_600_000;

/// How far back a rate looks: long enough that single blocks do not matter, and short enough that a minute after a reader
/// has gone nothing of the time before counts.
const WINDOW_MS: u64 = 60_000;

/// Over less than that no rate is told.
const WINDOW_MS_MIN: u64 = 1_000;

/// Over less than that a rate says more about when blocks are cut, and acknowledged, than about how a buffer fills.
const FORECAST_MS_MIN: u64 = 10_000;

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

/// Events a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many.
    pub per_second: f64,
    /// Over so many milliseconds: a minute, or as much of it as was seen.
    pub span_ms: u64,
}

/// The one definition of rates: over the last minute, or as much of it as was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// What came in; 0 once it has stopped.
    pub coming: Option<Rate>,
    /// What was let go.
    pub going: Option<Rate>,
}

impl Rates {
    /// Events a second that came in.
    pub fn coming(&self) -> Option<f64> {
        self.coming.map(|rate| rate.per_second)
    }

    /// Events a second that were let go.
    pub fn going(&self) -> Option<f64> {
        self.going.map(|rate| rate.per_second)
    }
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

    /// Rates up to a look that is not among them yet, with what that look alone tells: what came in over the last minute,
    /// by the blocks of that minute, and how long ago the newest block was stored. Where blocks do not tell, since they were
    /// read and trimmed, looks do.
    pub fn rates(&self, now: &Point, of_blocks: Option<f64>, quiet_ms: Option<u64>) -> Rates {
        let from_ms = now.at_ms.saturating_sub(WINDOW_MS);
        let since = self.points.iter().find(|point| point.at_ms >= from_ms && point.appended.is_some());
        let since = since.filter(|point| point.at_ms + WINDOW_MS_MIN <= now.at_ms);
        let of_looks = |count: &dyn Fn(&Point) -> Option<u64>| {
            let since = since?;
            let (events, span_ms) = (count(now)?.checked_sub(count(since)?)?, now.at_ms - since.at_ms);
            Some(Rate { per_second: events as f64 * 1_000.0 / span_ms as f64, span_ms })
        };
        let of_blocks = of_blocks.map(|per_second| Rate { per_second, span_ms: WINDOW_MS });
        let mut coming = of_blocks.or_else(|| of_looks(&|point| point.appended));
        if let (Some(rate), Some(quiet_ms)) = (&mut coming, quiet_ms.or_else(|| self.quiet_ms(now)))
            && (rate.per_second <= 0.0 || has_stopped(rate.per_second, quiet_ms))
        {
            *rate = Rate { per_second: 0.0, span_ms: quiet_ms };
        }
        Rates { coming, going: of_looks(&|point| point.appended?.checked_sub(point.events?)) }
    }

    /// How long nothing was appended, as looks have it; none where they saw no end of that.
    fn quiet_ms(&self, now: &Point) -> Option<u64> {
        let appended = now.appended?;
        let quiet = |point: &&Point| point.appended == Some(appended);
        let began = self.points.iter().rev().take_while(quiet).last();
        Some(now.at_ms.saturating_sub(began?.at_ms))
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
                Full::In(_) => {
                    let seconds = FORECAST_MS_MIN / 1_000;
                    Full::Unknown(format!("how fast it fills takes looks over {seconds} s to be known"))
                }
                // Full already, or no limit known: no rate changes that.
                full => full,
            },
        };
        // Over a second or two, what goes out says more about when a reader acknowledges.
        let steady = |rate: Rate| (rate.span_ms >= FORECAST_MS_MIN).then_some(rate.per_second);
        let net = match (rates.coming(), rates.going.and_then(steady)) {
            (Some(coming), _) if coming <= 0.0 => Some(0.0),
            (Some(coming), Some(going)) => Some((coming - going).max(0.0)),
            _ => None,
        };
        Self { net: at(net), unread: at(rates.coming()), peak: limits.full(peak) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forebay::buffer::limit::{Bound, Headroom, LimitKind};

    fn point(at_s: u64, appended: u64, events: u64) -> Point {
        Point { at_ms: at_s * 1_000, appended: Some(appended), events: Some(events), ..Point::default() }
    }

    fn limits(events: u64) -> Limits {
        let absent = || Bound::Absent("not here".into());
        let room = Headroom { used_bytes: 1, limit_bytes: 2, events };
        Limits {
            events: Ok(100),
            all: [
                (LimitKind::Maxmemory, Bound::At(room)),
                (LimitKind::Disk, absent()),
                (LimitKind::Memory, absent()),
            ],
        }
    }

    #[test]
    fn rates_are_told_from_what_was_appended_and_what_is_held() {
        let mut history = History::default();
        for at in 0..60 {
            history.keep(point(at, at * 100, at * 40));
        }
        let rates = history.rates(&point(60, 6_000, 2_400), None, None);
        assert_eq!((rates.coming(), rates.going()), (Some(100.0), Some(60.0)));
        let forecast = Forecast::of(&limits(4_000), rates, 2_000.0);
        assert_eq!(forecast.net, Full::In(100.0));
        assert_eq!(forecast.unread, Full::In(40.0));
        assert_eq!(forecast.peak, Full::In(2.0));
    }

    #[test]
    fn a_short_look_back_knows_no_rate_and_a_full_buffer_is_full_all_the_same() {
        let mut history = History::default();
        history.keep(point(0, 0, 0));
        assert_eq!(history.rates(&point(0, 90, 90), None, None), Rates::default());
        let rates = history.rates(&point(9, 900, 900), None, None);
        assert_eq!(rates.coming, Some(Rate { per_second: 100.0, span_ms: 9_000 }));
        let forecast = Forecast::of(&limits(10), rates, 1.0);
        assert!(matches!(forecast.net, Full::Unknown(_)) && matches!(forecast.unread, Full::In(_)));
        assert_eq!(Forecast::of(&limits(0), rates, 1.0).net, Full::Now);
    }

    #[test]
    fn what_is_read_faster_than_it_comes_never_fills() {
        let rate = |per_second| Some(Rate { per_second, span_ms: 60_000 });
        let rates = Rates { coming: rate(10.0), going: rate(20.0) };
        assert_eq!(Forecast::of(&limits(10), rates, 1.0).net, Full::NotFilling);
    }

    #[test]
    fn blocks_tell_before_looks_and_a_source_that_stopped_has_no_rate() {
        let mut history = History::default();
        for at in 0..=40 {
            history.keep(point(at, at.min(20) * 100, at.min(20) * 100));
        }
        let now = point(41, 2_000, 2_000);
        // Read and trimmed: looks tell since when nothing comes.
        assert_eq!(history.rates(&now, None, None).coming, Some(Rate { per_second: 0.0, span_ms: 21_000 }));
        // Held: blocks do.
        let died = history.rates(&now, Some(33.0), Some(28_000));
        assert_eq!(died.coming, Some(Rate { per_second: 0.0, span_ms: 28_000 }));
        assert_eq!(Forecast::of(&limits(10), died, 1.0).net, Full::NotFilling);
        // A slow one may well be silent for as long.
        assert_eq!(history.rates(&now, Some(0.5), Some(28_000)).coming(), Some(0.5));
        assert_eq!(history.rates(&now, Some(33.0), Some(3_000)).coming(), Some(33.0));
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
