//! Where a host is asked to begin, and what its first event says of that: whether it counts as it did, and whether it still has
//! all that comes after the low watermark. No connection and no clock of its own.

use super::source::{Kind, TIME_MARGIN_US};

/// How far a first event may lie before what was asked for: times go back a little.
const JITTER_US: u64 = 1_000_000;

/// Where the source stands, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Who counts, and up to which cursor everything is settled; none where the host is another one.
    pub(super) same: Option<(Kind, u64)>,
    /// Up to when everything is settled.
    pub(super) time_us: Option<u64>,
    /// How far its numbers were seen to go back.
    pub(super) disorder: u64,
}

/// How often it may be halved: to a thirtieth of a second.
pub(super) const TRIES_MAX: u32 = 6;

/// How long nothing may come of a part of the network.
const SPARSE_US: u64 = 3_600_000_000;

/// What a host is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// What comes from now on.
    Live,
    /// The same numbering: from `asked` on, and the event at `known` is stored, which is of this time.
    Same { kind: Kind, asked: u64, known: u64, time_us: Option<u64> },
    /// The same numbering, whose cursor the host no longer has: by time, and the event at `known` is stored.
    TooOld { asked: u64, known: u64 },
    /// By time: from `asked` on; everything up to `known` is settled, where anything is.
    Time { asked: u64, known: Option<u64> },
}

impl Plan {
    /// `tries` in which nothing new came halve how far back it is asked: a connection may never last for more. But never below
    /// what was seen to come late: that would be lost.
    pub(super) fn of(standing: Standing, since_us: Option<u64>, tries: u32) -> Self {
        match (standing, since_us) {
            (Standing { same: Some((kind, known)), .. }, _) => {
                let halved = kind.back() >> tries.min(TRIES_MAX);
                let back = halved.max(standing.disorder.saturating_mul(2)).min(kind.back());
                let asked = known.saturating_sub(back);
                Self::Same { kind, asked, known, time_us: standing.time_us }
            }
            (Standing { time_us: Some(known), .. }, _) => {
                Self::Time { asked: known.saturating_sub(TIME_MARGIN_US), known: Some(known) }
            }
            (_, Some(since)) => Self::Time { asked: since, known: None },
            _ => Self::Live,
        }
    }

    /// The cursor of the subscription.
    pub(super) fn cursor(self) -> Option<u64> {
        match self {
            Self::Live => None,
            Self::Same { asked, .. } | Self::TooOld { asked, .. } | Self::Time { asked, .. } => Some(asked),
        }
    }
}

/// The first event of a subscription.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    pub(super) kind: Kind,
    pub(super) cursor: u64,
    pub(super) time_us: u64,
    /// Whether it was taken before.
    pub(super) is_known: bool,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The same events as when the low watermark was stored: the event there comes again.
    pub(super) as_before: bool,
    /// Everything: some event comes every second.
    pub(super) all: bool,
}

/// What to make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// It goes on where it was.
    Same,
    /// It goes on, but the source no longer had what lies between.
    Missed { from: u64, to: u64, by: Kind },
    /// Another numbering begins, from an event of this time on; what lies before it is settled.
    Another { not_before: u64, missed: Option<(u64, u64)> },
    /// The cursor lies ahead of the host: it sends what comes from now on, and what came before is not known.
    Ahead { asked: u64 },
    /// These are not the numbers that were asked for: ask again, by time.
    ByTime,
}

impl Plan {
    /// What the first event says.
    pub(super) fn judge(self, first: First, wanted: Wanted) -> Judged {
        let First { kind, cursor, time_us, is_known } = first;
        match self {
            Self::Live => Judged::Another { not_before: 0, missed: None },
            // Where it is not later than what is settled, nothing is missing, and the numbers are those of another one.
            Self::TooOld { asked, known }
                if kind == Kind::V2 && cursor > known && time_us > asked + JITTER_US =>
            {
                Judged::Missed { from: known, to: cursor, by: Kind::V2 }
            }
            Self::TooOld { .. } => Judged::ByTime,
            Self::Same { kind: was, .. } if was != kind && was == Kind::V2 => Judged::ByTime,
            // Asked for a time, a host of the second version takes it for one.
            Self::Same { kind: was, asked, known, .. } if was != kind => {
                Self::Time { asked, known: Some(known) }.judge(first, wanted)
            }
            Self::Same { kind: Kind::V2, asked, known, time_us: at } => {
                // A higher number, and earlier than the one that is stored.
                let is_early = cursor > known && at.is_some_and(|at| time_us + JITTER_US < at);
                // Before what was asked for, or another event under the number of one that is stored.
                if is_early
                    || cursor.saturating_add(Kind::V2.back()) < asked
                    || (cursor == known && !is_known)
                {
                    Judged::ByTime
                } else if cursor > known && wanted.as_before {
                    Judged::Missed { from: known, to: cursor, by: Kind::V2 }
                } else {
                    Judged::Same
                }
            }
            Self::Same { kind: Kind::V1, asked, known, .. } => {
                if time_us + JITTER_US < asked {
                    Judged::Ahead { asked }
                } else if time_us > known && wanted.as_before {
                    Judged::Missed { from: known, to: time_us, by: Kind::V1 }
                } else {
                    Judged::Same
                }
            }
            Self::Time { asked, .. } if kind == Kind::V1 && time_us + JITTER_US < asked => {
                Judged::Ahead { asked }
            }
            // A host of the second version may begin up to an hour before the time that it is asked for.
            Self::Time { asked, known } => {
                let gap = if wanted.all { 0 } else { SPARSE_US };
                let missed = known.filter(|known| time_us > *known + gap);
                Judged::Another { not_before: asked, missed: missed.map(|known| (known, time_us)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(kind: Kind, cursor: u64, time_us: u64, is_known: bool) -> First {
        First { kind, cursor, time_us, is_known }
    }

    fn same(kind: Kind, known: u64) -> Plan {
        Plan::of(Standing { same: Some((kind, known)), time_us: None, disorder: 0 }, None, 0)
    }

    const WANTED: Wanted = Wanted { as_before: true, all: true };
    const OTHERS: Wanted = Wanted { as_before: false, all: true };
    const NOW: u64 = 1_796_032_800_000_000;

    #[test]
    fn the_same_host_is_asked_from_its_low_watermark_on_and_another_by_time() {
        assert_eq!(same(Kind::V2, 9_070).cursor(), Some(8_070));
        assert_eq!(same(Kind::V1, NOW).cursor(), Some(NOW - 2_000_000));
        let other = Standing { same: None, time_us: Some(NOW), disorder: 0 };
        assert_eq!(Plan::of(other, Some(1), 0).cursor(), Some(NOW - 10_000_000));
        let fresh = Standing { same: None, time_us: None, disorder: 0 };
        assert_eq!(Plan::of(fresh, None, 0), Plan::Live);
        assert_eq!(Plan::of(fresh, Some(NOW), 0), Plan::Time { asked: NOW, known: None });
    }

    #[test]
    fn tries_in_vain_halve_how_far_back_a_host_is_asked_but_not_below_what_came_late() {
        let asked = |disorder, tries| {
            let standing = Standing { same: Some((Kind::V1, NOW)), time_us: None, disorder };
            Plan::of(standing, None, tries).cursor().map(|cursor| NOW - cursor)
        };
        assert_eq!((asked(0, 1), asked(0, 6), asked(0, 9)), (Some(1_000_000), Some(31_250), Some(31_250)));
        assert_eq!((asked(50_000, 1), asked(50_000, 6)), (Some(1_000_000), Some(100_000)));
        assert_eq!(asked(3_600_000_000, 6), Some(2_000_000));
    }

    #[test]
    fn a_host_of_the_second_version_that_has_everything_begins_with_what_was_asked_for() {
        let judge =
            |cursor, is_known| same(Kind::V2, 9_070).judge(first(Kind::V2, cursor, NOW, is_known), WANTED);
        assert_eq!(judge(8_070, false), Judged::Same, "before the buffer's first event");
        assert_eq!(judge(9_070, true), Judged::Same);
        assert_eq!(judge(9_090, false), Judged::Missed { from: 9_070, to: 9_090, by: Kind::V2 });
        // Numbers that begin anew.
        assert_eq!(judge(3, false), Judged::ByTime);
        assert_eq!(judge(9_070, false), Judged::ByTime);
        let filtered = same(Kind::V2, 70).judge(first(Kind::V2, 90, NOW, false), OTHERS);
        assert_eq!(filtered, Judged::Same, "with another filter the stored event need not come");
    }

    #[test]
    fn higher_numbers_that_are_no_later_than_what_is_stored_are_those_of_another_host() {
        let plan =
            Plan::of(Standing { same: Some((Kind::V2, 9_070)), time_us: Some(NOW), disorder: 0 }, None, 0);
        let judge = |time| plan.judge(first(Kind::V2, 500_000, time, false), WANTED);
        assert_eq!(judge(NOW - 3_600_000_000), Judged::ByTime);
        assert_eq!(judge(NOW + 3_600_000_000), Judged::Missed { from: 9_070, to: 500_000, by: Kind::V2 });
        let too_old = Plan::TooOld { asked: NOW, known: 9_070 };
        let judge = |time| too_old.judge(first(Kind::V2, 500_000, time, false), WANTED);
        assert_eq!(judge(NOW), Judged::ByTime);
        assert_eq!(judge(NOW + 3_600_000_000), Judged::Missed { from: 9_070, to: 500_000, by: Kind::V2 });
    }

    #[test]
    fn a_host_of_the_first_version_that_clamps_or_stands_before_the_cursor_is_recognised() {
        let judge = |time| same(Kind::V1, NOW).judge(first(Kind::V1, time, time, false), WANTED);
        assert_eq!(judge(NOW - 1_999_000), Judged::Same);
        assert_eq!(judge(NOW), Judged::Same);
        assert_eq!(judge(NOW + 60), Judged::Missed { from: NOW, to: NOW + 60, by: Kind::V1 });
        assert_eq!(judge(NOW - 3_600_000_000), Judged::Ahead { asked: NOW - 2_000_000 });
    }

    #[test]
    fn a_host_that_changed_its_version_is_told_by_its_first_event() {
        let now_v2 = same(Kind::V1, NOW).judge(first(Kind::V2, 9, NOW - 1, false), WANTED);
        assert_eq!(now_v2, Judged::Another { not_before: NOW - 2_000_000, missed: None });
        let now_v1 = same(Kind::V2, 70).judge(first(Kind::V1, NOW, NOW, false), WANTED);
        assert_eq!(now_v1, Judged::ByTime);
        let late = same(Kind::V1, NOW).judge(first(Kind::V2, 9, NOW + 8, false), WANTED);
        assert_eq!(late, Judged::Another { not_before: NOW - 2_000_000, missed: Some((NOW, NOW + 8)) });
    }

    #[test]
    fn a_segment_that_begins_an_hour_before_is_no_gap() {
        let plan = Plan::of(Standing { same: None, time_us: Some(NOW), disorder: 0 }, None, 0);
        let early = plan.judge(first(Kind::V2, 9, NOW - 3_330_000_000, false), WANTED);
        assert_eq!(early, Judged::Another { not_before: NOW - 10_000_000, missed: None });
        let ahead = plan.judge(first(Kind::V1, NOW - 3_330_000_000, NOW - 3_330_000_000, false), WANTED);
        assert_eq!(ahead, Judged::Ahead { asked: NOW - 10_000_000 });
    }
}
