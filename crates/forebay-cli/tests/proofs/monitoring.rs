//! What is claimed of the monitoring proof: with a real Prometheus, alerts fire by their causes and clear; where there is
//! none, nothing is shown and the way to get it is told.

use std::path::Path;

use forebay_proof::claim::{Claim, Control, Evidence, Verdict};
use forebay_proof::report::{Report, json};

use crate::cli_support::{Ran, forebay, turn};

fn claim<'a>(report: &'a Report, id: &str) -> &'a Claim {
    report.claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no claim {id}"))
}

#[test]
fn alerts_fire_by_their_causes_and_clear_and_every_panel_has_data() {
    let _turn = turn(&["prove"]);
    // Beside another proof only a part of it runs.
    let out = tempfile::tempdir().unwrap();
    let arguments =
        ["prove", "--only", "audit,monitoring", "--json", "--quiet", "--out", out.path().to_str().unwrap()];
    let mut command = forebay(&arguments);
    // Where `make setup` has put it, for whoever runs this without make.
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../servers/prometheus");
    if std::env::var_os("FOREBAY_PROMETHEUS").is_none_or(|given| given.is_empty()) && here.is_dir() {
        command.env("FOREBAY_PROMETHEUS", here);
    }
    let ran: Ran = command.output().unwrap().into();
    assert_ne!(ran.code, 4, "a control was not refuted: {}", ran.err);
    let report =
        json::from_str(&String::from_utf8_lossy(&ran.out)).unwrap_or_else(|why| panic!("{why}: {}", ran.err));
    for id in ["monitoring.fires", "monitoring.clears", "monitoring.queries"] {
        let claim = claim(&report, id);
        assert_eq!(claim.verdict(), Verdict::Proven, "{id}: {}", claim.why);
        assert!(claim.control().is_some_and(Control::is_refuted), "{id}");
    }
    // Other tests may keep this machine so busy that something is slow for true: that is told, and is no failure here.
    for id in ["monitoring.alone", "monitoring.healthy"] {
        assert!(claim(&report, id).control().is_some_and(Control::is_refuted), "{id}");
    }
    assert_eq!(claim(&report, "monitoring.forecast").verdict(), Verdict::Untested);
    let Some(Evidence::Table { rows, .. }) = claim(&report, "monitoring.fires").evidence.first() else {
        panic!("no table of alerts by cause")
    };
    let alerts: Vec<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    for alert in [
        "ForebayReaderStopped",
        "ForebayWriterFenced",
        "ForebayEventsLost",
        "ForebayServerDown",
        "ForebayWatchBlind",
    ] {
        assert!(alerts.contains(&alert), "{alert}: {alerts:?}");
    }
}

#[test]
fn without_prometheus_nothing_is_shown_and_the_way_to_it_is_told() {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = forebay(&["monitoring", "--json", "--quiet"]);
    let ran: Ran = command.env("FOREBAY_PROMETHEUS", nowhere.path()).output().unwrap().into();
    let report =
        json::from_str(&String::from_utf8_lossy(&ran.out)).unwrap_or_else(|why| panic!("{why}: {}", ran.err));
    assert_eq!(ran.code, 0, "{}", ran.err);
    for claim in &report.claims {
        assert_eq!(claim.verdict(), Verdict::Untested, "{}", claim.id);
        assert!(claim.why.contains("make setup"), "{}", claim.why);
    }
}
