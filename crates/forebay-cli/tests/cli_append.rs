//! What is claimed of `forebay append`: every kind of bad input has an outcome of its own and no neighbour is
//! lost; bad days lose nothing.

use forebay::event::jetstream;
use forebay_watch::figures;
use std::io::Write;
use std::process::Stdio;

use super::cli_support::{
    append, forebay, good, holds, interrupt, lines, read_sorted, run, said, stored, synthetic,
};
use super::support::{server, tell, until};

/// Appends `line` between two events: it is refused with its number and this reason, and both neighbours stay.
fn refused(line: &[u8], reason: &str) {
    let server = server(&[]);
    let input = [&good(1)[..], line, &good(2)].join(&b'\n');
    let ran = append(&server, &input, &[]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("line 2 refused:") && ran.err.contains(reason), "{reason}: {}", ran.err);
    assert!(ran.err.contains("2 events acknowledged") && ran.err.contains("1 lines refused"), "{}", ran.err);
    assert_eq!(read_sorted(&server), [good(1), good(2)]);
}

#[test]
fn a_line_that_is_no_event_is_refused_by_number_and_reason_and_its_neighbours_are_kept() {
    for (line, reason) in [
        (&b"nonsense"[..], "not JSON"),
        (b"{\"time_us\":1", "not JSON"),
        (b"[1]", "object"),
        (b"{}", "time_us"),
        (b"{\"time_us\":\"1\"}", "text"),
        (b"{\"time_us\":-1}", "negative"),
        (b"{\"time_us\":1.5}", "whole"),
        (b"{\"time_us\":9007199254740993}", "2^53"),
        (b"{\"time_us\":1,\"x\":\"a\0b\"}", "not JSON"),
        (b"{\"time_us\":1,\"x\":\"\xff\"}", "UTF-8"),
        (b"\0", "not JSON"),
        (b"{\"time_us\":null}", "not a number"),
        (b"{\"time_us\":1,\"time_us\":2}", "more than once"),
        (b"{\"time_us\":1}{\"time_us\":2}", "not JSON"),
    ] {
        refused(line, reason);
    }
}

#[test]
fn an_event_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let server = server(&[]);
    let event = good(1);
    let at = event.len().to_string();
    assert_eq!(append(&server, &event, &["--max-event", &at]).code, 0);
    let ran = append(&server, &event, &["--max-event", &(event.len() - 1).to_string()]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("line 1 refused") && ran.err.contains("over the limit"), "{}", ran.err);
    assert_eq!(read_sorted(&server).len(), 1);
}

#[test]
fn line_ends_of_windows_and_a_missing_last_one_do_not_matter_and_nothing_is_no_event() {
    let server = server(&[]);
    let input = [&good(1)[..], b"\r\n\r\n\n", &good(2)].concat();
    let ran = append(&server, &input, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(read_sorted(&server), [good(1), good(2)]);
    let ran = append(&server, b"", &[]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("0 events acknowledged"), "{}", ran.err);
}

#[test]
fn a_line_of_100_mb_is_refused_in_little_memory_and_its_neighbours_are_kept() {
    let server = server(&[]);
    let mut child = forebay(&["append", "--url", &server.url()]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&good(1)).unwrap();
    stdin.write_all(b"\n").unwrap();
    let chunk = vec![b'x'; 1 << 20];
    (0..100).for_each(|_| stdin.write_all(&chunk).unwrap());
    let peak_kib = peak_kib(child.id()).unwrap();
    stdin.write_all(b"\n").unwrap();
    stdin.write_all(&good(2)).unwrap();
    drop(stdin);
    let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
    assert!(ran.err.contains("line 2 refused: 104857600 bytes long"), "{}", ran.err);
    assert_eq!(read_sorted(&server), [good(1), good(2)]);
    assert!(peak_kib < 64 << 10, "{peak_kib} KiB");
}

#[test]
fn large_events_under_way_are_bounded_by_their_bytes_and_not_by_their_number() {
    let server = server(&[("maxmemory", "1")]);
    let mut random = super::support::Random::new(3);
    let text: String = (0..24 << 20).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
    let line = format!("{{\"did\":\"did:plc:x\",\"time_us\":1,\"kind\":\"identity\",\"x\":\"{text}\"}}\n");
    let args = ["append", "--url", &server.url(), "--max-event", "64MiB", "--patience", "4s"];
    let mut child = forebay(&args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Until nobody reads any more: 40 times 24 MiB are more than may be under way.
    let feed = std::thread::spawn(move || (0..40).find(|_| stdin.write_all(line.as_bytes()).is_err()));
    let mut peak = 0;
    until("it gives up", || {
        peak = peak.max(peak_kib(child.id()).unwrap_or(0));
        child.try_wait().unwrap().is_some()
    });
    assert!(feed.join().unwrap().is_some(), "all of it was under way");
    assert!(peak < 500 << 10, "{peak} KiB");
}

/// Peak resident memory of a process, in KiB.
pub fn peak_kib(pid: u32) -> Option<u64> {
    let own = std::env::current_exe().unwrap();
    // Just after its start it may still be seen with the memory of this program.
    if std::fs::read_link(format!("/proc/{pid}/exe")).ok()? == own {
        return None;
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn refused_lines_are_kept_where_asked_and_told_of_ten_at_the_most() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let rejects = dir.path().join("refused");
    let bad: Vec<Vec<u8>> = (0..25).map(|number| format!("bad {number:02}").into_bytes()).collect();
    let input = bad.iter().flat_map(|line| [good(1), line.clone()]).collect::<Vec<_>>().join(&b'\n');
    let ran = append(&server, &input, &["--rejects", rejects.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err.matches(" refused: ").count(), 10, "{}", ran.err);
    assert!(ran.err.contains("25 lines refused"), "{}", ran.err);
    assert_eq!(lines(&std::fs::read(rejects).unwrap()), bad);
    assert_eq!(read_sorted(&server).len(), 25);
}

#[test]
fn a_file_that_cannot_be_read_and_one_that_cannot_be_written_are_named() {
    let server = server(&[]);
    for (args, named) in [
        (["append", "/no/such/file", "--quiet"], "cannot read /no/such/file: No such file"),
        (["append", "/", "--quiet"], "/ is a folder; give a file"),
        (["append", "--rejects", "/no/such/file"], "cannot write --rejects /no/such/file: No such file"),
    ] {
        let ran = run(&[&args[..], &["--url", &server.url()]].concat());
        assert_eq!(ran.code, 2, "{}", ran.err);
        holds(&ran.err, &[named]);
    }
}

#[test]
fn a_server_killed_and_started_again_in_the_middle_costs_nothing() {
    let mut server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let input = synthetic(60_000);
    let mut child =
        forebay(&["append", "--json", "--url", &server.url()]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = input.clone();
    let feed = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    until("something is stored", || {
        super::support::ask::<u64>(&server, "XLEN forebay:{events.likes.0}").unwrap_or(0) > 2
    });
    server.kill().unwrap();
    server.restart().unwrap();
    let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
    feed.join().unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let summary: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!(
        (summary["acknowledged"].as_u64(), summary["lost_by_server"].as_u64()),
        (Some(60_000), Some(0))
    );
    assert_eq!(read_sorted(&server), lines(&input));
}

#[test]
fn the_older_of_two_writers_is_fenced_and_says_so() {
    let server = server(&[]);
    let mut older = forebay(&["append", "--url", &server.url()]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = older.stdin.take().unwrap();
    let epoch =
        || super::support::ask::<Option<u64>>(&server, "HGET forebay:{events.other.0}:writer epoch").unwrap();
    until("the older writer has the lanes", || epoch().is_some());
    assert_eq!(append(&server, &good(1), &["--takeover"]).code, 0);
    stdin.write_all(&good(2)).unwrap();
    drop(stdin);
    let ran = super::cli_support::Ran::from(older.wait_with_output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("fenced") && ran.err.contains("only one writer"), "{}", ran.err);
    assert_eq!(read_sorted(&server), [good(1)]);
}

#[test]
fn ctrl_c_finishes_what_was_taken_and_a_second_one_ends_at_once() {
    let server = server(&[]);
    let start = || {
        let mut child = forebay(&["append", "--url", &server.url()]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&[&good(1)[..], b"\n"].concat()).unwrap();
        (child, stdin)
    };
    let (child, stdin) = start();
    until("the event is stored", || {
        super::support::ask::<u64>(&server, "XLEN forebay:{events.other.0}").unwrap() == 1
    });
    interrupt(&child);
    let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("1 events acknowledged"), "{}", ran.err);
    drop(stdin);

    // A server that takes nothing: the first one waits for it, the second does not.
    tell(&server, "CONFIG SET maxmemory 1");
    let (mut child, stdin) = {
        tell(&server, "CONFIG SET maxmemory 0");
        let started = start();
        until("both events are stored", || {
            super::support::ask::<u64>(&server, "XLEN forebay:{events.other.0}").unwrap() == 2
        });
        started
    };
    tell(&server, "CONFIG SET maxmemory 1");
    let mut stdin = stdin;
    stdin.write_all(&[&good(2)[..], b"\n"].concat()).unwrap();
    let errors = || -> u64 { super::support::info(&server, "total_error_replies").parse().unwrap() };
    until("the server refuses", || errors() > 0);
    interrupt(&child);
    until("the first one is noticed, and the second ends it", || {
        interrupt(&child);
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn memory_stays_bounded_while_the_server_takes_nothing() {
    const TIMES: usize = 6;
    let server = server(&[]);
    let mut child =
        forebay(&["append", "--quiet", "--url", &server.url()]).stdin(Stdio::piped()).spawn().unwrap();
    let epoch =
        || super::support::ask::<Option<u64>>(&server, "HGET forebay:{events.other.0}:writer epoch").unwrap();
    until("the writer has the lanes", || epoch().is_some());
    server.pause().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = synthetic(50_000);
    let total = input.len() * TIMES;
    // The pipe takes some of it and the program what its bounds allow; the rest waits.
    let feed = std::thread::spawn(move || {
        (0..TIMES).for_each(|_| stdin.write_all(&input).unwrap());
        stdin
    });
    until("it takes no more", || {
        let taken = || std::fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
        let before = taken();
        std::thread::sleep(std::time::Duration::from_millis(300));
        before == taken()
    });
    assert!(!feed.is_finished(), "the source is held back");
    server.resume().unwrap();
    let stdin = feed.join().unwrap();
    let events = || -> u64 {
        let lanes = jetstream::ALL.into_iter();
        let ever = |lane| {
            super::support::ask(&server, &format!("HGET forebay:{{events.{lane}.0}}:writer e")).unwrap()
        };
        lanes.map(ever).map(|ever: Option<u64>| ever.unwrap_or(0)).sum()
    };
    until("all is stored", || events() == 50_000 * TIMES as u64);
    // Of its whole life, held back and not.
    let peak = peak_kib(child.id()).unwrap();
    assert!(peak < 80 << 10, "{peak} KiB, where {} KiB went through", total >> 10);
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let stored: usize = read_sorted(&server).iter().map(|line| line.len() + 1).sum();
    assert_eq!(stored, total);
}

#[test]
fn a_file_is_read_to_its_end_with_or_without_a_last_line_end() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let path = dir.path().join("events.ndjson");
    let file = path.to_str().unwrap();
    let mut held = 0;
    for (content, events) in [
        (Vec::new(), 0),
        (b"\n".to_vec(), 0),
        (good(1), 1),
        ([&good(2)[..], b"\n"].concat(), 1),
        ([&good(3)[..], b"\r\n", &good(4)].concat(), 2),
    ] {
        std::fs::write(&path, content).unwrap();
        let ran = run(&["append", file, "--json", "--url", &server.url()]);
        let summary: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
        assert_eq!((ran.code, ran.err.as_str(), summary["acknowledged"].as_u64()), (0, "", Some(events)));
        held += events;
    }
    let expected: Vec<Vec<u8>> = (1..=held).map(good).collect();
    assert_eq!(read_sorted(&server), expected);
}

#[test]
fn rejects_hold_the_refused_bytes_as_they_came_and_nothing_else() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let rejects = dir.path().join("refused");
    let earlier = "of an earlier run, and longer than what comes now";
    std::fs::write(&rejects, earlier).unwrap();
    said(&["append", "--rejects", rejects.to_str().unwrap(), "--url", "redis://127.0.0.1:1"], 3);
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), earlier, "a run that never began");
    let bad: [&[u8]; 3] = [b"\0\x01", b"{\"x\":\"\xff\"}", b" {} "];
    let long = vec![b'x'; 200];
    let input = [bad[0], &good(1), bad[1], &long, &good(2), bad[2]].join(&b'\n');
    let ran = append(&server, &input, &["--rejects", rejects.to_str().unwrap(), "--max-event", "100B"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["line 1 refused", "line 3 refused", "line 4 refused: 200 bytes", "line 6 refused"]);
    // After what an earlier run put there.
    let kept = [earlier.as_bytes(), &bad.join(&b'\n')[..], b"\n"].concat();
    assert_eq!(std::fs::read(&rejects).unwrap(), kept);
    assert_eq!(read_sorted(&server), [good(1), good(2)]);
}

#[test]
fn an_input_named_as_rejects_is_left_as_it_is() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let (path, link) = (dir.path().join("events"), dir.path().join("link"));
    std::fs::write(&path, good(1)).unwrap();
    std::fs::hard_link(&path, &link).unwrap();
    let (file, link) = (path.to_str().unwrap(), link.to_str().unwrap());
    for rejects in [file, link] {
        let text = said(&["append", file, "--rejects", rejects, "--url", &server.url()], 2);
        holds(&text, &[rejects, "is the input itself"]);
    }
    let stdin = std::fs::File::open(&path).unwrap();
    let redirected = forebay(&["append", "--rejects", file, "--url", &server.url()]).stdin(stdin).output();
    assert_eq!(redirected.unwrap().status.code(), Some(2));
    assert_eq!((std::fs::read(&path).unwrap(), stored(&server)), (good(1), 0));
}

#[test]
fn rejects_that_cannot_be_written_are_an_error_after_the_events_are_in() {
    let server = server(&[]);
    // Whole lines, that come together: what has not been read when a line cannot be kept is left to the next run.
    let input = [&good(1)[..], b"bad", &good(2), b""].join(&b'\n');
    let ran = append(&server, &input, &["--rejects", "/dev/full"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    holds(&ran.err, &["2 events acknowledged", "--rejects /dev/full", "No space left"]);
    assert_eq!(read_sorted(&server), [good(1), good(2)]);
}

#[test]
fn an_input_that_breaks_is_named_after_what_was_taken() {
    let server = server(&[]);
    let folder = std::fs::File::open("/").unwrap();
    let ran = forebay(&["append", "--url", &server.url()]).stdin(folder).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    holds(&String::from_utf8(ran.stderr).unwrap(), &["0 events acknowledged", "reading the input"]);
}

#[test]
fn nobody_listening_on_stdout_or_stderr_costs_no_event() {
    let server = server(&[]);
    let mut child =
        forebay(&["append", "--json", "-v", "--url", &server.url()]).stdin(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let mut stdin = child.stdin.take().unwrap();
    for number in 1..=30 {
        stdin.write_all(&[&b"bad\n"[..], &good(number + 100), b"\n"].concat()).unwrap();
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(read_sorted(&server), (101..=130).map(good).collect::<Vec<_>>());
}

#[test]
fn a_file_that_was_not_read_to_its_end_is_not_taken_for_one_that_was() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let path = dir.path().join("events");
    // A block an event, so that it cannot be through before it is interrupted.
    let content: Vec<u8> =
        (100_000..400_000).flat_map(|number| [&good(number)[..], b"\n"].concat()).collect();
    std::fs::write(&path, &content).unwrap();
    let child = forebay(&["append", path.to_str().unwrap(), "--max-events", "1", "--url", &server.url()])
        .spawn()
        .unwrap();
    until("something is stored", || stored(&server) > 0);
    interrupt(&child);
    let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.err);
    let count = stored(&server);
    holds(
        &ran.err,
        &[
            &format!("{} events acknowledged", figures::count(count)),
            "interrupted before the end of the file",
        ],
    );
    // What was taken is a prefix, and all of it is in.
    let read = run(&["read", "--quiet", "--url", &server.url()]).out;
    assert!(content.starts_with(&read) && lines(&read).len() as u64 == count);
}

#[test]
fn events_lost_by_a_server_that_comes_back_empty_are_counted_whether_anyone_listens_or_not() {
    for is_heard in [true, false] {
        let mut server = server(&[]);
        let mut child = forebay(&["append", "--url", &server.url()]).stdin(Stdio::piped()).spawn().unwrap();
        if !is_heard {
            drop(child.stderr.take());
        }
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&[&good(1)[..], b"\n"].concat()).unwrap();
        until("the first event is stored", || stored(&server) == 1);
        server.kill().unwrap();
        server.restart().unwrap();
        stdin.write_all(&good(2)).unwrap();
        drop(stdin);
        let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
        // Without a word where the server was killed between storing the first event and answering: then it is owed
        // to nobody, and sent again.
        let events = read_with_faults(&server);
        if events == [good(1), good(2)] {
            assert_eq!(ran.code, 0, "{}", ran.err);
        } else {
            assert_eq!((ran.code, events), (1, vec![good(2)]), "{}", ran.err);
            assert!(!is_heard || ran.err.contains("came back without 1 events"), "{}", ran.err);
        }
    }
}

/// What is in the buffer, gaps or not.
fn read_with_faults(server: &forebay_rig::server::Server) -> Vec<Vec<u8>> {
    lines(&run(&["read", "--quiet", "--url", &server.url()]).out)
}
