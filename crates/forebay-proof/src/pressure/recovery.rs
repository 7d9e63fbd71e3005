//! How a writer comes back once there is room: each lane that was held up counts, and the slowest decides.

use std::time::{Duration, Instant};

use forebay::buffer::overflow::{Fate, FateReport};
use forebay::buffer::writer::Counts;
use forebay::event::jetstream;
use forebay::event::lane::Lane;

/// Where each lane stood when the drain was about to begin.
pub(super) struct Stood {
    pub at: Instant,
    pub lanes: [Counts; jetstream::ALL.len()],
}

/// A lane that had events for the server then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldLane {
    pub lane: Lane,
    /// From room on the server to its first acknowledgement; none where there was no such.
    pub back: Option<Duration>,
}

/// Events that the server has not taken, and that are not given up.
fn open(counts: &Counts) -> u64 {
    counts.pushed.saturating_sub(counts.acknowledged + counts.shed + counts.unreadable)
}

/// When there was room: when it was seen, or when a block went in, which proves it. Blocks that went in before the drain
/// prove nothing of it.
fn room(stood: &Stood, seen: Option<Instant>, heard: &[(FateReport, Instant)]) -> Option<Instant> {
    let went_in = heard.iter().find(|(told, at)| told.fate == Fate::Acknowledged && *at >= stood.at);
    seen.into_iter().chain(went_in.map(|(_, at)| *at)).min()
}

/// Every lane that was held up, and how soon it was back after room on the server. `last` is how the lanes ended.
pub(super) fn lanes(
    stood: &Stood,
    seen: Option<Instant>,
    heard: &[(FateReport, Instant)],
    last: &[Counts; jetstream::ALL.len()],
) -> Vec<HeldLane> {
    let room = room(stood, seen, heard);
    let back = |lane: Lane| {
        let room = room?;
        let first = heard.iter().find(|(told, at)| {
            told.lane == lane && told.fate == Fate::Acknowledged && *at >= room && *at >= stood.at
        });
        first.map(|(_, at)| at.saturating_duration_since(room))
    };
    let held = jetstream::ALL.into_iter().filter(|lane| open(&stood.lanes[lane.index()]) > 0);
    let held = held.map(|lane| HeldLane { lane, back: back(lane) });
    // What was shed since owes nothing.
    held.filter(|held| held.back.is_some() || open(&last[held.lane.index()]) > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pushed: u64, acknowledged: u64, shed: u64) -> Counts {
        Counts { pushed, acknowledged, shed, ..Counts::default() }
    }

    fn all(counts: Counts) -> [Counts; jetstream::ALL.len()] {
        [counts; jetstream::ALL.len()]
    }

    /// An acknowledgement so many milliseconds after `start`.
    fn ack(start: Instant, lane: Lane, millis: u64) -> (FateReport, Instant) {
        let told = FateReport { lane, fate: Fate::Acknowledged, from: 0, events: 1, retries: 0 };
        (told, start + Duration::from_millis(millis))
    }

    #[test]
    fn the_lane_that_sleeps_is_not_hidden_by_one_that_does_not() {
        let start = Instant::now();
        let room = start + Duration::from_millis(100);
        let heard: Vec<_> = jetstream::ALL.map(|lane| ack(start, lane, 120)).into_iter().collect();
        let stood = Stood { at: start, lanes: all(counts(10, 5, 0)) };
        let done = all(counts(10, 10, 0));
        let held = lanes(&stood, Some(room), &heard, &done);
        assert_eq!(held.len(), jetstream::ALL.len());
        assert!(held.iter().all(|held| held.back == Some(Duration::from_millis(20))), "{held:?}");

        let late: Vec<_> =
            heard.iter().skip(1).copied().chain([ack(start, jetstream::POSTS, 6_100)]).collect();
        let held = lanes(&stood, Some(room), &late, &done);
        assert_eq!(held[0], HeldLane { lane: jetstream::POSTS, back: Some(Duration::from_secs(6)) });
    }

    #[test]
    fn room_is_no_later_than_the_first_block_that_went_in() {
        let start = Instant::now();
        let stood = Stood { at: start + Duration::from_millis(10), lanes: all(counts(10, 5, 0)) };
        let seen = Some(start + Duration::from_millis(500));
        // One before the drain counts for nothing.
        let heard = [
            ack(start, jetstream::POSTS, 5),
            ack(start, jetstream::LIKES, 20),
            ack(start, jetstream::POSTS, 320),
        ];
        let held = lanes(&stood, seen, &heard, &all(counts(10, 10, 0)));
        assert_eq!(held[0].back, Some(Duration::from_millis(300)), "{held:?}");
        assert_eq!(held[1].back, Some(Duration::ZERO), "{held:?}");
    }

    #[test]
    fn a_lane_without_an_acknowledgement_never_came_back_unless_it_owed_nothing_any_more() {
        let start = Instant::now();
        let mut stood = Stood { at: start, lanes: all(counts(10, 5, 0)) };
        stood.lanes[jetstream::OTHER.index()] = counts(5, 5, 0);
        let mut last = all(counts(10, 5, 0));
        last[jetstream::LIKES.index()] = counts(10, 5, 5);
        let held = lanes(&stood, Some(start), &[], &last);
        let names: Vec<Lane> = held.iter().map(|held| held.lane).collect();
        assert_eq!(names, [jetstream::POSTS, jetstream::REPOSTS, jetstream::FOLLOWS, jetstream::BLOCKS]);
        assert!(held.iter().all(|held| held.back.is_none()));
        assert!(lanes(&stood, None, &[], &last).iter().all(|held| held.back.is_none()), "no room, no return");
    }
}
