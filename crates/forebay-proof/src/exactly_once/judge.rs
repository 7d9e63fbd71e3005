//! What rounds say: nothing lost, nothing twice, every byte as it was. The same function judges the controls.

use super::scenario::Scenario;
use super::seen::Seen;
use crate::acted::Acted;
use crate::claim::{Bound, Evidence, Judged, Unit};
use crate::report::units::{counted, thousands};

/// The step of the brief.
const STEP: u8 = 9;

/// The id of a scenario's claim.
pub(super) fn id(proof: &str, scenario: &Scenario) -> String {
    format!("{proof}.{}", scenario.id)
}

/// Each event in the files once, with the bytes that it had, whatever goes wrong. `untried` says why there are no rounds.
pub(super) fn exactly_once(
    proof: &str,
    scenario: &Scenario,
    rounds: &[Seen],
    untried: Option<&str>,
) -> Judged {
    let statement = format!("Where {}, each event is in the files once, with its bytes", scenario.what);
    let bound = (Bound::Exactly, 0.0, Unit::Events);
    let id = id(proof, scenario);
    let full = format!("forebay prove --only {proof} --scale full");
    let blank = Judged::blank(&id, STEP, statement.clone(), bound).test_with(full.clone());
    if let Some(why) = untried {
        return blank.untested(why);
    }
    // A round in which nothing happened shows nothing, unless something is wrong all the same.
    let counts = |seen: &&Seen| seen.wrong() > 0 || seen.acted.has(scenario.acts);
    let counted_rounds: Vec<&Seen> = rounds.iter().filter(counts).collect();
    if counted_rounds.is_empty() {
        let acts = scenario.acts.join(", ");
        return blank.untested(format!("the fault ({acts}) did not act in any round"));
    }
    let sum = |of: fn(&Seen) -> u64| counted_rounds.iter().map(|seen| of(seen)).sum::<u64>();
    let wrong = sum(Seen::wrong);
    let mut why = format!(
        "{} with {} in {}: {} lost, {} twice, {} that nobody sent or with other bytes, {} files torn",
        counted(counted_rounds.len() as u64, "round", "rounds"),
        counted(sum(|seen| seen.findings.offered), "event", "events"),
        counted(sum(|seen| seen.files), "file", "files"),
        thousands(sum(Seen::lost) as f64, 0),
        thousands(sum(Seen::twice) as f64, 0),
        thousands(sum(|seen| seen.findings.unexpected) as f64, 0),
        thousands(sum(Seen::torn) as f64, 0),
    );
    if let Some(seen) = counted_rounds.iter().find(|seen| seen.wrong() > 0) {
        why = format!("{why}. Seed {}: {}", seen.seed, seen.sentence());
    }
    let mut judged = Judged::of(&id, STEP, statement, bound, wrong as f64, why).test_with(full);
    judged.evidence.push(table(scenario, rounds));
    judged
}

/// How often each fault acted.
fn table(scenario: &Scenario, rounds: &[Seen]) -> Evidence {
    let mut acted = Acted::default();
    for seen in rounds {
        acted.and(&seen.acted);
    }
    let columns = ["rounds", "acted", "events", "files", "lost", "twice"];
    let sum = |of: fn(&Seen) -> u64| thousands(rounds.iter().map(of).sum::<u64>() as f64, 0);
    let row = vec![
        rounds.len().to_string(),
        acted.words(scenario.acts),
        sum(|seen| seen.findings.offered),
        sum(|seen| seen.files),
        sum(Seen::lost),
        sum(Seen::twice),
    ];
    Evidence::Table {
        title: format!("Where {}", scenario.what),
        columns: columns.map(String::from).into(),
        rows: vec![row],
    }
}
