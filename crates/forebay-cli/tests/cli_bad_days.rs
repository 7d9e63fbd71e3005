//! What is claimed of the command line on bad days: it ends in time, says how much is not acknowledged, and waits where
//! waiting helps.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::cli_support::{Ran, append, at_work, forebay, good, holds, read_sorted, run, say};
use super::support::{connection, server, tell, until};

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

const SECONDS: Duration = Duration::from_secs(60);

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
    assert_eq!(append(&server, &good(2), &["--takeover"]).code, 0);
    say(&mut stdin, 3);
    let ran = ended(child, SECONDS);
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["fenced", "1 events here are not acknowledged"]);
}

/// A source that goes on while the server is away: what was taken from it counts, whenever it was taken.
#[test]
fn append_that_may_no_longer_write_says_how_much_is_not_acknowledged() {
    let server = server(&[]);
    // It may be permitted again, which is waited for.
    let (child, mut stdin) = at_work(&server, &["--patience", "2s"]);
    tell(&server, "ACL SETUSER default -evalsha");
    (2..=3).for_each(|number| say(&mut stdin, number));
    let ran = ended(child, SECONDS);
    assert_eq!(ran.code, 3, "{}", ran.err);
    holds(&ran.err, &["after 2s", "evalsha", "; 2 events are not acknowledged"]);
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
    // Not as they were when the server was gone, which were a few. The last were in the pipe, or not looked at yet.
    let most = taken - stored;
    assert!(open <= most && open * 2 > most, "{open} of {most}: {}", ran.err);
}

#[test]
fn patience_counts_where_a_server_takes_connections_and_gives_no_answers() {
    let server = server(&[]);
    let (child, mut stdin) = at_work(&server, &["--patience", "1s"]);
    let url = server.url();
    let read = |more: &[&str]| {
        forebay(&[&["read", "--patience", "1s", "--url", &url], more].concat()).spawn().unwrap()
    };
    let followers = [read(&["--follow"]), read(&["--follow", "--group", "g", "--ack", "--at-most-once"])];
    until("they wait at the server", || super::support::info(&server, "blocked_clients") == "2");
    server.pause().unwrap();
    say(&mut stdin, 2);
    let opening = [
        forebay(&["append", "--patience", "1s", "--url", &url]).stdin(Stdio::null()).spawn().unwrap(),
        read(&[]),
    ];
    let [append_opening, read_opening] = opening;
    let ran = ended(child, SECONDS);
    assert_eq!(ran.code, 3, "{}", ran.err);
    holds(&ran.err, &["gave up on", "1 events are not acknowledged"]);
    let after = ran.err.split("after ").nth(1).unwrap();
    let waited: humantime::Duration = after.split(':').next().unwrap().parse().unwrap();
    assert!((Duration::from_secs(1)..SECONDS).contains(&*waited), "{}", ran.err);
    for child in followers {
        let ran = ended(child, SECONDS);
        assert_eq!(ran.code, 3, "{}", ran.err);
        holds(&ran.err, &["gave up on"]);
    }
    for child in [append_opening, read_opening] {
        let ran = ended(child, SECONDS);
        assert_eq!(ran.code, 3, "{}", ran.err);
        holds(&ran.err, &["gives no answer"]);
    }
    server.resume().unwrap();
}

#[test]
fn a_failing_second_writer_does_not_fence_the_first() {
    let server = server(&[]);
    let (child, mut stdin) = at_work(&server, &[]);
    for key in ["forebay:{events.reposts.0}", "forebay:{events.reposts.0}:writer"] {
        tell(&server, &format!("DEL {key}"));
        tell(&server, &format!("SET {key} theirs"));
        let ran = append(&server, b"", &[]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        holds(&ran.err, &[key]);
        tell(&server, &format!("DEL {key}"));
    }
    // In the first lane, and not in that of the first event, which is the last.
    let post = br#"{"time_us":2,"kind":"commit","commit":{"collection":"app.bsky.feed.post"}}"#;
    stdin.write_all(post).unwrap();
    drop(stdin);
    let ran = ended(child, SECONDS);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(read_sorted(&server).len(), 2);
}

#[test]
fn a_server_that_is_full_at_the_start_is_waited_for_and_not_for_ever() {
    let server = server(&[]);
    tell(&server, "CONFIG SET maxmemory 1");
    let url = server.url();
    until("it says that the server was full", || {
        let ran = ended(append_to(&url, &["--patience", "1s"]), SECONDS);
        assert_eq!(ran.code, 3, "{}", ran.err);
        holds(&ran.err, &["gave up on", &url]);
        ran.err.contains("OOM")
    });
    let child = append_to(&url, &[]);
    let refused = || -> u64 { super::support::info(&server, "total_error_replies").parse().unwrap() };
    let before = refused();
    until("it was refused more than once", || refused() > before + 2);
    tell(&server, "CONFIG SET maxmemory 0");
    let ran = ended(child, SECONDS);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(read_sorted(&server), [good(1)]);
}

/// `append` with one event on its stdin.
fn append_to(url: &str, more: &[&str]) -> Child {
    let args = [&["append", "--url", url], more].concat();
    let mut child = forebay(&args).stdin(Stdio::piped()).spawn().unwrap();
    say(&mut child.stdin.take().unwrap(), 1);
    child
}

#[test]
fn a_server_that_is_loading_at_the_start_is_waited_for() {
    let slow = [("key-load-delay", "500"), ("loading-process-events-interval-bytes", "1024")];
    let synced = [("appendonly", "yes"), ("appendfsync", "always")];
    waits_while_it_loads(&slow, &[]);
    waits_while_it_loads(&[slow, synced].concat(), &["--ack", "fsync"]);
}

fn waits_while_it_loads(settings: &[(&str, &str)], args: &[&str]) {
    let mut server = server(settings);
    let fill = "for i = 1, 8000 do redis.call('SET', 'filler' .. i, string.rep('x', 100)) end";
    redis::cmd("EVAL").arg(fill).arg(0).exec(&mut connection(&server)).unwrap();
    tell(&server, "SAVE");
    server.kill().unwrap();
    let url = server.url();
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| server.restart().unwrap());
        let ping = || -> Result<(), redis::RedisError> {
            let mut connection = redis::Client::open(url.as_str())?.get_connection()?;
            redis::cmd("PING").exec(&mut connection)
        };
        until("it loads", || ping().is_err_and(|error| error.code() == Some("LOADING")));
        let appended = ended(append_to(&url, args), 3 * SECONDS);
        assert_eq!(appended.code, 0, "{}", appended.err);
        restart.join().unwrap();
    });
    assert_eq!(run(&["read", "--quiet", "--url", &url]).out, [&good(1)[..], b"\n"].concat());
}

/// SIGTERM, which is what stops a service.
fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

#[test]
fn a_signal_ends_what_waits_for_a_server_that_gives_no_answers() {
    let mut server = server(&[]);
    let url = server.url();
    server.pause().unwrap();
    for args in
        [&["append", "--url", &url][..], &["read", "--url", &url], &["read", "--group", "g", "--url", &url]]
    {
        let mut child = forebay(args).stdin(Stdio::null()).spawn().unwrap();
        // Its handler is set by the time that it connects.
        until("it waits for an answer", || waits_on_a_socket(&child));
        terminate(&child);
        let mut remark = String::new();
        child.stderr.as_mut().unwrap().read_to_string(&mut remark).unwrap();
        let ran = ended(child, SECONDS);
        assert_eq!(ran.code, 130, "{args:?}: {remark}");
        assert!(!remark.contains("system call"), "{remark}");
    }
    server.resume().unwrap();
    for more in [&[][..], &["--group", "g", "--ack", "--at-most-once"]] {
        // It came back empty: a writer makes the buffer again.
        assert_eq!(append(&server, b"", &[]).code, 0);
        let args = [&["read", "--follow", "--url", &url], more].concat();
        let mut child = forebay(&args).spawn().unwrap();
        until("it waits at the server", || super::support::info(&server, "blocked_clients") == "1");
        server.kill().unwrap();
        until("it has noticed", || !waits_on_a_socket(&child));
        terminate(&child);
        let started = Instant::now();
        until("it ends", || child.try_wait().unwrap().is_some());
        assert!(started.elapsed() < SECONDS, "after {:?}", started.elapsed());
        let ran: Ran = child.wait_with_output().unwrap().into();
        assert_eq!(ran.code, 0, "the end of --follow is a signal: {}", ran.err);
        server.restart().unwrap();
    }
}

/// Whether the process has a TCP connection that is established.
fn waits_on_a_socket(child: &Child) -> bool {
    let sockets = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let inode =
        |link: &std::path::Path| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    let inodes: Vec<String> =
        sockets.filter_map(|entry| inode(&std::fs::read_link(entry.ok()?.path()).ok()?)).collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[3] == "01" && inodes.iter().any(|inode| inode == fields[9])
    })
}
