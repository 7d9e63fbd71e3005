//! What is claimed of a watch that many ask at once, or slowly: it goes on answering, and holds no more than it must.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::support::{address, filled, until};
use super::watch_support::Watched;

/// Connections that begin a request and never end it.
const SLOW: usize = 300;

/// Connections that a watch holds at most.
const HELD_MAX: usize = 128;

/// Far above what an answer takes: a machine that is busy must not fail this.
const SOON: Duration = Duration::from_secs(4);

/// Whether the other end still holds a connection.
fn is_open(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 256]) {
        // What it says before it hangs up.
        Ok(count) => count > 0 && is_open(stream),
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

#[test]
fn those_who_ask_slowly_hold_up_nobody_and_are_not_held_for_long() {
    let (server, _) = filled(5);
    let watched = Watched::start(&address(&server));
    let answer = ureq::get(watched.url("/api/live")).call().unwrap();
    let mut follower = BufReader::new(answer.into_body().into_reader()).lines();
    let mut looks =
        || follower.by_ref().map_while(Result::ok).find(|line| line.starts_with("data: ")).is_some();
    assert!(looks(), "somebody follows");
    let at = watched.url("").replace("http://", "");
    let mut slow: Vec<TcpStream> = (0..SLOW)
        .map(|_| {
            let mut stream = TcpStream::connect(&at).unwrap();
            stream.write_all(b"G").unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let mut open = || slow.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count();
    for _ in 0..5 {
        let started = Instant::now();
        assert!(watched.get("/metrics").ends_with("# EOF\n"));
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    }
    until("no more are held than it must", || open() < HELD_MAX);
    until("none is held that does not end its request", || open() == 0);
    assert!((0..3).all(|_| looks()), "whoever follows still hears of each look");
}

#[test]
fn a_watch_that_all_follow_still_answers_the_next() {
    let (server, _) = filled(5);
    let watched = Watched::start(&address(&server));
    let followers: Vec<_> = (0..64).map(|_| ureq::get(watched.url("/api/live")).call().unwrap()).collect();
    assert!(watched.get("/metrics").ends_with("# EOF\n"));
    let next = ureq::get(watched.url("/api/live")).call();
    assert!(matches!(next, Err(ureq::Error::StatusCode(503))), "{next:?}");
    drop(followers);
    until("there is room again", || ureq::get(watched.url("/api/live")).call().is_ok());
}
