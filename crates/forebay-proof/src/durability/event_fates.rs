//! What became of the events of one buffer: which are lost, which of those the fault excuses, and which no reader was told of.
//!
//! All of it by place, never by sums: a lane, and how many of its events were pushed before. A loss in one place does not make
//! up for a gap that a reader was told of in another.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::clients::Read;
use crate::ledger::{Findings, Ledger};
use forebay::buffer::overflow::{Fate, FateReport};
use forebay::event::jetstream;
use forebay::event::lane::Lane;

/// When a fault met the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct FaultMoment {
    /// What was acknowledged before, the server had written. What was acknowledged from then on, it may have answered before
    /// it wrote it.
    pub at: Instant,
    /// The server was seen to be gone.
    pub gone: Instant,
    /// It was back, or the fault was over.
    pub back: Instant,
}

impl FaultMoment {
    /// A fault that ends no server.
    pub fn of(at: Instant, over: Instant) -> Self {
        Self { at, gone: over, back: over }
    }
}

/// What became of the events of one buffer, or of several.
#[derive(Debug, Default, Clone)]
pub(super) struct EventFates {
    pub findings: Findings,
    /// How long before the fault the first of the lost events had been acknowledged, and the last.
    pub lost_for: Option<(Duration, Duration)>,
    /// Lost events that the server may have answered for before it wrote them: acknowledged from the moment on and before the
    /// server was back, each the end of its lane as the server had it.
    pub late: u64,
    /// Lost events that were acknowledged after the server was back.
    pub after: u64,
    /// Lost events with a later one of their lane, that no reader was told of.
    pub silent: u64,
    pub read: Read,
}

impl EventFates {
    /// What became of the events of one buffer, of which so many were never pushed.
    pub fn of(
        mut ledger: Ledger<'_>,
        heard: &[(FateReport, Instant)],
        beyond: u64,
        moment: FaultMoment,
        read: Read,
    ) -> Self {
        for (told, _) in heard {
            ledger.told(*told);
        }
        let lost: Vec<(Lane, u64)> = ledger.lost().collect();
        let findings = ledger.findings();
        let mut fates = Self {
            findings: Findings { unknown: findings.unknown.saturating_sub(beyond), ..findings },
            lost_for: None,
            late: 0,
            after: 0,
            silent: 0,
            read,
        };
        for lane in jetstream::ALL {
            let lost: Vec<u64> = lost.iter().filter(|(of, _)| *of == lane).map(|(_, place)| *place).collect();
            fates.add_lane(&lost, lane, &Acknowledged::of(heard, lane, moment), moment);
        }
        fates
    }

    /// Takes in what is lost of a lane, in its order.
    fn add_lane(&mut self, lost: &[u64], lane: Lane, acknowledged: &Acknowledged, moment: FaultMoment) {
        let age = |place: &u64| Some(moment.at.saturating_duration_since(acknowledged.when(*place)?));
        // A lane acknowledges in order: its first lost event is its oldest, its last the newest.
        let ends = lost.first().and_then(age).zip(lost.last().and_then(age));
        self.lost_for = widest(self.lost_for, ends);
        let is_after = |place: &u64| acknowledged.when(*place).is_some_and(|when| when >= moment.back);
        self.after += lost.iter().filter(|place| is_after(place)).count() as u64;
        let told = |place: u64| self.read.gaps.iter().any(|(of, gap)| *of == lane && gap.contains(&place));
        let last = acknowledged.last();
        let silent = runs(lost).filter(|run| run.end <= last).flatten().filter(|place| !told(*place)).count();
        self.silent += silent as u64;
        // The server has written a lane in its order, so what its end takes is one stretch, and whatever follows that was
        // acknowledged by the next process. A hole before it, or after it, is none of the fault's.
        let is_end = |run: &Range<u64>| acknowledged.when(run.end).is_none_or(|when| when > moment.gone);
        let excused = |place: &u64| {
            acknowledged.when(*place).is_some_and(|when| (moment.at..moment.back).contains(&when))
        };
        let end = runs(lost).find(is_end);
        self.late += end.map_or(0, |run| run.filter(excused).count() as u64);
    }

    /// Several buffers together.
    pub fn of_all(buffers: Vec<Self>) -> Self {
        let mut all = Self {
            findings: Findings::default(),
            lost_for: None,
            late: 0,
            after: 0,
            silent: 0,
            read: Read::default(),
        };
        for one in buffers {
            all.findings = all.findings.and(one.findings);
            all.lost_for = widest(all.lost_for, one.lost_for);
            all.late += one.late;
            all.after += one.after;
            all.silent += one.silent;
            all.read.missing += one.read.missing;
            all.read.gaps.extend(one.read.gaps);
            all.read.faults.extend(one.read.faults);
            all.read.back.extend(one.read.back);
        }
        all
    }
}

/// The oldest and the newest of both.
fn widest(
    one: Option<(Duration, Duration)>,
    other: Option<(Duration, Duration)>,
) -> Option<(Duration, Duration)> {
    match (one, other) {
        (Some((a, b)), Some((c, d))) => Some((a.max(c), b.min(d))),
        (one, other) => one.or(other),
    }
}

/// Stretches of places that follow each other.
fn runs(places: &[u64]) -> impl Iterator<Item = Range<u64>> {
    places.chunk_by(|one, next| one + 1 == *next).filter_map(|run| Some(*run.first()?..run.last()? + 1))
}

/// When which events of a lane were acknowledged, by place: when the writer heard of it, or when the server that answered was
/// gone, where that was sooner.
struct Acknowledged(Vec<(Range<u64>, Instant)>);

impl Acknowledged {
    fn of(heard: &[(FateReport, Instant)], lane: Lane, moment: FaultMoment) -> Self {
        let of_lane =
            || heard.iter().filter(|(told, _)| told.lane == lane && told.fate == Fate::Acknowledged);
        // A writer that is kept from running hears of an answer after the server that gave it has ended, and another is there.
        // It came by the connection of those before, which ended with that server.
        let last_try = of_lane().rfind(|(_, when)| *when < moment.gone).map(|(told, _)| told.retries);
        let ended = moment.gone < moment.back;
        let when = |told: &FateReport, when: Instant| {
            if ended && last_try == Some(told.retries) { when.min(moment.gone) } else { when }
        };
        let mut all: Vec<_> =
            of_lane().map(|(told, at)| (told.from..told.from + told.events, when(told, *at))).collect();
        all.sort_by_key(|(places, _)| places.start);
        Self(all)
    }

    fn when(&self, place: u64) -> Option<Instant> {
        let at = self.0.partition_point(|(places, _)| places.start <= place).checked_sub(1)?;
        let (places, when) = &self.0[at];
        places.contains(&place).then_some(*when)
    }

    /// The last place that was acknowledged.
    fn last(&self) -> u64 {
        self.0.last().map_or(0, |(places, _)| places.end.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = 10;

    /// Ten blocks of ten events, a second apart, of one lane; the fault comes 4.5 s after the first, the server is back 2 s
    /// later. Those of these blocks are lost, and readers were told of those.
    fn fates(lost: &[u64], told: &[u64], gone: f64) -> EventFates {
        fates_where(lost, told, gone, 0.4, 7)
    }

    /// Where the server took so long to come back, and the first block on a new connection is this.
    fn fates_where(lost: &[u64], told: &[u64], gone: f64, away: f64, again: u64) -> EventFates {
        let started = Instant::now();
        let at = |seconds: f64| started + Duration::from_secs_f64(seconds);
        let make = |index: u64, out: &mut Vec<u8>| out.extend_from_slice(format!("event {index}").as_bytes());
        let mut ledger = Ledger::new(&make);
        (0..10 * BLOCK).for_each(|index| ledger.offered(jetstream::LIKES, index));
        for place in (0..10 * BLOCK).filter(|place| !lost.contains(&(place / BLOCK))) {
            ledger.read(jetstream::LIKES, format!("event {place}").as_bytes());
        }
        let heard: Vec<(FateReport, Instant)> = (0..10)
            .map(|block| {
                let from = block * BLOCK;
                let retries = u64::from(block >= again);
                let told = FateReport {
                    lane: jetstream::LIKES,
                    fate: Fate::Acknowledged,
                    from,
                    events: BLOCK,
                    retries,
                };
                (told, at(block as f64))
            })
            .collect();
        let gaps = told.iter().map(|block| (jetstream::LIKES, block * BLOCK..(block + 1) * BLOCK)).collect();
        let read = Read { gaps, ..Read::default() };
        let moment = FaultMoment { at: at(4.5), gone: at(gone), back: at(gone + away) };
        EventFates::of(ledger, &heard, 0, moment, read)
    }

    #[test]
    fn only_the_end_of_a_lane_that_was_acknowledged_late_is_excused() {
        let late = |lost: &[u64]| fates(lost, &[], 6.5).late;
        assert_eq!(late(&[5, 6]), 2 * BLOCK, "all that was acknowledged late");
        assert_eq!(late(&[3, 4, 5, 6]), 2 * BLOCK, "and what is older is not");
        assert_eq!(late(&[5]), 0, "a hole before what was kept");
        assert_eq!(late(&[7]), 0, "acknowledged after the server was back");
        assert_eq!(late(&[1, 6]), BLOCK, "a hole and the end");
    }

    #[test]
    fn what_the_server_that_ended_had_answered_was_not_acknowledged_after_it_however_late_the_writer_hears() {
        let late_reader = fates_where(&[6, 7, 8], &[], 6.5, 0.4, 9);
        assert_eq!((late_reader.after, late_reader.late), (0, 3 * BLOCK));
        let another = fates_where(&[6, 7, 8], &[], 6.5, 0.4, 8);
        assert_eq!((another.after, another.late), (BLOCK, 2 * BLOCK), "the new server answered for the last");
        let hole = fates_where(&[6, 7], &[], 6.5, 0.4, 9);
        assert_eq!(hole.late, 0, "it kept one that came later by the same connection");
        let none_ended = fates_where(&[6, 7, 8], &[], 6.5, 0.0, 9);
        assert_eq!(none_ended.after, 2 * BLOCK, "no server has ended: it is the same one");
    }

    #[test]
    fn a_loss_that_is_not_told_at_its_place_is_silent_whatever_is_told_elsewhere() {
        assert_eq!(fates(&[5, 6], &[5, 6], 6.5).silent, 0);
        assert_eq!(fates(&[5, 6], &[5, 4], 6.5).silent, BLOCK, "as many were told, at another place");
        assert_eq!(fates(&[9], &[], 6.5).silent, 0, "nothing comes after it by which a reader could tell");
        assert_eq!(fates(&[8], &[], 6.5).after, BLOCK);
    }
}
