//! What is claimed of the baseline's controls: each is refuted by what was broken, and by nothing else.

use super::*;
use crate::claim::{Bound, Unit, Verdict};
use crate::on_own_server;
use forebay_rig::load::outcome::Figures;
use forebay_rig::load::payload::Source;
use forebay_watch::profile::Profile;

const IDS: [&str; 6] = ["rate", "p50", "p95", "saturation", "answers", "counted"];

/// A claim that holds where there is nothing of something.
fn claim(id: &str, found: f64) -> Judged {
    Judged::of(&format!("baseline.{id}"), 2, "s", (Bound::Exactly, 0.0, Unit::Count), found, id)
}

#[test]
fn each_claim_has_the_control_that_is_about_it() {
    let busy = ["rate", "p50", "saturation"].map(|id| claim(id, 1.0));
    let (changed, counted) = ([claim("answers", 1.0)], [claim("counted", 1.0)]);
    let paused = Control::when("paused", true, "");
    let claims = weighed(IDS.map(|id| claim(id, 0.0)).into(), &paused, [&busy, &changed, &counted]);
    let what: Vec<&str> = claims.iter().map(|claim| claim.control().unwrap().what.as_str()).collect();
    let busy = busy_words();
    assert_eq!(what[..4], [&*busy, &busy, "paused", &busy]);
    assert_eq!(what[4..], ["values overwritten behind the run's back", "7 commands of somebody else's"]);
    assert!(claims.iter().all(|claim| claim.verdict() == Verdict::Proven), "{claims:?}");
}

fn busy_words() -> String {
    busy(CONNECTIONS)
}

/// 3,000 requests, so many of which waited for 400 ms from when they were due, and so many from when they were sent.
fn paused_run(due: u64, sent: u64) -> Control {
    let mut figures = Figures::default();
    for at in 0..3_000 {
        figures.response.record(if at < due { 400_000_000 } else { 1_000_000 });
        figures.service.record(if at < sent { 400_000_000 } else { 1_000_000 });
    }
    let kinds = [(OperationKind::Set, figures)].into_iter().collect();
    let outcome = Outcome { due: 3_000, sent: 3_000, right: 3_000, kinds, ..Outcome::default() };
    let load = Load { p95_max: Duration::from_millis(100), ..Profile::load("bluesky-8h").unwrap().load };
    judged_pause(&outcome, &load)
}

#[test]
fn a_pause_must_show_from_when_requests_were_due_and_hardly_from_when_they_were_sent() {
    let control = paused_run(450, 10);
    assert!(control.is_refuted(), "{control:?}");
    assert!(
        control.what.starts_with("a server paused for 500 ms (SIGSTOP) at 1000 requests/s"),
        "{control:?}"
    );
    assert!(
        control.measured.starts_with("p95 400 ms: 450 of 3000 requests took over 50 ms"),
        "{}",
        control.measured
    );
    assert!(control.measured.ends_with("10 did, and p95 was 1.00 ms"), "{}", control.measured);
    assert!(!paused_run(449, 10).is_refuted(), "too few were late");
    assert!(
        paused_run(460, 115).is_refuted() && !paused_run(460, 116).is_refuted(),
        "a closed loop saw it as well"
    );
    assert!(!paused_run(100, 0).is_refuted(), "p95 is as it should be");
}

#[test]
#[ignore = "ten seconds of load: make mutants runs it"]
fn every_control_is_refuted_on_a_real_server() {
    let profile = Profile::load("bluesky-8h").unwrap();
    on_own_server(&profile, |on| {
        let payloads = Payloads::of(&Source::Events, 7).unwrap();
        let claims = attach(&on, &payloads, IDS.map(|id| claim(id, 0.0)).into()).unwrap();
        assert_eq!(claims.len(), IDS.len());
        assert!(claims.iter().all(|claim| claim.verdict() == Verdict::Proven), "{claims:#?}");
    });
}
