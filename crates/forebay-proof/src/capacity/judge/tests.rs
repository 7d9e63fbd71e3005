//! What is claimed of the capacity's judges: each figure decides where it should, and nothing tried is nothing shown.

use super::super::fill::Filled;
use super::super::sample::Weight;
use super::*;
use crate::claim::Judgement;
use crate::ledger::Findings;
use crate::memory_probe::Point;
use forebay::buffer::writer::Counts;
use forebay_watch::profile::Profile;

/// A profile of 1,000 events, which must not take over 50 % of the memory, for an hour.
fn profile() -> Profile {
    let mut profile = Profile::load("bluesky-8h").unwrap();
    (profile.hold.events, profile.hold.hours, profile.hold.memory_percent_max) = (1_000, 1.0, 50.0);
    profile
}

/// A server of 1 MB on which 1,000 events take 100 bytes each, beside 10,000 that were taken before.
fn measured(profile: &Profile) -> Measured<'_> {
    let point = |events: u64| Point { events, used_bytes: 10_000 + 100 * events, rss_bytes: 20_000 };
    let findings = Findings { offered: 1_000, acknowledged: 1_000, read: 1_000, ..Findings::default() };
    Measured {
        profile,
        limit_bytes: Some(1_000_000),
        weight: Weight { empty_bytes: 10_000, per_event: 102.0 },
        sample: 500,
        weights: vec![
            (Layout::Blocks(profile.rate()), Weight { empty_bytes: 10_000, per_event: 100.0 }),
            (Layout::KeyAnEvent, Weight { empty_bytes: 10_000, per_event: 400.0 }),
        ],
        filled: Filled {
            counts: Counts { acknowledged: 1_000, blocks: 7, ..Counts::default() },
            seconds: 2.0,
            curve: vec![point(0), point(500), point(1_000)],
            ended: None,
        },
        read_back: ReadBack { findings, faults: Vec::new(), seconds: 0.5 },
        allocator: "jemalloc".into(),
        fragmentation: Some(1.5),
    }
}

fn judged(measured: &Measured<'_>, id: &str) -> Judged {
    claims(measured).into_iter().find(|claim| claim.id == id).expect("such a claim")
}

#[test]
fn what_fits_and_comes_back_holds_in_everything() {
    let profile = profile();
    let measured = measured(&profile);
    let all = claims(&measured);
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(Judged::holds), "{all:?}");
    let events = judged(&measured, "capacity.events");
    assert_eq!(events.measured(), Some(1_000.0));
    assert_eq!(
        events.why,
        "1,000 events in 7 blocks were acknowledged in 2.0 s (500 events/s); then 1,000 were still there to be read"
    );
    let memory = judged(&measured, "capacity.memory");
    assert_eq!(memory.measured(), Some(11.0));
    assert!(memory.why.contains("fragmentation 1.50, allocator jemalloc"), "{}", memory.why);
    let predicted = judged(&measured, "capacity.predicted");
    assert_eq!(predicted.measured(), Some(2.0));
    assert_eq!(predicted.why, "102.0 bytes an event predicted from 500 events, 100.0 found");
}

#[test]
fn what_was_acknowledged_and_is_gone_is_not_held() {
    let profile = profile();
    let mut evicted = measured(&profile);
    // Half of it is gone, and so is its memory.
    evicted.read_back.findings.read = 500;
    evicted.read_back.findings.lost_whole = 500;
    evicted.filled.curve[2].used_bytes = 60_000;
    let events = judged(&evicted, "capacity.events");
    assert_eq!((events.judgement(), events.measured()), (Judgement::Refuted, Some(500.0)));
    assert!(events.why.ends_with("then 500 were still there to be read"), "{}", events.why);
    assert_eq!(judged(&evicted, "capacity.memory").judgement(), Judgement::Untested);
    assert_eq!(
        judged(&evicted, "capacity.predicted").why,
        "102.0 bytes an event predicted from 500 events, 100.0 found"
    );
    // Memory over the line stays so, whatever is gone.
    evicted.filled.curve[1].used_bytes = 900_000;
    assert_eq!(judged(&evicted, "capacity.memory").judgement(), Judgement::Refuted);
}

#[test]
fn a_run_that_ended_early_says_why() {
    let profile = profile();
    let mut short = measured(&profile);
    short.filled.counts.acknowledged = 400;
    short.filled.ended = Some("OOM".into());
    short.read_back.findings.read = 400;
    let events = judged(&short, "capacity.events");
    assert_eq!(events.judgement(), Judgement::Refuted);
    assert_eq!(
        events.why,
        "after 400 acknowledged events it ended: OOM; then 400 were still there to be read"
    );
}

#[test]
fn memory_is_held_against_the_line_at_its_highest() {
    let profile = profile();
    let mut measured = measured(&profile);
    measured.filled.curve[1].used_bytes = 500_000;
    assert_eq!(judged(&measured, "capacity.memory").judgement(), Judgement::Holds);
    measured.filled.curve[1].used_bytes = 500_001;
    assert_eq!(judged(&measured, "capacity.memory").judgement(), Judgement::Refuted);
    measured.limit_bytes = None;
    for id in ["capacity.memory", "capacity.hours"] {
        assert_eq!(judged(&measured, id).judgement(), Judgement::Untested, "{id}");
    }
}

#[test]
fn every_fault_counts_and_nothing_acknowledged_is_nothing_shown() {
    let back = |findings, faults: &[&str]| {
        identical(&ReadBack {
            findings,
            faults: faults.iter().map(ToString::to_string).collect(),
            seconds: 0.0,
        })
    };
    let sound = Findings { acknowledged: 10, read: 10, ..Findings::default() };
    assert_eq!(back(sound, &[]).judgement(), Judgement::Holds);
    let damaged = back(Findings { lost_middle: 2, ..sound }, &["a block that does not open"]);
    assert_eq!((damaged.judgement(), damaged.measured()), (Judgement::Refuted, Some(3.0)));
    assert_eq!(damaged.evidence.len(), 1);
    assert_eq!(back(sound, &["x"; 30]).evidence.len(), 10);
    assert_eq!(back(Findings::default(), &[]).judgement(), Judgement::Untested);
}

#[test]
fn a_prediction_may_be_off_by_5_percent_either_way() {
    for (said, holds) in [(105.0, true), (95.0, true), (105.1, false), (94.9, false)] {
        assert_eq!(predicted(said, Some(100.0), 1).holds(), holds, "{said}");
    }
    assert_eq!(predicted(100.0, None, 1).judgement(), Judgement::Untested);
}

#[test]
fn hours_are_a_forecast_from_the_room_and_the_rate() {
    let profile = profile();
    let mut measured = measured(&profile);
    let hours = judged(&measured, "capacity.hours");
    // Of 1 MB one half is for events, of which 10,000 bytes were taken before: at 100 bytes each.
    let due = 490_000.0 / 100.0 / profile.rate() / 3_600.0;
    assert!(hours.measured().is_some_and(|found| (found - due).abs() < 1e-9), "{:?}", hours.measured());
    assert!(hours.statement.starts_with("forecast: at "), "{}", hours.statement);
    assert!(hours.why.starts_with("calculated, not waited for: 100.0 bytes for each event"), "{}", hours.why);
    let Some(Evidence::Table { rows, .. }) = hours.evidence.first() else { panic!("no table") };
    assert_eq!(rows[0][1..3], ["100.0", "4,900"]);
    assert_eq!(rows[1][1..3], ["400.0", "1,225"]);
    // A block's weight is known at the rate it was cut at, and nowhere else.
    assert!(rows[0][4..].iter().all(|cell| cell == "-") && rows[0][3] != "-", "{rows:?}");
    assert!(rows[1][3..].iter().all(|cell| cell != "-"), "{rows:?}");
    measured.read_back.findings = Findings::default();
    assert_eq!(judged(&measured, "capacity.hours").judgement(), Judgement::Untested);
}

#[test]
fn the_curve_shows_what_was_predicted_and_the_line() {
    let profile = profile();
    let mut measured = measured(&profile);
    let Evidence::Chart { series, .. } = curve(&measured) else { panic!("a chart") };
    assert_eq!(series[0].points, [(0.0, 10_000.0), (500.0, 60_000.0), (1_000.0, 110_000.0)]);
    assert_eq!(series[1].points, [(0.0, 10_000.0), (1_000.0, 112_000.0)]);
    assert_eq!(series[2].points, [(0.0, 500_000.0), (1_000.0, 500_000.0)]);
    measured.filled.curve.push(Point { events: 1_000, used_bytes: 1, rss_bytes: 1 });
    let Evidence::Chart { series, .. } = curve(&measured) else { panic!("a chart") };
    assert_eq!(series[0].points.len(), 3, "one point for so many events");
}
