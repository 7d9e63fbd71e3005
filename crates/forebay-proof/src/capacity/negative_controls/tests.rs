//! What is claimed of the capacity's controls: each is refuted by what was broken, and by nothing else.

use super::super::fill::Filled;
use super::*;
use crate::claim::{ControlOutcome, Verdict};
use crate::memory_probe::Point;
use crate::on_own_server;
use forebay::buffer::writer::Counts;

const WEIGHT: Weight = Weight { empty_bytes: 1_000, per_event: 100.0 };

fn profile(events: u64) -> Profile {
    let mut profile = Profile::load("bluesky-8h").unwrap();
    (profile.hold.events, profile.hold.hours) = (events, 8.0);
    profile
}

#[test]
fn a_server_is_too_small_by_a_fifth_and_never_for_few_events() {
    let large = TooSmall::of(&profile(2_000_000), WEIGHT);
    assert_eq!((large.profile.hold.events, large.limit, large.predicted), (2_000_000, 40_001_000, 400_000));
    let small = TooSmall::of(&profile(250_000), WEIGHT);
    assert_eq!((small.profile.hold.events, small.limit, small.predicted), (1_000_000, 20_001_000, 200_000));
    assert_eq!(small.profile.hold.hours.to_bits(), 32.0_f64.to_bits(), "the rate is the same");
}

/// A fill of 1,000,000 events that ended at so many, of which so many came back.
fn small(met: u64, read: u64) -> [Control; 3] {
    small_of(1_000_000, met, read, Some("OOM"))
}

/// The same of so many events.
fn small_of(events: u64, met: u64, read: u64, ended: Option<&str>) -> [Control; 3] {
    let profile = profile(events);
    let used = |events: u64| Point { events, used_bytes: 1_000 + 100 * events, rss_bytes: 0 };
    let findings =
        Findings { offered: met, acknowledged: met, read, lost_tail: met - read, ..Findings::default() };
    let outcome = Measured {
        profile: &profile,
        limit_bytes: Some(20_001_000),
        weight: WEIGHT,
        sample: 1,
        weights: Vec::new(),
        filled: Filled {
            counts: Counts { acknowledged: met, ..Counts::default() },
            seconds: 1.0,
            curve: vec![used(0), used(met)],
            ended: ended.map(Into::into),
        },
        read_back: ReadBack { findings, faults: Vec::new(), seconds: 0.0 },
        allocator: String::new(),
        fragmentation: None,
    };
    judged_small(&outcome, 200_000)
}

#[test]
fn a_limit_too_small_is_refuted_where_it_was_predicted_and_nothing_was_lost() {
    let controls = small(200_000, 200_000);
    assert!(controls.iter().all(Control::is_refuted), "{controls:?}");
    assert!(controls[0].what.contains("19.07 MiB"), "{}", controls[0].what);
    assert!(
        controls[0]
            .measured
            .starts_with("the limit was met at 200,000 acknowledged events, 200,000 predicted (0.0 % off); ")
    );
    assert!(controls[1].measured.starts_with("100.0 %: "), "{}", controls[1].measured);
    assert!(controls[2].measured.contains(" h: calculated"), "{}", controls[2].measured);
    for (met, is_refuted) in [(209_999, true), (190_001, true), (211_000, false), (189_000, false)] {
        assert_eq!(small(met, met)[0].is_refuted(), is_refuted, "{met}");
    }
    assert!(!small(200_000, 199_000)[0].is_refuted(), "a loss is another fault than a full server");
    let fits = small_of(200_000, 200_000, 200_000, None);
    assert!(!fits[0].is_refuted(), "all went in: {:?}", fits[0]);
}

#[test]
fn a_prediction_from_the_wrong_layout_is_refuted_by_how_far_it_is_off() {
    let profile = profile(1_000);
    let of = |wrong: f64, read: u64| {
        let used = |used_bytes| Point { events: 1_000, used_bytes, rss_bytes: 0 };
        let findings = Findings { acknowledged: 1_000, read, ..Findings::default() };
        wrong_sample(&Measured {
            profile: &profile,
            limit_bytes: None,
            weight: WEIGHT,
            sample: 1,
            weights: vec![
                (Layout::KeyAnEvent, WEIGHT),
                (Layout::EntryAnEvent, Weight { per_event: wrong, ..WEIGHT }),
            ],
            filled: Filled {
                counts: Counts::default(),
                seconds: 1.0,
                curve: vec![used(0), used(100_000)],
                ended: None,
            },
            read_back: ReadBack { findings, faults: Vec::new(), seconds: 0.0 },
            allocator: String::new(),
            fragmentation: None,
        })
    };
    let off = of(300.0, 1_000);
    assert!(
        off.is_refuted() && off.measured == "300.0 bytes an event predicted, 100.0 found: 200.0 % off",
        "{off:?}"
    );
    assert_eq!(of(100.0, 1_000).outcome(), ControlOutcome::NotRefuted);
    assert_eq!(of(300.0, 0).outcome(), ControlOutcome::NotRun);
}

#[test]
fn planted_damage_is_refuted_where_all_of_it_and_nothing_else_is_found() {
    let planted = Planted { taken: 3, twice: 4, flipped: 5 };
    let judged = |planted: &Planted, findings, fault: &str| {
        judged_damage(planted, &ReadBack { findings, faults: vec![fault.into()], seconds: 0.0 }).is_refuted()
    };
    let of = |findings, fault: &str| judged(&planted, findings, fault);
    let found = Findings {
        offered: 100,
        acknowledged: 100,
        read: 92,
        lost_middle: 3,
        lost_tail: 5,
        repeats: 4,
        ..Findings::default()
    };
    let fault = "a block does not open";
    assert!(of(found, fault));
    assert!(
        of(Findings { lost_middle: 0, lost_tail: 0, lost_prefix: 8, ..found }, fault),
        "wherever it fell"
    );
    assert!(of(Findings { lost_middle: 0, lost_tail: 0, lost_whole: 8, ..found }, fault));
    // Each of the three must have hit something.
    for planted in [
        Planted { taken: 0, twice: 4, flipped: 8 },
        Planted { taken: 8, twice: 4, flipped: 0 },
        Planted { taken: 3, twice: 0, flipped: 5 },
    ] {
        assert!(!judged(&planted, Findings { repeats: planted.twice, ..found }, fault));
    }
    for other in [
        Findings { lost_tail: 4, read: 93, ..found },
        Findings { lost_tail: 6, read: 91, ..found },
        Findings { repeats: 3, ..found },
        Findings { unexpected: 1, ..found },
        Findings { out_of_order: 1, ..found },
    ] {
        assert!(!of(other, fault), "{other:?}");
    }
    assert!(!of(found, "another fault"));
}

#[test]
fn each_claim_has_the_control_that_is_about_it() {
    let control = |what: &str| Control::when(what, true, "");
    let small = ["events", "memory", "hours"].map(control);
    let ids = ["events", "memory", "hours", "identical", "predicted", "other"];
    let claim = |id: &str| {
        let (bound, id) = (crate::claim::Bound::AtMost, format!("capacity.{id}"));
        Judged::of(&id, 3, "s", (bound, 1.0, crate::claim::Unit::Count), 1.0, "w")
    };
    let claims = weighed(ids.map(claim).into(), &small, &control("identical"), &control("predicted"));
    for (claim, id) in claims.iter().zip(ids) {
        let what = claim.control().map_or("other", |control| control.what.as_str());
        assert_eq!((what, claim.id.as_str()), (id, &*format!("capacity.{id}")));
    }
    assert_eq!((claims[5].verdict(), claims[0].verdict()), (Verdict::Untested, Verdict::Proven));
}

#[test]
fn damage_planted_on_a_real_server_is_found() {
    let profile = profile(1_000);
    let events = Synth::network(7).with_rate(DAMAGED_RATE);
    let limits = profile.limits().unwrap();
    let control = on_own_server(&profile, |on| damaged(&on, &events, limits).unwrap());
    assert!(control.is_refuted(), "{control:?}");
}
