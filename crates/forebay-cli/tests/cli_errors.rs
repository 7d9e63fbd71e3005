//! What is claimed of errors: each names the thing and the way out, has its exit code, and shows no password.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::cli_support::{append, forebay, holds, run, said};
use super::support::{connection, server, tell, until};

#[test]
fn a_url_that_is_none_and_a_server_that_is_not_there_are_told_apart() {
    for url in [
        "nonsense",
        "",
        "localhost:6379",
        "http://localhost",
        "redis://",
        "redis://localhost:99999",
        "redis://localhost:port",
    ] {
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
    holds(&said(&["append", "--url", &node.url()], 3), &["node of a cluster", "redis+cluster://"]);
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
    tell(&server, "SET forebay:{events.likes.0} theirs");
    for verb in [&["append"][..], &["read", "--group", "g"]] {
        let text = said(&[verb, &["--url", &server.url()]].concat(), 2);
        holds(&text, &["forebay:{events.likes.0}", "--buffer"]);
    }
}

#[test]
fn words_that_will_not_do_are_named_with_those_that_will() {
    let server = server(&[]);
    let url = server.url();
    holds(&said(&["append", "--buffer", "a b", "--url", &url], 2), &["\"a b\"", "A-Z"]);
    assert_eq!(append(&server, b"{\"time_us\":1}\n", &[]).code, 0);
    holds(&said(&["read", "--lane", "lice", "--url", &url], 2), &["lice", "likes"]);
    holds(&said(&["stat", "--profile", "none", "--url", &url], 2), &["none", "bluesky-8h"]);
    holds(&said(&["append", "--ack", "maybe", "--url", &url], 2), &["maybe", "fsync"]);
    holds(&said(&["synth", "--rate", "NaN"], 2), &["NaN"]);
    holds(&said(&["fly"], 2), &["fly"]);
    holds(&said(&["read", "--ack"], 2), &["--group"]);
    holds(&said(&["append", "--ack", "fsync", "--url", &url], 2), &["appendonly"]);
    holds(&said(&["append", "--max-event", "1GiB", "--url", &url], 2), &["--max-event", "64 MiB"]);
    holds(&said(&["append", "--max-events", "0", "--url", &url], 2), &["--max-events"]);
    holds(&said(&["read", "--group", "", "--url", &url], 2), &["--group"]);
    holds(&said(&["capacity", "--url", &url], 2), &["--allow-load", "somebody's server"]);
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
        super::support::ask::<u64>(&server, "XLEN forebay:{events.other.0}").unwrap() == 1
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

/// Answers every connection with these bytes once it has asked something; none is silence.
fn impostor(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if !answer.is_empty() {
                assert!(stream.read(&mut [0; 4_096]).unwrap() > 0);
                stream.write_all(answer).unwrap();
            }
            open.push(stream);
        }
    });
    url
}

#[test]
fn what_answers_and_is_no_server_and_what_does_not_answer_are_told_apart() {
    let web = impostor(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    holds(&said(&["stat", "--url", &web], 3), &[&web, "neither Redis nor Valkey"]);
    let silent = impostor(b"");
    holds(&said(&["stat", "--url", &silent], 3), &[&silent, "gives no answer"]);
}

#[test]
fn a_password_put_where_none_belongs_is_not_shown_either() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let at = server.url().replace("redis://", "");
    for url in [format!("redis://:s3cr@t@{at}"), format!("redis://us:s3cr%3At@{at}"), format!(":s3cr@{at}")] {
        let option = format!("--buffer={url}");
        for args in [
            &["append", &url][..],
            &["append", "--rejects", &url],
            &["stat", &url],
            &["stat", "--url", &url],
            &["stat", "--buffer", &url],
            &["stat", &option],
            &["stat", "--profile", &url],
            &["read", "--lane", &url],
            &["capacity", "--server-bin", &url],
            &["capacity", "--url", &url],
            &[&url],
        ] {
            // In a folder of its own: `--rejects` makes a file of that name.
            let ran: super::cli_support::Ran = forebay(args).current_dir(dir.path()).output().unwrap().into();
            let text = ran.err + &String::from_utf8(ran.out).unwrap();
            assert!(ran.code > 1 && !text.contains("s3cr"), "{args:?}: {text}");
        }
        let ran = forebay(&["stat"]).env("FOREBAY_URL", &url).output().unwrap();
        let text = String::from_utf8(ran.stderr).unwrap();
        assert!(!ran.status.success() && !text.contains("s3cr"), "{text}");
    }
    // The colon forgotten: what was meant for the password stands where a user does.
    let text = said(&["stat", "--url", "redis://s3cret@127.0.0.1:1"], 3);
    assert!(text.contains("redis://***@127.0.0.1:1") && !text.contains("s3cr"), "{text}");
}

#[test]
fn a_report_shows_its_command_without_the_password() {
    let (server, dir) = (server(&[]), tempfile::tempdir().unwrap());
    let mut admin = connection(&server);
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("s3cr@t/").query::<()>(&mut admin).unwrap();
    let out = dir.path().join("report");
    let url = server.url().replace("redis://", "redis://:s3cr%40t%2F@");
    let args = ["audit", "--json", "-vv", "--url", &url, "--out"];
    let ran = run(&[&args[..], &[out.to_str().unwrap()]].concat());
    let report: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    holds(report["command"].as_str().unwrap(), &["forebay audit", "redis://:***@127.0.0.1"]);
    let mut shown = vec![ran.err, report.to_string()];
    for name in ["report.json", "report.html"] {
        shown.push(std::fs::read_to_string(out.join(name)).unwrap());
    }
    assert!(shown.iter().all(|text| !text.contains("s3cr")));
}

#[test]
fn a_profile_with_an_error_is_named_with_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    let file = path.to_str().unwrap();
    for (text, says) in
        [("name = \"x\"\nabout = 3\n", "line 2"), ("name = ", "line 1"), ("", "missing field")]
    {
        std::fs::write(&path, text).unwrap();
        holds(&said(&["stat", "--profile", file], 2), &[file, says]);
        holds(&said(&["capacity", "--profile", file], 2), &[file, says]);
    }
}

#[test]
fn a_time_out_of_bounds_is_named_as_it_was_given() {
    for every in ["0s", "99ms", "2m"] {
        holds(&said(&["watch", "--every", every], 2), &[&format!("--every {every}: from 100ms to 60s")]);
    }
}

#[test]
fn a_key_of_another_type_is_named_by_stat_and_read_too() {
    let server = server(&[]);
    let url = server.url();
    tell(&server, "SET forebay:{one.likes.0} theirs");
    tell(&server, "SET forebay:{two.likes.0}:writer theirs");
    for (buffer, key) in [("one", "forebay:{one.likes.0}"), ("two", "forebay:{two.likes.0}:writer")] {
        holds(&said(&["stat", "--buffer", buffer, "--url", &url], 2), &[key, "a string", "--buffer"]);
        holds(&said(&["append", "--buffer", buffer, "--url", &url], 2), &[key, "--buffer"]);
    }
    holds(&said(&["read", "--buffer", "one", "--url", &url], 2), &["forebay:one:", "--buffer"]);
}

#[test]
fn an_error_that_nobody_hears_keeps_its_exit_code_and_so_does_output_that_nobody_reads() {
    let server = server(&[]);
    append(&server, b"{\"time_us\":1}\n", &[]);
    let url = server.url();
    for (args, code) in [
        (&["stat", "--url", "redis://127.0.0.1:1"][..], 3),
        (&["stat", "--buffer", "a b"], 2),
        (&["fly"], 2),
        (&["stat", "--url", &url], 0),
        (&["stat", "--json", "--url", &url], 0),
        (&["completions", "bash"], 0),
        (&["--help"], 0),
        (&["read", "--url", &url], 0),
    ] {
        let mut child = forebay(args).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?}");
    }
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ran = forebay(&["stat", "--url", &url]).stdout(full).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    holds(&String::from_utf8(ran.stderr).unwrap(), &["writing to stdout", "No space left"]);
}

#[test]
fn an_argument_that_is_not_text_is_an_error_like_any_other() {
    use std::os::unix::ffi::OsStrExt as _;
    let word = std::ffi::OsStr::from_bytes(b"no-such-\xff");
    for verb in [&["append"][..], &["capacity", "--server-bin"]] {
        let ran: super::cli_support::Ran = forebay(verb).arg(word).output().unwrap().into();
        assert!([2, 3].contains(&ran.code) && ran.err.contains("no-such-"), "{}", ran.err);
    }
}

#[test]
fn a_user_who_may_not_look_at_the_server_is_told_that_it_is_the_login() {
    let server = server(&[]);
    tell(&server, "ACL SETUSER us on >s3cret ~* +@all -info");
    let url = server.url().replace("redis://", "redis://us:s3cret@");
    for verb in ["append", "read", "stat"] {
        let text = said(&[verb, "--url", &url], 3);
        holds(&text, &["refuses the login", "info"]);
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_url_that_asks_for_the_other_protocol_works_all_the_same() {
    let server = server(&[]);
    let url = format!("{}/?protocol=resp3", server.url());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"{\"time_us\":1}\n").unwrap();
    for args in [
        &["append", file.path().to_str().unwrap()][..],
        &["read"],
        &["read", "--group", "g", "--consumer", "c"],
        &["read", "--group", "g", "--consumer", "c", "--ack"],
        &["stat", "--over", "0s"],
    ] {
        let ran = run(&[args, &["--url", &url]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        assert!(!ran.out.is_empty() || args[0] == "append", "{args:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_named() {
    let server = server(&[]);
    append(&server, b"{\"time_us\":1}\n", &[]);
    let url = server.url();
    for args in [
        &["read", "--url", &url][..],
        &["stat", "--over", "0s", "--url", &url],
        &["append", "--json", "--url", &url],
        &["synth", "--count", "1"],
        &["completions", "bash"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran: super::cli_support::Ran = forebay(args).stdout(full).output().unwrap().into();
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        holds(&ran.err, &["writing to stdout", "No space left"]);
    }
}

#[test]
fn a_rate_that_is_next_to_nothing_is_refused() {
    for rate in ["1e-20", "0", "-1", "inf"] {
        holds(&said(&["synth", "--count", "3", &format!("--rate={rate}")], 2), &[rate, "at least"]);
    }
}
