//! What is claimed of `append` that ended before its input did: every line that it took from its source is stored, or the line to
//! go on from is named; and what it refused is kept whole.

use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use forebay_rig::server::Server;
use forebay_rig::server::fault::disk::Disk;

use super::cli_support::{Ran, append, forebay, good, holds, lines, read_sorted, run, stored};
use super::support::{Random, ask, server, tell, until};

fn settled(ran: &Ran) -> u64 {
    let summary: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    summary["settled_through_line"].as_u64().unwrap_or_else(|| panic!("{summary}"))
}

/// SIGTERM to an `append` at a random moment while its source goes on: how many lines it took from the pipe.
fn ended_at(server: &Server, blocks: u64, is_full: bool) -> u64 {
    let before = stored(server);
    let (mut left, mut to) = std::io::pipe().unwrap();
    let args = ["append", "--json", "--max-events", "50", "--url", &server.url()];
    let child = forebay(&args).stdin(Stdio::from(left.try_clone().unwrap())).spawn().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&ended);
    let source = std::thread::spawn(move || {
        let mut written = 0_u64;
        while !is_over.load(Relaxed) {
            written += 1;
            to.write_all(&[&good(written)[..], b"\n"].concat()).unwrap();
        }
        written
    });
    until("so many blocks are stored", || stored(server) >= before + blocks);
    if is_full {
        tell(server, "CONFIG SET maxmemory 1");
        let errors = || ask::<String>(server, "INFO errorstats").unwrap();
        until("the server refuses", || errors().contains("errorstat_OOM"));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    if is_full {
        tell(server, "CONFIG SET maxmemory 0");
        tell(server, "CONFIG RESETSTAT");
    }
    let ran = Ran::from(child.wait_with_output().unwrap());
    ended.store(true, Relaxed);
    let mut rest = Vec::new();
    left.read_to_end(&mut rest).unwrap();
    let written = source.join().unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    // A line of which only the end was left was being read.
    let left = memchr::memchr_iter(b'\n', &rest).count() as u64;
    let is_begun = left > 0 && !rest.starts_with(b"{\"did");
    let taken = written - left;
    let summary: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!(summary["acknowledged"].as_u64(), Some(taken), "begun: {is_begun}, {summary}");
    assert_eq!(settled(&ran), taken);
    taken
}

#[test]
fn every_line_that_was_taken_from_a_pipe_before_a_sigterm_is_stored() {
    every_line_is_stored(6);
}

#[test]
#[ignore = "nightly"]
fn every_line_that_was_taken_from_a_pipe_before_a_sigterm_at_200_random_moments_is_stored() {
    let taken = every_line_is_stored(200);
    println!("nightly append_sigterm: 200 moments, {taken} lines taken, each of them stored");
}

fn every_line_is_stored(rounds: u64) -> u64 {
    let mut random = Random::new(rounds);
    let mut all = 0;
    for round in 0..rounds {
        let server = server(&[]);
        let taken = ended_at(&server, 1 + random.below(60), round % 2 == 0);
        let mut expected: Vec<Vec<u8>> = (1..=taken).map(good).collect();
        expected.sort();
        assert!(read_sorted(&server) == expected, "round {round}: not the {taken} lines that were taken");
        all += taken;
    }
    all
}

#[test]
fn a_file_that_was_given_up_is_gone_on_with_from_the_line_that_was_named() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let path = dir.path().join("events");
    let content: Vec<u8> = (1..=40_000).flat_map(|number| [&good(number)[..], b"\n"].concat()).collect();
    std::fs::write(&path, &content).unwrap();
    let path = path.to_str().unwrap();
    let start = |more: &[&str]| {
        let url = server.url();
        let args = ["append", path, "--json", "--max-events", "20", "--url", &url];
        forebay(&[&args[..], more].concat()).spawn().unwrap()
    };
    let child = start(&["--patience", "200ms"]);
    until("something is stored", || stored(&server) > 3);
    tell(&server, "CONFIG SET maxmemory 1");
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 3, "{}", ran.err);
    let through = settled(&ran);
    let stored_events = stored(&server) * 20;
    // It names no line that is not stored, and none that is not the last of those.
    assert!(through > 0 && through == stored_events, "line {through}, {stored_events} stored");
    holds(&ran.err, &[&format!("up to line {through}"), &format!("--from-line {}", through + 1)]);
    tell(&server, "CONFIG SET maxmemory 0");
    let ran = Ran::from(start(&["--from-line", &(through + 1).to_string()]).wait_with_output().unwrap());
    assert_eq!((ran.code, settled(&ran)), (0, 40_000), "{}", ran.err);
    assert!(read_sorted(&server) == lines(&content), "not every line once");
    // Nothing is left of it after its end, and numbers stay those of the file.
    let bad = append(&server, b"\nno event\n\nnor this\n", &["--from-line", "3"]);
    assert_eq!(bad.code, 1);
    assert!(bad.err.contains("line 4 refused") && !bad.err.contains("line 2"), "{}", bad.err);
}

#[test]
fn refused_lines_are_kept_whole_on_a_disk_that_fills_up_and_the_run_ends_at_the_first_that_is_not() {
    let (server, disk) = (server(&[]), Disk::mount(64 << 10).unwrap());
    let path = disk.path().join("refused");
    let line = |number: u64| format!("{number:06} {}\n", "x".repeat(3_000)).into_bytes();
    let input: Vec<u8> = (1..=60).flat_map(line).collect();
    let ran = append(&server, &input, &["--rejects", path.to_str().unwrap(), "--json"]);
    let kept = std::fs::read(&path).unwrap();
    let whole = memchr::memchr_iter(b'\n', &kept).count() as u64;
    assert!(
        whole > 0 && whole < 60 && kept == (1..=whole).flat_map(line).collect::<Vec<_>>(),
        "{whole} lines"
    );
    assert_eq!(settled(&ran), whole);
    holds(
        &ran.err,
        &[&format!("writing line {} to --rejects", whole + 1), &format!("--from-line {}", whole + 1)],
    );
    let full = run(&["append", "--rejects", "/dev/full", "--url", &server.url()]);
    assert_eq!(full.code, 0, "nothing was refused: {}", full.err);
}
