//! What is claimed of the baseline's judges: each figure decides where it should, and nothing tried is nothing shown.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::counters::Calls;
use super::*;
use crate::claim::Judgement;
use forebay_rig::load::outcome::Figures;

/// 100 requests a second, half of which may take 5 ms, 95 of 100 take 50, 99 take 100.
fn load() -> Load {
    let ms = Duration::from_millis;
    Load { rate: 100.0, duration: ms(1_000), p50_max: ms(5), p95_max: ms(50), p99_max: ms(100) }
}

/// So many right answers in a second, each after so many milliseconds.
fn outcome(kind: OperationKind, right: u64, ms: u64) -> Outcome {
    let mut figures = Figures { sent: right, right, ..Figures::default() };
    (0..right).for_each(|_| figures.response.record(ms * 1_000_000));
    let kinds = [(kind, figures)].into_iter().collect();
    Outcome {
        paced: true,
        asked_seconds: 1.0,
        seconds: 1.0,
        due: right,
        sent: right,
        right,
        kinds,
        ..Outcome::default()
    }
}

fn cell(kind: OperationKind, connections: usize, rate: u64) -> Cell {
    Cell { kind, connections: Some(connections), outcome: outcome(kind, rate, 1) }
}

fn probe(rate: f64, is_borne: bool) -> Probe {
    let p99 = if is_borne { 10.0 } else { 300.0 };
    Probe { rate, p50: 1.0, p99, answered: 0.5, is_borne, outcome: outcome(OperationKind::Set, 1, 1) }
}

#[test]
fn the_slowest_operation_decides_on_the_rate() {
    let fast = cell(OperationKind::Set, 1, 500);
    let slow = |rate| {
        rate_of(&[fast_cell(), cell(OperationKind::Lpush, 1_000, rate), cell(OperationKind::Lpush, 1, 400)])
    };
    let claim = slow(100);
    assert!(claim.holds() && claim.measured() == Some(100.0), "{claim:?}");
    assert!(claim.statement.starts_with("each of 2 operations"), "{}", claim.statement);
    assert_eq!(claim.why, "the slowest was LPUSH on 1,000 connections");
    assert_eq!(slow(99).judgement(), Judgement::Refuted);
    assert!(rate_of(&[fast]).why.ends_with("SET on 1 connection"));
    let writer = Cell { connections: None, ..cell(OperationKind::Append, 1, 10) };
    assert!(rate_of(&[fast_cell(), writer]).why.ends_with("on its own connections"));
    assert_eq!(rate_of(&[]).judgement(), Judgement::Untested);
}

fn fast_cell() -> Cell {
    cell(OperationKind::Set, 1, 500)
}

fn rate_of(cells: &[Cell]) -> Judged {
    rate(cells, &load())
}

#[test]
fn latency_is_that_of_the_mix_and_of_nothing_nothing_is_said() {
    let of = |ms| latency("baseline.p50", 50.0, 5.0, &outcome(OperationKind::Set, 100, ms), &load());
    assert!(of(4).holds(), "{:?}", of(4));
    assert_eq!(of(6).judgement(), Judgement::Refuted);
    assert!(of(4).statement.starts_with("at 100 operations/s 50 of 100 take at most 5 ms"));
    assert!(of(4).why.starts_with("100 requests on 50 connections; p99 4."), "{}", of(4).why);
    let mut short = outcome(OperationKind::Set, 100, 4);
    short.due = 150;
    let claim = latency("baseline.p50", 50.0, 5.0, &short, &load());
    assert!(
        claim.why.contains("50") && !claim.why.starts_with("100 requests"),
        "what was missed comes first: {}",
        claim.why
    );
    let none = latency("baseline.p50", 50.0, 5.0, &Outcome::default(), &load());
    assert_eq!((none.judgement(), none.why.as_str()), (Judgement::Untested, "nothing was due"));
}

#[test]
fn the_highest_rate_that_was_borne_decides() {
    let of = |probes: &[Probe]| saturation(probes, &load());
    let claim = of(&[probe(100.0, true), probe(200.0, true), probe(300.0, false), probe(400.0, false)]);
    assert!(claim.holds() && claim.measured() == Some(200.0), "{claim:?}");
    assert_eq!(claim.why, "at 300 requests/s p99 was 300.0 ms, and 50.0 % were answered in time");
    let Some(Evidence::Chart { series, .. }) = claim.evidence.first() else { panic!("a chart") };
    assert_eq!(series[0].points[2], (300.0, 300.0));
    assert_eq!(series[2].points, [(100.0, 100.0), (400.0, 100.0)]);
    let below = of(&[probe(50.0, true), probe(100.0, false)]);
    assert_eq!((below.judgement(), below.measured()), (Judgement::Refuted, Some(50.0)));
    assert_eq!(of(&[probe(100.0, false)]).measured(), Some(0.0));
    assert_eq!(of(&[probe(100.0, true)]).why, "no rate was too high");
    // One that was borne once, and once not, is none that is too high.
    assert_eq!(of(&[probe(100.0, true), probe(100.0, false)]).why, "no rate was too high");
    // One that was not borne below one that was is noise.
    assert_eq!(of(&[probe(90.0, false), probe(100.0, true)]).why, "no rate was too high");
    assert_eq!(of(&[]).judgement(), Judgement::Untested);
}

#[test]
fn a_wrong_or_missing_answer_refutes_and_is_shown() {
    let right = outcome(OperationKind::Get, 10, 1);
    let sound = answers(&[&right, &right]);
    assert!(sound.holds() && sound.why == "20 right answers; each was checked", "{sound:?}");
    let mut wrong = right.clone();
    (wrong.right, wrong.wrong) = (8, 2);
    wrong.examples = vec!["GET gave x".into(); 7];
    let claim = answers(&[&right, &wrong]);
    assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(2.0)));
    assert_eq!(claim.why, format!("18 right answers; {}", ["GET gave x"; 5].join("; ")));
    let mut failed = Outcome { due: 3, sent: 3, ..Outcome::default() };
    failed.errors.insert("OOM".into(), 3);
    let claim = answers(&[&failed]);
    assert_eq!(claim.judgement(), Judgement::Refuted, "nothing right, and something asked");
    assert!(claim.why.contains("3 x OOM"), "{}", claim.why);
    assert_eq!(answers(&[&Outcome::default()]).judgement(), Judgement::Untested);
}

fn counters(counts: &[(OperationKind, u64)]) -> Counters {
    let calls = |count| Calls { count, micros: 0, p99_micros: None };
    let commands: BTreeMap<OperationKind, Calls> =
        counts.iter().map(|(kind, count)| (*kind, calls(*count))).collect();
    Counters::of(commands)
}

#[test]
fn what_the_server_counted_must_be_what_was_sent_command_by_command() {
    let sent = [(OperationKind::Set, 5), (OperationKind::Get, 7)];
    let same = difference(&counters(&sent), &sent);
    assert!(same.holds() && same.why == "12 requests; command by command the same", "{same:?}");
    // Two that make up for each other do not.
    let off = difference(&counters(&[(OperationKind::Set, 6), (OperationKind::Get, 6)]), &sent);
    assert_eq!((off.judgement(), off.measured()), (Judgement::Refuted, Some(2.0)));
    assert_eq!(off.why, "12 requests; SET: 5 sent, 6 counted; GET: 7 sent, 6 counted");
    assert_eq!(difference(&counters(&[]), &sent).measured(), Some(12.0));
    assert_eq!(difference(&counters(&[]), &[(OperationKind::Set, 0)]).judgement(), Judgement::Untested);
}

fn measured(is_own: bool) -> Measured {
    Measured {
        cells: vec![
            cell(OperationKind::Set, 1, 500),
            Cell { connections: None, ..cell(OperationKind::Append, 1, 300) },
        ],
        paced: outcome(OperationKind::Get, 100, 1),
        probes: vec![probe(100.0, true)],
        weights: Vec::new(),
        // One of a probe.
        counters: counters(&[(OperationKind::Set, 501), (OperationKind::Get, 100)]),
        is_own,
    }
}

#[test]
fn everything_that_was_sent_is_counted_but_the_writers_scripts() {
    let mut sent = sent(&measured(true));
    sent.retain(|(_, count)| *count > 0);
    sent.sort_unstable();
    let mut due = vec![(OperationKind::Set, 501), (OperationKind::Get, 100)];
    due.sort_unstable();
    assert_eq!(sent, due);
    assert!(counted(&measured(true)).holds());
    let shared = counted(&measured(false));
    assert_eq!(shared.judgement(), Judgement::Untested);
    assert!(shared.why.ends_with("its counters differ by 0"), "{}", shared.why);
}

#[test]
fn every_claim_is_made_with_its_tables() {
    let mut profile = Profile::load("bluesky-8h").unwrap();
    profile.load = load();
    let claims = claims(&measured(true), &profile);
    let of = |id: &str| claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no {id}"));
    assert!(claims.iter().all(Judged::holds), "{claims:?}");
    assert_eq!(of("baseline.p50").required.to_bits(), 5.0_f64.to_bits());
    assert_eq!(of("baseline.p95").required.to_bits(), 50.0_f64.to_bits());
    assert_eq!((of("baseline.p95").evidence.len(), of("baseline.counted").evidence.len()), (1, 1));
    let notes = of("baseline.rate").evidence.iter();
    let notes: Vec<&Evidence> = notes.filter(|evidence| matches!(evidence, Evidence::Note { .. })).collect();
    assert_eq!(notes.len(), 1, "the writer has connections of its own");
    let tables = of("baseline.rate").evidence.iter().filter_map(|evidence| match evidence {
        Evidence::Table { title, .. } => Some(title.as_str()),
        _ => None,
    });
    let heads =
        ["Requests/s", "The same: half", "The same: 99", "The same: the longest", "What a value weighs"];
    for (title, head) in tables.clone().zip(heads) {
        assert!(title.starts_with(head), "{title}");
    }
    assert_eq!(tables.count(), heads.len());
}

#[test]
fn commands_that_nobody_gave_have_no_row() {
    let mut measured = measured(true);
    measured.counters =
        counters(&[(OperationKind::Set, 2), (OperationKind::Get, 1), (OperationKind::Del, 0)]);
    let Evidence::Table { rows, .. } = super::counters(&measured) else { panic!("a table") };
    let counted: Vec<[&str; 2]> = rows.iter().map(|row| [row[0].as_str(), row[1].as_str()]).collect();
    assert_eq!(counted.len(), 2, "{counted:?}");
    assert!(counted.contains(&["SET", "2"]) && counted.contains(&["GET", "1"]), "{counted:?}");
}

#[test]
fn a_table_has_a_row_an_operation_and_a_column_for_so_many_connections() {
    let cells = [
        cell(OperationKind::Set, 1, 500),
        cell(OperationKind::Set, 10, 600),
        cell(OperationKind::Get, 1, 700),
    ];
    let Evidence::Table { columns, rows, .. } = table(&cells, "t", &|cell| cell.outcome.right.to_string())
    else {
        panic!("a table")
    };
    assert_eq!(columns[..3], ["operation", "1 conn.", "10 conn."]);
    assert_eq!(rows, [["SET", "500", "600", "-", "-", "-"], ["GET", "700", "-", "-", "-", "-"]]);
}
