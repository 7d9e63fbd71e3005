//! What is claimed of the capacity proof: it proves what holds, refutes what does not, finds what is lost, and
//! leaves nothing behind.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use forebay_proof::report::{Report, json};
use forebay_rig::server::{Conf, Server, ServerBinary};

use crate::cli_support::{profile_with, run_at_once, turn};

/// A profile of `events` events at 938 a second, in `maxmemory` under `policy`.
fn profile(dir: &Path, events: u64, maxmemory: &str, policy: &str) -> String {
    let hours = events as f64 / 938.0 / 3_600.0;
    profile_with(
        dir,
        &[
            ("2_700_000", &events.to_string()),
            ("hours = 8", &format!("hours = {hours}")),
            ("\"2gb\"", &format!("{maxmemory:?}")),
            ("\"noeviction\"", &format!("{policy:?}")),
        ],
    )
}

fn forebay(args: &[&str]) -> Output {
    let _turn = turn(args);
    Command::new(env!("CARGO_BIN_EXE_forebay")).env_remove("FOREBAY_URL").args(args).output().unwrap()
}

/// Runs `capacity` and gives its exit code and report.
fn capacity(profile: &str, more: &[&str]) -> (i32, Report) {
    let out = forebay(&[&["capacity", "--json", "--quiet", "--profile", profile], more].concat());
    let report = json::from_str(&String::from_utf8_lossy(&out.stdout))
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out.stderr)));
    (out.status.code().unwrap(), report)
}

fn verdict(report: &Report, id: &str) -> &'static str {
    report.claims.iter().find(|claim| claim.id == id).map_or("no such claim", |claim| claim.verdict().word())
}

fn server() -> Server {
    let mut conf = Conf::new();
    conf.set("save", "").set("appendonly", "no");
    Server::start(&ServerBinary::find(None).unwrap(), &conf).unwrap()
}

fn keys(server: &Server) -> u64 {
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("DBSIZE").query(&mut connection).unwrap()
}

#[test]
fn a_buffer_that_fits_is_proven_and_every_control_is_refuted() {
    let dir = tempfile::tempdir().unwrap();
    let (code, report) = capacity(&profile(dir.path(), 60_000, "64mb", "noeviction"), &[]);
    for claim in &report.claims {
        assert_eq!(claim.verdict().word(), "proven", "{claim:?}");
        assert!(claim.control().unwrap().is_refuted(), "{claim:?}");
    }
    assert_eq!((code, report.claims.len()), (0, 6));
    assert!(report.conflicts.is_empty());
}

#[test]
fn a_buffer_that_does_not_fit_is_refuted_with_the_count_that_did() {
    let dir = tempfile::tempdir().unwrap();
    let (code, report) = capacity(&profile(dir.path(), 60_000, "4mb", "noeviction"), &[]);
    assert_eq!(code, 1);
    for id in ["capacity.events", "capacity.memory", "capacity.hours"] {
        assert_eq!(verdict(&report, id), "refuted", "{id}");
    }
    assert_eq!(verdict(&report, "capacity.identical"), "proven", "what was acknowledged is still there");
    let events = &report.claims[0];
    assert!(events.measured().unwrap() < 60_000.0 && events.why.contains("OOM"), "{events:?}");
}

#[test]
fn a_server_that_evicts_is_caught_and_the_requirements_that_exclude_each_other_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (code, report) = capacity(&profile(dir.path(), 60_000, "4mb", "allkeys-lru"), &[]);
    assert_eq!(code, 1);
    assert_eq!(verdict(&report, "capacity.identical"), "refuted");
    let identical = report.claims.iter().find(|claim| claim.id == "capacity.identical").unwrap();
    assert!(identical.measured().unwrap() > 1_000.0, "{identical:?}");
    assert_eq!(report.conflicts[0].id, "eviction.loss");
}

#[test]
fn somebodys_server_is_not_written_to_without_leave() {
    let (dir, server) = (tempfile::tempdir().unwrap(), server());
    let profile = profile(dir.path(), 60_000, "64mb", "noeviction");
    let ran = run_at_once(&["capacity", "--profile", &profile, "--url", &server.url()]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--allow-load") && ran.out.is_empty(), "{}", ran.err);
    assert_eq!(keys(&server), 0);
}

#[test]
fn what_a_proof_wrote_to_somebodys_server_is_removed_and_nothing_else_is() {
    let (dir, server) = (tempfile::tempdir().unwrap(), server());
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("SET").arg("theirs").arg(1).query::<()>(&mut connection).unwrap();
    let profile = profile(dir.path(), 60_000, "64mb", "noeviction");
    let (code, report) = capacity(&profile, &["--allow-load", "--url", &server.url()]);
    assert_eq!((code, keys(&server)), (0, 1));
    // That server has no limit: what needs one is untested, and not proven either.
    assert_eq!(verdict(&report, "capacity.memory"), "untested");
    assert_eq!(verdict(&report, "capacity.identical"), "proven");
}

#[test]
fn an_interrupted_proof_leaves_nothing_on_somebodys_server() {
    let (dir, server) = (tempfile::tempdir().unwrap(), server());
    let profile = profile(dir.path(), 50_000_000, "64gb", "noeviction");
    let mut proof = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .env_remove("FOREBAY_URL")
        .args(["capacity", "--quiet", "--allow-load", "--profile", &profile, "--url", &server.url()])
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while keys(&server) == 0 {
        assert!(Instant::now() < deadline && proof.try_wait().unwrap().is_none(), "the proof wrote nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_child(&proof);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(proof.wait().unwrap().code(), Some(130));
    assert_eq!(keys(&server), 0);
}
