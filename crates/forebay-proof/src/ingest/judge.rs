//! What rounds say: nothing lost, nothing twice, in order, and nothing reported as lost that is there. The same functions judge
//! the controls.

use super::retention::Missing;
use super::scenario::Scenario;
use super::seen::Seen;
use super::way::Way;
use crate::acted::Acted;
use crate::claim::{Bound, Evidence, Judged, Unit};
use crate::report::units::{counted, thousands};

/// The step of the brief.
const STEP: u8 = 9;
/// What tests more of it.
const FULL: &str = "forebay prove --only ingest --scale full";
/// How far off a count by time may be, in percent.
const BY_TIME_PERCENT: f64 = 10.0;

/// Rounds of a scenario, by the way in which events came.
pub type Rounds = Vec<(Way, Vec<Seen>)>;

/// The id of a scenario's claim.
pub fn id(scenario: &Scenario) -> String {
    format!("ingest.{}", scenario.id)
}

/// Nothing lost and nothing twice, whatever goes wrong.
pub fn nothing_wrong(scenario: &Scenario, rounds: &Rounds) -> Judged {
    let statement = format!("Where {}, no event is lost and none is in the buffer twice", scenario.what);
    let bound = (Bound::Exactly, 0.0, Unit::Events);
    let blank = Judged::blank(&id(scenario), STEP, statement.clone(), bound).test_with(FULL);
    if scenario.is_long && rounds.is_empty() {
        return blank.untested("a round takes half a minute: it is part of a full run");
    }
    // A round in which nothing happened shows nothing, unless something is wrong all the same.
    let counts = |seen: &&Seen| seen.wrong() > 0 || seen.acted.has(scenario.acts);
    let seen: Vec<&Seen> = rounds.iter().flat_map(|(_, seen)| seen).filter(counts).collect();
    let wrong: u64 = seen.iter().map(|seen| seen.wrong()).sum();
    let without: Vec<&str> = rounds
        .iter()
        .filter(|(_, seen)| !seen.iter().any(|seen| counts(&seen)))
        .map(|(way, _)| way.name())
        .collect();
    if wrong == 0 && (!without.is_empty() || seen.is_empty()) {
        return blank.untested(format!(
            "the fault ({}) did not act in any round of {}",
            scenario.acts.join(", "),
            if without.is_empty() { "any way".into() } else { without.join(" and ") }
        ));
    }
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(|seen| of(seen)).sum::<u64>();
    let mut why = format!(
        "{} with {} by {}: {} lost, {} twice, {} subscriptions",
        counted(seen.len() as u64, "round", "rounds"),
        counted(sum(|seen| seen.events), "event", "events"),
        rounds.iter().map(|(way, _)| way.name()).collect::<Vec<_>>().join(", "),
        thousands(sum(|seen| seen.lost) as f64, 0),
        thousands(sum(|seen| seen.twice) as f64, 0),
        thousands(sum(|seen| seen.connections) as f64, 0),
    );
    if let Some(seen) = seen.iter().find(|seen| seen.wrong() > 0) {
        why = format!("{why}. Seed {}: {}", seen.seed, seen.example);
    }
    let mut judged = Judged::of(&id(scenario), STEP, statement, bound, wrong as f64, why).test_with(FULL);
    judged.evidence.push(table(scenario, rounds));
    judged
}

/// How often each fault acted, and what it took to be back.
fn table(scenario: &Scenario, rounds: &Rounds) -> Evidence {
    let columns =
        ["protocol", "rounds", "acted", "lost", "twice", "subscriptions", "behind the live end, worst"];
    let row = |(way, seen): &(Way, Vec<Seen>)| {
        let sum = |of: fn(&Seen) -> u64| thousands(seen.iter().map(of).sum::<u64>() as f64, 0);
        let mut acted = Acted::default();
        for seen in seen {
            acted.and(&seen.acted);
        }
        let behind = seen.iter().map(|seen| seen.behind).max().unwrap_or_default();
        vec![
            way.name().into(),
            seen.len().to_string(),
            acted.words(scenario.acts),
            sum(|seen| seen.lost),
            sum(|seen| seen.twice),
            sum(|seen| seen.connections),
            format!("{:.1} s", behind.as_secs_f64()),
        ]
    };
    Evidence::Table {
        title: format!("Where {}", scenario.what),
        columns: columns.map(String::from).into(),
        rows: rounds.iter().map(row).collect(),
    }
}

/// The id of the claim about order.
pub const ORDER: &str = "ingest.order";

/// The order within a lane, of rounds whose source keeps it.
pub fn order<'a>(seen: impl Iterator<Item = &'a Seen>) -> Judged {
    let (mut rounds, mut events, mut wrong) = (0, 0, 0);
    for seen in seen {
        (rounds, events, wrong) = (rounds + 1, events + seen.events, wrong + seen.out_of_order);
    }
    let statement = "Within a lane events are in the order of the source, where the source keeps it";
    let bound = (Bound::Exactly, 0.0, Unit::Events);
    if rounds == 0 {
        return Judged::blank(ORDER, STEP, statement, bound).test_with(FULL);
    }
    let why = format!(
        "{} with {}: {} after a later one of their lane",
        counted(rounds, "round", "rounds"),
        counted(events, "event", "events"),
        counted(wrong, "event", "events"),
    );
    Judged::of(ORDER, STEP, statement, bound, wrong as f64, why).test_with(FULL)
}

/// The id of the claim about false alarms.
pub const SAID: &str = "ingest.false-alarms";

/// What is reported as lost while the source has all: `said` times in so many rounds.
pub fn false_alarms(said: u64, rounds: u64) -> Judged {
    let statement = "Nothing is reported as lost that the source still had";
    let bound = (Bound::Exactly, 0.0, Unit::Count);
    if rounds == 0 {
        return Judged::blank(SAID, STEP, statement, bound).test_with(FULL);
    }
    let rounds = counted(rounds, "round", "rounds");
    let why = format!("{} in {rounds} in which nothing was", counted(said, "loss", "losses"));
    Judged::of(SAID, STEP, statement, bound, said as f64, why).test_with(FULL)
}

/// The id of a claim about what the source no longer had.
pub fn retention_id(way: Way) -> &'static str {
    match way {
        Way::V1 => "ingest.beyond-retention.v1",
        Way::V2 => "ingest.beyond-retention.v2",
        Way::Events => "ingest.beyond-retention.stream",
    }
}

/// What the source no longer had is what is reported as lost, to the event where events have numbers.
pub fn beyond_retention(way: Way, seen: &[Missing]) -> Judged {
    let (required, unit) =
        if way == Way::V1 { (BY_TIME_PERCENT, Unit::Percent) } else { (0.0, Unit::Events) };
    let statement =
        format!("What {} no longer has is reported, with the number of events that are lost", way.name());
    let bound = (Bound::AtMost, required, unit);
    let id = retention_id(way);
    let seen: Vec<&Missing> = seen.iter().filter(|seen| seen.lost > 0).collect();
    if seen.is_empty() {
        let why = "in no round was anything lost";
        return Judged::blank(id, STEP, statement, bound).untested(why).test_with(FULL);
    }
    let off = |seen: &&Missing| {
        let off = seen.lost.abs_diff(seen.said) as f64 + seen.twice as f64;
        if way == Way::V1 { off * 100.0 / seen.lost as f64 } else { off }
    };
    let worst = seen.iter().map(off).fold(0.0, f64::max);
    let (lost, said) = seen.iter().fold((0, 0), |(lost, said), seen| (lost + seen.lost, said + seen.said));
    let why = format!(
        "{}: {} lost, {} reported as lost",
        counted(seen.len() as u64, "round", "rounds"),
        counted(lost, "event", "events"),
        thousands(said as f64, 0)
    );
    Judged::of(id, STEP, statement, bound, worst, why).test_with(FULL)
}
