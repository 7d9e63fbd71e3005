//! What is claimed of the failover proof as it is run: it stands in the report with its controls, and on the last screen.

use forebay_proof::claim::{Claim, Control, Verdict};
use forebay_proof::report::terminal;

use crate::cli_support::{run, said};
use crate::external_server::report;

#[test]
fn faults_of_a_cluster_are_proven_beside_controls_and_stand_on_the_last_screen() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let fixed = ["failover", "--scale", "smallest", "--json", "--quiet", "--out", out];
    let ran = run(&[&fixed[..], &["--fault", "cut-off,moved"]].concat());
    let report = report(&ran);
    let ids: Vec<&str> = report.claims.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!(ids, ["failover.replica", "failover.tail", "failover.once", "failover.recovery"]);
    for claim in &report.claims {
        assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
        // A machine that is too busy to time anything says so.
        let is_busy = claim.id == "failover.recovery" && claim.why.contains("too busy");
        assert!(claim.verdict() == Verdict::Proven || is_busy, "{claim:?}");
    }
    let screen = terminal::render(&report, 80, false);
    let (_, last) = screen.split_once("Failover: acknowledged events lost").unwrap();
    assert!(last.contains("3 of 3 claims tried: none"), "{last}");
}

#[test]
fn clusters_of_others_are_left_alone() {
    let text = said(&["failover", "--url", "redis+cluster://127.0.0.1:1", "--allow-load"], 2);
    assert!(text.contains("leave --url and FOREBAY_URL out"), "{text}");
}

#[test]
#[ignore = "nightly"]
fn nightly_masters_of_clusters_fail_in_fifty_rounds_of_each_fault() {
    let since = std::time::Instant::now();
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let report = report(&run(&["failover", "--scale", "full", "--json", "--quiet", "--out", out]));
    println!("nightly failover: {} claims in {:.1} s", report.claims.len(), since.elapsed().as_secs_f64());
    for claim in &report.claims {
        let control = claim.control().map_or("no control", |control| control.measured.as_str());
        println!("{} {}: {} | control: {control}", claim.verdict().word(), claim.id, claim.why);
    }
    let is_right = |claim: &Claim| claim.verdict() == Verdict::Proven && !claim.missed_its_control();
    assert!(report.claims.iter().all(is_right));
}
