//! What is claimed of `forebay ingest` of a file of lines, and of hosts that send any lines.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::process::Child;

use forebay_rig::server::Server;
use rustix::process::Signal;

use crate::cli_support::{Ran, forebay, run};
use crate::ingest_support::{ended, json, signal};
use crate::support::{ask, server, until};

const STREAM: &str = r#"[stream]
time = "/ts"
unit = "rfc3339"
lane = "/type"
default = "rest"

[stream.lanes]
a = "alpha"
"#;

fn start(server: &Server, config: &std::path::Path, more: &[&str]) -> Child {
    let url = server.url();
    let config = config.to_str().unwrap();
    let args =
        [&["ingest", "--buffer", "test", "--url", &url, "--json", "--config", config][..], more].concat();
    forebay(&args).spawn().unwrap()
}

/// What a reader gets out of the buffer, line by line.
fn read(server: &Server) -> Vec<String> {
    let Ran { code, out, err } = run(&["read", "--buffer", "test", "--url", &server.url()]);
    assert_eq!(code, 0, "{err}");
    let mut lines: Vec<String> = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn lines(from: u64, to: u64) -> Vec<String> {
    let of = |index| {
        let kind = if index % 3 == 0 { "a" } else { "b" };
        format!(r#"{{"ts":"2026-11-28T10:00:00Z","type":"{kind}","n":"{index:06}"}}"#)
    };
    (from..to).map(of).collect()
}

#[test]
fn a_file_is_followed_and_a_killed_run_goes_on_where_the_file_was() {
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let (path, config) = (folder.path().join("app.ndjson"), folder.path().join("pipeline.toml"));
    let source = format!("[source]\nurls = [\"file:{}\"]\nfollow = true\n\n{STREAM}", path.display());
    std::fs::write(&config, source).unwrap();
    std::fs::write(&path, lines(0, 2_000).join("\n") + "\n").unwrap();
    let stored = || {
        let of = |lane| ask::<Option<u64>>(&server, &format!("HGET forebay:{{test.{lane}.0}}:writer e"));
        ["alpha", "rest"].iter().filter_map(|lane| of(lane).ok().flatten()).sum::<u64>()
    };
    let mut child = start(&server, &config, &[]);
    until("the file is stored", || stored() == 2_000 || child.try_wait().unwrap().is_some());
    assert_eq!(stored(), 2_000);
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(&path, lines(0, 3_000).join("\n") + "\n").unwrap();
    let child = start(&server, &config, &["--takeover"]);
    until("what was added is stored", || stored() == 3_000);
    signal(&child, Signal::TERM);
    let ran = ended(child);
    let told = json(&ran);
    assert_eq!((ran.code, &told["pushed"]), (0, &1_000.into()), "{told} {}", ran.err);
    let written = (&told["writer"]["acknowledged"], &told["writer"]["accepted"]);
    assert_eq!(written, (&1_000.into(), &1_000.into()), "{told}");
    let mut owed = lines(0, 3_000);
    owed.sort();
    assert!(read(&server) == owed);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let (server, url) = (server(&[]), "ws://127.0.0.1:9/subscribe");
    for (args, why) in [
        (&["--source", "file:/no/such/file"][..], "cannot read /no/such/file"),
        (&["--source", "file:/tmp"], "no plain file"),
        (&["--source", "file:a", "--source", url], "a source by itself"),
        (&["--source", url, "--follow"], "--follow is for a file"),
        (&["--source", "file:a", "--check"], "--check"),
    ] {
        let base = ["ingest", "--url", &server.url(), "--buffer", "refused"];
        let ran = run(&[&base[..], args].concat());
        assert!(ran.code == 2 || ran.code == 1, "{args:?} {}", ran.code);
        assert!(ran.err.contains(why), "{args:?}: {}", ran.err);
    }
}
