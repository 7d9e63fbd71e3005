//! What is claimed of the monitoring's judges: each figure decides where it should, and nothing tried is nothing shown.

use std::time::Instant;

use super::super::causes::FILL;
use super::super::received_alerts::heard;
use super::*;
use crate::claim::{Judgement, Verdict};
use forebay_watch::deploy::rules::rules;
use forebay_watch::profile::{self, Profile};

const STOPS: &str = "the writer stops";
const STOPPED: &str = "ForebayWriterStopped";
const KILLED: &str = "the reader is killed";

/// A cause that brought its alert, and what the broken one heard of it: nothing that is resolved, and noise.
fn both(name: &str, alerts: &[&str]) -> Both {
    let came: Vec<(u64, &str, bool)> =
        alerts.iter().flat_map(|alert| [(5, *alert, true), (23, *alert, false)]).collect();
    let mut broken: Vec<(u64, &str, bool)> =
        alerts.iter().filter(|alert| **alert != DEAF).map(|alert| (6, *alert, true)).collect();
    broken.push((1, NOISE, true));
    Both { heard: heard(name, &came), by_broken: heard(name, &broken) }
}

fn firing(alert: &str) -> Notice {
    Notice { at: Instant::now(), alert: alert.into(), instance: String::new(), is_firing: true }
}

fn query(always: bool) -> Query {
    Query { dashboard: "Buffer", panel: "events", expr: "x".into(), always }
}

/// Two causes that brought their alerts, and no more; everything else as it should be.
fn sound() -> Played {
    let calm = |notices| QuietRig { seconds: 60.0, events: 6_000.0, notices };
    Played {
        causes: vec![both(STOPS, &[STOPPED]), both(KILLED, &["ForebayReaderStopped", "ForebayReaderBehind"])],
        shrinking: None,
        left_out: Vec::new(),
        queries: vec![(query(true), 2), (query(false), 0)],
        nobody: 0,
        calm: [calm(Vec::new()), calm(vec![firing(NOISE)])],
        of_none: Vec::new(),
        rules: rules(&Profile::load(profile::DEFAULT).unwrap(), 240.0),
    }
}

fn claim(played: &Played, id: &str) -> Claim {
    claims(played).into_iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no claim {id}"))
}

#[test]
fn what_was_tried_is_proven_and_the_rest_of_the_alerts_is_untested_by_name() {
    let played = sound();
    for id in [FIRES, CLEARS, ALONE, HEALTHY, QUERIES] {
        assert_eq!(claim(&played, id).verdict(), Verdict::Proven, "{:?}", claim(&played, id));
    }
    let total = played.rules.len();
    let fires = claim(&played, FIRES);
    assert_eq!(fires.statement, format!("3 of {total} alerts fire by their causes: those that did not"));
    assert!(
        fires.why.starts_with("3 tries by 2 causes, the slowest, ") && fires.why.ends_with("after 5 s"),
        "{}",
        fires.why
    );
    let clears = claim(&played, CLEARS);
    assert!(clears.statement.starts_with(&format!("3 of {total} alerts last as long as their causes")));
    assert!(clears.why.ends_with("was resolved 3 s after its cause"), "{}", clears.why);
    assert!(claim(&played, ALONE).statement.starts_with("while 2 causes are brought about"));
    let rest = claim(&played, THE_REST);
    assert_eq!((rest.verdict(), rest.test_with()), (Verdict::Untested, Some("forebay monitoring")));
    assert!(rest.statement.starts_with(&format!("the other {} alerts", total - 3)), "{}", rest.statement);
    assert!(rest.why.contains("ForebayServerDown") && !rest.why.contains(STOPPED), "{}", rest.why);
    let left_out = Played { left_out: vec![("the disk is slow", "no FUSE".into())], ..sound() };
    let rest = claim(&left_out, THE_REST);
    assert!(rest.why.ends_with("; the disk is slow: no FUSE"), "{}", rest.why);
    assert_eq!(rest.test_with(), Some("forebay monitoring, by root or with fuse3"));
    let mut whole = sound();
    whole
        .rules
        .retain(|rule| [STOPPED, "ForebayReaderStopped", "ForebayReaderBehind"].contains(&&*rule.name));
    assert!(claims(&whole).iter().all(|claim| claim.id != THE_REST));
}

#[test]
fn nothing_tried_is_nothing_proven() {
    let calm = QuietRig { seconds: 60.0, events: 0.0, notices: Vec::new() };
    for judged in
        [fires(&[], 28), clears(&[], 28), alone(&[], &[]), healthy(&calm), queries(&[]), forecast(&[])]
    {
        assert_eq!(judged.judgement(), Judgement::Untested, "{judged:?}");
        assert!(!judged.statement.contains("28"), "{}", judged.statement);
    }
    assert_eq!(queries(&[(query(false), 0)]).judgement(), Judgement::Untested, "none that must have data");
    let told = queries(&[(query(true), 2), (query(true), 1), (query(false), 0)]).why;
    assert!(told.contains("2 of 3 queries have data"), "{told}");
    assert_eq!(untested("no prometheus").len(), 7);
    for claim in untested("no prometheus") {
        assert_eq!((claim.verdict(), claim.why.as_str()), (Verdict::Untested, "no prometheus"));
    }
}

#[test]
fn an_alert_that_does_not_come_or_does_not_go_refutes_and_is_named() {
    let mut played = sound();
    played.causes[0].heard = heard(STOPS, &[]);
    let fires = claim(&played, FIRES);
    assert_eq!((fires.verdict(), fires.measured()), (Verdict::Refuted, Some(1.0)));
    assert_eq!(fires.why, format!("{STOPPED} did not fire when {STOPS}"));
    // It cannot clear either, and says nothing of that.
    assert_eq!(claim(&played, CLEARS).verdict(), Verdict::Proven);
    played.causes[0].heard = heard(STOPS, &[(5, STOPPED, true)]);
    assert_eq!(claim(&played, CLEARS).why, format!("{STOPPED} still fires after {STOPS}"));
    played.causes[0].heard = heard(STOPS, &[(5, STOPPED, true), (12, STOPPED, false)]);
    let early = claim(&played, CLEARS);
    assert_eq!((early.verdict(), early.measured()), (Verdict::Refuted, Some(1.0)));
    assert_eq!(early.why, format!("{STOPPED} no longer fired when it was over that {STOPS}"));
}

#[test]
fn an_alert_without_a_cause_refutes_wherever_it_came() {
    let mut played = sound();
    played.causes[0].heard.notices.push(firing("ForebayKeysEvicted"));
    let alone = claim(&played, ALONE);
    assert_eq!((alone.verdict(), alone.why), (Verdict::Refuted, format!("ForebayKeysEvicted when {STOPS}")));
    let of_none = Played { of_none: vec![firing("ForebayWatchBlind")], ..sound() };
    assert_eq!(claim(&of_none, ALONE).why, "ForebayWatchBlind about no watch at all");
    let mut played = sound();
    played.calm[0].notices.push(firing("ForebaySlowWarning"));
    let healthy = claim(&played, HEALTHY);
    assert_eq!((healthy.verdict(), healthy.measured()), (Verdict::Refuted, Some(1.0)));
    assert!(healthy.why.contains("in 60 s, in which 6000 events"), "{}", healthy.why);
    let mut resolved = firing("ForebaySlowWarning");
    resolved.is_firing = false;
    played.calm[0].notices = vec![resolved];
    assert_eq!(claim(&played, HEALTHY).verdict(), Verdict::Proven);
}

#[test]
fn a_query_that_must_have_data_and_has_none_refutes() {
    let played = Played { queries: vec![(query(true), 2), (query(true), 0), (query(false), 0)], ..sound() };
    let queries = claim(&played, QUERIES);
    assert_eq!((queries.verdict(), queries.measured()), (Verdict::Refuted, Some(1.0)));
    assert_eq!(queries.why, "Buffer, events: x");
    let sound = claim(&sound(), QUERIES);
    assert!(sound.statement.starts_with("1 queries") && sound.why.starts_with("1 of 2 queries"), "{sound:?}");
}

#[test]
fn each_control_must_have_been_met_by_what_was_broken() {
    type Mends = fn(&mut Played);
    let mended: [(&str, Mends); 5] = [
        // A broken one that hears everything, or nothing.
        (FIRES, |played| played.causes[0].by_broken = heard(STOPS, &[(6, STOPPED, true)])),
        (CLEARS, |played| {
            for both in &mut played.causes {
                both.by_broken = heard(both.heard.cause.name, &[]);
                both.by_broken.notices.clone_from(&both.heard.notices);
                both.by_broken.undone = both.heard.undone;
                both.by_broken.started = both.heard.started;
            }
        }),
        (ALONE, |played| played.causes.iter_mut().for_each(|both| both.by_broken.notices.clear())),
        (HEALTHY, |played| played.calm[1].notices.clear()),
        (QUERIES, |played| played.nobody = 1),
    ];
    for (id, mend) in mended {
        let mut played = sound();
        mend(&mut played);
        let claim = claim(&played, id);
        assert!(claim.missed_its_control(), "{id}: {claim:?}");
    }
    let mut silent = sound();
    silent.causes.iter_mut().for_each(|both| both.by_broken.notices.clear());
    assert_ne!(
        claim(&silent, FIRES).verdict(),
        Verdict::Proven,
        "what hears nothing at all is not deaf to one"
    );
    assert_ne!(claim(&silent, CLEARS).verdict(), Verdict::Proven);
}

/// Forecasts: after so many seconds, so many seconds were said to be left, and were.
fn forecasts(all: &[(u64, f64, u64)]) -> Vec<(Duration, f64, Duration)> {
    let seconds = Duration::from_secs;
    all.iter().map(|(after, says, left)| (seconds(*after), *says, seconds(*left))).collect()
}

#[test]
fn a_forecast_is_judged_from_a_minute_on_and_until_shortly_before_the_end() {
    let judged = |all: &[(u64, f64, u64)]| forecast(&forecasts(all));
    let right = judged(&[(59, 900.0, 61), (60, 54.0, 50), (80, 30.0, 30), (96, 9.0, 14)]);
    assert_eq!(right.judgement(), Judgement::Holds, "{right:?}");
    assert!(right.measured().is_some_and(|percent| (percent - 8.0).abs() < 1e-9), "{right:?}");
    assert!(right.why.starts_with("2 forecasts on a steady fill; 60 s after it began"), "{}", right.why);
    assert!(right.why.ends_with("full in 54 s, and was in 50 s"), "{}", right.why);
    assert_eq!(judged(&[(60, 56.0, 50)]).judgement(), Judgement::Refuted);
    assert_eq!(judged(&[(60, 44.0, 50)]).judgement(), Judgement::Refuted);
    assert_eq!(judged(&[(60, f64::INFINITY, 50)]).judgement(), Judgement::Refuted);
    assert_eq!(judged(&[(95, 30.0, 15)]).judgement(), Judgement::Refuted);
    for early_or_late in [(59, 50.0, 50), (96, 50.0, 14)] {
        assert_eq!(judged(&[early_or_late]).judgement(), Judgement::Untested);
    }
}

#[test]
fn a_forecast_is_proven_beside_a_fill_on_which_it_is_wrong() {
    let with = |says: f64| {
        let mut both = both(FILL, &[]);
        both.heard.forecasts = forecasts(&[(60, says, 50)]);
        both
    };
    let claim = |shrinking: Option<Both>| forecast_of(&[with(50.0)], shrinking.as_ref());
    let proven = claim(Some(with(80.0)));
    assert_eq!((proven.verdict(), proven.evidence.len()), (Verdict::Proven, 1));
    let Evidence::Chart { series, .. } = &proven.evidence[0] else { panic!("a chart") };
    assert_eq!((series[0].points[0], series[1].points[0]), ((60.0, 50.0), (60.0, 50.0)));
    assert!(claim(Some(with(50.0))).missed_its_control());
    assert_eq!(claim(None).verdict(), Verdict::Untested);
    let none = forecast_of(&[], Some(&with(80.0)));
    assert!(none.verdict() == Verdict::Untested && none.evidence.is_empty(), "{none:?}");
}

#[test]
fn a_table_has_a_row_for_each_alert_of_each_cause() {
    let played = sound();
    let fires = claim(&played, FIRES);
    let Some(Evidence::Table { rows, .. }) = fires.evidence.first() else { panic!("a table") };
    assert_eq!(rows[0], [STOPS, STOPPED, "5.0", "3.0"]);
    assert_eq!(rows.len(), 3);
}
