//! From runs to claims: whether writer and readers go on, and memory comes back.

use super::read::Followed;
use super::run_result::PressureResult;
use super::table::{self, events};
use super::wait::{LEFT_PERCENT_MAX, SETTLE};
use crate::claim::{Bound, Evidence, Judged, Unit};
use crate::report::units::{counted, millis};

/// The step of the brief that is about what happens when nothing more fits.
pub(super) const FULL: u8 = 6;

/// Longest from room on the server to the next acknowledgement, in seconds.
const RESUME_MAX: f64 = 1.0;

/// Whether the writer takes up again once there is room: each lane of it that was held up, in every run.
pub(super) fn resumes(runs: &[&PressureResult], absent: &str) -> Judged {
    let statement = "once a full server has room again, every lane of the writer goes on within a second";
    let judged_by = (Bound::AtMost, RESUME_MAX, Unit::Seconds);
    let id = "pressure.resumes";
    if runs.is_empty() {
        return Judged::blank(id, FULL, statement, judged_by).untested(absent);
    }
    let refused: Vec<&PressureResult> = runs.iter().copied().filter(|seen| seen.was_refused()).collect();
    let over = counted(refused.len() as u64, "run that was", "runs that were");
    let never: Vec<String> = refused.iter().filter_map(|seen| never_back(seen)).collect();
    let worst =
        refused.iter().flat_map(|seen| seen.held.iter().map(move |held| (held.back, held.lane, seen)));
    let worst = worst.filter_map(|(back, lane, seen)| Some((back?, lane, seen))).max_by_key(|worst| worst.0);
    let mut claim = match worst {
        Some((back, lane, seen)) => {
            let why = format!(
                "{} ms at the most from room on the server to a lane's next acknowledgement ({}, lane {lane}), over \
                 {over} refused",
                millis(back.as_secs_f64() * 1e3),
                seen.policy.name()
            );
            Judged::of(id, FULL, statement, judged_by, back.as_secs_f64(), why)
        }
        None => Judged::blank(id, FULL, statement, judged_by)
            .untested("no run saw writes refused, and lanes held up when there was room"),
    };
    if !never.is_empty() {
        let why = format!("of {over} refused, never back: {}", never.join("; "));
        claim = claim.untested("").refuted(why);
    }
    claim.evidence.push(table::latencies(runs));
    claim
}

/// `wait: posts, likes (the writer ended: …)`: what of a run did not come back.
fn never_back(seen: &PressureResult) -> Option<String> {
    let lanes: Vec<&str> =
        seen.held.iter().filter(|held| held.back.is_none()).map(|held| held.lane.name()).collect();
    let ended = seen.failure.as_ref().map(|why| format!("the writer ended: {why}"));
    let what = match (lanes.is_empty(), ended) {
        (true, None) => return None,
        (true, Some(ended)) => ended,
        (false, None) => lanes.join(", "),
        (false, Some(ended)) => format!("{} ({ended})", lanes.join(", ")),
    };
    Some(format!("{}: {what}", seen.policy.name()))
}

/// Whether memory is back after the drain.
pub(super) fn memory(runs: &[&PressureResult], absent: &str) -> Judged {
    let statement = format!(
        "{} s after the drain at most {LEFT_PERCENT_MAX} % of what the events took is still in use",
        SETTLE.as_secs()
    );
    let judged_by = (Bound::AtMost, LEFT_PERCENT_MAX, Unit::Percent);
    let id = "pressure.memory";
    let met = runs.iter().filter(|seen| seen.met.is_some());
    let count = met.clone().count() as u64;
    let Some(worst) = met.max_by(|a, b| a.left.0.total_cmp(&b.left.0)) else {
        let why = if runs.is_empty() { absent } else { "no run met its limit" };
        return Judged::blank(id, FULL, &statement, judged_by).untested(why);
    };
    let why = format!(
        "the worst of {}, {}: {:.1} % left {} ms after the last block was acknowledged",
        counted(count, "run", "runs"),
        worst.policy.name(),
        worst.left.0,
        millis(worst.left.1.as_secs_f64() * 1e3)
    );
    let mut claim = Judged::of(id, FULL, statement, judged_by, worst.left.0, why);
    claim.evidence.push(table::memory(runs));
    claim.evidence.push(table::curves(runs));
    claim
}

/// Whether a reader got blocks in their order all the time.
pub(super) fn readers(runs: &[&PressureResult], absent: &str) -> Judged {
    let statement = "while the server fills up and is full, a reader misses nothing of what is acknowledged: no fault, \
                     no gap that is not counted";
    let judged_by = (Bound::Exactly, 0.0, Unit::Count);
    let id = "pressure.readers";
    let met: Vec<_> = runs.iter().filter(|seen| seen.met.is_some()).collect();
    if met.is_empty() {
        let why = if runs.is_empty() { absent } else { "no run met its limit" };
        return Judged::blank(id, FULL, statement, judged_by).untested(why);
    }
    let longest = met.iter().map(|seen| seen.followed.longest).max().unwrap_or_default();
    let sum = |figure: fn(&Followed) -> u64| met.iter().map(|seen| figure(&seen.followed)).sum::<u64>();
    let (faults, short) = (sum(|reader| reader.faults.count), sum(Followed::short));
    let why = format!(
        "{} events in {} answers over {}, the longest of which took {} ms; of {} acknowledged before the drain {} \
         neither read nor told missing; {}",
        events(sum(|reader| reader.events)),
        events(sum(|reader| reader.answers)),
        counted(met.len() as u64, "run", "runs"),
        millis(longest.as_secs_f64() * 1e3),
        events(sum(|reader| reader.owed)),
        events(short),
        counted(faults, "fault", "faults")
    );
    let mut claim = Judged::of(id, FULL, statement, judged_by, (faults + short) as f64, why);
    let told = met.iter().flat_map(|seen| &seen.followed.faults.told);
    claim.evidence.extend(told.take(5).map(|fault| Evidence::Note { text: fault.clone() }));
    if met.iter().any(|seen| seen.followed.events == 0 || seen.followed.owed == 0) && claim.holds() {
        return claim
            .untested("a reader saw no events at all, or none were acknowledged when the drain began");
    }
    claim
}

#[cfg(test)]
mod tests {
    use super::super::run_result::tests::refused as seen;
    use super::*;
    use crate::claim::Judgement;

    fn judged(runs: &[&PressureResult]) -> (Judgement, String) {
        let claim = resumes(runs, "");
        (claim.judgement(), claim.why)
    }

    #[test]
    fn the_slowest_lane_of_the_slowest_run_decides() {
        let (quick, late) = (seen([Some(10), Some(900)]), seen([Some(10), Some(6_000)]));
        let (found, why) = judged(&[&quick]);
        assert!(found == Judgement::Holds && why.contains("(wait, lane likes), over 1 run"), "{why}");
        let (found, why) = judged(&[&quick, &late]);
        assert!(found == Judgement::Refuted && why.starts_with("6,000 ms at the most"), "{why}");
    }

    #[test]
    fn a_run_that_was_refused_and_never_came_back_is_not_left_out() {
        let (quick, never) = (seen([Some(10), Some(20)]), seen([Some(10), None]));
        let (found, why) = judged(&[&quick, &never]);
        assert!(found == Judgement::Refuted && why.contains("2 runs that were refused"), "{why}");
        assert!(why.ends_with("never back: wait: likes"), "{why}");
        let ended =
            PressureResult { held: Vec::new(), failure: Some("gave up".into()), ..seen([None, None]) };
        let (found, why) = judged(&[&quick, &ended]);
        assert!(found == Judgement::Refuted && why.contains("the writer ended: gave up"), "{why}");
        // Nor does a run in which nothing was held up show anything.
        assert_eq!(
            judged(&[&PressureResult { held: Vec::new(), ..seen([None, None]) }]).0,
            Judgement::Untested
        );
        assert_eq!(judged(&[&PressureResult { met: None, ..seen([None, None]) }]).0, Judgement::Untested);
    }

    #[test]
    fn a_reader_that_stops_before_the_end_is_refuted_with_what_it_lacks() {
        let run = |events, missing| {
            let followed = Followed { events, missing, owed: 100, answers: 1, ..Followed::default() };
            readers(&[&PressureResult { followed, ..seen([None, None]) }], "")
        };
        assert_eq!(run(100, 0).judgement(), Judgement::Holds);
        // Trimmed events are told missing, and later ones may be read too.
        assert_eq!(run(90, 40).judgement(), Judgement::Holds);
        let short = run(88, 0);
        assert_eq!((short.judgement(), short.measured()), (Judgement::Refuted, Some(12.0)));
        assert!(short.why.contains("of 100 acknowledged before the drain 12 neither read"), "{}", short.why);
        assert_eq!(run(0, 0).judgement(), Judgement::Refuted);
        let followed = Followed { events: 88, answers: 5, ..Followed::default() };
        let unasked = readers(&[&PressureResult { followed, ..seen([None, None]) }], "");
        assert_eq!(unasked.judgement(), Judgement::Untested, "it is not known what it should have read");
    }
}
