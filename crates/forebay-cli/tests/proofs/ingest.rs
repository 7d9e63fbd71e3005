//! What is claimed of the ingest proof as it is run: it stands in the report with its controls, and on the last screen.

use forebay_proof::claim::{Control, Verdict};
use forebay_proof::report::terminal;

use crate::cli_support::run;
use crate::external_server::report;

#[test]
fn a_fault_of_a_source_is_proven_beside_a_control_and_stands_on_the_last_screen() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let ran =
        run(&["prove", "--only", "ingest", "--ingest-fault", "drop", "--json", "--quiet", "--out", out]);
    let report = report(&ran);
    let claim = report.claims.iter().find(|claim| claim.id == "ingest.drop").unwrap();
    assert_eq!((claim.verdict(), claim.measured()), (Verdict::Proven, Some(0.0)), "{claim:?}");
    assert!(claim.control().is_some_and(Control::is_refuted), "{claim:?}");
    let screen = terminal::render(&report, 80, false);
    let (_, last) = screen.split_once("Ingest: events lost or twice").unwrap();
    assert!(last.contains("1 of 1 faults tried: none"), "{last}");
}

#[test]
fn a_fault_that_is_unknown_is_refused() {
    let ran = run(&["prove", "--only", "ingest", "--ingest-fault", "no-such"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no-such"), "{}", ran.err);
}
