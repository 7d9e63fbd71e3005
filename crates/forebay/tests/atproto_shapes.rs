//! Events that were bent into odd shapes, each shape counted, come back byte for byte.

use serde_json::Value;

use super::atproto_support::{RECORDED, SYNTHETIC, assert_comes_back};
use super::support::Random;

/// An odd shape: its name, and how an event is bent into it. What it gives differs from the event.
type Shape = (&'static str, fn(&str, &mut Random) -> Option<String>);

const SHAPES: [Shape; 8] = [
    ("keys in another order", |event, random| Some(shuffled(&parsed(event), random))),
    ("escapes that are not needed", |event, random| {
        Some(in_texts(event, random, 8, |c| match c {
            '/' => Some("\\/".into()),
            c if c.is_ascii_alphanumeric() => Some(format!("\\u{:04x}", c as u32)),
            _ => None,
        }))
    }),
    ("a key twice", twice),
    ("CIDs in upper case", |event, random| one_of(event, random, "\"bafy", str::to_uppercase)),
    ("TIDs that are none", |event, random| {
        let to = ["1", "Z", "", "zz", "0", "\\n"][random.below(6) as usize];
        one_of(event, random, "\"3m", |tid| format!("{}{to}", &tid[..tid.len() - 1]))
    }),
    ("times without milliseconds", |event, random| {
        let to = ["Z", ".9Z", ".123456Z", "+00:00", ".000+02:00"][random.below(5) as usize];
        one_of(event, random, "\"20", |time| match time.split_once('.') {
            Some((seconds, _)) if time.ends_with('Z') => format!("{seconds}{to}"),
            _ => format!("{time}{to}"),
        })
    }),
    ("numbers as text", |event, _| {
        let (before, rest) = event.split_once("\"time_us\":")?;
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        Some(format!("{before}\"time_us\":\"{}\"{}", &rest[..end], &rest[end..]))
    }),
    ("unicode escapes", |event, random| Some(in_texts(event, random, 4, unicode))),
];

fn unicode(c: char) -> Option<String> {
    let of = ["\\ud83d\\ude00", "\\u0000", "\u{1F600}e\u{301}", "\\ud83d"];
    c.is_ascii_lowercase().then(|| of.get(c as usize % 6).map(|text| (*text).into())).flatten()
}

fn parsed(event: &str) -> Value {
    serde_json::from_str(event).unwrap()
}

/// As JSON with the keys of each object in a random order.
fn shuffled(value: &Value, random: &mut Random) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), shuffled(value, random)))
                .collect();
            for at in (1..members.len()).rev() {
                members.swap(at, random.below(at as u64 + 1) as usize);
            }
            format!("{{{}}}", members.join(","))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| shuffled(value, random)).collect();
            format!("[{}]", values.join(","))
        }
        other => other.to_string(),
    }
}

/// With every so many-th letter of its texts replaced, keys and values.
fn in_texts(event: &str, random: &mut Random, every: u64, with: fn(char) -> Option<String>) -> String {
    let (mut out, mut is_text, mut is_escape) = (String::new(), false, false);
    for c in event.chars() {
        let is_plain = is_text && !is_escape && c != '"' && c != '\\';
        // The letter after a backslash stays. The digits behind a \u may not: then it is no JSON any more, and must come back too.
        match (is_plain && random.below(every) == 0).then(|| with(c)).flatten() {
            Some(text) => out.push_str(&text),
            None => out.push(c),
        }
        is_text ^= c == '"' && !is_escape;
        is_escape = c == '\\' && !is_escape;
    }
    out
}

/// With a member of some object there twice, next to itself.
fn twice(event: &str, random: &mut Random) -> Option<String> {
    let starts: Vec<usize> = event.match_indices("\":").map(|(at, _)| at).collect();
    let colon = starts[random.below(starts.len() as u64) as usize];
    let key = event[..colon].rfind('"')?;
    let mut values = serde_json::Deserializer::from_str(&event[colon + 2..]).into_iter::<Value>();
    values.next()?.ok()?;
    let end = colon + 2 + values.byte_offset();
    Some(format!("{},{}", &event[..end], &event[key..]))
}

/// With one of the texts that begin so replaced.
fn one_of(event: &str, random: &mut Random, begins: &str, with: impl Fn(&str) -> String) -> Option<String> {
    let all: Vec<usize> = event.match_indices(begins).map(|(at, _)| at + 1).collect();
    let from = *all.get(random.below(all.len().max(1) as u64) as usize)?;
    let end = from + event[from..].find('"')?;
    Some(format!("{}{}{}", &event[..from], with(&event[from..end]), &event[end..]))
}

/// So many events of each shape, in blocks of 1 to 40 with events that are not odd between them.
fn come_back(of_each: usize) {
    let plain: Vec<&str> = RECORDED
        .iter()
        .flat_map(|text| text.lines())
        .chain(SYNTHETIC.lines())
        .filter(|line| !line.is_empty())
        .collect();
    let mut random = Random::new(of_each as u64);
    for (name, bend) in SHAPES {
        let (mut odd, mut bytes, mut frames) = (0, 0, 0);
        while odd < of_each {
            let mut block = Vec::new();
            for _ in 0..=random.below(40) {
                let event = plain[random.below(plain.len() as u64) as usize];
                let bent = bend(event, &mut random).filter(|bent| bent != event);
                odd += usize::from(bent.is_some());
                block.push(bent.unwrap_or_else(|| event.into()));
            }
            let block = block.join("\n");
            bytes += block.len();
            frames += assert_comes_back(block.as_bytes()).len();
        }
        println!(
            "{odd:>9} events of odd shape: {name}; {bytes} bytes with those between them, {frames} in frames"
        );
    }
}

#[test]
fn events_of_each_odd_shape_come_back() {
    come_back(300);
}

#[test]
#[ignore = "a million events: make nightly"]
fn nightly_a_million_events_of_odd_shapes_come_back() {
    come_back(125_000);
}
