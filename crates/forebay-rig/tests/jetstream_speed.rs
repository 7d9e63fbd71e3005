//! How fast a replay of the simulated Jetstream is: what a test of a client can ask of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use forebay_rig::jetstream::{Protocol, Settings, Simulator};

use super::jetstream_support::{DICTIONARY, STREAM, WITHIN, get, start, still};

const EVENTS: u64 = 500_000;

/// Events a second of a replay to a reader that looks at nothing but the lengths of frames.
fn rate(simulator: &Simulator, path: &str) -> f64 {
    let mut stream = TcpStream::connect(simulator.address()).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    let begun = Instant::now();
    write!(stream, "GET {path} HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").unwrap();
    let mut bytes = vec![0; 1 << 20];
    let mut have = stream.read(&mut bytes).unwrap();
    let mut at = memchr::memmem::find(&bytes[..have], b"\r\n\r\n").unwrap() + 4;
    let mut frames = 0;
    while frames < EVENTS {
        while let Some(len) = frame_len(&bytes[at..have]) {
            at += len;
            frames += 1;
        }
        bytes.copy_within(at..have, 0);
        (have, at) = (have - at, 0);
        if frames < EVENTS {
            have += stream.read(&mut bytes[have..]).unwrap();
        }
    }
    EVENTS as f64 / begun.elapsed().as_secs_f64()
}

/// The length of a whole frame, where there is one.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let len = match bytes.get(1)? {
        126 => 4 + usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())),
        127 => panic!("an event of more than 64 KiB"),
        len => 2 + usize::from(*len),
    };
    (bytes.len() >= len).then_some(len)
}

#[test]
#[ignore = "nightly"]
fn nightly_a_replay_is_faster_than_what_reads_it() {
    for protocol in [Protocol::V1, Protocol::V2] {
        let simulator = start(Settings { ping_every: Duration::from_secs(60), ..still(protocol, EVENTS) });
        let mut paths = vec!["/subscribe?cursor=1".to_owned(), "/subscribe?cursor=1&compress=true".into()];
        if protocol == Protocol::V2 {
            let id = zstd::zstd_safe::get_dict_id_from_dict(&get(&simulator, DICTIONARY).1).unwrap();
            paths = vec![format!("{STREAM}?cursor=1"), format!("{STREAM}?cursor=1&zstdDictionary={id}")];
        }
        for path in paths {
            let rate = rate(&simulator, &path);
            println!("{protocol:?} {path}: {rate:.0} events/s");
            let least = if path.contains("ompress") || path.contains("zstd") { 60_000.0 } else { 100_000.0 };
            assert!(rate > least, "{path}: {rate:.0} events/s");
        }
    }
}
