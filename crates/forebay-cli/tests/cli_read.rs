//! What is claimed of `forebay read` and `synth`: bytes as they came, in order, groups, and no trace.

use forebay_watch::figures;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::parse;

use super::cli_support::{append, forebay, interrupt, lines, run, synthetic};
use super::support::{ask, server, tell, until};

#[test]
fn what_went_in_comes_out_byte_for_byte_and_by_lane_in_order() {
    let server = server(&[]);
    let input = synthetic(5_000);
    assert_eq!(append(&server, &input, &[]).code, 0);
    let all = run(&["read", "--url", &server.url()]);
    assert_eq!((all.code, lines(&all.out)), (0, lines(&input)));
    assert!(all.err.contains("5,000 events"), "{}", all.err);
    for lane in jetstream::ALL {
        let is_of_lane = |line: &&[u8]| parse(line).is_ok_and(|event| event.lane == lane);
        let expected: Vec<&[u8]> = input.split(|byte| *byte == b'\n').filter(is_of_lane).collect();
        assert!(!expected.is_empty(), "{lane}");
        let read = run(&["read", "--lane", lane.name(), "--url", &server.url()]).out;
        assert!(read == [&expected.join(&b'\n')[..], b"\n"].concat(), "{lane}");
    }
    let two =
        run(&["read", "--quiet", "--lane", "likes,other", "--lane", "posts", "--url", &server.url()]).out;
    let is_asked = |line: &&[u8]| {
        parse(line)
            .is_ok_and(|event| [jetstream::LIKES, jetstream::OTHER, jetstream::POSTS].contains(&event.lane))
    };
    let asked: Vec<&[u8]> = input.split(|byte| *byte == b'\n').filter(is_asked).collect();
    assert_eq!(lines(&two), lines(&asked.join(&b'\n')));
}

#[test]
fn count_stops_within_a_block_and_with_a_group_at_the_end_of_one() {
    let server = server(&[]);
    append(&server, &synthetic(3_000), &["--max-events", "50"]);
    let url = server.url();
    assert_eq!(lines(&run(&["read", "--count", "7", "--url", &url]).out).len(), 7);
    let ran = run(&["read", "--count", "7", "--lane", "likes", "--group", "g", "--ack", "--url", &url]);
    assert_eq!(lines(&ran.out).len(), 50);
    assert_eq!(
        ask::<u64>(&server, "XLEN forebay:{events.likes.0}").unwrap() % 50,
        (ask::<u64>(&server, "HGET forebay:{events.likes.0}:writer s").unwrap() - 1) % 50
    );
}

#[test]
fn a_group_without_ack_keeps_blocks_pending_and_with_ack_lets_them_go() {
    let server = server(&[]);
    let input = synthetic(2_000);
    append(&server, &input, &[]);
    let url = server.url();
    let pending = || {
        ask::<(u64, redis::Value, redis::Value, redis::Value)>(&server, "XPENDING forebay:{events.likes.0} g")
            .unwrap()
            .0
    };
    let own = |more: &[&str]| {
        let ran = run(&[&["read", "--group", "g", "--consumer", "c", "--url", &url], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        lines(&ran.out)
    };
    assert_eq!(own(&[]), lines(&input));
    assert!(pending() > 0);
    assert!(ask::<u64>(&server, "XLEN forebay:{events.likes.0}").unwrap() > 0);
    // The same consumer is given again what it did not acknowledge.
    assert_eq!(own(&["--ack"]), lines(&input));
    assert_eq!((pending(), ask::<u64>(&server, "XLEN forebay:{events.likes.0}").unwrap()), (0, 0));
    assert!(own(&[]).is_empty());
}

#[test]
fn follow_waits_for_more_and_ends_at_ctrl_c() {
    let server = server(&[]);
    append(&server, &synthetic(10), &[]);
    let mut child =
        forebay(&["read", "--follow", "--url", &server.url()]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    (0..10).for_each(|_| assert!(out.read_line(&mut line).unwrap() > 0));
    append(&server, &synthetic(20), &[]);
    (0..20).for_each(|_| assert!(out.read_line(&mut line).unwrap() > 0));
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = forebay(&["synth", "--count", "1000000"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn damage_is_told_by_its_place_and_the_rest_is_read() {
    let server = server(&[]);
    append(&server, &synthetic(2_000), &["--max-events", "100"]);
    tell(&server, "XADD forebay:{events.likes.0} * f 1 s 99999 n 1 e 1 a 1 z 1 p 1 c 1 w 1 d nonsense");
    tell(&server, "XADD forebay:{events.posts.0} * f 9 s 99999 n 1 e 1 a 1 z 1 p 1 c 1 w 1 d later");
    let ran = run(&["read", "--url", &server.url()]);
    assert_eq!((ran.code, lines(&ran.out).len()), (1, 2_000));
    assert!(ran.err.contains("lane likes: block ") && ran.err.contains("is damaged"), "{}", ran.err);
    assert!(ran.err.contains("lane posts: block ") && ran.err.contains("newer forebay"), "{}", ran.err);
}

#[test]
fn a_closed_pipe_ends_a_read_quietly() {
    let server = server(&[]);
    append(&server, &synthetic(20_000), &[]);
    let mut child = forebay(&["read", "--quiet", "--url", &server.url()]).spawn().unwrap();
    drop(child.stdout.take());
    until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_read_cut_short_by_ctrl_c_is_not_taken_for_a_whole_one() {
    let server = server(&[]);
    append(&server, &synthetic(20_000), &["--max-events", "50"]);
    let mut child = forebay(&["read", "--url", &server.url()]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut err = BufReader::new(child.stderr.take().unwrap());
    // It holds far more than a pipe takes: from here on it waits for us.
    let mut read = Vec::new();
    out.read_until(b'\n', &mut read).unwrap();
    interrupt(&child);
    let mut remark = String::new();
    err.read_line(&mut remark).unwrap();
    assert!(remark.contains("ending"), "{remark}");
    out.read_to_end(&mut read).unwrap();
    err.read_to_string(&mut remark).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{remark}");
    assert!(remark.contains("interrupted before the end"), "{remark}");
    let count = lines(&read).len();
    assert!(
        count < 20_000 && remark.contains(&format!("{} events", figures::count(count as u64))),
        "{count}: {remark}"
    );
}

#[test]
fn synthetic_events_are_a_function_of_seed_and_number() {
    let all = synthetic(100);
    assert_eq!(run(&["synth", "--count", "100"]).out, all);
    let tail = run(&["synth", "--count", "40", "--first", "60"]).out;
    assert!(all.ends_with(&tail) && lines(&tail).len() == 40);
    assert_ne!(run(&["synth", "--count", "100", "--seed", "2"]).out, all);
}

#[test]
fn a_lane_named_twice_is_read_once() {
    let server = server(&[]);
    append(&server, &synthetic(100), &["--max-events", "2"]);
    let url = server.url();
    let once = run(&["read", "--quiet", "--lane", "likes", "--url", &url]).out;
    assert!(!once.is_empty());
    for more in
        [&["--lane", "likes,likes"][..], &["--lane", "likes", "--lane", "likes", "--group", "g", "--ack"]]
    {
        assert_eq!(run(&[&["read", "--quiet", "--url", &url], more].concat()).out, once);
    }
}

#[test]
fn two_readers_of_a_group_that_nobody_named_share_it_and_miss_nothing() {
    let server = server(&[]);
    let input = synthetic(20_000);
    append(&server, &input, &["--max-events", "20"]);
    let url = server.url();
    let start = || {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let child = forebay(&["read", "--group", "g", "--ack", "--follow", "--url", &url])
            .stdout(file.as_file_mut().try_clone().unwrap())
            .spawn()
            .unwrap();
        (child, file)
    };
    let readers = [start(), start()];
    until("all is acknowledged", || {
        let held = |lane: &Lane| ask::<u64>(&server, &format!("XLEN forebay:{{events.{lane}.0}}")).unwrap();
        jetstream::ALL.iter().map(held).sum::<u64>() == 0
    });
    let mut read = Vec::new();
    for (child, file) in readers {
        interrupt(&child);
        let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(!ran.err.contains("missing"), "{}", ran.err);
        read.extend(std::fs::read(file.path()).unwrap());
    }
    assert!(lines(&read) == lines(&input), "each event once: {} of 20000", lines(&read).len());
    let left: Vec<redis::Value> = ask(&server, "XINFO CONSUMERS forebay:{events.likes.0} g").unwrap();
    assert!(left.is_empty(), "who has left is struck off: {left:?}");
}

#[test]
fn what_another_consumer_holds_is_told_and_read_once_it_has_lain_for_long_enough() {
    let server = server(&[]);
    let input = synthetic(500);
    append(&server, &input, &[]);
    let url = server.url();
    assert_eq!(lines(&run(&["read", "--group", "g", "--url", &url]).out), lines(&input));
    let ran = run(&["read", "--group", "g", "--ack", "--url", &url]);
    assert_eq!((ran.code, ran.out.len()), (0, 0), "{}", ran.err);
    assert!(
        ran.err.contains("blocks are with other consumers") && ran.err.contains("after 1m"),
        "{}",
        ran.err
    );
    let ran = run(&["read", "--group", "g", "--ack", "--claim-idle", "1ms", "--url", &url]);
    assert_eq!((ran.code, lines(&ran.out)), (0, lines(&input)), "{}", ran.err);
    assert!(!ran.err.contains("other consumers"), "{}", ran.err);
}
