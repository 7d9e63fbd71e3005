//! The events that a source may send again: which were taken, from a margin before the low watermark on.

use std::collections::{HashSet, VecDeque};

use crate::identity::Identity;

/// Over how long a rate is looked at.
const RATE_US: u64 = 1_000_000;

/// An event that was taken.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// The highest cursor that had come by then: a source's cursors may go back a little.
    cursor: u64,
    time_us: u64,
    identity: Identity,
}

/// The newest events that were taken.
#[derive(Debug, Default)]
pub(super) struct Window {
    taken: VecDeque<Taken>,
    known: HashSet<Identity>,
    highest: u64,
    /// How far a cursor went back behind one that had come before it, at the most.
    disorder: u64,
    /// The latest event at or before the low watermark that was forgotten.
    forgotten_time_us: u64,
}

impl Window {
    /// Whether an event is known.
    pub(super) fn has(&self, identity: Identity) -> bool {
        self.known.contains(&identity)
    }

    /// An event was taken; false where it is known.
    pub(super) fn take(&mut self, identity: Identity, cursor: u64, time_us: u64) -> bool {
        if !self.known.insert(identity) {
            return false;
        }
        if cursor > 0 {
            self.disorder = self.disorder.max(self.highest.saturating_sub(cursor));
        }
        self.highest = self.highest.max(cursor);
        self.taken.push_back(Taken { cursor: self.highest, time_us, identity });
        true
    }

    /// Another source counts from this cursor on: what is known stays until that one is a margin on.
    pub(super) fn begin_numbering(&mut self, first: u64) {
        (self.highest, self.disorder) = (first, 0);
        self.taken.iter_mut().for_each(|taken| taken.cursor = first);
    }

    /// Forgets what lies so far before the low watermark that no source sends it again.
    pub(super) fn forget(&mut self, low_watermark: u64, margin: u64) {
        let upto = low_watermark.saturating_sub(margin);
        while let Some(first) = self.taken.front().filter(|first| first.cursor < upto) {
            self.forgotten_time_us = self.forgotten_time_us.max(first.time_us);
            self.known.remove(&first.identity);
            self.taken.pop_front();
        }
    }

    /// How far before the low watermark an event may lie that has not come yet, as far as that was seen.
    pub(super) fn disorder(&self) -> u64 {
        self.disorder
    }

    /// The latest time of the events up to a cursor; none where none is known.
    pub(super) fn time_of(&self, cursor: u64) -> Option<u64> {
        let upto = self.taken.partition_point(|taken| taken.cursor <= cursor);
        let latest = self.taken.range(..upto).rev().take(1_000).map(|taken| taken.time_us).max();
        latest.or(Some(self.forgotten_time_us).filter(|time| *time > 0))
    }

    /// Events that were taken from after a cursor up to before another, or with a time between.
    pub(super) fn between(&self, (from, to): (u64, u64), is_time: bool) -> u64 {
        let at = |taken: &&Taken| if is_time { taken.time_us } else { taken.cursor };
        self.taken.iter().filter(|taken| (from + 1..to).contains(&at(taken))).count() as u64
    }

    /// Events a second, by the times of those that are known.
    pub(super) fn rate(&self) -> Option<f64> {
        let newest = self.taken.back()?.time_us;
        // Of the last second alone: lanes of few events keep more of what lies before.
        let recent =
            self.taken.iter().filter(|taken| taken.time_us + RATE_US > newest && taken.time_us <= newest);
        let (count, earliest) =
            recent.fold((0_u64, newest), |(count, earliest), taken| (count + 1, earliest.min(taken.time_us)));
        let span = newest - earliest;
        (span > 0).then(|| (count - 1) as f64 * 1e6 / span as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identifier;

    #[test]
    fn an_event_is_known_until_it_lies_a_margin_before_the_low_watermark() {
        let identifier = Identifier::default();
        let of = |number: u64| identifier.of(number.to_string().as_bytes()).identity;
        let mut window = Window::default();
        for cursor in 1..=100 {
            assert!(window.take(of(cursor), cursor, 1_000 + cursor));
            assert!(!window.take(of(cursor), cursor, 1_000 + cursor));
        }
        window.forget(50, 10);
        assert!(!window.has(of(39)) && window.has(of(40)) && window.has(of(100)));
        assert_eq!((window.between((50, 60), false), window.between((1_050, 1_060), true)), (9, 9));
        assert_eq!((window.taken.len(), window.time_of(50)), (61, Some(1_050)));
        // Its cursor went back; it is forgotten with those that came about it.
        assert!(window.take(of(1_000), 5, 1_005));
        assert_eq!(window.disorder(), 95);
        window.forget(105, 10);
        assert!(window.has(of(1_000)));
    }

    #[test]
    fn what_another_numbering_knew_stays_until_the_new_one_is_a_margin_on() {
        let identifier = Identifier::default();
        let of = |number: u64| identifier.of(number.to_string().as_bytes()).identity;
        let mut window = Window::default();
        window.take(of(1), 1_700_000, 1);
        window.begin_numbering(3);
        window.take(of(2), 3, 2);
        window.forget(13, 10);
        assert!(window.has(of(1)));
        window.forget(14, 10);
        assert!(!window.has(of(1)) && !window.has(of(2)));
    }
}
