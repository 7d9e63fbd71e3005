//! What is claimed of the tuning's judges: what differs is called, what harms is not proposed, and nothing tried is nothing
//! shown.

use super::super::effects::gains;
use super::*;
use crate::claim::Judgement;
use crate::tune::catalogue;
use crate::tune::experiment::{ExperimentPlan, Side, run};

/// An experiment in which the candidate takes in so much more events, as a factor; none of which is no figure.
fn outcome(factor: f64) -> Outcome {
    let plan = ExperimentPlan { looks: vec![8], seed: 1 };
    run(&plan, |side| {
        let factor = if side == Side::Candidate { factor } else { 1.0 };
        Ok(vec![(Metric::Append, 500_000.0 * factor), (Metric::BytesPerEvent, 150.0)])
    })
    .unwrap()
}

fn row(id: &str, standing: Standing, factor: Option<f64>) -> Row {
    let candidate = catalogue::all().find(|candidate| candidate.id == id).unwrap();
    let (from, to) = ("1".to_owned(), "2".to_owned());
    Row { candidate, from, to, outcome: factor.map(outcome), guard: Guarded::NotNeeded, standing }
}

fn rows(evidence: &Evidence) -> Vec<Vec<String>> {
    let Evidence::Table { rows, .. } = evidence else { panic!("a table") };
    rows.clone()
}

#[test]
fn a_side_held_back_by_a_little_must_be_found_as_often_as_is_asked() {
    let claim = little(&[true, true, false], 2);
    assert!(claim.holds() && claim.measured() == Some(2.0), "{claim:?}");
    assert!(claim.why.starts_with("2 of 3; "), "{}", claim.why);
    assert_eq!(little(&[true, false, false], 2).judgement(), Judgement::Refuted);
    let none = little(&[], 0);
    assert_eq!(none.judgement(), Judgement::Untested);
    assert_eq!(none.without_control().test_with(), Some("forebay tune --scale full"));
}

#[test]
fn a_difference_where_nothing_differs_is_called_no_more_often_than_is_said() {
    let (even, off) = (outcome(1.0), outcome(0.5));
    let claim = same(&[even.clone(), even.clone()], 0);
    assert!(claim.holds(), "{claim:?}");
    assert!(
        claim.statement.starts_with("in 2 experiments in which nothing differs, no difference"),
        "{claim:?}"
    );
    assert_eq!(
        claim.why,
        "2 experiments of today's settings against themselves; a difference was called in 0"
    );
    assert_eq!(same(&[even.clone(), off.clone()], 0).judgement(), Judgement::Refuted);
    let some = same(&[even.clone(), off.clone()], 1);
    assert!(some.holds() && some.measured() == Some(1.0), "{some:?}");
    assert!(some.statement.contains("a difference is called in at most 1"), "{}", some.statement);
    assert_eq!(same(&[], 0).judgement(), Judgement::Untested);
    let unknown = same(&[even, outcome(f64::NAN)], 0);
    assert_eq!(unknown.why, "1 of them had a leg without a figure");
}

#[test]
fn what_harms_must_not_be_proposed_nor_pass_its_guard() {
    let of = |standing: &Standing, guard: &Guarded, is_harmful| {
        harm(&[Tested { id: "x", is_harmful, standing, guard }])
    };
    let (kept, lost, untried) =
        (Guarded::Kept("w".into()), Guarded::Lost("w".into()), Guarded::Untested("w".into()));
    let rejected = of(&Standing::Rejected("w".into()), &lost, true);
    assert!(rejected.holds() && rejected.why.ends_with(": x (by its guard)"), "{rejected:?}");
    assert!(rejected.statement.starts_with("1 setting known to harm"), "{}", rejected.statement);
    let worse = of(&Standing::Worse, &Guarded::NotNeeded, true);
    assert!(worse.holds() && worse.why.ends_with(": x"), "{worse:?}");
    for offered in [Standing::Proposed, Standing::Choice, Standing::Safer] {
        let claim = of(&offered, &Guarded::NotNeeded, true);
        assert_eq!((claim.judgement(), claim.why.as_str()), (Judgement::Refuted, "x is proposed"));
    }
    let blind = of(&Standing::Worse, &kept, true);
    assert_eq!((blind.judgement(), blind.why.as_str()), (Judgement::Refuted, "the guard of x saw no loss"));
    for nothing in [
        of(&Standing::Proposed, &Guarded::NotNeeded, false),
        of(&Standing::Untested("w".into()), &Guarded::NotNeeded, true),
        of(&Standing::Proposed, &untried, true),
        harm(&[]),
    ] {
        assert_eq!(nothing.judgement(), Judgement::Untested, "{nothing:?}");
    }
    let row = row("allkeys-lru", Standing::Worse, None);
    assert!(Tested::of(&row).is_harmful && Tested::of(&row).id == "allkeys-lru");
}

#[test]
fn what_is_proposed_together_must_be_worse_in_nothing() {
    let work = || Work::Append(Cut::Load);
    let sound = together(Some(&[(work(), outcome(1.1)), (work(), outcome(1.0))]));
    assert!(sound.holds(), "{sound:?}");
    assert!(
        sound.why.contains(": events/s in +10.0 % (+10.0 to +10.0), bytes/event +0.0 %"),
        "{}",
        sound.why
    );
    let worse = together(Some(&[(work(), outcome(0.5)), (work(), outcome(f64::NAN))]));
    assert_eq!((worse.judgement(), worse.measured()), (Judgement::Refuted, Some(2.0)));
    assert_eq!(together(None).why, "nothing is proposed: today's settings stand");
    assert_eq!(together(Some(&[])).judgement(), Judgement::Untested);
}

#[test]
fn the_figure_that_is_worst_decides_else_the_best_else_the_first() {
    let metric = |outcome: &Outcome| decisive(outcome).map(|effect| effect.metric);
    assert_eq!(metric(&outcome(0.5)), Some(Metric::Append));
    assert_eq!(metric(&outcome(1.5)), Some(Metric::Append));
    assert_eq!(metric(&outcome(1.0)), Some(Metric::Append), "the first");
    assert_eq!(metric(&Outcome { effects: Vec::new(), rounds: 0 }), None);
    assert_eq!(gains(&outcome(1.5)), "events/s in +50.0 % (+50.0 to +50.0)");
    assert_eq!(gains(&outcome(0.5)), "");
    assert_eq!(deciding(&row("hz-100", Standing::Worse, None)), "–");
}

#[test]
fn every_candidate_stands_in_one_place() {
    let all = [
        row("hz-100", Standing::Proposed, Some(1.5)),
        row("hz-500", Standing::Worse, Some(0.5)),
        row("dynamic-hz-off", Standing::NoDifference, Some(1.0)),
        row("lazyfree", Standing::AsItIs, None),
        row("activedefrag", Standing::Untested("no defrag".into()), None),
        row("allkeys-lru", Standing::Rejected("lost".into()), Some(1.0)),
    ];
    let decided = rows(&decisions(&all));
    assert_eq!(decided[0], ["hz-100", "events/s in +50.0 % (+50.0 to +50.0)", "proposed"]);
    assert_eq!(decided.len(), 2);
    let notes: Vec<String> = the_rest(&all)
        .into_iter()
        .map(|note| match note {
            Evidence::Note { text } => text,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        notes,
        [
            "worse than today: hz-500 (events/s in -50.0 % (-50.0 to -50.0))",
            "no difference seen: dynamic-hz-off",
            "as it is today: lazyfree",
            "untested: activedefrag (no defrag)",
        ]
    );
    assert!(the_rest(&all[..1]).is_empty());
    assert_eq!(guards(&all), [Evidence::Note { text: "allkeys-lru is rejected: lost".into() }]);
    let figures = rows(&figures(&all));
    assert_eq!(figures.len(), 8, "two figures of each that was measured");
    assert_eq!(
        figures[0][..5],
        ["hz-100", "events/s in", "500,000/s", "750,000/s", "+50.0 % (+50.0 to +50.0)"]
    );
    assert_eq!(figures[0][5], "8");
    assert_eq!(rows(&wishes(&all))[0][..3], ["hz-100", "1", "2"]);
    assert_eq!(rows(&stock(&[(Work::Append(Cut::Load), outcome(1.5))]).unwrap()).len(), 2);
    assert_eq!(stock(&[]), None);
}

#[test]
fn each_standing_has_a_word() {
    let word = |of: Standing| standing(&row("hz-100", of, None));
    assert_eq!(word(Standing::Proposed), "proposed");
    assert_eq!(word(Standing::Choice), "yours to choose");
    assert_eq!(word(Standing::Safer), "safer, no cost seen: yours to choose");
    assert_eq!(word(Standing::AsItIs), "as it is");
    assert_eq!(word(Standing::NoDifference), "no difference seen");
    assert_eq!(word(Standing::NotAgain), "better once, and not again");
    assert_eq!(word(Standing::Worse), "worse");
    assert_eq!(word(Standing::Rejected("w".into())), "rejected: loses a proof");
    assert_eq!(word(Standing::Untested("why".into())), "untested: why");
}
