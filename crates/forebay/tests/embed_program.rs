//! What is claimed of a program that embeds the library, and nothing else of this workspace: it appends, is killed, goes on at
//! its position, and reads with acknowledgement: nothing is lost, and nothing comes twice.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use forebay_rig::server::Server;

use crate::support::*;

/// Builds the program in a folder of its own, with the crates that the workspace has. What is built is kept beside the
/// workspace's own, so that only the first time takes long.
fn build(folder: &Path) -> PathBuf {
    let library = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = library.parent().unwrap().parent().unwrap();
    let manifest = std::fs::read_to_string(workspace.join("Cargo.toml")).unwrap();
    // The same profile: else each crate is built again.
    let profile = &manifest[manifest.find("[profile.dev]").unwrap()..];
    let profile = profile.replace("[profile.dev.package.forebay-rig]\nopt-level = 2\n", "");
    let profile = profile.replace("[profile.dev.package.forebay-proof]\nopt-level = 1\n", "");
    let own = format!(
        "[package]\nname = \"embedder\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nforebay = {{ path = {:?} }}\n\n\
         [workspace]\n\n{profile}",
        library.to_str().unwrap()
    );
    std::fs::create_dir(folder.join("src")).unwrap();
    std::fs::write(folder.join("Cargo.toml"), own).unwrap();
    std::fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    std::fs::copy(library.join("tests/embedder/main.rs"), folder.join("src/main.rs")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug/embedder")
}

/// Runs it to its end; its lines.
fn run(program: &Path, server: &Server, arguments: &[&str]) -> Vec<String> {
    let out =
        Command::new(program).arg(arguments[0]).arg(server.url()).args(&arguments[1..]).output().unwrap();
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn number(line: &str, before: &str) -> Option<u64> {
    line.strip_prefix(before)?.parse().ok()
}

#[test]
#[ignore = "nightly"]
fn nightly_a_program_outside_is_killed_goes_on_at_its_position_and_reads_with_acknowledgement() {
    const MORE: u64 = 20_000;
    let (server, folder) = (server(&[]), tempfile::tempdir().unwrap());
    let program = build(folder.path());
    let mut child = Command::new(&program)
        .args(["append", &server.url(), "1000000000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        acknowledged = number(&line.unwrap(), "acknowledged ").unwrap_or(acknowledged);
        if acknowledged >= 5_000 {
            // SIGKILL; what it had said by then is still read.
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success() && acknowledged >= 5_000);
    let lines = run(&program, &server, &["append", &MORE.to_string()]);
    let first = number(&lines[0], "resumes at ").unwrap();
    assert!(first >= acknowledged, "{acknowledged} were acknowledged, and it goes on at {first}");
    assert_eq!(number(lines.last().unwrap(), "closed with "), Some(MORE));
    let read = run(&program, &server, &["read"]);
    let expected = (0..first + MORE)
        .map(|number| format!(r#"{{"time_us":{},"number":{number}}}"#, 1_700_000_000_000_000 + number));
    assert_eq!(read.len() as u64, first + MORE);
    let wrong = read.iter().zip(expected).find(|(read, expected)| *read != expected);
    assert!(wrong.is_none(), "{wrong:?}");
    assert!(run(&program, &server, &["read"]).is_empty(), "all of it was acknowledged");
}
