//! What is claimed of the simulated Jetstream by clients that others wrote: they read from it what it says it sent.

use std::path::PathBuf;
use std::process::Command;

use forebay_rig::jetstream::{Fault, Form, Protocol, Settings, Simulator};
use serde_json::Value;

use super::jetstream_support::{start, still};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// An interpreter that has the packages of the clients.
fn python() -> String {
    let named = std::env::var("FOREBAY_PYTHON").ok();
    let tried = named.into_iter().chain([format!("{ROOT}/target/python/bin/python3"), "python3".into()]);
    let has = |python: &String| {
        let ran =
            Command::new(python).args(["-c", "import websockets, zstandard, atproto_jetstream"]).output();
        ran.is_ok_and(|output| output.status.success())
    };
    tried
        .into_iter()
        .find(has)
        .expect("a python3 with the packages websockets, zstandard and atproto: make setup-python")
}

/// What a client wrote, by line.
fn lines(command: &mut Command) -> Vec<Vec<u8>> {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{:?}: {}", ran.status, String::from_utf8_lossy(&ran.stderr));
    let written = ran.stdout.strip_suffix(b"\n").unwrap_or(&ran.stdout);
    written.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn served(simulator: &Simulator, events: u64, form: Form) -> Vec<Vec<u8>> {
    (0..events).map(|index| simulator.line(index, form)).collect()
}

#[test]
fn websockets_in_python_reads_subscribe_of_both_protocols_compressed_or_not() {
    let dictionary = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(dictionary.path(), Simulator::dictionary().unwrap()).unwrap();
    for (protocol, form) in [(Protocol::V1, Form::V1), (Protocol::V2, Form::V1WithCursor)] {
        let simulator = start(still(protocol, 2_000));
        let read = |query: &str| {
            let mut command = Command::new(python());
            command.arg(format!("{CLIENTS}/subscribe.py"));
            command.arg(format!("{}/subscribe?cursor=1{query}", simulator.url())).arg("2000");
            command
        };
        let expected = served(&simulator, 2_000, form);
        assert_eq!(lines(&mut read("")), expected);
        assert_eq!(lines(read("&compress=true").arg(dictionary.path())), expected);
    }
}

/// What the package atproto should make of an event, as the client writes it.
fn made_of(frame: &[u8]) -> String {
    let frame: Value = serde_json::from_slice(frame).unwrap();
    let event = &frame["payload"];
    let kind = event["$type"].as_str().unwrap().split_once('#').unwrap().1;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let words = if kind == "commit" {
        ["operation", "collection", "rkey", "rev", "cid"].map(|key| text(&event[key])).join(" ")
    } else {
        event[kind]["seq"].to_string()
    };
    format!("{} {kind} {} {words}", event["seq"], text(&event["did"]))
}

fn atproto(simulator: &Simulator, count: u64, cursor: u64) -> Vec<String> {
    let mut command = Command::new(python());
    command.arg(format!("{CLIENTS}/stream.py")).arg(format!("{}/xrpc", simulator.url()));
    let lines = lines(command.arg(count.to_string()).arg(cursor.to_string()));
    lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
}

#[test]
fn atproto_in_python_reads_the_stream_compressed_over_resets() {
    // Where a host says in order that it goes away, this client stops for good.
    let simulator =
        start(Settings { faults: vec![Fault::Reset { every: 900 }], ..still(Protocol::V2, 2_000) });
    let read = atproto(&simulator, 2_000, 1);
    assert_eq!(read[0], "compressed");
    let expected: Vec<_> = served(&simulator, 2_000, Form::V2).iter().map(|frame| made_of(frame)).collect();
    let differs = read[1..].iter().zip(&expected).find(|(read, sent)| read != sent);
    assert_eq!((differs, read.len() - 1), (None, 2_000));
    assert!(simulator.times("reset") > 0 && simulator.connections() > 1);
}

#[test]
fn atproto_in_python_is_told_of_a_cursor_that_is_too_old() {
    let simulator = start(Settings { retention: 100, ..still(Protocol::V2, 2_000) });
    assert_eq!(atproto(&simulator, 100, 5)[1], "JetstreamCursorTooOldError");
    let read = atproto(&simulator, 101, simulator.time_us(5));
    assert_eq!(read[1], "0 info - OutdatedCursor");
    assert_eq!(read[2], made_of(&simulator.line(1_900, Form::V2)));
    assert_eq!((read.len(), simulator.times("clamped")), (102, 2));
}

#[test]
fn skyware_in_node_reads_subscribe_of_both_protocols() {
    let folder = std::env::var("FOREBAY_NODE").unwrap_or_else(|_| format!("{ROOT}/target/node"));
    let folder = PathBuf::from(folder);
    let is_there = |name: &str| folder.join("node_modules").join(name).is_dir();
    assert!(
        is_there("ws") && is_there("@skyware/jetstream"),
        "the packages @skyware/jetstream and ws are not in {}: make setup-node",
        folder.display()
    );
    for (protocol, form) in [(Protocol::V1, Form::V1), (Protocol::V2, Form::V1WithCursor)] {
        let simulator = start(still(protocol, 2_000));
        let mut command = Command::new("node");
        command.arg(format!("{CLIENTS}/subscribe.mjs")).arg(folder.canonicalize().unwrap());
        // What it takes for a cursor of its own is a time, also from a V2 host.
        let cursor = simulator.time_us(0).to_string();
        command.arg(format!("{}/subscribe", simulator.url())).arg("2000").arg(cursor);
        let json = |line: &Vec<u8>| serde_json::from_slice::<Value>(line).unwrap();
        let read: Vec<_> = lines(&mut command).iter().map(json).collect();
        let expected: Vec<_> = served(&simulator, 2_000, form).iter().map(json).collect();
        assert_eq!(read, expected);
    }
}
