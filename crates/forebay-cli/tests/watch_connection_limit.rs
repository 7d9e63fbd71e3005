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
fn those_who_follow_and_never_listen_keep_nobody_out() {
    let (server, _) = filled(5);
    let watched = Watched::start(&address(&server));
    let at = watched.url("").replace("http://", "");
    // Twice as many as may follow, and not one of them reads.
    let mut silent: Vec<TcpStream> = Vec::new();
    for number in 0..128 {
        let mut stream = TcpStream::connect(&at).unwrap();
        stream.write_all(b"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
        silent.push(stream);
        if number == 63 {
            assert!(watched.get("/metrics").ends_with("# EOF\n"));
        }
    }
    let answer = ureq::get(watched.url("/api/live")).call().unwrap();
    let mut lines = BufReader::new(answer.into_body().into_reader()).lines();
    let looks =
        lines.by_ref().map_while(Result::ok).filter(|line| line.starts_with("data: ")).take(3).count();
    assert_eq!(looks, 3, "who comes last follows all the same");
    assert!(watched.get("/metrics").ends_with("# EOF\n") && watched.get("/").contains("<title>"));
    for stream in &mut silent {
        stream.set_nonblocking(true).unwrap();
    }
    until("those who followed for longest were closed", || {
        silent.iter_mut().take(32).all(|stream| !is_open(stream))
    });
}

#[test]
fn a_page_that_calls_this_machine_by_a_name_of_its_own_reads_nothing() {
    let (server, _) = filled(5);
    let watched = Watched::start(&address(&server));
    let asked = |path: &str, host: &str| {
        let ask = ureq::get(watched.url(path)).config().http_status_as_error(false).build();
        let mut answer = ask.header("host", host).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    for path in ["/", "/runbooks", "/metrics", "/api/stat", "/api/history", "/api/live", "/healthz"] {
        let (status, text) = asked(path, "attacker.example:9464");
        assert_eq!(status, 421, "{path}");
        assert!(text.contains("attacker.example") && !text.contains("forebay_"), "{path}: {text}");
    }
    for host in ["localhost:9464", "127.0.0.1", "[::1]:9464"] {
        assert_eq!(asked("/metrics", host).0, 200, "{host}");
    }
}

#[test]
fn the_runbooks_are_served_with_a_place_for_each_alert() {
    let (server, _) = filled(5);
    let watched = Watched::start(&address(&server));
    let page = watched.get("/runbooks");
    let profile = forebay_watch::profile::Profile::load(forebay_watch::profile::DEFAULT).unwrap();
    for rule in forebay_watch::deploy::rules::rules(&profile, 1.0) {
        assert!(page.contains(&format!("<h2 id=\"{}\">{}</h2>", rule.anchor(), rule.name)), "{}", rule.name);
    }
    assert!(watched.get("/").contains("href=\"/runbooks\""));
}
