//! What is claimed of errors: each names the thing and the way out, has its exit code, and shows no password.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::cli_support::{append, forebay, run};
use super::support::{connection, server, tell, until};

/// Runs `stat` on a URL and gives what it said, after the checks that every error must pass.
fn said(args: &[&str], code: i32) -> String {
    let ran = run(args);
    assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
    assert!(ran.out.is_empty(), "{args:?}");
    assert!(ran.err.starts_with("forebay: ") || ran.err.starts_with("error: "), "{}", ran.err);
    ran.err
}

fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_url_that_is_none_and_a_server_that_is_not_there_are_told_apart() {
    for url in ["nonsense", "http://localhost", "redis://localhost:99999"] {
        holds(&said(&["stat", "--url", url], 2), &["is not a Redis URL", "redis://"]);
    }
    // Bound and not listening: nobody answers there while we hold it.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let url = format!("redis://127.0.0.1:{port}");
    for verb in ["stat", "append", "read"] {
        holds(&said(&[verb, "--url", &url], 3), &["no server at", &url, "is it running"]);
    }
}

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let server = server(&[]);
    // A connection of ours from before: afterwards nobody else gets in.
    let mut admin = connection(&server);
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("s3cr@t").query::<()>(&mut admin).unwrap();
    let at = server.url();
    let at = at.strip_prefix("redis://").unwrap();
    holds(&said(&["stat", "--url", &format!("redis://{at}")], 3), &["refuses the login", "FOREBAY_URL"]);
    for wrong in ["s3cret", "s3cr%40t2", "s3cr@t2", "us:s3cr%3At"] {
        let url = format!("redis://user:{wrong}@{at}");
        for more in [&[][..], &["-vv"], &["--json"]] {
            let text = said(&[&["stat", "--url", &url], more].concat(), 3);
            assert!(!text.contains("s3cr"), "{text}");
        }
    }
    let url = format!("redis://:s3cr%40t@{at}");
    assert_eq!(run(&["synth", "--count", "1"]).code, 0);
    let ran: super::cli_support::Ran =
        forebay(&["stat", "--help"]).env("FOREBAY_URL", &url).output().unwrap().into();
    assert!(!String::from_utf8(ran.out).unwrap().contains("s3cr"));
    let ran: super::cli_support::Ran =
        forebay(&["append", "-vv", "--json", "-"]).env("FOREBAY_URL", &url).output().unwrap().into();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("s3cr") && !String::from_utf8(ran.out).unwrap().contains("s3cr"));
}

#[test]
fn servers_that_cannot_hold_a_buffer_are_named_with_what_to_do() {
    let (master, replica) = (server(&[]), server(&[]));
    tell(&replica, &format!("REPLICAOF 127.0.0.1 {}", master.port()));
    holds(&said(&["stat", "--url", &replica.url()], 3), &["it is a replica", &master.port().to_string()]);
    let node = server(&[("cluster-enabled", "yes")]);
    holds(&said(&["append", "--url", &node.url()], 3), &["cluster node"]);
}

#[test]
fn a_server_that_is_too_old_is_named_with_its_version() {
    // A real one that old cannot be had; all that counts is what it says of itself.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut bytes = [0; 4_096];
                while let Ok(read @ 1..) = stream.read(&mut bytes) {
                    let asked = String::from_utf8_lossy(&bytes[..read]).to_uppercase();
                    let info = "$34\r\nredis_version:5.0.7\r\nrole:master\r\n\r\n";
                    let answers = asked.matches("CLIENT").count();
                    let mut answer = "+OK\r\n".repeat(answers);
                    if asked.contains("INFO\r\n") {
                        answer.push_str(info);
                    }
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    holds(&said(&["stat", "--url", &url], 3), &["5.0.7", "6.2"]);
}

#[test]
fn a_key_that_holds_something_else_is_named() {
    let server = server(&[]);
    tell(&server, "SET forebay:events:{likes} theirs");
    for verb in [&["append"][..], &["read", "--group", "g"]] {
        let text = said(&[verb, &["--url", &server.url()]].concat(), 2);
        holds(&text, &["forebay:events:{likes}", "--buffer"]);
    }
}

#[test]
fn words_that_will_not_do_are_named_with_those_that_will() {
    let server = server(&[]);
    let url = server.url();
    holds(&said(&["append", "--buffer", "a b", "--url", &url], 2), &["\"a b\"", "A-Z"]);
    holds(&said(&["read", "--lane", "lice", "--url", &url], 2), &["lice", "likes"]);
    holds(&said(&["stat", "--profile", "none", "--url", &url], 2), &["none", "bluesky-8h"]);
    holds(&said(&["append", "--ack", "maybe", "--url", &url], 2), &["maybe", "fsync"]);
    holds(&said(&["synth", "--rate", "NaN"], 2), &["NaN"]);
    holds(&said(&["fly"], 2), &["fly"]);
    holds(&said(&["read", "--ack"], 2), &["--group"]);
    holds(&said(&["append", "--ack", "fsync", "--url", &url], 2), &["appendonly"]);
    holds(&said(&["capacity", "--server-bin", "/no/such/server"], 3), &["/no/such/server"]);
}

#[test]
fn a_server_lost_for_good_ends_with_how_much_is_not_acknowledged() {
    let mut server = server(&[]);
    let mut child = forebay(&["append", "--patience", "1s", "--url", &server.url()])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"time_us\":1}\n").unwrap();
    until("the first event is stored", || {
        super::support::ask::<u64>(&server, "XLEN forebay:events:{other}").unwrap() == 1
    });
    server.kill().unwrap();
    stdin.write_all(b"{\"time_us\":2}\n").unwrap();
    drop(stdin);
    let ran = super::cli_support::Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 3, "{}", ran.err);
    // Two where the server was killed between storing the first event and answering.
    let open = ["1 events are not acknowledged", "2 events are not acknowledged"];
    assert!(ran.err.contains("gave up") && open.iter().any(|open| ran.err.contains(open)), "{}", ran.err);
    assert_eq!(append(&super::support::server(&[]), b"{\"time_us\":1}\n", &[]).code, 0);
}
