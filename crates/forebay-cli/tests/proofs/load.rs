//! What is claimed of the baseline and throughput proofs: their controls are refuted, what was too short is untested, what
//! failed is refuted, an interrupted run says what it saw, and nothing is left behind.
//!
//! How fast this machine is at the moment decides no test: lines are wide, and claims about time are only looked at where
//! they must be refuted.

use std::path::Path;
use std::process::{Command, Stdio};

use forebay_proof::report::{Report, json};
use forebay_rig::server::Server;

use crate::cli_support::{profile_with, turn};
use crate::support::{ask, server, until};

/// A profile whose load lasts for `duration` at `rate`, with lines that a slow machine keeps too.
fn profile(dir: &Path, rate: u32, duration: &str) -> String {
    profile_with(
        dir,
        &[
            ("rate = 1_000", &format!("rate = {rate}")),
            ("duration = \"1h\"", &format!("duration = {duration:?}")),
            ("p50_max = \"10ms\"", "p50_max = \"20s\""),
            ("p95_max = \"50ms\"", "p95_max = \"30s\""),
            ("p99_max = \"100ms\"", "p99_max = \"40s\""),
        ],
    )
}

fn forebay(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command.env_remove("FOREBAY_URL").args(["--quiet", "--json"]).args(args);
    command
}

fn report(args: &[&str]) -> (i32, Report) {
    let _turn = turn(args);
    let out = forebay(args).output().unwrap();
    let report = json::from_str(&String::from_utf8_lossy(&out.stdout))
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out.stderr)));
    (out.status.code().unwrap(), report)
}

fn verdict(report: &Report, id: &str) -> &'static str {
    report.claims.iter().find(|claim| claim.id == id).map_or("no such claim", |claim| claim.verdict().word())
}

fn assert_every_control_is_refuted(report: &Report) {
    for claim in &report.claims {
        let control = claim.control().unwrap_or_else(|| panic!("no control: {claim:?}"));
        assert!(control.is_refuted(), "{}: {control:?}", claim.id);
    }
}

fn keys(server: &Server) -> u64 {
    ask(server, "DBSIZE").unwrap()
}

#[test]
fn a_baseline_checks_and_counts_every_request_and_catches_its_controls() {
    let dir = tempfile::tempdir().unwrap();
    let (code, report) = report(&["baseline", "--profile", &profile(dir.path(), 200, "1s")]);
    assert_every_control_is_refuted(&report);
    for id in ["baseline.answers", "baseline.counted"] {
        assert_eq!(verdict(&report, id), "proven", "{report:?}");
    }
    assert_eq!(report.claims.len(), 6);
    assert!([0, 1].contains(&code), "{code}");
    let paused = report.claims.iter().find(|claim| claim.id == "baseline.p95").unwrap();
    let said = &paused.control().unwrap().measured;
    assert!(said.contains("from when they were due") && said.contains("closed loop"), "{said}");
}

#[test]
fn a_rate_is_held_with_writer_and_group_and_every_control_is_refuted() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let args = ["throughput", "--pattern", "constant", "--out", out.to_str().unwrap(), "--profile"];
    let (code, report) = report(&[&args[..], &[&profile(dir.path(), 300, "3s")]].concat());
    assert_every_control_is_refuted(&report);
    for id in ["throughput.answers", "throughput.identical", "throughput.backlog"] {
        assert_eq!(verdict(&report, id), "proven", "{report:?}");
    }
    assert!([0, 1].contains(&code), "{code}");
    let rows = std::fs::read_to_string(out.join("throughput-constant.csv")).unwrap();
    for what in ["operations,1.000,", "operations,3.000,", "events,3.000,"] {
        assert!(rows.contains(what), "{what}: {rows}");
    }
    assert!(out.join("report.html").exists());
}

#[test]
fn proofs_of_one_run_do_not_meet_each_others_events() {
    let dir = tempfile::tempdir().unwrap();
    let path = profile(dir.path(), 50, "1s");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("2_700_000", "20_000").replace("hours = 8", "hours = 0.01")).unwrap();
    let out = dir.path().join("out");
    let args = ["prove", "--only", "capacity,throughput", "--out", out.to_str().unwrap(), "--profile"];
    let (_, report) = report(&[&args[..], &[&*path]].concat());
    for id in ["capacity.identical", "throughput.identical", "throughput.backlog", "throughput.answers"] {
        assert_eq!(verdict(&report, id), "proven", "{report:?}");
    }
    assert_every_control_is_refuted(&report);
}

#[test]
fn a_run_shorter_than_the_profiles_time_shows_nothing_of_it_and_an_interrupted_one_says_what_it_saw() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&[]);
    let out = dir.path().join("out");
    let profile = profile(dir.path(), 100, "1h");
    let url = server.url();
    let args =
        ["throughput", "--scale", "full", "--pattern", "poisson", "--allow-load", "--url", &url, "--out"];
    let child = forebay(&[&args[..], &[out.to_str().unwrap(), "--profile", &profile]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let rows = || std::fs::read_to_string(out.join("throughput-poisson.csv")).unwrap_or_default();
    until("two seconds were written", || rows().contains("operations,2.000,"));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let out = child.wait_with_output().unwrap();
    let report = json::from_str(&String::from_utf8_lossy(&out.stdout)).unwrap();
    assert_eq!(out.status.code(), Some(130));
    assert_eq!(verdict(&report, "throughput.backlog"), "untested");
    // Its control had no time to run.
    let identical = report.claims.iter().find(|claim| claim.id == "throughput.identical").unwrap();
    assert!(identical.verdict().word() == "untested" && identical.why.contains("control"), "{identical:?}");
    let rate = report.claims.iter().find(|claim| claim.id == "throughput.rate.poisson").unwrap();
    assert!(rate.verdict().word() != "proven" && rate.why.contains("of 1 h"), "{rate:?}");
    assert!(report.warnings.iter().any(|warning| warning.id == "interrupted"));
    assert_eq!(keys(&server), 0);
}

#[test]
fn a_server_that_takes_no_writes_ends_a_baseline_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    // A server that is full from the start takes no write.
    let server = server(&[("maxmemory", "1mb"), ("maxmemory-policy", "noeviction")]);
    let profile = profile(dir.path(), 100, "1h");
    let out = forebay(&["baseline", "--allow-load", "--url", &server.url(), "--profile", &profile])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() != Some(0) && said.contains("OOM"), "{said}");
    assert_eq!(keys(&server), 0);
}

#[test]
fn somebody_elses_server_is_left_alone_without_leave() {
    let server = server(&[]);
    for verb in ["baseline", "throughput", "load"] {
        let out = forebay(&[verb, "--url", &server.url()]).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{verb}: {said}");
        assert!(
            said.contains("--allow-load") && said.contains("removed afterwards")
                || said.contains("remove them"),
            "{verb}: {said}"
        );
    }
    assert_eq!(keys(&server), 0);
}
