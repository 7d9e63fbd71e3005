//! What is claimed of `forebay run`: from the source into files, each event once, through a kill, and to its end by a signal; and of
//! a bucket that the environment names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;

use forebay_rig::jetstream::{Form, IngestLedger, Protocol, Simulator};
use forebay_rig::s3::{S3Server, Settings};
use forebay_rig::server::Server;
use rustix::process::Signal;

use crate::cli_support::{Ran, forebay, run};
use crate::ingest_support::{ended, signal, simulator, stored};
use crate::support::{server, until};

/// A pipeline from that network over that server.
fn pipeline(folder: &Path, simulator: &Simulator, server: &Server, to: &str) -> PathBuf {
    let text = format!(
        "[source]\nurls = [\"{}/subscribe\"]\nsince = \"oldest\"\n[buffer]\nurl = \"{}\"\nname = \"test\"\n[sink]\nto = \"{to}\"\n",
        simulator.url(),
        server.url()
    );
    let path = folder.join("pipeline.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Every line that the files have, held against the network.
fn assert_each_once(replayed: &Ran, simulator: &Simulator, total: u64) {
    assert_eq!(replayed.code, 0, "{}", replayed.err);
    let mut ledger = IngestLedger::new(0..total, |index| simulator.line(index, Form::V1)).unwrap();
    let mut lanes = BTreeMap::new();
    for line in replayed.out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let lane = forebay::event::parse::parse(line).unwrap().lane;
        let next = lanes.len();
        ledger.read(*lanes.entry(lane.name().to_owned()).or_insert(next), line);
    }
    assert!(ledger.lost().is_empty() && ledger.twice.is_empty(), "{ledger:?}");
}

#[test]
fn everything_from_the_source_is_in_files_once_through_a_kill_and_a_signal() {
    let (simulator, server) = (simulator(Protocol::V1, 4_000, 8_000, 4_000.0), server(&[]));
    let folder = tempfile::tempdir().unwrap();
    let config = pipeline(folder.path(), &simulator, &server, "files");
    let start = || forebay(&["run", config.to_str().unwrap(), "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut killed: Child = start();
    until("some are stored", || stored(&server) >= 5_000);
    killed.kill().unwrap();
    let died = killed.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&died.stderr).into_owned();
    assert!(said.contains("page at http://127.0.0.1:"), "{said}");
    let child = start();
    until("all events exist", || simulator.tip() >= 12_000);
    until("all are stored", || stored(&server) >= 12_000);
    signal(&child, Signal::TERM);
    let ran = ended(child);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("events in 6 files"), "{}", ran.err);
    let to = folder.path().join("files");
    assert_each_once(&run(&["replay", to.to_str().unwrap()]), &simulator, 12_000);
}

#[test]
fn one_part_that_cannot_go_on_ends_the_other_in_an_orderly_way() {
    let (simulator, server) = (simulator(Protocol::V2, 500, 100_000, 500.0), server(&[]));
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("files")).unwrap();
    std::fs::create_dir(folder.path().join("files/forebay")).unwrap();
    let other = r#"{"version":1,"buffer":"other","layout":"hive","schema":"jetstream-1"}"#;
    std::fs::write(folder.path().join("files/forebay/destination.json"), other).unwrap();
    let config = pipeline(folder.path(), &simulator, &server, "files");
    let ran = run(&["run", config.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("has buffer \"other\""), "{}", ran.err);
    assert!(ran.err.contains("ended in an orderly way"), "{}", ran.err);
}

#[test]
fn without_server_or_source_the_error_is_all_and_names_keys_of_the_file() {
    let (simulator, server) = (simulator(Protocol::V1, 10, 10, 10.0), server(&[]));
    let folder = tempfile::tempdir().unwrap();
    let config = pipeline(folder.path(), &simulator, &server, "files");
    let text = std::fs::read_to_string(&config).unwrap();
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let says = |from: &str, to: &str| {
        std::fs::write(&config, text.replacen(from, to, 1)).unwrap();
        let ran = run(&["run", config.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
        assert_eq!(ran.code, 3, "{}", ran.err);
        ran.err
    };
    let said = says(&server.url(), &format!("redis://{nowhere}"));
    assert!(
        said.contains("no server at") && !said.contains("orderly") && !said.contains("0 events"),
        "{said}"
    );
    let source = format!("patience = \"1s\"\nurls = [\"ws://{nowhere}/subscribe\"]");
    let urls = text.lines().find(|line| line.starts_with("urls")).unwrap();
    let said = says(urls, &source);
    assert!(said.contains("source.urls is tried in turn; patience waits longer"), "{said}");
}

#[test]
fn a_bucket_is_drained_to_verified_and_replayed_with_the_credentials_of_a_profile() {
    let (simulator, server) = (simulator(Protocol::V1, 3_000, 1, 1_000.0), server(&[]));
    let (s3, home) = (S3Server::start(Settings::default()).unwrap(), tempfile::tempdir().unwrap());
    let settings = s3.settings();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let credentials =
        format!("[lake]\naws_access_key_id = {}\naws_secret_access_key = never-shown\n", settings.access_key);
    std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
    let at = format!("[profile lake]\nendpoint_url = {}\nregion = eu-central-1\n", s3.url());
    std::fs::write(home.path().join(".aws/config"), at).unwrap();
    let to = format!("s3://{}/bluesky", settings.bucket);
    let config = pipeline(home.path(), &simulator, &server, &to);
    let with = |args: &[&str], profile: &str| -> Ran {
        let mut command = forebay(args);
        command.env("HOME", home.path()).env("AWS_PROFILE", profile);
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ENDPOINT_URL",
            "XDG_STATE_HOME",
            "STATE_DIRECTORY",
        ] {
            command.env_remove(name);
        }
        command.output().unwrap().into()
    };
    let ingested = run(&["ingest", "--config", config.to_str().unwrap(), "--once"]);
    assert_eq!(ingested.code, 0, "{}", ingested.err);
    let drained = with(&["drain", "--config", config.to_str().unwrap(), "--once", "-v"], "lake");
    assert_eq!(drained.code, 0, "{}", drained.err);
    let verified = with(&["files", "verify", &to], "lake");
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert_each_once(&with(&["replay", &to], "lake"), &simulator, 3_000);
    assert!(home.path().join(".local/state/forebay").is_dir(), "files are staged among the user's state");
    let unknown = with(&["files", "verify", &to], "sea");
    assert_eq!(unknown.code, 3, "{}", unknown.err);
    assert!(unknown.err.contains(&to), "a prefix is no secret: {}", unknown.err);
    assert!(unknown.err.contains("there is no profile \"sea\""), "{}", unknown.err);
    assert!(!format!("{} {}", drained.err, unknown.err).contains("never-shown"));
}
