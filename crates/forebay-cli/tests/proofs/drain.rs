//! What is claimed of the proofs of drain and chain as they are run: they stand in the report with their controls, and on the last
//! screen.

use forebay_proof::claim::{Claim, Control, Verdict};
use forebay_proof::report::terminal;

use crate::cli_support::run;
use crate::external_server::report;

#[test]
fn faults_of_drain_and_chain_are_proven_beside_controls_and_stand_on_the_last_screen() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let fixed =
        ["prove", "--only", "ingest,drain,chain", "--scale", "smallest", "--json", "--quiet", "--out", out];
    let ran = run(&[&fixed[..], &["--fault", "older-log,two-drains,ingest-restarted"]].concat());
    let report = report(&ran);
    // Of the ingest none was asked for.
    let ids: Vec<&str> = report.claims.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!(ids, ["drain.older-log", "drain.two-drains", "chain.ingest-restarted"]);
    for claim in &report.claims {
        assert_eq!((claim.verdict(), claim.measured()), (Verdict::Proven, Some(0.0)), "{claim:?}");
        assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
    }
    let screen = terminal::render(&report, 80, false);
    let (_, last) = screen.split_once("Drain: events lost or twice").unwrap();
    let (drain, chain) = last.split_once("Chain: events lost or twice").unwrap();
    assert!(drain.contains("2 of 2 faults tried: none"), "{drain}");
    assert!(chain.contains("1 of 1 faults tried: none"), "{chain}");
}

#[test]
#[ignore = "nightly"]
fn nightly_every_event_is_in_the_files_once_in_fifty_rounds_of_each_fault() {
    let since = std::time::Instant::now();
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let ran = run(&["prove", "--only", "drain,chain", "--scale", "full", "--json", "--quiet", "--out", out]);
    let report = report(&ran);
    println!("nightly drain: {} claims in {:.1} s", report.claims.len(), since.elapsed().as_secs_f64());
    for claim in &report.claims {
        let control = claim.control().map_or("no control", |control| control.measured.as_str());
        println!("{} {}: {} | control: {control}", claim.verdict().word(), claim.id, claim.why);
    }
    let is_right = |claim: &Claim| claim.verdict() == Verdict::Proven && !claim.missed_its_control();
    assert!(report.claims.iter().all(is_right));
}
