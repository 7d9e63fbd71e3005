//! What is claimed of the command line on bad days: it ends in time, says how much is not acknowledged, and waits where
//! waiting helps.

use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use forebay::server::Server;

use super::cli_support::{Ran, append, forebay, good, holds, read_sorted, stored};
use super::support::{server, tell, until};

/// `append` at work, with its first event stored and its stdin open.
fn at_work(server: &Server, more: &[&str]) -> (Child, ChildStdin) {
    let before = stored(server);
    let mut child =
        forebay(&[&["append", "--url", &server.url()], more].concat()).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    say(&mut stdin, 1);
    until("the first event is stored", || stored(server) == before + 1);
    (child, stdin)
}

fn say(stdin: &mut ChildStdin, number: u64) {
    stdin.write_all(&[&good(number)[..], b"\n"].concat()).unwrap();
}

/// Waits for its end, no longer than this.
fn ended(mut child: Child, limit: Duration) -> Ran {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > limit {
            child.kill().unwrap();
            panic!("still at work after {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap().into()
}

const SECONDS: Duration = Duration::from_secs(10);

#[test]
fn append_ends_when_its_server_is_lost_for_good_although_the_source_is_silent() {
    let mut server = server(&[]);
    let (child, mut stdin) = at_work(&server, &["--patience", "1s"]);
    server.kill().unwrap();
    (2..=4).for_each(|number| say(&mut stdin, number));
    let ran = ended(child, SECONDS);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let open = ["3 events are not acknowledged", "4 events are not acknowledged"];
    assert!(open.iter().any(|open| ran.err.contains(open)), "{}", ran.err);
}

#[test]
fn append_ends_when_it_is_fenced_although_the_source_is_silent() {
    let server = server(&[]);
    let (child, mut stdin) = at_work(&server, &[]);
    assert_eq!(append(&server, &good(2), &[]).code, 0);
    say(&mut stdin, 3);
    let ran = ended(child, SECONDS);
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["fenced", "1 events here are not acknowledged"]);
}

/// A source that goes on while the server is away: what was taken from it counts, whenever it was taken.
#[test]
fn append_that_may_no_longer_write_says_how_much_is_not_acknowledged() {
    let server = server(&[]);
    let (child, mut stdin) = at_work(&server, &[]);
    tell(&server, "ACL SETUSER default -evalsha");
    (2..=3).for_each(|number| say(&mut stdin, number));
    let ran = ended(child, SECONDS);
    assert_eq!(ran.code, 3, "{}", ran.err);
    holds(&ran.err, &["forebay: 2 events are not acknowledged: ", "lane other", "evalsha"]);
}

#[test]
fn what_is_not_acknowledged_is_counted_at_the_end() {
    let mut server = server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let (child, mut stdin) = at_work(&server, &["--patience", "2s"]);
    server.kill().unwrap();
    let started = Instant::now();
    let mut taken = 1;
    // It ends while this goes on, in blocks few enough that nothing is held back.
    while stdin.write_all(&[&good(taken + 1)[..], b"\n"].concat()).is_ok() {
        taken += 1;
        assert!(started.elapsed() < 3 * SECONDS, "it goes on for ever");
        std::thread::sleep(Duration::from_millis(1));
    }
    let ran = ended(child, SECONDS);
    let open: u64 = ran.err.split("; ").last().unwrap().split(' ').next().unwrap().parse().unwrap();
    server.restart().unwrap();
    let stored = read_sorted(&server).len() as u64;
    // The last few were in the pipe when it ended.
    let most = taken - stored;
    assert!(open <= most && open + 50 > most, "{open} of {most}: {}", ran.err);
}
