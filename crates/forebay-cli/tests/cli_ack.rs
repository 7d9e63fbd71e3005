//! What is claimed of acknowledging for a consumer: nothing is acknowledged that did not arrive, whatever stdout is and
//! whoever dies; a command, or the consumer itself, may say when.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use forebay_rig::server::Server;
use forebay_rig::server::fault::disk::Disk;

use super::cli_support::{Ran, append, forebay, holds, lines, run, said, synthetic};
use super::support::{ask, server, tell, until};

/// Events in the buffer, and blocks that group g was given and has not acknowledged.
fn standing(server: &Server) -> (u64, u64) {
    let held = lines(&run(&["read", "--quiet", "--url", &server.url()]).out).len() as u64;
    let pending = |lane: &str| -> u64 {
        let row: redis::RedisResult<(u64, redis::Value, redis::Value, redis::Value)> =
            ask(server, &format!("XPENDING forebay:{{events.{lane}.0}} g"));
        row.map_or(0, |row| row.0)
    };
    (held, ["posts", "likes", "reposts", "follows", "blocks", "other"].map(pending).iter().sum())
}

fn filled(events: u64, more: &[&str]) -> (Server, Vec<u8>) {
    let server = server(&[]);
    let input = synthetic(events);
    assert_eq!(append(&server, &input, more).code, 0);
    (server, input)
}

fn reading(server: &Server, more: &[&str]) -> Command {
    forebay(&[&["read", "--group", "g", "--url", &server.url()], more].concat())
}

fn onto(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

fn ended(mut child: Child) -> Ran {
    until("it ends", || child.try_wait().unwrap().is_some());
    child.wait_with_output().unwrap().into()
}

#[test]
fn ack_is_refused_where_nothing_can_arrive_and_where_nobody_can_know() {
    let (server, _) = filled(200, &[]);
    let refused = |ran: Ran, parts: &[&str]| {
        assert_eq!(ran.code, 2, "{}", ran.err);
        holds(&ran.err, parts);
        holds(&ran.err, &["--exec", "--frames"]);
        assert_eq!(standing(&server), (200, 0));
    };
    for more in [&["--ack"][..], &["--ack", "--at-most-once"]] {
        let command = reading(&server, more);
        let mut closed = Command::new("sh");
        closed.args(["-c", "exec \"$0\" \"$@\" >&-"]).arg(command.get_program()).args(command.get_args());
        refused(closed.env_remove("FOREBAY_URL").output().unwrap().into(), &["closed"]);
        for device in ["/dev/null", "/dev/zero", "/dev/full"] {
            let device = OpenOptions::new().write(true).open(device).unwrap();
            refused(reading(&server, more).stdout(device).output().unwrap().into(), &["/dev/null"]);
        }
    }
    refused(reading(&server, &["--ack"]).output().unwrap().into(), &["a pipe", "--at-most-once"]);
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/ptmx").unwrap();
    let ran = reading(&server, &["--ack"]).stdout(terminal).output().unwrap().into();
    refused(ran, &["a terminal", "--at-most-once"]);
    // A descriptor that cannot be written: an error, and not a write that was done.
    let input = tempfile::NamedTempFile::new().unwrap();
    let ran: Ran =
        reading(&server, &["--ack"]).stdout(File::open(input.path()).unwrap()).output().unwrap().into();
    assert_eq!(ran.code, 2, "{}", ran.err);
    holds(&ran.err, &["stdout"]);
    assert_eq!(standing(&server).0, 200);
}

#[test]
fn after_a_kill_and_a_power_cut_every_acknowledged_event_is_in_the_file() {
    let (server, input) = filled(6_000, &["--max-events", "2"]);
    let disk = Disk::mount(64 << 20).unwrap();
    let path = disk.path().join("events.ndjson");
    disk.slow_fsync(Duration::from_millis(200));
    let mut child = reading(&server, &["--ack", "--consumer", "c"]).stdout(onto(&path)).spawn().unwrap();
    until("something is acknowledged", || {
        ask::<u64>(&server, "XLEN forebay:{events.likes.0}").unwrap()
            < ask::<u64>(&server, "HGET forebay:{events.likes.0}:writer s").unwrap()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    disk.cut_power(None);
    let held = lines(&run(&["read", "--quiet", "--url", &server.url()]).out);
    assert!(held.len() < 6_000);
    let saved = lines(&std::fs::read(&path).unwrap());
    let mut both = [held, saved].concat();
    both.sort();
    both.dedup();
    assert!(both == lines(&input), "{} of 6000 events are somewhere", both.len());
    disk.heal_fsync();
    let ran: Ran =
        reading(&server, &["--ack", "--consumer", "c"]).stdout(onto(&path)).output().unwrap().into();
    assert_eq!(ran.code, 0, "{}", ran.err);
    disk.cut_power(None);
    let mut saved = lines(&std::fs::read(&path).unwrap());
    saved.dedup();
    assert_eq!((saved == lines(&input), standing(&server)), (true, (0, 0)));
}

#[test]
fn a_file_that_cannot_be_fsynced_acknowledges_nothing() {
    let (server, _) = filled(500, &[]);
    let disk = Disk::mount(64 << 20).unwrap();
    disk.fail_fsync();
    let file = onto(&disk.path().join("events.ndjson"));
    let ran: Ran = reading(&server, &["--ack"]).stdout(file).output().unwrap().into();
    assert_eq!(ran.code, 2, "{}", ran.err);
    holds(&ran.err, &["fsync of the file on stdout"]);
    assert_eq!(standing(&server).0, 500);
}

#[test]
fn a_full_disk_ends_it_and_what_is_read_again_does_not_touch_the_line_that_was_cut() {
    let (server, input) = filled(3_000, &["--max-events", "50"]);
    let disk = Disk::mount(300_000).unwrap();
    let path = disk.path().join("events.ndjson");
    let ran: Ran =
        reading(&server, &["--ack", "--consumer", "c"]).stdout(onto(&path)).output().unwrap().into();
    assert_eq!(ran.code, 2, "{}", ran.err);
    holds(&ran.err, &["writing to stdout", "space"]);
    let cut = std::fs::read(&path).unwrap();
    assert_ne!(cut.last(), Some(&b'\n'), "the last line is cut");
    disk.set_room(64 << 20);
    let ran: Ran =
        reading(&server, &["--ack", "--consumer", "c"]).stdout(onto(&path)).output().unwrap().into();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = lines(&input);
    let mut saved = lines(&std::fs::read(&path).unwrap());
    saved.dedup();
    let before = saved.len();
    saved.retain(|line| expected.binary_search(line).is_ok());
    assert_eq!((saved == expected, before - saved.len(), standing(&server)), (true, 1, (0, 0)));
}

#[test]
fn a_pipe_that_breaks_is_an_error_that_says_how_many_acknowledged_events_may_be_lost() {
    let (server, input) = filled(20_000, &["--max-events", "50"]);
    let mut child = reading(&server, &["--ack", "--at-most-once"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let ran = ended(child);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let acknowledged: u64 =
        ran.err.split("up to ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert_eq!(standing(&server).0 + acknowledged, 20_000, "{}", ran.err);
    // One that has all that it was given, and no end of the input yet, is noticed too.
    tell(&server, "FLUSHALL");
    append(&server, &synthetic(10), &[]);
    let mut child = reading(&server, &["--ack", "--at-most-once", "--follow"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut read = String::new();
    (0..10).for_each(|_| assert!(out.read_line(&mut read).unwrap() > 0));
    drop(out);
    until("all is acknowledged", || standing(&server) == (0, 0));
    super::cli_support::interrupt(&child);
    let ran = ended(child);
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["up to 10 events that were acknowledged"]);
    assert!(lines(read.as_bytes()).iter().all(|line| lines(&input).contains(line)));
}

#[test]
fn a_command_that_exits_0_has_its_batch_and_nothing_else_is_acknowledged() {
    let (server, input) = filled(5_000, &["--max-events", "50"]);
    let dir = tempfile::tempdir().unwrap();
    let (out, counts) = (dir.path().join("out"), dir.path().join("counts"));
    let exec = |line: &str| {
        let mut command = reading(&server, &["--consumer", "c", "--exec", line]);
        command.env("OUT", &out).env("COUNTS", &counts);
        Ran::from(command.output().unwrap())
    };
    let ran = exec("echo $FOREBAY_EVENTS >> $COUNTS; exit 7");
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["exit status: 7", "tried 3 of 3", "are not acknowledged"]);
    let tried = std::fs::read_to_string(&counts).unwrap();
    let tried: Vec<&str> = tried.lines().collect();
    assert!(tried.len() == 3 && tried.iter().all(|count| *count == tried[0] && *count != "0"), "{tried:?}");
    assert_eq!(standing(&server).0, 5_000);
    // The first try of each batch fails.
    let ran =
        exec("if [ -e $OUT.tried ]; then rm $OUT.tried; cat >> $OUT; else touch $OUT.tried; exit 1; fi");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(lines(&std::fs::read(&out).unwrap()), lines(&input));
    assert_eq!(standing(&server), (0, 0));
    // Nothing to give it: it does not run.
    let ran = exec("touch $OUT.ran");
    assert_eq!((ran.code, dir.path().join("out.ran").exists()), (0, false), "{}", ran.err);
}

#[test]
fn a_command_that_hangs_is_killed_before_others_are_given_its_events() {
    let (server, _) = filled(100, &[]);
    let ran: Ran =
        reading(&server, &["--exec", "sleep 1000; :", "--claim-idle", "1s"]).output().unwrap().into();
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["killed after 900ms", "--claim-idle"]);
    assert_eq!(standing(&server).0, 100);
}

#[test]
fn a_command_reads_its_batch_whole_even_where_the_reader_is_killed() {
    let (server, input) = filled(500, &["--max-events", "500"]);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let line = "touch $DIR/started; until [ -e $DIR/go ]; do sleep 0.01; done; cat > $DIR/part; mv $DIR/part $DIR/out";
    let mut child = reading(&server, &["--exec", line]).env("DIR", dir.path()).spawn().unwrap();
    until("the command runs", || at("started").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(at("go"), "").unwrap();
    until("it has ended", || at("out").exists());
    assert_eq!(lines(&std::fs::read(at("out")).unwrap()), lines(&input));
    assert_eq!(standing(&server).0, 500, "and nothing is acknowledged");
}

#[test]
fn blocks_are_acknowledged_by_the_ids_that_frames_print() {
    let (server, input) = filled(1_000, &["--max-events", "50"]);
    let url = server.url();
    let ran = run(&["read", "--frames", "--group", "g", "--url", &url]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (mut heads, mut events, mut left) = (Vec::new(), Vec::new(), 0);
    for line in ran.out.split_inclusive(|byte| *byte == b'\n') {
        if left == 0 {
            let head: serde_json::Value = serde_json::from_slice(line).unwrap();
            left = head["events"].as_u64().unwrap();
            heads.push(head["block"].as_str().unwrap().to_owned());
        } else {
            left -= 1;
            events.extend_from_slice(line);
        }
    }
    assert_eq!((left, lines(&events)), (0, lines(&input)));
    assert_eq!(standing(&server), (1_000, heads.len() as u64));
    let ran = run(&["ack", "--group", "g", "--url", &url, &heads[0], &heads[1], &heads[0]]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    holds(&ran.err, &["2 blocks acknowledged", "1 were not pending"]);
    assert_eq!(standing(&server).1, heads.len() as u64 - 2);
    // On stdin, as ids or as they were printed.
    let mut child = forebay(&["ack", "--group", "g", "--url", &url]).stdin(Stdio::piped()).spawn().unwrap();
    let printed = format!(
        "{}\n{{\"block\":\"{}\",\"events\":50}}\n",
        heads[2..heads.len() - 1].join("\n"),
        heads[heads.len() - 1]
    );
    child.stdin.take().unwrap().write_all(printed.as_bytes()).unwrap();
    let ran = ended(child);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(standing(&server), (0, 0));
    holds(&said(&["ack", "--group", "g", "likes/x", "--url", &url], 2), &["likes/x", "--frames"]);
    holds(&said(&["ack", "--group", "no", &heads[0], "--url", &url], 2), &["no group no", "its groups: g"]);
}

#[test]
fn without_ack_a_read_goes_anywhere() {
    let (server, _) = filled(100, &[]);
    let null = File::create("/dev/null").unwrap();
    let ran: Ran = reading(&server, &[]).stdout(null).output().unwrap().into();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut child = reading(&server, &["--frames"]).spawn().unwrap();
    child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(ended(child).code, 0);
    assert!(standing(&server).1 > 0);
}
