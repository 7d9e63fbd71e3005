//! Events of odd shapes come back byte for byte, whatever they look like.

use super::atproto_support::{RECORDED, assert_comes_back, cases, encode};
use forebay::block::atproto::Effort;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

#[test]
fn no_events_and_empty_lines_come_back() {
    for events in
        ["", "\n", "\n\n", "{}", "{}\n", "\n{}", "\"", "/", "\\", "\"\\", "\0", "\u{1}\u{2}\u{10}\u{10}"]
    {
        assert_comes_back(events.as_bytes());
    }
}

#[test]
fn all_byte_pairs_come_back() {
    for first in 0..=255_u8 {
        let mut events = Vec::new();
        for second in 0..=255_u8 {
            events.extend_from_slice(&[b'"', first, second, b'"']);
        }
        assert_comes_back(&events);
    }
}

/// A like whose parts are given.
fn like(did: &str, rev: &str, created: &str, cid: &str, time: &str) -> String {
    format!(
        r#"{{"did":"{did}","time_us":{time},"kind":"commit","commit":{{"rev":"{rev}","operation":"create","collection":"app.bsky.feed.like","rkey":"{rev}","record":{{"$type":"app.bsky.feed.like","createdAt":"{created}","subject":{{"cid":"{cid}","uri":"at://{did}/app.bsky.feed.post/{rev}"}}}},"cid":"{cid}"}}}}"#
    )
}

const DID: &str = "did:plc:wq4aajammjtxdomz3e23667t";
const TID: &str = "3mptbypluud2a";
const TIME: &str = "2026-07-04T14:38:08.999Z";
const CID: &str = "bafyreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4i";
const TIME_US: &str = "1783175888085434";

#[test]
fn values_that_are_not_canonical_stay_as_they_are() {
    for did in [
        "did:plc:WQ4aajammjtxdomz3e23667t",
        "did:plc:wq4aajammjtxdomz3e23667",
        "did:plc:wq4aajammjtxdomz3e2366789",
        "did:web:example.com",
        "did:plc:wq4aajammjtxdomz3e23661t",
        "",
    ] {
        assert_comes_back(like(did, TID, TIME, CID, TIME_US).as_bytes());
    }
    for tid in [
        "3MPTBYPLUUD2A",
        "kmptbypluud2a",
        "zzzzzzzzzzzzz",
        "2222222222222",
        "jzzzzzzzzzzzz",
        "communication",
        "3mptbypluud2",
        "3mptbypluud2aa",
        "3mptbypluud1a",
        "self",
        "",
    ] {
        assert_comes_back(like(DID, tid, TIME, CID, TIME_US).as_bytes());
    }
    for time in [
        "2026-07-04T14:38:08Z",
        "2026-07-04T14:38:08.99Z",
        "2026-07-04T14:38:08.999999Z",
        "2026-07-04T14:38:08.999+00:00",
        "2026-02-30T14:38:08.999Z",
        "2026-07-04T24:38:08.999Z",
        "2026-07-04T14:38:60.999Z",
        "0001-01-01T00:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00.000Z",
        "2000-02-29T00:00:00.000Z",
        "1900-02-29T00:00:00.000Z",
        "9999-12-31T23:59:59.999Z",
        "2026-07-04t14:38:08.999z",
        "2026-07-04 14:38:08.999Z",
        "",
    ] {
        assert_comes_back(like(DID, TID, time, CID, TIME_US).as_bytes());
    }
    for cid in [
        "BAFYREIGUCE4JH7KCBMOF3PMCVASIFQTW24B6ISAKJ5VE5GA2B4Z4ALPC4I",
        "bafyreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4j",
        "bafyreizuce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4i",
        "bafkreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4i",
        "bafyreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG",
        "",
    ] {
        assert_comes_back(like(DID, TID, TIME, cid, TIME_US).as_bytes());
    }
    for time_us in [
        "0",
        "-1",
        "01783175888085434",
        "0783175888085434",
        "17831758880854341",
        "178317588808543",
        "1783175888085434.0",
        "1.783175888085434e15",
        "\"1783175888085434\"",
        "null",
        "9999999999999999",
        "1000000000000000",
        "18446744073709551616",
        "999999999999999999",
        "1000000000000000000",
    ] {
        assert_comes_back(like(DID, TID, TIME, CID, time_us).as_bytes());
    }
}

#[test]
fn records_that_one_reader_takes_and_another_does_not_come_back() {
    for record in [
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":1.5}"#,
        r#"{"a":-0}"#,
        r#"{"a":01}"#,
        r#"{"a":-9223372036854775808}"#,
        r#"{"a":-9223372036854775809}"#,
        r#"{"a":18446744073709551615}"#,
        r#"{"a":18446744073709551616}"#,
        r#"{"a":"\ud83d\ude00"}"#,
        r#"{"a":"\ud83d"}"#,
        r#"{"a":"\ude00\ud83d"}"#,
        r#"{"a":"\u0026\n\/"}"#,
        r#"{"a":{"$link":"bafyreia"}}"#,
        r#"{"a":{"$bytes":"AAEC"}}"#,
        r#"{"a":{"$bytes":"AAE"}}"#,
        r#"{"a":{"$bytes":"AAF"}}"#,
        r#"{"a":{"$bytes":"A"}}"#,
        r#"{"a":{"$bytes":"AAE="}}"#,
        r#"{"a": 1}"#,
        "[]",
        "null",
        "{}",
        "{",
        "",
        r#"{"a":[1,2,]}"#,
    ] {
        let event = format!(
            r#"{{"did":"{DID}","time_us":{TIME_US},"kind":"commit","commit":{{"rev":"{TID}","operation":"create","collection":"a.b.c","rkey":"x","record":{record},"cid":"{CID}"}}}}"#
        );
        assert_comes_back(event.as_bytes());
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_comes_back(format!(r#"{{"record":{deep},"cid":"{CID}"}}}}"#).as_bytes());
}

#[test]
fn a_record_named_twice_comes_back() {
    let line = RECORDED[0].lines().next().unwrap();
    assert_comes_back(line.replace("\"kind\"", "\"record\":{},\"kind\"").as_bytes());
    assert_comes_back(line.replace("\"kind\"", "\"x\":\"\\\"record\\\":\",\"kind\"").as_bytes());
}

/// Pieces of events that are put together without sense.
fn piece() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        DID,
        TID,
        TIME,
        CID,
        TIME_US,
        "\"",
        "/",
        ":",
        ",",
        "{",
        "}",
        "[",
        "]",
        "\\",
        "\\\"",
        "\\u0041",
        "\\ud83d",
        "\n",
        "\"time_us\":",
        "\"text\":\"",
        "\"langs\":[\"",
        "\"record\":",
        ",\"cid\":\"",
        "\"}}",
        "\"rev\":\"",
        "\"rkey\":\"",
        "\"createdAt\":\"",
        "\"uri\":\"http",
        "at://",
        "\"seq\":",
        "\"operation\":\"delete\"",
        "\"collection\":\"app.bsky.feed.post\"",
        "\u{1}",
        "\u{4}",
        "\u{e}",
        "\u{10}",
        "\r",
        "\t",
        "\0",
        "日本",
        "00",
        "did:plc:",
        "bafyrei",
        "bafkrei",
    ]);
    prop_oneof![4 => fixed.prop_map(str::to_owned), 1 => "[ -~]{0,12}", 1 => "[a-z2-7]{13}", 1 => "[0-9]{1,20}"]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn pieces_of_events_in_any_order_come_back(pieces in prop::collection::vec(piece(), 0..60)) {
        assert_comes_back(pieces.concat().as_bytes());
    }

    #[test]
    fn arbitrary_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        assert_comes_back(&bytes);
    }

    #[test]
    fn recorded_events_with_bytes_changed_come_back(
        first in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let lines: Vec<&str> = RECORDED.into_iter().flat_map(str::lines).collect();
        let start = first.index(lines.len());
        let mut block = lines[start..(start + 3).min(lines.len())].join("\n").into_bytes();
        for (at, byte) in changes {
            let at = at.index(block.len());
            block[at] = byte;
        }
        assert_comes_back(&block);
    }

    #[test]
    fn recorded_events_with_parts_removed_doubled_or_swapped_come_back(
        line in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 3),
        kind in 0..3,
    ) {
        let lines: Vec<&str> = RECORDED.into_iter().flat_map(str::lines).collect();
        let line = lines[line.index(lines.len())].as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(line.len())).collect();
        cuts.sort_unstable();
        let (a, b, c, d) = (&line[..cuts[0]], &line[cuts[0]..cuts[1]], &line[cuts[1]..cuts[2]], &line[cuts[2]..]);
        let parts = match kind { 0 => [a, c, d, b], 1 => [a, b, b, d], _ => [a, d, &b"\n"[..], c] };
        assert_comes_back(&parts.concat());
    }

    #[test]
    fn parsed_and_printed_events_come_back(line in any::<prop::sample::Index>(), pretty in any::<bool>()) {
        let lines: Vec<&str> = RECORDED.into_iter().flat_map(str::lines).collect();
        let value: serde_json::Value = serde_json::from_str(lines[line.index(lines.len())]).unwrap();
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        assert_comes_back(text.unwrap().as_bytes());
    }
}

/// Whether a record's own CID is left out of the frame, where it is the hash of these bytes.
fn is_computed(record: &str, cbor: &[u8]) -> bool {
    let bytes = [&[1, 0x71, 0x12, 0x20][..], &Sha256::digest(cbor)].concat();
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let letter = |at: usize| (0..5).fold(0, |value, index| value << 1 | bit(at + index));
    let letters = (0..bytes.len() * 8)
        .step_by(5)
        .map(|at| b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(letter(at))]);
    let cid = String::from_utf8(letters.collect()).unwrap();
    let line = like(DID, TID, TIME, CID, TIME_US);
    let (from, to) = (line.find(r#""record":"#).unwrap() + 9, line.rfind(r#","cid":"#).unwrap());
    let line = format!("{}{record},\"cid\":\"b{cid}\"}}}}", &line[..from]);
    assert!(to > from);
    assert_comes_back(line.as_bytes());
    encode(line.as_bytes(), Effort::Quick).len() >= encode(line.as_bytes(), Effort::Dense).len() + 30
}

#[test]
fn a_cid_is_computed_where_every_reader_computes_the_same_and_in_bounded_memory() {
    assert!(is_computed(r#"{"odd":"x"}"#, b"\xa1\x63odd\x61x"), "the test makes right CIDs");
    for key in [r"\u0024link", r"$lin\u006b"] {
        assert!(!is_computed(&format!(r#"{{"{key}":"x"}}"#), b"\xa1\x65$link\x61x"), "{key}");
    }
    assert!(!is_computed(r#"{"$bytes":"eA","a":1}"#, b"\xa2\x61a\x01\x66$bytes\x62eA"));
    // A record of a MiB is the largest.
    let text = "x".repeat(1 << 20);
    let cbor = [&b"\xa1\x61a\x7a\x00\x10\x00\x00"[..], text.as_bytes()].concat();
    assert!(!is_computed(&format!(r#"{{"a":"{text}"}}"#), &cbor));
    let cbor = [&b"\xa1\x61a\x7a\x00\x0f\x00\x00"[..], &text.as_bytes()[..0xF_0000]].concat();
    assert!(is_computed(&format!(r#"{{"a":"{}"}}"#, &text[..0xF_0000]), &cbor));
}
