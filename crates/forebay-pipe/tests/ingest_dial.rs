//! What a host that cannot be reached is told by: the name, the address, the reason.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use forebay_pipe::ingest::Host;
use forebay_pipe::ingest::running::Running;
use forebay_rig::jetstream::{Settings, Simulator};

use crate::support::{Waits, config, server};

/// What an ingest says of hosts that cannot be reached, once it has given up on them.
fn error_of(urls: &[String]) -> String {
    let server = server(&[]);
    let mut config = config(&server, urls);
    config.patience = Duration::from_millis(100);
    let since = Instant::now();
    let running = Running::start(config);
    running.wait_for(1);
    let (outcome, _) = running.end();
    assert!(since.elapsed() < Duration::from_secs(30));
    outcome.unwrap_err().to_string()
}

#[test]
fn each_host_that_was_tried_is_named_with_what_came_of_it() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = deaf.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in deaf.incoming().take(20) {
            let mut socket: TcpStream = socket.unwrap();
            let _ = socket.read(&mut [0; 1_024]);
            let _ = socket.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        }
    });
    for (url, parts) in [
        (format!("ws://{unused}/subscribe"), vec![unused.to_string(), "refused".into()]),
        ("ws://no-such-host.invalid/subscribe".into(), vec!["no-such-host.invalid".into(), "name".into()]),
        (format!("wss://{plain}/subscribe"), vec!["TLS".into()]),
        (format!("ws://{plain}/subscribe"), vec!["answered 404".into()]),
    ] {
        let error = error_of(std::slice::from_ref(&url));
        for part in parts {
            assert!(error.contains(&part), "{url}: {error} has no {part}");
        }
    }
}

#[test]
fn a_host_that_answers_is_found_behind_one_that_does_not() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let simulator =
        Simulator::start(Settings { history: 1_000, last: Some(999), ..Settings::default() }).unwrap();
    let server = server(&[]);
    let urls = [format!("ws://{unused}"), format!("{}/subscribe", simulator.url())];
    let running = Running::start(config(&server, &urls));
    running.wait_for(1_000);
    let (outcome, heard) = running.end();
    let counted = outcome.unwrap();
    assert_eq!(counted.host, Host::parse(&urls[1]).unwrap().to_string());
    assert!(heard.remarks.iter().all(|remark| remark.contains(&unused.to_string())), "{heard:?}");
}
