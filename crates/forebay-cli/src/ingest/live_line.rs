//! An ingest in one line: how fast, how far behind, up to when it is settled.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use forebay_pipe::ingest::Counted;
use forebay_watch::figures::{count, rate, span};

/// Over how long the rate is taken.
const WINDOW: Duration = Duration::from_secs(3);

/// Figures of the last seconds.
#[derive(Debug, Default)]
pub(super) struct LiveLine {
    seen: VecDeque<(Instant, u64)>,
}

impl LiveLine {
    /// The line: at most 76 columns, beside a spinner.
    pub(super) fn show(&mut self, counted: &Counted, now: Instant, now_us: u64) -> String {
        self.seen.push_back((now, counted.pushed));
        while self.seen.len() > 2 && self.seen.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            self.seen.pop_front();
        }
        if counted.connections == 0 {
            return "connecting".into();
        }
        let settled = clock(counted.settled_us, now_us);
        format!(
            "{}/s, {} behind, settled {settled}, {} repeats, {} reconnects",
            rate(self.per_second(now)),
            behind(counted, now_us),
            count(counted.repeats),
            count(counted.connections.saturating_sub(1)),
        )
    }

    fn per_second(&self, now: Instant) -> f64 {
        let (Some((at, first)), Some((_, last))) = (self.seen.front(), self.seen.back()) else { return 0.0 };
        let seconds = now.duration_since(*at).as_secs_f64();
        if seconds > 0.0 { last.saturating_sub(*first) as f64 / seconds } else { 0.0 }
    }
}

/// How far the newest event lies behind now.
pub(super) fn behind(counted: &Counted, now_us: u64) -> String {
    match counted.event_us {
        0 => "unknown".into(),
        event_us => lag(now_us.saturating_sub(event_us) as f64 / 1e6),
    }
}

/// A span of which a part of a second matters while it is short.
pub(super) fn lag(seconds: f64) -> String {
    match seconds {
        ..0.9995 => format!("{:.0} ms", seconds * 1e3),
        ..10.0 => format!("{seconds:.1} s"),
        _ => span(seconds),
    }
}

/// A time of day in UTC, with its date where that is another one.
pub(super) fn clock(us: u64, now_us: u64) -> String {
    let time = |us: u64| jiff::Timestamp::from_microsecond(i64::try_from(us).ok()?).ok();
    let Some(time) = time(us).filter(|_| us > 0) else { return "nothing".into() };
    let form = if now_us.saturating_sub(us) < 12 * 3_600_000_000 { "%H:%M:%SZ" } else { "%Y-%m-%d %H:%MZ" };
    time.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_figures_and_fits_a_terminal() {
        let (mut line, start) = (LiveLine::default(), Instant::now());
        let now_us = 1_796_032_800_000_000;
        let mut counted = Counted::default();
        assert_eq!(line.show(&counted, start, now_us), "connecting");
        counted.connections = 3;
        counted.repeats = 4_294_967;
        counted.event_us = now_us - 36 * 3_600_000_000;
        counted.settled_us = counted.event_us;
        counted.pushed = 250_000;
        let shown = line.show(&counted, start + Duration::from_secs(1), now_us);
        assert!(
            shown.starts_with("250,000/s, ") && shown.ends_with("4,294,967 repeats, 2 reconnects"),
            "{shown}"
        );
        assert!(shown.contains("settled 2026-11-28 22:00Z") && shown.len() <= 92, "{shown}");
        counted.event_us = now_us - 200_000;
        counted.settled_us = now_us - 700_000;
        counted.repeats = 12;
        let shown = line.show(&counted, start + Duration::from_secs(2), now_us);
        assert!(shown.contains("settled 09:59:59Z") && shown.len() <= 76, "{shown}");
    }
}
