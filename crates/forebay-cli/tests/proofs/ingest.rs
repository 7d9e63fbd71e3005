//! What is claimed of the ingest proof as it is run: it stands in the report with its controls, and on the last screen.

use forebay_proof::claim::{Claim, Control, Verdict};
use forebay_proof::report::terminal;

use crate::cli_support::{run, run_at_once};
use crate::external_server::report;

#[test]
fn a_fault_of_a_source_is_proven_beside_a_control_and_stands_on_the_last_screen() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let fixed = ["prove", "--only", "ingest", "--scale", "smallest", "--json", "--quiet", "--out", out];
    let ran = run(&[&fixed[..], &["--fault", "drop"]].concat());
    let report = report(&ran);
    let claim = report.claims.iter().find(|claim| claim.id == "ingest.drop").unwrap();
    assert_eq!((claim.verdict(), claim.measured()), (Verdict::Proven, Some(0.0)), "{claim:?}");
    assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
    let screen = terminal::render(&report, 80, false);
    let (_, last) = screen.split_once("Ingest: events lost or twice").unwrap();
    assert!(last.contains("1 of 1 faults tried: none"), "{last}");
}

#[test]
#[ignore = "nightly"]
fn nightly_every_fault_is_survived_and_every_control_is_refuted() {
    let since = std::time::Instant::now();
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let mut arguments = vec!["prove", "--only", "ingest", "--json", "--quiet", "--out", out];
    // Some of them: `FOREBAY_INGEST=drop,reset`.
    let only = std::env::var("FOREBAY_INGEST").unwrap_or_default();
    only.split(',').filter(|fault| !fault.is_empty()).for_each(|fault| {
        arguments.extend(["--fault", fault]);
    });
    let report = report(&run(&arguments));
    println!("nightly ingest: {} claims in {:.1} s", report.claims.len(), since.elapsed().as_secs_f64());
    for claim in &report.claims {
        let control = claim.control().map_or("no control", |control| control.measured.as_str());
        println!("{} {}: {} | control: {control}", claim.verdict().word(), claim.id, claim.why);
    }
    // Some faults alone leave claims untested.
    let is_wrong = |claim: &Claim| claim.verdict() == Verdict::Refuted || claim.missed_its_control();
    assert!(!report.claims.iter().any(is_wrong));
}

#[test]
fn a_fault_that_is_unknown_is_refused() {
    let ran = run_at_once(&["prove", "--only", "ingest", "--fault", "no-such"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no-such"), "{}", ran.err);
}
