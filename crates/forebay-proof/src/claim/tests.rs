//! What is claimed of claims: which verdict stands on which figure and control.

use super::*;

/// A claim of three events, of which so many were found.
fn found(events: f64) -> Judged {
    Judged::of("capacity.events", 3, "3 events fit", (Bound::Exactly, 3.0, Unit::Events), events, "counted")
}

fn control(is_refuted: bool) -> Control {
    Control::when("one taken out", is_refuted, "2 events")
}

fn not_run() -> Control {
    Control::not_run("one taken out", "no server")
}

#[test]
fn no_claim_is_proven_without_a_control_that_was_refuted() {
    let proven = found(3.0).with(control(true));
    assert_eq!((proven.verdict(), proven.measured(), proven.test_with()), (Verdict::Proven, Some(3.0), None));
    assert_eq!((proven.why.as_str(), proven.missed_its_control()), ("counted", false));
    let none = found(3.0).without_control();
    assert_eq!((none.verdict(), none.measured(), none.control()), (Verdict::Untested, None, None));
    assert_eq!(none.test_with(), Some("forebay capacity"));
    let nothing = "so nothing shows that this check can fail; counted";
    assert_eq!(none.why, format!("the control was not run, {nothing}"));
    let missed = found(3.0).with(control(false));
    assert!(missed.verdict() == Verdict::Untested && missed.missed_its_control(), "{missed:?}");
    assert_eq!(missed.why, format!("the control was not refuted, {nothing}"));
    let not_run = found(3.0).with(not_run());
    assert!(not_run.verdict() == Verdict::Untested && !not_run.missed_its_control(), "{not_run:?}");
    assert_eq!(not_run.control().map(|control| control.measured.as_str()), Some("no server"));
    // What is no figure holds no bound that is worth the word.
    let endless = Judged::of("a.b", 3, "s", (Bound::AtLeast, 3.0, Unit::Events), f64::INFINITY, "w");
    assert!(endless.holds());
    assert_eq!(endless.with(control(true)).verdict(), Verdict::Untested);
}

#[test]
fn a_refutation_stands_whatever_became_of_its_control() {
    for claim in [
        found(2.0).with(control(true)),
        found(2.0).with(control(false)),
        found(2.0).with(not_run()),
        found(2.0).without_control(),
    ] {
        assert_eq!(
            (claim.verdict(), claim.measured(), claim.test_with()),
            (Verdict::Refuted, Some(2.0), None)
        );
        assert_eq!(claim.why, "counted");
    }
    assert!(found(2.0).with(control(false)).missed_its_control());
    let more = found(3.0).refuted("it fell over");
    assert!(!more.holds() && more.measured() == Some(3.0) && more.why == "it fell over", "{more:?}");
}

#[test]
fn what_could_not_be_told_is_untested_with_the_reason_and_what_would_test_it() {
    let untested = found(3.0).untested("too short").test_with("forebay capacity --scale full");
    assert_eq!((untested.judgement(), untested.measured()), (Judgement::Untested, None));
    let claim = untested.with(control(true));
    assert_eq!((claim.verdict(), claim.why.as_str()), (Verdict::Untested, "too short"));
    assert_eq!(claim.test_with(), Some("forebay capacity --scale full"));
    assert!(claim.control().is_some_and(Control::is_refuted));
    let blank = Judged::blank("tune.same", 5, "s", (Bound::AtMost, 1.0, Unit::Count));
    assert_eq!((blank.judgement(), blank.why.as_str()), (Judgement::Untested, "nothing was tried"));
    assert_eq!(blank.without_control().test_with(), Some("forebay tune"));
}

#[test]
fn a_control_is_refuted_only_where_its_judge_refutes() {
    let of = |judged: &[Judged]| Control::of("one taken out", judged, "capacity.events");
    assert_eq!(of(&[found(2.0)]).outcome(), ControlOutcome::Refuted);
    assert_eq!(of(&[found(2.0)]).measured, "2 events: counted");
    assert_eq!(of(&[found(3.0)]).outcome(), ControlOutcome::NotRefuted);
    assert_eq!(of(&[found(2.0).untested("no server")]).outcome(), ControlOutcome::NotRun);
    assert_eq!(of(&[found(2.0).untested("no server")]).measured, "no figure: no server");
    let mut other = found(2.0);
    other.id = "capacity.other".into();
    for none in [of(&[]), of(&[other])] {
        assert_eq!(none.outcome(), ControlOutcome::NotRefuted, "a claim that nobody makes cannot be refuted");
        assert_eq!(none.measured, "no such claim was made");
    }
    let also = |is_so| control(true).and(is_so).outcome();
    assert_eq!((also(true), also(false)), (ControlOutcome::Refuted, ControlOutcome::NotRefuted));
    assert_eq!(not_run().and(true).outcome(), ControlOutcome::NotRun);
    assert_eq!(not_run().and(false).outcome(), ControlOutcome::NotRun);
    assert_eq!(control(false).and(true).outcome(), ControlOutcome::NotRefuted);
    assert!(control(true).is_refuted() && !control(false).is_refuted() && !not_run().is_refuted());
}

#[test]
fn a_bound_holds_on_its_side_and_no_bound_holds_what_is_no_number() {
    let holds = |bound: Bound| [1.0, 2.0, 3.0, f64::NAN].map(|measured| bound.holds(measured, 2.0));
    assert_eq!(holds(Bound::AtMost), [true, true, false, false]);
    assert_eq!(holds(Bound::AtLeast), [false, true, true, false]);
    assert_eq!(holds(Bound::Exactly), [false, true, false, false]);
    assert_eq!([Bound::AtMost, Bound::AtLeast, Bound::Exactly].map(Bound::sign), ["≤", "≥", "="]);
}

#[test]
fn words_are_those_that_scripts_read_too() {
    let words = [Verdict::Proven, Verdict::Refuted, Verdict::Untested].map(Verdict::word);
    assert_eq!(words, ["proven", "refuted", "untested"]);
    for (verdict, word) in [Verdict::Proven, Verdict::Refuted, Verdict::Untested].into_iter().zip(words) {
        assert_eq!(serde_json::to_value(verdict).unwrap(), word);
    }
    let outcomes = [ControlOutcome::Refuted, ControlOutcome::NotRefuted, ControlOutcome::NotRun];
    assert_eq!(outcomes.map(ControlOutcome::words), ["refuted", "not refuted", "not run"]);
}

#[test]
fn a_file_cannot_say_that_something_is_proven_without_a_figure_and_a_refuted_control() {
    let proven = serde_json::to_value(found(3.0).with(control(true))).unwrap();
    let read = |claim: &serde_json::Value| serde_json::from_value::<Claim>(claim.clone());
    assert_eq!(read(&proven).unwrap(), found(3.0).with(control(true)));
    for (field, value) in [
        ("control", serde_json::Value::Null),
        ("measured", serde_json::Value::Null),
        ("control", serde_json::json!({"what": "w", "outcome": "not_refuted", "measured": "m"})),
    ] {
        let mut forged = proven.clone();
        forged[field] = value;
        assert!(read(&forged).is_err(), "{forged}");
    }
    for claim in [
        found(2.0).with(control(false)),
        found(2.0).without_control(),
        found(3.0).with(not_run()),
        found(3.0).untested("w").test_with("x").without_control(),
    ] {
        assert_eq!(read(&serde_json::to_value(claim.clone()).unwrap()).unwrap(), claim);
    }
}

#[test]
fn axes_are_plain_unless_they_are_not() {
    assert!(Axes::Plain.is_plain() && !Axes::Log.is_plain() && !Axes::Percentiles.is_plain());
}
