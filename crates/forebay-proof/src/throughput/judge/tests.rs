//! What is claimed of the throughput's judges: each figure decides where it should, and nothing tried is nothing shown.

use std::time::Duration;

use super::*;
use crate::claim::Judgement;
use crate::ledger::Findings;
use forebay_rig::load::latency::Latency;
use forebay_rig::load::outcome::{Figures, Second};
use forebay_rig::load::pattern::Pattern;
use forebay_rig::load::work::OperationKind;
use forebay_watch::profile::Load;

/// A profile of 100 requests a second for 20 seconds, half of which may take 5 ms, and 95 of 100 take 50.
fn profile() -> Profile {
    let mut profile = Profile::load("bluesky-8h").unwrap();
    let ms = Duration::from_millis;
    profile.load = Load {
        rate: 100.0,
        duration: Duration::from_secs(20),
        p50_max: ms(5),
        p95_max: ms(50),
        p99_max: ms(100),
    };
    profile
}

/// A run in which so many requests were answered rightly in each second, each after so many milliseconds.
fn outcome(by_second: &[u64], ms: u64) -> Outcome {
    let right: u64 = by_second.iter().sum();
    let due = 100 * by_second.len() as u64;
    let mut figures = Figures { sent: due, right, ..Figures::default() };
    (0..right).for_each(|_| figures.response.record(ms * 1_000_000));
    let second = |(at, right): (usize, &u64)| Second {
        at: at as f64 + 1.0,
        right: *right,
        p99: ms as f64,
        ..Second::default()
    };
    Outcome {
        paced: true,
        asked_seconds: by_second.len() as f64,
        seconds: by_second.len() as f64,
        due,
        sent: due,
        right,
        unanswered: due - right.min(due),
        kinds: [(OperationKind::Set, figures)].into_iter().collect(),
        series: by_second.iter().enumerate().map(second).collect(),
        ..Outcome::default()
    }
}

/// Operations and events as even as can be, all of them read.
fn held(by_second: &[u64], ms: u64) -> CombinedResult {
    let events = outcome(by_second, ms);
    let findings = Findings {
        offered: events.right,
        acknowledged: events.right,
        read: events.right,
        ..Findings::default()
    };
    let operations = outcome(by_second, ms);
    CombinedResult {
        pattern: Pattern::Constant,
        operations,
        events,
        findings,
        faults: Vec::new(),
        behind: Vec::new(),
    }
}

fn even() -> CombinedResult {
    held(&[100; 20], 2)
}

/// What is judged of runs, by the last part of a claim's id.
fn judged(held: &[CombinedResult], id: &str) -> Judged {
    let id = format!("throughput.{id}");
    claims(held, &profile()).into_iter().find(|claim| claim.id == id).expect("such a claim")
}

fn says(held: &[CombinedResult], id: &str) -> Judgement {
    judged(held, id).judgement()
}

const ALL: [&str; 8] = ["rate.constant", "p50", "p95", "stable", "fading", "backlog", "answers", "identical"];

#[test]
fn an_even_run_of_the_whole_time_holds_in_everything() {
    for id in ALL {
        assert_eq!(says(&[even()], id), Judgement::Holds, "{id}");
    }
    assert_eq!(claims(&[even()], &profile()).len(), ALL.len());
    assert!(claims(&[], &profile()).is_empty());
    let rate = judged(&[even()], "rate.constant");
    assert_eq!((rate.measured(), rate.evidence.len()), (Some(100.0), 2));
    assert!(rate.statement.contains("99.9 of 100"), "{}", rate.statement);
    assert_eq!(rate.why, "2,000 of 2,000 operations (100/s) and 2,000 of 2,000 events (100/s)");
    assert_eq!(judged(&[even()], "p95").evidence.len(), 1);
    assert!(judged(&[even()], "p50").evidence.is_empty());
}

#[test]
fn nothing_that_was_never_due_or_acknowledged_holds() {
    let none = CombinedResult {
        operations: Outcome { asked_seconds: 20.0, seconds: 20.0, ..Outcome::default() },
        events: Outcome { asked_seconds: 20.0, seconds: 20.0, ..Outcome::default() },
        findings: Findings::default(),
        ..even()
    };
    for id in ALL {
        assert_eq!(says(&[none_of(&none)], id), Judgement::Untested, "{id}");
    }
    let without_events =
        CombinedResult { events: none.events.clone(), findings: Findings::default(), ..even() };
    for id in ["rate.constant", "backlog", "identical"] {
        assert_eq!(says(&[none_of(&without_events)], id), Judgement::Untested, "{id}");
    }
}

fn none_of(held: &CombinedResult) -> CombinedResult {
    CombinedResult {
        pattern: held.pattern.clone(),
        operations: held.operations.clone(),
        events: held.events.clone(),
        findings: held.findings,
        faults: Vec::new(),
        behind: Vec::new(),
    }
}

#[test]
fn what_ran_for_less_than_the_time_is_untested_and_what_failed_in_it_refuted() {
    let short = || held(&[100; 10], 2);
    for id in ["rate.constant", "p50", "p95", "stable", "fading"] {
        let claim = judged(&[short()], id);
        assert_eq!(claim.judgement(), Judgement::Untested, "{id}");
        assert!(claim.why.starts_with("it ran for 10.0 s of 20.0 s, in which: "), "{}", claim.why);
    }
    for id in ["backlog", "answers", "identical"] {
        assert_eq!(says(&[short()], id), Judgement::Holds, "{id}");
    }
    assert_eq!(says(&[held(&[100; 10], 60)], "p95"), Judgement::Refuted);
    // A hair less than the time is the time.
    let mut nearly = even();
    nearly.operations.asked_seconds = 19.99;
    assert_eq!(says(&[nearly], "p50"), Judgement::Holds);
    // A run of a second has nothing to compare.
    for id in ["stable", "fading"] {
        assert_eq!(judged(&[held(&[100], 2)], id).why, TOO_SHORT);
        assert_ne!(judged(&[held(&[100, 100], 2)], id).why, TOO_SHORT);
    }
}

#[test]
fn a_rate_is_held_where_999_of_1000_are_answered_rightly_in_time() {
    let mut seconds = [100; 20];
    seconds[3] = 98;
    assert_eq!(says(&[held(&seconds, 2)], "rate.constant"), Judgement::Holds, "two of 2,000");
    seconds[3] = 97;
    let short = judged(&[held(&seconds, 2)], "rate.constant");
    assert_eq!(short.judgement(), Judgement::Refuted);
    assert!(short.why.contains("; "), "it says what was missed: {}", short.why);
    // The worse of operations and events decides.
    for part in [0, 1] {
        let mut one = even();
        *(if part == 0 { &mut one.operations } else { &mut one.events }) = outcome(&seconds, 2);
        assert_eq!(says(&[one], "rate.constant"), Judgement::Refuted);
    }
    // What came after the time counts as long as it came soon: by the profile's line for operations, a second for events.
    let late = |operations: f64, events: f64| {
        let mut late = even();
        // Not in its last second, but after it.
        for (outcome, by) in [(&mut late.operations, operations), (&mut late.events, events)] {
            outcome.series[19].right = 0;
            outcome.seconds = 20.0 + by;
        }
        says(&[late], "rate.constant")
    };
    assert_eq!(late(0.04, 0.9), Judgement::Holds);
    assert_eq!(late(0.06, 0.9), Judgement::Refuted);
    assert_eq!(late(0.04, 1.1), Judgement::Refuted);
}

#[test]
fn the_slowest_pattern_decides_on_latency() {
    let slow = || CombinedResult { pattern: Pattern::Poisson, ..held(&[100; 20], 7) };
    let claim = judged(&[even(), slow()], "p50");
    assert_eq!((claim.judgement(), claim.why.as_str()), (Judgement::Refuted, "the most was under poisson"));
    assert!(claim.measured().is_some_and(|ms| (6.9..7.1).contains(&ms)), "{:?}", claim.measured());
    assert!(
        claim.statement.contains("(2 patterns) 50 of 100 operations take at most 5 ms"),
        "{}",
        claim.statement
    );
    assert_eq!(says(&[even(), slow()], "p95"), Judgement::Holds);
    assert_eq!(says(&[even(), held(&[100; 10], 2)], "p50"), Judgement::Untested, "the shortest run decides");
    let Some(Evidence::Table { rows, .. }) = judged(&[even(), slow()], "p95").evidence.pop() else {
        panic!("no table")
    };
    assert_eq!(rows[1][..4], ["poisson", "100", "7.00", "7.00"]);
}

#[test]
fn what_strays_by_more_than_5_percent_is_not_stable() {
    let seconds = |off: u64| [100 - off, 100 + off].repeat(10);
    assert_eq!(says(&[held(&seconds(5), 2)], "stable"), Judgement::Holds);
    let strays = judged(&[held(&seconds(6), 2)], "stable");
    assert_eq!(strays.judgement(), Judgement::Refuted);
    assert!(strays.measured().is_some_and(|percent| (percent - 6.0).abs() < 1e-9), "{:?}", strays.measured());
    assert!(strays.why.starts_with("94 to 106 answers a second; "), "{}", strays.why);
    // Of another pattern nothing is said.
    let poisson = CombinedResult { pattern: Pattern::Poisson, ..held(&seconds(6), 2) };
    assert!(claims(&[poisson], &profile()).iter().all(|claim| claim.id != "throughput.stable"));
}

#[test]
fn a_slope_is_that_of_the_line() {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(near(slope(&[1.0, 3.0, 5.0]), 2.0) && near(slope(&[5.0, 4.0, 3.0, 2.0]), -1.0));
    assert!(near(slope(&[0.0, 4.0, 2.0]), 1.0));
    assert!(near(slope(&[7.0]), 0.0) && near(slope(&[]), 0.0) && near(slope(&[2.0, 2.0]), 0.0));
    let rising: Vec<u64> = (0..20).map(|second| 100 + second).collect();
    let claim = judged(&[held(&rising, 2)], "stable");
    // By one a second in 20 s, of 109.5 on the mean.
    assert!(claim.why.ends_with("runs by +18.265 % of the rate from start to end"), "{}", claim.why);
}

#[test]
fn what_is_gone_by_the_end_fades() {
    let with_last = |last: u64| {
        let mut seconds = [200; 20];
        seconds[18..].fill(last);
        judged(&[held(&seconds, 2)], "fading")
    };
    assert_eq!(with_last(198).judgement(), Judgement::Holds);
    let fades = with_last(197);
    assert_eq!((fades.judgement(), fades.measured()), (Judgement::Refuted, Some(1.5)));
    let why =
        "200.0 answers/s in the first tenth, 197.0 in the last; p99 of the middle second 2.00 ms and 2.00 ms";
    assert_eq!(fades.why, why);
    // Only a tenth of each end counts.
    let mut dip = [200; 20];
    dip[2..18].fill(100);
    assert_eq!(says(&[held(&dip, 2)], "fading"), Judgement::Holds);
    // Of a time that no ten divide, what is whole of it.
    let mut odd = [200; 29];
    odd[27..].fill(180);
    assert_eq!(judged(&[held(&odd, 2)], "fading").measured(), Some(10.0));
    let mut slow_end = even();
    slow_end.operations.series[18].p99 = 9.0;
    slow_end.operations.series[19].p99 = 11.0;
    assert!(judged(&[slow_end], "fading").why.ends_with("2.00 ms and 11.00 ms"));
}

#[test]
fn whatever_is_left_over_at_the_end_refutes() {
    type Breaks = fn(&mut CombinedResult);
    let breaks: [Breaks; 5] = [
        |held| held.operations.sent -= 1,
        |held| held.operations.unanswered = 1,
        |held| held.events.sent -= 1,
        |held| held.events.unanswered = 1,
        |held| held.findings.lost_tail = 1,
    ];
    for breaks in breaks {
        let mut left = even();
        breaks(&mut left);
        let claim = judged(&[even(), left], "backlog");
        assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(1.0)));
    }
    let mut behind = even();
    (behind.behind, behind.operations.backlog_max) = (vec![(1.0, 7.0), (2.0, 3.0)], 5);
    let why = "meanwhile at most 5 operations were due and not sent, and 7 acknowledged events not yet read";
    assert_eq!(judged(&[even(), behind], "backlog").why, why);
    for part in [0, 1] {
        let mut cut = even();
        (if part == 0 { &mut cut.operations } else { &mut cut.events }).interrupted = true;
        assert_eq!(judged(&[cut], "backlog").why, "the run was interrupted before its end");
    }
}

#[test]
fn a_wrong_answer_refutes_and_is_shown() {
    let mut wrong = even();
    (wrong.operations.wrong, wrong.operations.right) = (1, 1_999);
    wrong.operations.examples.push("GET gave x".into());
    let claim = judged(&[even(), wrong], "answers");
    assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(1.0)));
    assert_eq!(claim.why, "3,999 right answers; GET gave x");
    assert_eq!(judged(&[even()], "answers").why, "2,000 right answers; each was checked");
    let mut none_right = even();
    (none_right.operations.right, none_right.operations.wrong) = (0, 2_000);
    assert_eq!(
        says(&[none_right], "answers"),
        Judgement::Refuted,
        "that nothing is right is no lack of answers"
    );
    let mut failed = even();
    failed.operations.errors.insert("OOM".into(), 3);
    assert!(judged(&[failed], "answers").why.ends_with("; 3 x OOM"));
}

#[test]
fn what_the_group_does_not_get_once_and_the_same_refutes() {
    let mut lost = even();
    (lost.findings.lost_middle, lost.findings.read) = (2, 1_998);
    let claim = judged(&[even(), lost], "identical");
    assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(2.0)));
    assert!(claim.why.starts_with("of 2,000 acknowledged 2 are lost"), "{}", claim.why);
    let foreign = CombinedResult { faults: vec!["a foreign entry".into()], ..even() };
    let claim = judged(&[foreign], "identical");
    assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(1.0)));
    assert!(claim.why.contains("the group came upon 1 entries"), "{}", claim.why);
    assert_eq!(claim.evidence, [Evidence::Note { text: "a foreign entry".into() }]);
    let sound = judged(&[even(), even()], "identical");
    assert_eq!(
        sound.why,
        "4,000 events acknowledged, each read by the group once, the same bytes, in its lane's order"
    );
    let many = CombinedResult { faults: vec!["x".into(); 30], ..even() };
    assert_eq!(judged(&[many], "identical").evidence.len(), FAULTS_SHOWN);
}

#[test]
fn charts_show_what_was_answered_and_only_within_the_time() {
    let mut late = even();
    late.operations.series.push(Second { at: 20.7, right: 9, ..Second::default() });
    let Evidence::Chart { series, title, .. } = over_time(&late) else { panic!("a chart") };
    assert_eq!((title.as_str(), series.len()), ("Rate over time, constant", 3));
    assert_eq!(series[0].points.len(), 20);
    assert_eq!((series[0].points[0], series[2].dashed), ((1.0, 100.0), true));
    let Evidence::Chart { series, .. } = percentiles(&even()) else { panic!("a chart") };
    let p50 = |latency: &Latency| latency.curve().iter().find(|point| point.0 >= 50.0).copied();
    assert_eq!(
        series[0].points.iter().find(|point| point.0 >= 50.0).copied(),
        p50(&even().operations.response())
    );
}
