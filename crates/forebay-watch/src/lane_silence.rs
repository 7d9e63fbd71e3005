//! Lanes that stopped while others go on: by their own rate over a day, as the alert rule reckons it.

use std::collections::{HashMap, VecDeque};

use super::thresholds::{Thresholds, exceeds};

/// A lane's rate is that of so long: it goes up and down with the hours.
const DAY_MS: u64 = 86_400_000;

/// How far apart counts are kept.
const APART_MS: u64 = 900_000;

/// The lanes' courses, by name.
#[derive(Debug, Default)]
pub(super) struct LaneSilence {
    lanes: HashMap<&'static str, Course>,
}

/// What a lane had over the last day.
#[derive(Debug)]
struct Course {
    /// Events ever appended, and when that was seen, oldest first.
    marks: VecDeque<(u64, u64)>,
    /// The count now, and when it was first seen.
    count: u64,
    since_ms: u64,
}

impl Course {
    fn new(count: u64, at_ms: u64) -> Self {
        Self { marks: [(count, at_ms)].into(), count, since_ms: at_ms }
    }

    fn note(&mut self, count: u64, at_ms: u64) {
        if count != self.count {
            (self.count, self.since_ms) = (count, at_ms);
        }
        if self.marks.back().is_none_or(|(_, last_ms)| at_ms >= last_ms + APART_MS) {
            self.marks.push_back((count, at_ms));
        }
        while self.marks.get(1).is_some_and(|(_, second_ms)| second_ms + DAY_MS <= at_ms) {
            self.marks.pop_front();
        }
    }

    /// Events of the last day, or of as much of it as was seen.
    fn of_day(&self) -> u64 {
        self.count.saturating_sub(self.marks.front().map_or(self.count, |(count, _)| *count))
    }
}

impl LaneSilence {
    /// Takes in what was ever appended to each lane; each lane that is silent, and for how long.
    pub fn take(
        &mut self,
        counts: &[(&'static str, u64)],
        at_ms: u64,
        lines: &Thresholds,
    ) -> Vec<(&'static str, u64)> {
        self.lanes.retain(|name, _| counts.iter().any(|(lane, _)| lane == name));
        for (lane, count) in counts {
            self.lanes.entry(lane).or_insert_with(|| Course::new(*count, at_ms)).note(*count, at_ms);
        }
        let still = |(lane, _): &(&'static str, u64)| {
            let course = self.lanes.get(lane)?;
            Some((*lane, at_ms.saturating_sub(course.since_ms), course.of_day()))
        };
        let all: Vec<_> = counts.iter().filter_map(still).collect();
        if all.iter().all(|(_, still_ms, _)| exceeds(*still_ms, lines.lane_idle_s)) {
            return Vec::new();
        }
        let is_silent = |(_, still_ms, of_day): &&(&str, u64, u64)| {
            exceeds(*still_ms, lines.lane_idle_s) && *of_day as f64 > lines.lane_day_events
        };
        all.iter().filter(is_silent).map(|(lane, still_ms, _)| (*lane, *still_ms)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{self, Profile};

    const MINUTE_MS: u64 = 60_000;

    /// A day of minutes, then `silent` minutes in which the first lane has none; what is told at the end.
    fn told(per_minute: u64, others: u64, silent: u64) -> Vec<(&'static str, u64)> {
        let lines = Thresholds::of(&Profile::load(profile::DEFAULT).unwrap());
        let (mut silence, day) = (LaneSilence::default(), 1_440);
        let mut found = Vec::new();
        for minute in 0..=day + silent {
            let likes = per_minute * minute.min(day);
            let posts = others * minute + (1 - others.min(1)) * 7;
            found = silence.take(&[("likes", likes), ("posts", posts)], minute * MINUTE_MS, &lines);
            assert!(found.is_empty() || minute > day, "{found:?} at minute {minute}");
        }
        found
    }

    #[test]
    fn a_lane_that_stops_while_others_go_on_is_silent_after_a_time_that_its_rate_makes_improbable() {
        assert_eq!(told(100, 10, 15), []);
        assert_eq!(told(100, 10, 16), [("likes", 16 * MINUTE_MS)]);
        // Half a day later its rate over a day is still known.
        assert_eq!(told(100, 10, 720), [("likes", 720 * MINUTE_MS)]);
    }

    #[test]
    fn a_lane_of_few_events_is_not_silent_and_neither_is_one_of_a_source_that_stands_still() {
        assert_eq!(told(3, 10, 60), []);
        assert_eq!(told(100, 0, 60), []);
    }

    #[test]
    fn what_a_lane_had_more_than_a_day_ago_says_nothing_of_its_rate() {
        assert_eq!(told(100, 10, 1_480), []);
    }
}
