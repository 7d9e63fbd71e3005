//! What is claimed of made-up events' references: every CID is that of its record, and every reference names an
//! event of the same universe as it is.

use std::collections::HashMap;

use forebay_rig::synth::ids::Tid;
use forebay_rig::synth::{Mix, Synth};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::synth::{SEED, event, line, recorded, text, uri};

// --- CIDs -----------------------------------------------------------------------------------------------------

/// Canonical DAG-CBOR of a record's JSON, written for this test alone.
fn dag_cbor(value: &Value, out: &mut Vec<u8>) {
    let head = |major: u8, number: u64, out: &mut Vec<u8>| {
        let bytes = number.to_be_bytes();
        let (code, skip) = match number {
            0..24 => return out.push(major << 5 | bytes[7]),
            24..0x100 => (24, 7),
            0x100..0x1_0000 => (25, 6),
            0x1_0000..0x1_0000_0000 => (26, 4),
            _ => (27, 0),
        };
        out.push(major << 5 | code);
        out.extend(&bytes[skip..]);
    };
    match value {
        Value::Null => out.push(0xF6),
        Value::Bool(truth) => out.push(0xF4 + u8::from(*truth)),
        Value::Number(number) => match number.as_u64() {
            Some(number) => head(0, number, out),
            None => head(1, (-1 - number.as_i64().unwrap()) as u64, out),
        },
        Value::String(text) => {
            head(3, text.len() as u64, out);
            out.extend(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len() as u64, out);
            for item in items {
                dag_cbor(item, out);
            }
        }
        Value::Object(map) => {
            if let (1, Some(link)) = (map.len(), map.get("$link")) {
                let digits = &text(link).as_bytes()[1..];
                let value_of =
                    |digit: &u8| b"abcdefghijklmnopqrstuvwxyz234567".iter().position(|d| d == digit).unwrap();
                let bits: Vec<u8> = digits
                    .iter()
                    .flat_map(|d| (0..5).rev().map(move |bit| (value_of(d) >> bit & 1) as u8))
                    .collect();
                head(6, 42, out);
                head(2, 37, out);
                out.push(0);
                out.extend(bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)));
                return;
            }
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            head(5, entries.len() as u64, out);
            for (key, value) in entries {
                head(3, key.len() as u64, out);
                out.extend(key.as_bytes());
                dag_cbor(value, out);
            }
        }
    }
}

fn cid_of(record: &Value) -> String {
    let mut encoded = Vec::new();
    dag_cbor(record, &mut encoded);
    let mut bytes = vec![1, 0x71, 0x12, 0x20];
    bytes.extend(Sha256::digest(&encoded));
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digit = |at: usize| (0..5).fold(0, |sum, place| sum << 1 | usize::from(bit(at * 5 + place)));
    let digits = (0..58).map(|at| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[digit(at)]));
    std::iter::once('b').chain(digits).collect()
}

/// Whether a line's CID is that of its record; `None` where there is no record.
pub(super) fn cid_is_true(line: &[u8]) -> Option<bool> {
    let event: Value = serde_json::from_slice(line).unwrap();
    let record = event.get("commit")?.get("record")?;
    Some(event["commit"]["cid"].as_str() == Some(&cid_of(record)))
}

#[test]
fn the_cid_checker_is_right_about_recorded_events() {
    let mut checked = 0;
    for name in ["jetstream-2026-07-04.ndjson", "jetstream-one-of-each.ndjson"] {
        for line in recorded(name).unwrap_or_default() {
            let verdict = cid_is_true(line.as_bytes());
            assert_ne!(verdict, Some(false), "{line}");
            checked += usize::from(verdict.is_some());
        }
    }
    println!("{checked} recorded CIDs are true");
}

#[test]
fn every_cid_is_that_of_its_record() {
    let synth = Synth::network(SEED);
    let verdicts: Vec<_> = (0..5_000).map(|index| cid_is_true(&line(&synth, index))).collect();
    let wrong = verdicts.iter().position(|verdict| *verdict == Some(false));
    assert_eq!(wrong, None, "{}", String::from_utf8_lossy(&line(&synth, wrong.unwrap_or(0) as u64)));
    assert!(verdicts.iter().flatten().count() > 4_500);
    // The rare kinds too, each many times.
    let rare = Mix {
        like: 0.0,
        follow: 0.0,
        post: 1.0,
        other: 8.0,
        profile: 3.0,
        listitem: 2.0,
        updates: 40.0,
        ..Mix::network()
    };
    let synth = Synth::new(SEED, rare).with_rate(94.0);
    assert!((0..2_000).all(|index| cid_is_true(&line(&synth, index)) != Some(false)));
}

#[test]
fn a_changed_record_has_another_cid() {
    let synth = Synth::network(SEED);
    let mut line =
        (0..100).map(|index| line(&synth, index)).find(|line| cid_is_true(line).is_some()).unwrap();
    assert_eq!(cid_is_true(&line), Some(true));
    let at = line.windows(11).position(|window| window == b"createdAt\":").unwrap() + 20;
    line[at] = if line[at] == b'0' { b'1' } else { b'0' };
    assert_eq!(cid_is_true(&line), Some(false));
}

// --- One universe -----------------------------------------------------------------------------------------------

/// Every strong reference in a value.
fn strong_refs<'v>(value: &'v Value, found: &mut Vec<(&'v str, &'v str)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| strong_refs(item, found)),
        Value::Object(map) => {
            if let (Some(cid), Some(uri)) = (map.get("cid"), map.get("uri")) {
                found.push((text(uri), text(cid)));
            }
            map.values().for_each(|value| strong_refs(value, found));
        }
        _ => {}
    }
}

#[test]
fn references_name_events_as_they_are() {
    // At a low rate references reach back past few events, so that many lie within these.
    let synth = Synth::network(SEED).with_rate(0.5);
    let events: Vec<_> = (0..40_000).map(|index| event(&synth, index)).collect();
    let mut made = HashMap::new();
    for event in &events {
        if let Some(cid) = event["commit"]["cid"].as_str() {
            made.insert(uri(event), cid);
        }
    }
    let (mut within, mut before) = (0, 0);
    let mut deleted_within = 0;
    let mut to_oneself = 0;
    for (at, event) in events.iter().enumerate() {
        let commit = &event["commit"];
        let mut found = Vec::new();
        strong_refs(&commit["record"], &mut found);
        for (uri, cid) in found {
            if let Some(made_cid) = made.get(uri) {
                assert_eq!(*made_cid, cid, "{uri} of event {at}");
                within += 1;
            } else {
                let rkey = Tid::parse(uri.rsplit('/').next().unwrap().as_bytes()).unwrap();
                assert!(
                    rkey.time_us() < synth.time_us(0) + 20_000,
                    "event {at} names {uri}, which none made"
                );
                before += 1;
            }
            to_oneself += usize::from(uri.contains(text(&event["did"])));
        }
        deleted_within += usize::from(commit["operation"] == "delete" && made.contains_key(&uri(event)));
    }
    println!(
        "{within} references within, {before} to history, {deleted_within} deletes of these, {to_oneself} to oneself"
    );
    assert!(within > 5_000 && before > 1_000 && deleted_within > 100 && to_oneself > 300);
}

#[test]
fn threads_have_the_root_that_their_parent_has() {
    let synth = Synth::network(SEED).with_rate(0.5);
    let events: Vec<_> = (0..40_000).map(|index| event(&synth, index)).collect();
    let posts: HashMap<_, _> = events
        .iter()
        .filter(|event| event["commit"]["collection"] == "app.bsky.feed.post")
        .map(|event| (event["commit"]["cid"].as_str().unwrap_or_default(), &event["commit"]["record"]))
        .collect();
    let mut deep = 0;
    for record in posts.values() {
        let reply = &record["reply"];
        let Some(parent) = posts.get(reply["parent"]["cid"].as_str().unwrap_or_default()) else { continue };
        if reply["parent"] == reply["root"] {
            assert!(parent.get("reply").is_none());
        } else {
            assert_eq!(parent["reply"]["root"], reply["root"]);
            deep += 1;
        }
    }
    assert!(deep > 30, "{deep}");
}
