//! What is claimed of an input of `append` that is no lines of events, or events of another time: it is said once what it is,
//! with the way out.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::io::Write;

use crate::cli_support::*;
use crate::support::{ask, server};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    // Stored, not compressed: RFC 1952 around one RFC 1951 block; whether its sums are right nobody looks at.
    let length = bytes.len() as u16;
    let head = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01";
    [&head[..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes, &[0; 8]].concat()
}

#[test]
fn a_packed_file_is_named_in_one_error_and_nothing_is_appended() {
    let server = server(&[]);
    let events = synthetic(200);
    let zstd = zstd::bulk::compress(&events, 1).unwrap();
    for (bytes, what, remedy) in [
        (gzip(&events[..60_000]), "a gzip file", "zcat FILE | forebay append"),
        (zstd, "a zstd file", "zstdcat FILE | forebay append"),
        (b"\xfd7zXZ\0\0\x04\n\xffrest\n".to_vec(), "an xz file", "xzcat"),
        (b"[\n{\"time_us\":1},\n{\"time_us\":2}\n]\n".to_vec(), "one JSON array", "jq -c '.[]'"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let path = file.path().to_str().unwrap();
        let said = said(&["append", path, "--url", &server.url()], 2);
        holds(&said, &[what, remedy, "none was appended"]);
        let piped = append(&server, &bytes, &["--quiet"]);
        assert_eq!((piped.code, piped.err.lines().count()), (2, 1), "{}", piped.err);
    }
    assert_eq!(ask::<u64>(&server, "XLEN forebay:{events.other.0}").unwrap(), 0);
}

#[test]
fn lines_in_another_form_are_refused_with_the_way_out() {
    let server = server(&[]);
    let two = |between: &str| format!("{{\"time_us\":1}}{between}{{\"time_us\":2}}\n").into_bytes();
    for (bytes, what, remedy) in [
        (two(""), "several objects in one line", "jq -c ."),
        (two("\r"), "carriage returns alone", "tr '\\r' '\\n'"),
        (b"\x1e{\"time_us\":1}\n\x1e{\"time_us\":2}\n".to_vec(), "record separators", "tr -d '\\036'"),
    ] {
        let ran = append(&server, &bytes, &[]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        holds(&ran.err, &["line 1 refused", "line 1 holds", what, remedy]);
    }
    // An array that is a line of its own is that line's affair.
    let ran = append(&server, b"[1,2]\n{\"time_us\":1}\n", &[]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    holds(&ran.err, &["line 1 refused: JSON, but not an object", "1 events acknowledged"]);
}

#[test]
fn events_of_the_old_layout_are_kept_and_told_with_a_count_and_an_example() {
    let server = server(&[]);
    let old = br#"{"did":"did:plc:a","time_us":1725516665234703,"type":"com","commit":{"rev":"3l3f","type":"c","collection":"app.bsky.feed.post","rkey":"3l3f","record":{}}}"#;
    let new = br#"{"did":"did:plc:a","time_us":2,"kind":"identity","type":"com"}"#;
    let plain = br#"{"time_us":3,"note":"\"type\":\"com\""}"#;
    let input = [&new[..], b"\n", plain, b"\n", old, b"\n", old, b"\n"].concat();
    let ran = append(&server, &input, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    holds(
        &ran.err,
        &["2 events have the layout", "lane other", "the first is line 3: {\"did\":\"did:plc:a\""],
    );
    let quiet = append(&server, &input, &["--quiet"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
    let fresh = append(&server, plain, &[]);
    assert!(!fresh.err.contains("layout"), "{}", fresh.err);
}

/// What the help says is accepted is accepted, and nothing else.
#[test]
fn the_help_says_what_an_event_is() {
    let server = server(&[]);
    let help = String::from_utf8(run(&["append", "--help"]).out).unwrap();
    holds(&help, &["JSON object", "time_us"]);
    assert_eq!(append(&server, b"{\"time_us\":1,\"anything\":[]}\n", &[]).code, 0);
    let refused = append(&server, b"{\"a\":1}\n", &[]);
    assert_eq!(refused.code, 1);
    holds(&refused.err, &["line 1 refused: no time_us"]);
}
