//! How fast a lane fills: events of a span of time, told from the ids of its blocks.

use std::time::Duration;

use super::entry::Entry;

/// How far back the rate of the moment looks.
pub const MINUTE: Duration = Duration::from_secs(60);

/// Over less than that, a rate says more about when blocks are cut than about what comes in.
const SPAN_MS_MIN: u64 = 1_000;

/// A source that was silent for so long, while so many events should have come, has stopped: what came before it did says
/// nothing of what is to come.
const STOPPED_MS: u64 = 10_000;
/// The second of them: beyond what chance leaves out.
const STOPPED_EVENTS: f64 = 20.0;

/// Whether a source that sent so many events a second has stopped, if nothing came from it for so long.
pub fn has_stopped(per_second: f64, quiet_ms: u64) -> bool {
    quiet_ms >= STOPPED_MS && per_second * quiet_ms as f64 / 1_000.0 >= STOPPED_EVENTS
}

/// Events that came in over a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mean {
    /// How many.
    pub events: u64,
    /// In so many milliseconds; at least 1,000.
    pub span_ms: u64,
}

/// Where the span of a mean begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// As far back as asked for, at this millisecond: the lane's first block since then is to be looked up.
    At(u64),
    /// With the oldest block that is held: the span is shorter.
    WithOldest,
}

impl Begin {
    /// Where the span of a window begins that ends now, by the server's clock.
    pub(super) fn of(window: Duration, at_ms: u64, oldest: &Entry) -> Self {
        let from_ms = at_ms.saturating_sub(window.as_millis() as u64);
        if oldest.id.ms <= from_ms { Self::At(from_ms) } else { Self::WithOldest }
    }
}

impl Mean {
    /// So many events over a span that is long enough; a clock that was set back makes none.
    pub(super) fn over(events: u64, from_ms: u64, at_ms: u64) -> Option<Self> {
        let span_ms = at_ms.checked_sub(from_ms).filter(|span_ms| *span_ms >= SPAN_MS_MIN)?;
        Some(Self { events, span_ms })
    }

    /// Since the oldest block. Its own events came before the span, unless the lane began with it.
    pub(super) fn since_oldest(oldest: &Entry, total: u64, at_ms: u64) -> Option<Self> {
        let before = if oldest.number == 1 { oldest.before() } else { oldest.total };
        Self::over(total.saturating_sub(before), oldest.id.ms, at_ms)
    }

    /// Events a second.
    pub fn per_second(&self) -> f64 {
        // `over` makes none with a shorter span.
        self.events as f64 * 1_000.0 / self.span_ms.max(SPAN_MS_MIN) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::entry::Id;

    fn block(ms: u64, number: u64) -> Entry {
        let id = Id { ms, seq: 0 };
        Entry { id, number, events: 10, total: number * 10, ..Entry::default() }
    }

    #[test]
    fn a_span_begins_where_asked_or_where_the_blocks_begin() {
        assert_eq!(Begin::of(MINUTE, 100_000, &block(40_000, 5)), Begin::At(40_000));
        assert_eq!(Begin::of(MINUTE, 100_000, &block(40_001, 5)), Begin::WithOldest);
        assert_eq!(
            Begin::of(MINUTE, 1_000, &block(500, 5)),
            Begin::WithOldest,
            "a clock that began just now"
        );
    }

    #[test]
    fn the_oldest_block_counts_only_where_the_lane_began_with_it() {
        let rate = |number| Mean::since_oldest(&block(0, number), 100, 10_000).unwrap().per_second();
        assert!((rate(1) - 10.0).abs() < 1e-9, "{}", rate(1));
        assert!((rate(5) - 5.0).abs() < 1e-9, "{}", rate(5));
    }

    #[test]
    fn a_span_too_short_and_a_clock_set_back_have_no_rate() {
        assert_eq!(Mean::over(10, 0, 999), None);
        assert_eq!(Mean::over(10, 5_000, 1_000), None);
        assert_eq!(Mean::since_oldest(&block(9_000, 1), 10, 1_000), None);
        assert!(Mean::over(10, 0, 1_000).is_some());
    }
}
