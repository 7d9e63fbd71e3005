//! What is claimed of made-up events: true identifiers and CIDs, one universe, the network's mix, sizes and entropy.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use super::synth_cids::cid_is_true;
use forebay_rig::synth::ids::{Cid, Did, Tid, is_record_uri};
use forebay_rig::synth::{Mix, Synth};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(super) const SEED: u64 = 7;

pub(super) fn line(synth: &Synth, index: u64) -> Vec<u8> {
    let mut out = Vec::new();
    synth.write_event(index, &mut out);
    out
}

pub(super) fn event(synth: &Synth, index: u64) -> Value {
    serde_json::from_slice(&line(synth, index)).unwrap()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The address of the record of a commit.
pub(super) fn uri(event: &Value) -> String {
    let commit = &event["commit"];
    format!("at://{}/{}/{}", text(&event["did"]), text(&commit["collection"]), text(&commit["rkey"]))
}

/// The lines of a recorded file, or nothing where the recordings are not there.
pub(super) fn recorded(name: &str) -> Option<Vec<String>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return None;
    };
    Some(text.lines().map(str::to_owned).collect())
}

/// Kind, operation and collection class of an event, as one name. Collections outside the commonest are one class.
pub(super) fn class(event: &Value) -> String {
    let Some(commit) = event.get("commit") else { return text(&event["kind"]).to_owned() };
    let operation = text(&commit["operation"]);
    let known = [
        "feed.like",
        "feed.post",
        "feed.repost",
        "graph.follow",
        "graph.block",
        "graph.listitem",
        "actor.profile",
    ];
    let collection = text(&commit["collection"]);
    let short = known.iter().find(|short| collection == format!("app.bsky.{short}"));
    format!("{operation} {}", short.unwrap_or(&"other"))
}

// --- Purity -----------------------------------------------------------------------------------------------------

#[test]
fn an_event_made_alone_is_the_one_made_in_sequence() {
    let synth = Synth::network(SEED);
    let mut all = Vec::new();
    let ends: Vec<_> = (0..1_000)
        .map(|index| {
            synth.write_event(index, &mut all);
            all.len()
        })
        .collect();
    for index in (0..1_000_usize).rev() {
        let start = if index == 0 { 0 } else { ends[index - 1] };
        assert_eq!(line(&synth.clone(), index as u64), all[start..ends[index]]);
    }
}

#[test]
fn seed_mix_and_rate_decide_the_bytes() {
    let block = |synth: &Synth| (0..300).flat_map(|index| line(synth, index)).collect::<Vec<_>>();
    let network = block(&Synth::network(SEED));
    assert_eq!(block(&Synth::new(SEED, Mix::network()).with_rate(938.0)), network);
    assert_ne!(block(&Synth::network(SEED + 1)), network);
    assert_ne!(block(&Synth::network(SEED).with_rate(94.0)), network);
    assert_ne!(block(&Synth::new(SEED, Mix { like: 90.0, ..Mix::network() })), network);
}

/// Reports name seed and index, so the same must come of them in later versions too.
#[test]
fn events_stay_the_same_from_version_to_version() {
    let synth = Synth::network(SEED);
    let mut all = Vec::new();
    for index in 0..2_000 {
        synth.write_event(index, &mut all);
        all.push(b'\n');
    }
    let pinned = [134, 143, 129, 242, 13, 181, 91, 20];
    assert_eq!(Sha256::digest(&all)[..8], pinned);
}

// --- Syntax -----------------------------------------------------------------------------------------------------

/// Calls for every text in a value.
fn texts(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, each)),
        Value::Object(map) => map.values().for_each(|value| texts(value, each)),
        _ => {}
    }
}

#[test]
fn identifiers_are_valid_and_of_their_time() {
    let synth = Synth::network(SEED);
    let mut last_rev = HashMap::new();
    for index in 0..20_000 {
        let event = event(&synth, index);
        assert!(Did::parse(text(&event["did"]).as_bytes()).is_some());
        assert_eq!(event["time_us"].as_u64(), Some(synth.time_us(index)));
        texts(&event, &mut |text| {
            assert!(!text.starts_with("at://") || is_record_uri(text), "{text}");
            assert!(
                !(text.starts_with("baf") && text.len() == 59) || Cid::parse(text.as_bytes()).is_some(),
                "{text}"
            );
            assert!(
                !text.starts_with("did:plc:") || text.contains("::") || Did::parse(text.as_bytes()).is_some(),
                "{text}"
            );
        });
        let Some(commit) = event.get("commit") else { continue };
        let rev = Tid::parse(text(&commit["rev"]).as_bytes()).unwrap();
        let delay_us = synth.time_us(index) - rev.time_us();
        assert!((350_000..1_100_000).contains(&delay_us), "{delay_us}");
        let before = last_rev.insert(event["did"].clone(), rev);
        assert!(before.is_none_or(|before| before < rev), "revisions of a repository go up");
        let rkey = text(&commit["rkey"]);
        assert_ne!(commit["rev"], rkey);
        if commit["operation"] == "create" && rkey != "self" {
            let rkey = Tid::parse(rkey.as_bytes()).unwrap();
            let gate = commit["collection"] == "app.bsky.feed.threadgate";
            assert!(gate || (rkey < rev && rev.time_us() - rkey.time_us() < 2_000_000), "{event}");
        }
    }
}

#[test]
fn facets_lie_on_the_text_they_name() {
    let synth = Synth::new(SEED, Mix { like: 0.0, follow: 0.0, ..Mix::network() });
    let mut kinds: HashMap<String, usize> = HashMap::new();
    for index in 0..20_000 {
        let event = event(&synth, index);
        let record = &event["commit"]["record"];
        let post = record["text"].as_str().unwrap_or_default();
        for facet in record["facets"].as_array().unwrap_or(&Vec::new()) {
            let place = |key: &str| facet["index"][key].as_u64().unwrap() as usize;
            let named = post.get(place("byteStart")..place("byteEnd")).expect("a stretch of the text");
            let feature = &facet["features"][0];
            let kind = text(&feature["$type"]);
            match kind.rsplit('#').next().unwrap() {
                "tag" => assert_eq!(named, format!("#{}", text(&feature["tag"]))),
                "link" => {
                    let shown = named.trim_end_matches("...");
                    assert!(text(&feature["uri"])["https://".len()..].starts_with(shown));
                }
                "mention" => assert!(named.starts_with('@') && named.ends_with(".bsky.social")),
                other => panic!("a facet of kind {other}"),
            }
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
    assert!(kinds.len() == 3 && kinds.values().all(|&count| count > 50), "{kinds:?}");
}

#[test]
fn posts_are_no_longer_than_the_network_takes() {
    let synth = Synth::new(SEED, Mix { like: 0.0, follow: 0.0, ..Mix::network() });
    for index in 0..20_000 {
        let event = event(&synth, index);
        let post = event["commit"]["record"]["text"].as_str().unwrap_or_default();
        assert!(post.chars().count() <= 300, "{} characters: {post}", post.chars().count());
    }
}

#[test]
fn lines_are_what_go_prints() {
    let synth = Synth::new(SEED, Mix { post: 60.0, profile: 5.0, other: 20.0, ..Mix::network() });
    for index in 0..20_000 {
        let line = line(&synth, index);
        let text = std::str::from_utf8(&line).unwrap();
        assert!(serde_json::from_str::<Value>(text).is_ok(), "{text}");
        assert!(!text.contains(['\n', '&', '<', '>']), "{text}");
    }
}

#[test]
fn events_at_the_ends_of_rates_and_indices_are_made() {
    for rate in [f64::NAN, 0.0, 0.001, 1e9, f64::INFINITY] {
        let synth = Synth::network(SEED).with_rate(rate);
        for start in [0, 1 << 40, i64::MAX as u64 - 300] {
            assert!((start..start + 300).all(|index| cid_is_true(&line(&synth, index)) != Some(false)));
        }
    }
}

/// Keys in the order of the line, without values: what a kind of event looks like.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('"') {
        let inner = &rest[start + 1..];
        let mut end = 0;
        while inner.as_bytes()[end] != b'"' {
            end += if inner.as_bytes()[end] == b'\\' { 2 } else { 1 };
        }
        rest = &inner[end + 1..];
        if rest.starts_with(':') {
            shape.push_str(&inner[..end]);
            shape.push(' ');
        }
    }
    shape
}

#[test]
fn recorded_shapes_are_among_the_made_up_ones() {
    let mix = Mix { post: 90.0, profile: 10.0, other: 10.0, updates: 10.0, ..Mix::network() };
    let synth = Synth::new(SEED, mix);
    let made: HashSet<_> =
        (0..60_000).map(|index| shape(&String::from_utf8(line(&synth, index)).unwrap())).collect();
    for name in ["jetstream-2026-07-04.ndjson", "jetstream-one-of-each.ndjson"] {
        for line in recorded(name).unwrap_or_default() {
            let shape = shape(&line);
            assert!(made.contains(&shape), "{shape}\n{line}");
        }
    }
}

// --- Mix, repeats, order ------------------------------------------------------------------------------------------

#[test]
fn kinds_come_as_often_as_in_the_mix() {
    let synth = Synth::network(SEED);
    let mut counts: HashMap<String, f64> = HashMap::new();
    let mut bytes = 0;
    let total = 100_000;
    for index in 0..total {
        let line = line(&synth, index);
        bytes += line.len();
        let event: Value = serde_json::from_slice(&line).unwrap();
        let class = class(&event);
        for name in class.split(' ') {
            *counts.entry(name.to_owned()).or_default() += 100.0 / total as f64;
        }
    }
    for (name, expected, tolerance) in [
        ("feed.like", 47.3, 0.6),
        ("graph.follow", 33.3, 0.6),
        ("feed.post", 9.5, 0.4),
        ("feed.repost", 5.9, 0.3),
        ("graph.block", 1.6, 0.2),
        ("actor.profile", 0.8, 0.15),
        ("graph.listitem", 0.8, 0.15),
        ("other", 0.2, 0.1),
        ("identity", 0.3, 0.1),
        ("account", 0.3, 0.1),
        ("create", 95.3, 0.4),
        ("delete", 3.6, 0.3),
        ("update", 0.5, 0.1),
    ] {
        let share = counts.get(name).copied().unwrap_or_default();
        assert!((share - expected).abs() < tolerance, "{name}: {share:.2} %, expected {expected} %");
    }
    let mean = bytes as f64 / total as f64;
    println!("network mix: {mean:.1} bytes per event");
    assert!((mean - 482.0).abs() < 482.0 * 0.04, "mean bytes {mean}");
}

#[test]
fn users_and_subjects_repeat_as_on_the_network() {
    let synth = Synth::network(SEED);
    let (mut dids, mut dids_distinct, mut cids, mut cids_distinct) = (0, 0, 0, 0);
    let rounds = 20;
    for round in 0..rounds {
        let (mut all_dids, mut all_cids) = (Vec::new(), Vec::new());
        for index in 0..1_000 {
            let line = String::from_utf8(line(&synth, round * 50_000 + index)).unwrap();
            all_dids.extend(line.match_indices("did:plc:").map(|(at, _)| line[at + 8..at + 32].to_owned()));
            let own = line.rfind(",\"cid\":").unwrap_or(line.len());
            all_cids.extend(line[..own].match_indices("bafyrei").map(|(at, _)| line[at..at + 59].to_owned()));
        }
        dids += all_dids.len();
        cids += all_cids.len();
        dids_distinct += all_dids.into_iter().collect::<HashSet<_>>().len();
        cids_distinct += all_cids.into_iter().collect::<HashSet<_>>().len();
    }
    let [dids, dids_distinct, cids, cids_distinct] =
        [dids, dids_distinct, cids, cids_distinct].map(|count| count as f64 / rounds as f64);
    println!("in 1,000 events: {dids} DIDs, {dids_distinct} distinct; {cids} CIDs, {cids_distinct} distinct");
    for (measured, network) in
        [(dids, 1974.0), (dids_distinct, 1785.0), (cids, 673.0), (cids_distinct, 632.0)]
    {
        assert!((measured / network - 1.0).abs() < 0.08, "{measured}, on the network {network}");
    }
    assert!((dids_distinct / dids - 1785.0 / 1974.0).abs() < 0.025);
    assert!((cids_distinct / cids - 632.0 / 673.0).abs() < 0.025);
}

#[test]
fn times_follow_the_rate_and_go_back_a_little() {
    for rate in [94.0, 938.0, 2_000.0] {
        let synth = Synth::network(SEED).with_rate(rate);
        let times: Vec<_> = (0..20_000).map(|index| synth.time_us(index)).collect();
        let seconds = (times[19_999] - times[0]) as f64 / 1e6;
        assert!((seconds * rate / 20_000.0 - 1.0).abs() < 0.01);
        let back = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((200..10_000).contains(&back), "{back} of 20,000 go back at {rate}/s");
        assert!(times.windows(2).all(|pair| pair[0] < pair[1] + 20_000));
    }
}

// --- Sizes ------------------------------------------------------------------------------------------------------

/// Made-up events by class, enough of each to match any recorded line.
static BY_CLASS: LazyLock<HashMap<String, Vec<Vec<u8>>>> = LazyLock::new(|| {
    let mix = Mix { post: 20.0, profile: 2.0, other: 3.0, updates: 4.0, ..Mix::network() };
    let synth = Synth::new(SEED, mix);
    let mut by_class: HashMap<_, Vec<_>> = HashMap::new();
    for index in 0..60_000 {
        let line = line(&synth, index);
        let events = by_class.entry(class(&serde_json::from_slice(&line).unwrap())).or_default();
        if events.len() < 8_000 {
            events.push(line);
        }
    }
    by_class
});

fn compressed(lines: &[&[u8]]) -> usize {
    zstd::bulk::compress(&lines.join(&b'\n'), 1).unwrap().len()
}

/// Bytes and compressed bytes per event: of recorded lines, and of made-up ones of the same classes in the same
/// order (the mean of many such draws). Returns the two ratios.
fn compare(what: &str, lines: &[String]) -> (f64, f64) {
    let recorded: Vec<_> = lines.iter().map(String::as_bytes).collect();
    let classes: Vec<_> = lines.iter().map(|line| class(&serde_json::from_str(line).unwrap())).collect();
    let rounds = 20;
    let (mut bytes, mut packed) = (0, 0);
    let mut used: HashMap<&str, usize> = HashMap::new();
    for _ in 0..rounds {
        let made: Vec<&[u8]> = classes
            .iter()
            .map(|class| {
                let events = &BY_CLASS[class];
                let next = used.entry(class).or_default();
                *next += 1;
                events[*next % events.len()].as_slice()
            })
            .collect();
        bytes += made.iter().map(|line| line.len()).sum::<usize>();
        packed += compressed(&made);
    }
    let per_event = |bytes: usize, rounds: usize| bytes as f64 / (rounds * lines.len()) as f64;
    let recorded_bytes = per_event(recorded.iter().map(|line| line.len()).sum(), 1);
    let recorded_packed = per_event(compressed(&recorded), 1);
    let (made_bytes, made_packed) = (per_event(bytes, rounds), per_event(packed, rounds));
    println!(
        "{what} ({}): recorded {recorded_bytes:.1} bytes, {recorded_packed:.1} in zstd-1; \
         made up {made_bytes:.1}, {made_packed:.1}",
        lines.len()
    );
    (made_bytes / recorded_bytes, made_packed / recorded_packed)
}

#[test]
fn bytes_and_compressed_bytes_are_within_a_tenth_of_the_recorded() {
    let Some(lines) = recorded("jetstream-2026-07-04.ndjson") else { return };
    for (what, tolerance) in
        [("all", 0.1), ("create feed.like", 0.1), ("create feed.post", 0.1), ("create feed.repost", 0.1)]
    {
        let of_class = |line: &&String| what == "all" || class(&serde_json::from_str(line).unwrap()) == what;
        let lines: Vec<_> = lines.iter().filter(of_class).cloned().collect();
        let (bytes, packed) = compare(what, &lines);
        assert!((bytes - 1.0).abs() < tolerance, "{what}: bytes are {bytes:.3} of the recorded");
        assert!((packed - 1.0).abs() < tolerance, "{what}: compressed bytes are {packed:.3} of the recorded");
    }
}

/// 1,000 real events of the network's mix took 133 bytes each in blocks of 256 at zstd-1 (2024, before "via").
#[test]
fn blocks_of_the_network_s_mix_compress_as_measured() {
    let synth = Synth::network(SEED);
    let lines: Vec<_> = (0..256 * 40).map(|index| line(&synth, index)).collect();
    let packed: usize =
        lines.chunks(256).map(|block| compressed(&block.iter().map(Vec::as_slice).collect::<Vec<_>>())).sum();
    let per_event = packed as f64 / lines.len() as f64;
    println!("network mix, blocks of 256: {per_event:.1} bytes per event in zstd-1");
    assert!((per_event / 133.0 - 1.0).abs() < 0.1, "{per_event}");
}

// --- Speed ------------------------------------------------------------------------------------------------------

/// `cargo test --release --test event_synth -- --ignored --nocapture speed`
#[test]
#[ignore = "a measurement"]
fn speed() {
    let synth = Synth::network(SEED);
    let mut out = Vec::with_capacity(1 << 20);
    for round in 0..5 {
        let started = std::time::Instant::now();
        let events = 1_000_000;
        for index in 0..events {
            if out.len() > 1 << 19 {
                out.clear();
            }
            synth.write_event(round * events + index, &mut out);
        }
        println!("{:.0} events/s", events as f64 / started.elapsed().as_secs_f64());
    }
}
