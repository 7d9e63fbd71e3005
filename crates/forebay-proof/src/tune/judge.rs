//! From experiments to claims and tables.

use super::bench::{Bench, TUNING};
use super::catalogue::CandidateKind;
use super::effects::{cells, effect};
use super::experiment::{Effect, Outcome, Turn};
use super::guard::Guarded;
use super::interval::CONFIDENCE;
use super::metric::Metric;
use super::negative_controls::{Controls, HELD_BACK, LITTLE, LITTLE_ROUNDS, different};
use super::proposal::Proposal;
use super::row::{Row, Standing};
use super::trial::Tried;
use super::trial_run::{Cut, Work};
use crate::claim::{Bound, Claim, Control, Evidence, Judged, Unit};
use crate::report::units::counted;

const SAME: &str = "tune.same";
const LITTLE_ID: &str = "tune.little";
const HARM: &str = "tune.harm";
const TOGETHER: &str = "tune.together";

/// What was found.
pub(super) struct TuneFindings<'a> {
    pub rows: &'a [Row],
    pub proposal: &'a Proposal,
    /// What is proposed against today, and against a server as it comes.
    pub together: Option<&'a [Tried]>,
    pub stock: &'a [Tried],
}

/// Every claim, with its control.
pub(super) fn claims(bench: &Bench<'_>, found: &TuneFindings<'_>, controls: &Controls) -> Vec<Claim> {
    let rows = found.rows;
    let held_back = format!("one side held back by {:.0} % of its time", HELD_BACK * 100.0);
    let same = same(&controls.same, controls.same_max);
    let same = same.with(Control::of(
        format!("an experiment with {held_back}, counted as often"),
        &[self::same(&vec![controls.slower.clone(); controls.same.len()], controls.same_max)],
        SAME,
    ));
    // Stalls as huge pages bring them are known to harm too: here they are injected.
    let stalls = if controls.slower.is_better() { Standing::Proposed } else { Standing::Worse };
    let stalls =
        Tested { id: "injected stalls", is_harmful: true, standing: &stalls, guard: &Guarded::NotNeeded };
    let harm = harm(&rows.iter().map(Tested::of).chain([stalls]).collect::<Vec<_>>());
    // What measures better, and harms all the same, and is not guarded.
    let is_seen = controls.faster.better().next().is_some();
    let would_be = if is_seen { Standing::Proposed } else { Standing::NoDifference };
    let better = Tested { id: "control", is_harmful: true, standing: &would_be, guard: &Guarded::NotNeeded };
    let harm = harm.with(Control::of(
        "a candidate that measures better because today's side is held back, taken for harmful and not guarded",
        &[self::harm(&[better])],
        HARM,
    ));
    let mut all = together(found.together);
    let slower = [(Work::Append(Cut::Load), controls.slower.clone())];
    let control = Control::of(held_back, &[together(Some(&slower))], TOGETHER);
    all.evidence.extend([proposed(bench, found.proposal), decisions(rows)]);
    all.evidence.extend(the_rest(rows));
    all.evidence.extend(stock(found.stock));
    all.evidence.extend([figures(rows), wishes(rows)]);
    all.evidence.extend(guards(rows));
    let all = all.with(control);
    let little = little(&controls.little, controls.little_min);
    let little = if controls.little.is_empty() {
        little.without_control()
    } else {
        let none: Vec<bool> =
            controls.same.iter().map(|outcome| outcome.turn(Metric::Append) == Some(Turn::Worse)).collect();
        little.with(Control::of(
            "sides of which none is held back",
            &[self::little(&none, controls.little_min)],
            LITTLE_ID,
        ))
    };
    vec![all, harm, same, little]
}

/// How often a side that was held back by a little was found.
fn little(found: &[bool], least: u64) -> Judged {
    let count = found.iter().filter(|found| **found).count();
    let claim = Judged::of(
        LITTLE_ID,
        TUNING,
        format!(
            "a side held back by {:.0} % of its time is told from the other in at most {LITTLE_ROUNDS} rounds: experiments that do",
            LITTLE * 100.0
        ),
        (Bound::AtLeast, least as f64, Unit::Count),
        count as f64,
        format!("{count} of {}; by turns the candidate was held back, and today", found.len()),
    );
    if found.is_empty() {
        claim.untested("it takes half an hour").test_with("forebay tune --scale full")
    } else {
        claim
    }
}

/// How often today's settings differ from themselves.
fn same(outcomes: &[Outcome], most: u64) -> Judged {
    let called = different(outcomes);
    let unknown = outcomes.iter().filter(|outcome| outcome.is_unknown()).count();
    let why = format!(
        "{} of today's settings against themselves; a difference was called in {called}",
        counted(outcomes.len() as u64, "experiment", "experiments"),
    );
    let claim = Judged::of(
        SAME,
        TUNING,
        match (most, outcomes.len()) {
            (0, count) => format!(
                "in {count} experiments in which nothing differs, no difference is called: differences called"
            ),
            (most, count) => format!(
                "in {count} experiments in which nothing differs, a difference is called in at most {most}: differences called"
            ),
        },
        (Bound::AtMost, most as f64, Unit::Count),
        called as f64,
        why,
    );
    match (outcomes.len(), unknown) {
        (0, _) => claim.untested("no experiment was made"),
        (_, 0) => claim,
        (_, unknown) => claim.untested(format!("{unknown} of them had a leg without a figure")),
    }
}

/// A candidate, as far as harm goes.
struct Tested<'a> {
    id: &'a str,
    is_harmful: bool,
    standing: &'a Standing,
    guard: &'a Guarded,
}

impl<'a> Tested<'a> {
    fn of(row: &'a Row) -> Self {
        let candidate = row.candidate;
        Self {
            id: candidate.id,
            is_harmful: candidate.kind == CandidateKind::Harmful,
            standing: &row.standing,
            guard: &row.guard,
        }
    }
}

/// How many settings that harm are proposed, or were let pass by the guard that is there for them.
fn harm(tested: &[Tested<'_>]) -> Judged {
    let (mut tried, mut bad) = (Vec::new(), Vec::new());
    for Tested { id, standing, guard, .. } in tested.iter().filter(|one| one.is_harmful) {
        if matches!(standing, Standing::Untested(_)) || matches!(guard, Guarded::Untested(_)) {
            continue;
        }
        tried.push(if matches!(guard, Guarded::Lost(_)) {
            format!("{id} (by its guard)")
        } else {
            (*id).into()
        });
        if standing.is_offered() {
            bad.push(format!("{id} is proposed"));
        } else if matches!(guard, Guarded::Kept(_)) {
            bad.push(format!("the guard of {id} saw no loss"));
        }
    }
    let why = if bad.is_empty() {
        format!("tried and rejected, or not better: {}", tried.join(", "))
    } else {
        bad.join(", ")
    };
    let claim = Judged::of(
        HARM,
        TUNING,
        format!(
            "{} known to harm a buffer are not proposed, and guards see the loss: those where that is not so",
            counted(tried.len() as u64, "setting", "settings")
        ),
        (Bound::Exactly, 0.0, Unit::Count),
        bad.len() as f64,
        why,
    );
    if tried.is_empty() { claim.untested("none of them was tried") } else { claim }
}

/// Whether what is proposed is better together, and in nothing worse.
fn together(outcomes: Option<&[Tried]>) -> Judged {
    let statement = "what is proposed, together, is worse than today in nothing: figures that are worse";
    let judged_by = (Bound::Exactly, 0.0, Unit::Count);
    let Some(outcomes) = outcomes else {
        return Judged::blank(TOGETHER, TUNING, statement, judged_by)
            .untested("nothing is proposed: today's settings stand");
    };
    let effects = || outcomes.iter().flat_map(|(_, outcome)| &outcome.effects);
    let worse = effects().filter(|effect| matches!(effect.turn, Turn::Worse | Turn::Unknown)).count();
    let claim = Judged::of(TOGETHER, TUNING, statement, judged_by, worse as f64, told(outcomes));
    if effects().next().is_none() { claim.untested("nothing was measured") } else { claim }
}

/// Every effect in every work, in a sentence.
fn told(tried: &[Tried]) -> String {
    let of = |(work, outcome): &Tried| {
        let effects: Vec<String> = outcome.effects.iter().map(effect).collect();
        format!("{}: {}", work.name(), effects.join(", "))
    };
    tried.iter().map(of).collect::<Vec<_>>().join("; ")
}

/// What is proposed against a server as it comes, where that was tried.
fn stock(tried: &[Tried]) -> Option<Evidence> {
    let rows = tried.iter().flat_map(|(work, outcome)| {
        outcome.effects.iter().map(|effect| {
            let mut row = vec![work.name().to_owned()];
            row.extend(cells(effect));
            row
        })
    });
    (!tried.is_empty()).then(|| Evidence::Table {
        title: "The profile with what is proposed, against a server as Debian ships it with an AOF; both under always".into(),
        columns: ["work", "figure", "as it comes", "tuned", "gain"].map(str::to_owned).into(),
        rows: rows.collect(),
    })
}

fn standing(row: &Row) -> String {
    match &row.standing {
        Standing::Proposed => "proposed".into(),
        Standing::Choice => "yours to choose".into(),
        Standing::Safer => "safer, no cost seen: yours to choose".into(),
        Standing::AsItIs => "as it is".into(),
        Standing::NoDifference => "no difference seen".into(),
        Standing::NotAgain => "better once, and not again".into(),
        Standing::Worse => "worse".into(),
        Standing::Rejected(_) => "rejected: loses a proof".into(),
        Standing::Untested(why) => format!("untested: {why}"),
    }
}

/// What is worth a thought, and by which figure.
fn decisions(rows: &[Row]) -> Evidence {
    let is_told = |row: &&Row| {
        !matches!(
            row.standing,
            Standing::NoDifference | Standing::AsItIs | Standing::Worse | Standing::Untested(_)
        )
    };
    let row = |row: &Row| vec![row.candidate.id.into(), deciding(row), standing(row)];
    Evidence::Table {
        title: format!(
            "Settings against today's: the gain in the figure that decides, with its interval of {:.1} %; of what should be small, today's \
             over the candidate's",
            CONFIDENCE * 100.0
        ),
        columns: ["candidate", "effect", "verdict"].map(str::to_owned).into(),
        rows: rows.iter().filter(is_told).map(row).collect(),
    }
}

fn deciding(row: &Row) -> String {
    row.outcome.as_ref().and_then(decisive).map_or("–".into(), effect)
}

/// The rest, a line for each way to end.
fn the_rest(rows: &[Row]) -> Vec<Evidence> {
    let of = |is: &dyn Fn(&Standing) -> bool, show: &dyn Fn(&Row) -> String| {
        let shown: Vec<String> = rows.iter().filter(|row| is(&row.standing)).map(show).collect();
        shown.join(", ")
    };
    let id = |row: &Row| row.candidate.id.to_owned();
    let notes = [
        (
            "worse than today: ",
            of(&|standing| *standing == Standing::Worse, &|row| format!("{} ({})", id(row), deciding(row))),
        ),
        ("no difference seen: ", of(&|standing| *standing == Standing::NoDifference, &id)),
        ("as it is today: ", of(&|standing| *standing == Standing::AsItIs, &id)),
        (
            "untested: ",
            of(&|standing| matches!(standing, Standing::Untested(_)), &|row| match &row.standing {
                Standing::Untested(why) => format!("{} ({why})", id(row)),
                _ => id(row),
            }),
        ),
    ];
    let told = notes.into_iter().filter(|(_, all)| !all.is_empty());
    told.map(|(what, all)| Evidence::Note { text: format!("{what}{all}") }).collect()
}

/// The figure that is worst where one is worse, else that which is best, else the first.
fn decisive(outcome: &Outcome) -> Option<&Effect> {
    let by_gain = |a: &&Effect, b: &&Effect| a.gain.mid.total_cmp(&b.gain.mid);
    let of = |turn| outcome.effects.iter().filter(move |effect| effect.turn == turn);
    of(Turn::Worse).min_by(by_gain).or_else(|| of(Turn::Better).max_by(by_gain)).or(outcome.effects.first())
}

/// Every figure of every candidate.
fn figures(rows: &[Row]) -> Evidence {
    let all = rows.iter().flat_map(|row| {
        let outcome = row.outcome.iter();
        outcome.flat_map(move |outcome| {
            outcome.effects.iter().map(move |effect| {
                let mut cells_of_row = vec![row.candidate.id.to_owned()];
                cells_of_row.extend(cells(effect));
                cells_of_row.push(outcome.rounds.to_string());
                cells_of_row
            })
        })
    });
    Evidence::Table {
        title: "Every figure: medians of both sides, and the gain by pairs. A round is four legs: today, tried, tried, today. \
                Servers of our own have one half of the cores, and their clients the other"
            .into(),
        columns: ["candidate", "figure", "today", "tried", "gain", "rounds"].map(str::to_owned).into(),
        rows: all.collect(),
    }
}

/// What was tried instead of what, why, what it could cost, and what guards it.
fn wishes(rows: &[Row]) -> Evidence {
    let row = |row: &Row| {
        vec![
            row.candidate.id.into(),
            row.from.clone(),
            row.to.clone(),
            row.candidate.hope.into(),
            row.candidate.cost.into(),
            row.guard.words(),
        ]
    };
    Evidence::Table {
        title: "What was tried instead of what, why, what it could cost, and whether it lost a proof".into(),
        columns: ["candidate", "today", "tried", "hope", "cost", "guard"].map(str::to_owned).into(),
        rows: rows.iter().map(row).collect(),
    }
}

fn guards(rows: &[Row]) -> Vec<Evidence> {
    let lost = rows.iter().filter_map(|row| match &row.standing {
        Standing::Rejected(what) => Some(format!("{} is rejected: {what}", row.candidate.id)),
        _ => None,
    });
    lost.map(|text| Evidence::Note { text }).collect()
}

/// What to set.
fn proposed(bench: &Bench<'_>, proposal: &Proposal) -> Evidence {
    let lines = proposal.lines();
    let text = if lines.is_empty() {
        format!("proposed: nothing; today's {} settings stand", bench.settings.len())
    } else {
        format!("proposed: {}", lines.join("; "))
    };
    Evidence::Note { text }
}

#[cfg(test)]
mod tests;
