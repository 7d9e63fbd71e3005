//! What is claimed of the throughput's controls: each is refuted by what was broken.

use super::*;
use crate::claim::{Bound, Unit, Verdict};
use crate::on_own_server;

const IDS: [&str; 9] =
    ["rate.constant", "rate.poisson", "p50", "p95", "backlog", "stable", "fading", "answers", "identical"];

/// A claim that holds where there is nothing of something.
fn claim(id: &str, found: f64) -> Judged {
    Judged::of(&format!("throughput.{id}"), 8, "s", (Bound::Exactly, 0.0, Unit::Count), found, id)
}

#[test]
fn each_claim_has_the_control_that_is_about_it() {
    let slow = ["rate.constant", "p50", "p95", "backlog"].map(|id| claim(id, 1.0));
    let paused = ["stable", "fading", "answers", "identical"].map(|id| claim(id, 1.0));
    let claims = weighed(IDS.map(|id| claim(id, 0.0)).into(), &slow, &paused);
    assert!(claims.iter().all(|claim| claim.verdict() == Verdict::Proven), "{claims:?}");
    let what = |at: usize| claims[at].control().unwrap().what.clone();
    assert!((0..5).all(|at| what(at) == busy(CONNECTIONS)));
    assert!(what(5).contains("SIGSTOP") && what(6).contains("SIGSTOP"));
    assert_eq!(
        (&*what(7), &*what(8)),
        ("values overwritten behind the run's back", "an entry of somebody else's in a lane")
    );
}

#[test]
#[ignore = "ten seconds of load: make mutants runs it"]
fn every_control_is_refuted_on_a_real_server() {
    let profile = Profile::load("bluesky-8h").unwrap();
    on_own_server(&profile, |on| {
        let claims = attach(&on, &AtomicBool::new(false), IDS.map(|id| claim(id, 0.0)).into()).unwrap();
        assert_eq!(claims.len(), IDS.len());
        assert!(claims.iter().all(|claim| claim.verdict() == Verdict::Proven), "{claims:#?}");
    });
}
