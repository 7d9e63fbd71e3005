//! What was ever written to a buffer, counted so that it never goes back, and how often the server had less of it than
//! before: Prometheus takes a counter that falls for one that began anew, and what it fell to for growth.

use std::collections::{BTreeMap, BTreeSet};

use forebay::buffer::stat::{LaneStat, Stat};
use forebay::event::lane::Lane;

/// Counts of all lanes, since a watch began.
#[derive(Debug, Clone, Default)]
pub struct MonotonicCounters {
    lanes: BTreeMap<&'static str, Counts>,
    /// Looks that found a lane with fewer events ever written than an earlier one had, or gone.
    pub setbacks: u64,
    /// When the buffer was last there, in milliseconds since 1970 by the watcher's clock.
    pub here_ms: Option<u64>,
}

/// What one lane's counts have come to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    appended: Count,
    trimmed: Count,
}

/// A count of the server's: what it was at first, and all that it has grown by since.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// None before it was first said.
    sum: Option<u64>,
    /// What the server said last; none where the lane was not there.
    last: Option<u64>,
    is_known: bool,
}

impl MonotonicCounters {
    /// Takes a look in.
    pub(super) fn take(&mut self, stat: &Stat, at_ms: u64) {
        let mut is_less = false;
        // Those that the buffer has, and those that one of its name had.
        let has = stat.events.lanes().into_iter().map(Lane::name);
        let known: BTreeSet<&'static str> = self.lanes.keys().copied().chain(has).collect();
        for lane in known {
            let counts = self.lanes.entry(lane).or_default();
            let found = stat.lanes.iter().find(|found| found.lane.name() == lane);
            if found.is_none() && !stat.is_whole {
                // Nobody can say whether it is there.
                counts.hide();
                continue;
            }
            is_less |= counts.take(found);
        }
        self.setbacks += u64::from(is_less);
        if !stat.lanes.is_empty() {
            self.here_ms = Some(at_ms);
        }
    }

    /// The counts of a lane.
    pub fn of(&self, lane: Lane) -> Counts {
        self.lanes.get(lane.name()).copied().unwrap_or_default()
    }
}

impl Counts {
    /// Events ever appended.
    pub fn appended(&self) -> Option<u64> {
        self.appended.known()
    }

    /// Events ever dropped to make room.
    pub fn trimmed(&self) -> Option<u64> {
        self.trimmed.known()
    }

    /// Notes a lane; whether it has less than it had.
    fn take(&mut self, found: Option<&LaneStat>) -> bool {
        let Some(lane) = found else {
            // What it is found with later may come from a backup: only what is added to that is new.
            self.trimmed.go();
            return self.appended.go();
        };
        self.trimmed.note(lane.trimmed);
        self.appended.note(lane.total)
    }

    /// Notes that nothing is known of the lane now.
    fn hide(&mut self) {
        (self.appended.is_known, self.trimmed.is_known) = (false, false);
    }
}

impl Count {
    /// Notes what the server says; whether that is less than before.
    fn note(&mut self, count: Option<u64>) -> bool {
        self.is_known = count.is_some();
        let Some(count) = count else { return false };
        let last = self.last.replace(count);
        let grown = last.map_or(0, |last| count.saturating_sub(last));
        self.sum = Some(self.sum.map_or(count, |sum| sum.saturating_add(grown)));
        last.is_some_and(|last| count < last)
    }

    /// Notes that the lane is gone; whether it had anything. One that goes while it is looked at is seen empty first, and
    /// has gone back by then.
    fn go(&mut self) -> bool {
        // What was counted of it until then is all there is to know.
        self.is_known = true;
        self.last.take().is_some_and(|last| last > 0)
    }

    fn known(&self) -> Option<u64> {
        self.sum.filter(|_| self.is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums after each of these counts, of which none is a lane that is gone; and the setbacks.
    fn sums(counts: &[Option<u64>]) -> (Vec<Option<u64>>, usize) {
        let mut count = Count::default();
        let (mut sums, mut setbacks) = (Vec::new(), 0);
        for now in counts {
            match now {
                Some(_) => setbacks += usize::from(count.note(*now)),
                None => setbacks += usize::from(count.go()),
            }
            sums.push(count.known());
        }
        (sums, setbacks)
    }

    #[test]
    fn a_count_that_falls_adds_nothing_and_goes_on_from_there() {
        let (sums, setbacks) = sums(&[Some(1_000), Some(1_010), Some(5), Some(7), Some(7)]);
        assert_eq!(sums, [1_000, 1_010, 1_010, 1_012, 1_012].map(Some));
        assert_eq!(setbacks, 1);
    }

    #[test]
    fn a_lane_that_was_gone_comes_back_with_what_is_no_news() {
        let (sums, setbacks) = sums(&[None, Some(10), None, None, Some(900), Some(901)]);
        assert_eq!(sums, [None, Some(10), Some(10), Some(10), Some(10), Some(11)]);
        assert_eq!(setbacks, 1);
    }

    #[test]
    fn a_lane_that_goes_while_it_is_looked_at_goes_once() {
        assert_eq!(sums(&[Some(13), Some(0), None]).1, 1);
        assert_eq!(sums(&[Some(13), None]).1, 1);
        // In between it may have been seen without its count.
        let mut count = Count::default();
        assert!(!count.note(Some(13)) && !count.note(None) && count.go());
        assert_eq!(count.known(), Some(13));
    }

    #[test]
    fn what_is_not_said_for_a_while_is_unknown_and_no_setback() {
        let mut count = Count::default();
        assert!(!count.note(Some(10)));
        assert!(!count.note(None));
        assert_eq!(count.known(), None);
        assert!(!count.note(Some(12)));
        assert_eq!(count.known(), Some(12));
    }
}
