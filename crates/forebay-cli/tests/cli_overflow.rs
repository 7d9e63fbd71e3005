//! What is claimed of `forebay append --overflow`: what became of every event is told, counted and in the exit code; bad
//! combinations are refused; memory stays bounded with a full server.

use forebay::event::jetstream;
use forebay_watch::figures;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::cli_support::{
    Ran, append, at_work, forebay, good, holds, lines, read_sorted, run, said, synthetic,
};
use super::support::{info, server, tell, until};

fn summary(ran: &Ran) -> serde_json::Value {
    serde_json::from_slice(&ran.out).unwrap()
}

fn numbers(summary: &serde_json::Value, fields: &[&str]) -> Vec<u64> {
    fields.iter().map(|field| summary[field].as_u64().unwrap()).collect()
}

#[test]
fn options_that_do_not_go_together_are_refused_with_the_way_out() {
    for (args, parts) in [
        (&["--overflow", "spill"][..], &["--overflow spill needs a folder: --spill DIR"][..]),
        (&["--overflow", "wait", "--spill", "/tmp/x"], &["--spill goes with --overflow spill"]),
        (&["--overflow", "shed", "--spill", "/tmp/x"], &["--spill goes with --overflow spill"]),
        (&["--overflow", "trim-oldest", "--spill", "/tmp/x"], &["--spill goes with --overflow spill"]),
        (&["--spill-max", "1MiB"], &["--spill"]),
        (&["--overflow", "drop"], &["wait", "spill", "shed", "trim-oldest"]),
        (&["--spill", "/tmp/x", "--spill-max", "10KiB"], &["--spill-max", "at least 1.0 MiB"]),
        (&["--spill", "/dev/null/x"], &["spill folder /dev/null/x", "Not a directory"]),
    ] {
        let text = said(&[&["append", "--url", "redis://127.0.0.1:1"], args].concat(), 2);
        holds(&text, parts);
    }
}

#[test]
fn what_is_left_in_the_folder_is_told_and_goes_first_the_next_time() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let folder = dir.path().to_str().unwrap();
    tell(&server, "CONFIG SET maxmemory 1");
    let input = synthetic(3_000);
    let ran = append(&server, &input, &["--spill", folder, "--json"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let left = summary(&ran);
    let fields = ["acknowledged", "accepted", "spilled", "recovered", "unreadable", "shed", "trimmed"];
    assert_eq!(numbers(&left, &fields), [0, 3_000, 3_000, 0, 0, 0, 0]);
    let of_lanes: u64 =
        left["lanes"].as_array().unwrap().iter().map(|of| of["spilled"].as_u64().unwrap()).sum();
    assert_eq!(of_lanes, 3_000);
    let ran = append(&server, &good(1), &["--spill", folder]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    holds(&ran.err, &["1 events wait in", folder, "again with --spill"]);

    tell(&server, "CONFIG SET maxmemory 0");
    let ran = append(&server, b"", &["--spill", folder, "--overflow", "spill", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(numbers(&summary(&ran), &fields), [0, 0, 0, 3_001, 0, 0, 0]);
    let mut expected = lines(&[&input[..], &good(1)].concat());
    expected.sort();
    assert_eq!(read_sorted(&server), expected);
    let ran = append(&server, b"", &["--spill", folder]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("spill folder"), "nothing is left to tell: {}", ran.err);
}

#[test]
fn a_second_writer_on_a_folder_is_refused_and_the_first_one_goes_on() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let folder = dir.path().to_str().unwrap();
    let mut first = forebay(&["append", "--url", &server.url(), "--spill", folder])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = first.stdin.take().unwrap();
    stdin.write_all(&[&good(1)[..], b"\n"].concat()).unwrap();
    until("the first one writes", || super::cli_support::stored(&server) == 1);
    let text = said(&["append", "--url", &server.url(), "--spill", folder], 2);
    holds(&text, &["spill folder", folder, "another writer uses it", "a folder of its own"]);
    stdin.write_all(&good(2)).unwrap();
    drop(stdin);
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(read_sorted(&server), [good(1), good(2)]);
}

#[test]
fn damage_is_told_by_its_place_counted_and_the_file_is_kept() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let folder = dir.path().to_str().unwrap();
    tell(&server, "CONFIG SET maxmemory 1");
    let input: Vec<u8> = (1..=30).flat_map(|number| [&good(number)[..], b"\n"].concat()).collect();
    let ran = append(&server, &input, &["--spill", folder, "--max-events", "10"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let paths = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
    let path = paths.into_iter().find(|path| path.extension().is_some_and(|end| end == "spill")).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // Of buffer `events`: after the head and its mark a record of 88 bytes and its frame.
    let first = 26 + 28;
    bytes[first + 96] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    tell(&server, "CONFIG SET maxmemory 0");
    let ran = append(&server, b"", &["--spill", folder, "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(numbers(&summary(&ran), &["recovered", "unreadable"]), [20, 10]);
    let place = format!("{} at byte {first}: a block of 10 events is damaged", path.display());
    holds(&ran.err, &[&place, "what follows is used"]);
    assert!(path.with_extension("damaged").exists());
    assert_eq!(read_sorted(&server).len(), 20);
}

#[test]
fn events_that_were_shed_or_trimmed_are_told_and_counted_in_the_exit_code() {
    let server = server(&[]);
    let (child, mut stdin) = at_work(&server, &["--overflow", "shed", "--json"]);
    tell(&server, "CONFIG SET maxmemory 1");
    let more = synthetic(2_000);
    stdin.write_all(&more).unwrap();
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(numbers(&summary(&ran), &["acknowledged", "shed", "trimmed"]), [1, 2_000, 0]);
    assert_eq!(read_sorted(&server), [good(1)]);

    let used: u64 = info(&server, "used_memory").parse().unwrap();
    tell(&server, &format!("CONFIG SET maxmemory {}", used + (2 << 20)));
    let input = synthetic(60_000);
    let ran = append(&server, &input, &["--overflow", "trim-oldest"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let kept = run(&["read", "--quiet", "--url", &server.url()]).out;
    let dropped = 60_001 - lines(&kept).len();
    holds(
        &ran.err,
        &[&format!(
            "{} of the oldest events were dropped to make room (trim-oldest)",
            figures::count(dropped as u64)
        )],
    );
}

#[test]
fn what_became_of_the_events_is_told_too_where_the_writer_ends_with_an_error() {
    let server = server(&[]);
    let (mut child, mut stdin) = at_work(&server, &["--json", "--overflow", "shed"]);
    tell(&server, "CONFIG SET maxmemory 1");
    // All but what a pipe holds is taken and dropped before there is room.
    stdin.write_all(&synthetic(50_000)).unwrap();
    tell(&server, "CONFIG SET maxmemory 0");
    assert_eq!(append(&server, b"", &["--takeover"]).code, 0, "a newer writer takes the lanes");
    until("the older one ends", || {
        let written = stdin.write_all(&[&good(2)[..], b"\n"].concat());
        written.is_err() || child.try_wait().unwrap().is_some()
    });
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.err);
    let counts = summary(&ran);
    let [acknowledged, shed] = numbers(&counts, &["acknowledged", "shed"])[..] else { panic!("{counts}") };
    assert!(acknowledged >= 1 && shed > 10_000, "{counts}");
    assert!(counts["error"].as_str().is_some_and(|why| why.contains("fenced")), "{counts}");
    holds(&ran.err, &["fenced"]);
    assert!(read_sorted(&server).len() as u64 >= acknowledged, "{counts}");
}

#[test]
fn what_was_dropped_to_make_room_is_told_too_where_the_writer_ends_with_an_error() {
    let server = server(&[]);
    let (child, mut stdin) = at_work(&server, &["--json", "--overflow", "trim-oldest"]);
    let used: u64 = info(&server, "used_memory").parse().unwrap();
    tell(&server, &format!("CONFIG SET maxmemory {}", used + (2 << 20)));
    stdin.write_all(&synthetic(60_000)).unwrap();
    tell(&server, "CONFIG SET maxmemory 0");
    assert_eq!(append(&server, b"", &["--takeover"]).code, 0, "a newer writer takes the lanes");
    // It hears of that with its next block, or is at its end already.
    let _ = stdin.write_all(&synthetic(1_000));
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.err);
    let counts = summary(&ran);
    let [acknowledged, trimmed] = numbers(&counts, &["acknowledged", "trimmed"])[..] else {
        panic!("{counts}")
    };
    assert!(trimmed > 10_000, "{counts}");
    assert!(counts["error"].as_str().is_some_and(|why| why.contains("fenced")), "{counts}");
    assert!(read_sorted(&server).len() as u64 + trimmed >= acknowledged, "{counts}");
}

#[test]
fn memory_stays_small_while_the_server_is_full_and_hundreds_of_thousands_of_events_come() {
    const TIMES: usize = 4;
    const EVENTS: u64 = 75_000;
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    tell(&server, "CONFIG SET maxmemory 1");
    let folder = dir.path().to_str().unwrap();
    let mut child = forebay(&["append", "--json", "--url", &server.url(), "--spill", folder])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = synthetic(EVENTS);
    (0..TIMES).for_each(|_| stdin.write_all(&input).unwrap());
    // It has read all but what a pipe holds.
    let full = super::cli_append::peak_kib(child.id()).unwrap();
    tell(&server, "CONFIG SET maxmemory 0");
    let lanes = jetstream::ALL;
    until("all but the newest blocks are stored", || {
        let ever = |lane| {
            super::support::ask(&server, &format!("HGET forebay:{{events.{lane}.0}}:writer e")).unwrap()
        };
        lanes.map(ever).into_iter().map(|ever: Option<u64>| ever.unwrap_or(0)).sum::<u64>() > 290_000
    });
    let peak = super::cli_append::peak_kib(child.id()).unwrap();
    println!("{full} KiB with a full server, {peak} KiB after it had room");
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(peak < 200 << 10, "{peak} KiB");
    // A server that is too busy to answer at the end leaves the last of them in the folder, and that is said.
    let [accepted, left] = numbers(&summary(&ran), &["accepted", "left"])[..] else { panic!("{}", ran.err) };
    assert_eq!(accepted, EVENTS * TIMES as u64, "{}", ran.err);
    assert_eq!(ran.code, if left == 0 { 0 } else { 3 }, "{left} left: {}", ran.err);
}

/// Runs `append` where no file may be larger than so many half KiB, as on a disk that takes no more.
fn append_with_small_files(
    server: &forebay_rig::server::Server,
    folder: &str,
    half_kib: u64,
    input: &[u8],
) -> Child {
    let program = env!("CARGO_BIN_EXE_forebay");
    let script = format!(
        "trap '' XFSZ; ulimit -f {half_kib}; exec {program} append --json --patience 80s --url {} --spill {folder}",
        server.url()
    );
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    std::thread::spawn(move || stdin.write_all(&input));
    child
}

#[test]
fn a_disk_that_breaks_off_writes_costs_nothing() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let folder = dir.path().to_str().unwrap();
    tell(&server, "CONFIG SET maxmemory 1");
    let input = synthetic(30_000);
    // Room for any block in each file, and for no batch of blocks.
    let ran = Ran::from(append_with_small_files(&server, folder, 512, &input).wait_with_output().unwrap());
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert_eq!(numbers(&summary(&ran), &["accepted", "acknowledged"]), [30_000, 0]);
    tell(&server, "CONFIG SET maxmemory 0");
    let ran = append(&server, b"", &["--spill", folder, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(numbers(&summary(&ran), &["recovered", "unreadable"]), [30_000, 0]);
    assert_eq!(read_sorted(&server), lines(&input));
}

#[test]
fn a_disk_that_takes_nothing_holds_the_source_back_and_is_not_littered() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let folder = dir.path().to_str().unwrap();
    tell(&server, "CONFIG SET maxmemory 1");
    // With blocks that wait, so that nobody comes to look at what is behind them.
    let first = synthetic(1_000);
    let before = append(&server, &first, &["--spill", folder]);
    assert_eq!(before.code, 3, "{}", before.err);
    let input = synthetic(100_000);
    let errors = || -> u64 { info(&server, "total_error_replies").parse().unwrap() };
    let earlier = errors();
    let child = append_with_small_files(&server, folder, 1, &input);
    // A lane tries its disk many times in between.
    until("the server was asked again and again", || errors() > earlier + 60);
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(files < 30, "{files} files");
    tell(&server, "CONFIG SET maxmemory 0");
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(numbers(&summary(&ran), &["accepted", "acknowledged"]), [100_000; 2]);
    assert_eq!(read_sorted(&server), lines(&[&input[..], &first].concat()));
}
