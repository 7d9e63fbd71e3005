//! What is an event, and what is said of a line that is none: held against `serde_json`, and case by case.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::{Fault, Reject, TIME_US_MAX, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// In the shape of real events, with what is hard in them: escapes, emoji, nesting, empty values.
const EVENTS: [&str; 5] = [
    r#"{"did":"did:plc:z4tknqutdjexaohajbum43vf","time_us":1783175888087611,"kind":"commit","commit":{"rev":"3mptbypmbsa2p","operation":"create","collection":"app.bsky.feed.like","rkey":"3mptbyplx2i2p","record":{"$type":"app.bsky.feed.like","createdAt":"2026-07-04T14:38:07.705Z","subject":{"cid":"bafyreifrcj7svjmx6qsn2kfe5kc73rxxn4cbivb23ea4c42rsstvcmu2wy","uri":"at://did:plc:xch6d5hpl66djlqq4j5uut6x/app.bsky.feed.post/3mpt5v5trd22k"}},"cid":"bafyreiaekrr3ukqao6wkdv3m55xgq5geovlvbzkrz3r65kb4pnpfurdggi"}}"#,
    r#"{"did":"did:plc:a","time_us":1783175888094841,"kind":"commit","commit":{"rev":"3m","operation":"create","collection":"app.bsky.feed.post","rkey":"3m","record":{"$type":"app.bsky.feed.post","createdAt":"2026-07-04T14:38:08.420Z","langs":["ja","en"],"tags":[],"facets":[{"index":{"byteEnd":31,"byteStart":0},"features":[{}]}],"size":119635,"ratio":-0.5e-3,"text":"待って 💦 \"quoted\"\n\u0026 \ud83d\ude00 \\"},"cid":"bafy"}}"#,
    r#"{"did":"did:plc:b","time_us":1783175888094842,"kind":"commit","commit":{"rev":"3m","operation":"delete","collection":"app.bsky.graph.follow","rkey":"3m"}}"#,
    r#"{"did":"did:plc:c","time_us":1783175888384849,"kind":"identity","identity":{"did":"did:plc:c","seq":31527015470,"time":"2026-07-04T14:38:07.877Z"}}"#,
    r#" { "commit" : { "collection" : "app.bsky.feed.\u0072epost" } , "\u006bind" : "commit" , "time\u005fus" : 0 , "x" : [ null , true , false ] } "#,
];

/// An object's members in order, doubles included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Holds what `parse` says of a line against `serde_json`, in every case but where it stops on purpose: numbers
/// beyond a double, which are JSON, and line feeds, which no event may have.
fn check(line: &[u8]) -> Result<(), TestCaseError> {
    let found = parse(line);
    if let Ok(event) = found {
        prop_assert_eq!(event.bytes, line);
    }
    if let Err(error) = std::str::from_utf8(line) {
        prop_assert_eq!(found, Err(Reject::NotUtf8 { offset: error.valid_up_to() }));
        return Ok(());
    }
    if line.contains(&b'\n') {
        prop_assert!(found.is_err());
        return Ok(());
    }
    let value = match serde_json::from_slice::<Value>(line) {
        Ok(value) => value,
        Err(error) if error.to_string().contains("number out of range") => {
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok() || found.is_err());
            return Ok(());
        }
        Err(error) => {
            let deep = error.to_string().contains("recursion limit");
            let blank = line.iter().all(|byte| b" \t\r".contains(byte));
            match found {
                Err(Reject::Empty) => prop_assert!(blank),
                Err(Reject::TooDeep { .. }) => prop_assert!(deep, "{}", error),
                Err(Reject::NotJson { offset, .. }) => {
                    prop_assert!(!deep && !blank && offset <= line.len(), "{}", error);
                }
                other => prop_assert!(false, "{:?} where serde_json has {}", other, error),
            }
            return Ok(());
        }
    };
    if !value.is_object() {
        prop_assert_eq!(found, Err(Reject::NotAnObject));
        return Ok(());
    }
    let Members(members) =
        serde_json::from_slice(line).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let times: Vec<&Value> =
        members.iter().filter(|(key, _)| key == "time_us").map(|(_, value)| value).collect();
    let time = match times[..] {
        [] => Err(Reject::NoTime),
        [Value::String(_)] => Err(Reject::TimeText),
        [Value::Number(number)] => match (number.as_u64(), number.as_f64()) {
            (Some(time), _) if time <= TIME_US_MAX => Ok(time),
            (Some(_), _) => Err(Reject::TimeTooLarge),
            (None, Some(time)) if time.is_sign_negative() => Err(Reject::TimeNegative),
            // serde_json has made a double of it: whole or not can no longer be told.
            (None, _) => {
                prop_assert!(
                    matches!(found, Err(Reject::TimeNotWhole | Reject::TimeTooLarge)),
                    "{:?}",
                    found
                );
                return Ok(());
            }
        },
        [_] => Err(Reject::TimeNotNumber),
        _ => Err(Reject::TimeTwice),
    };
    prop_assert_eq!(found.map(|event| event.time_us), time);
    if let Ok(event) = found {
        let collection = value["commit"]["collection"].as_str();
        let expected = jetstream::lane_of(collection.filter(|_| value["kind"] == "commit"));
        prop_assert_eq!(event.lane, expected);
    }
    Ok(())
}

/// The text of some JSON: most of it valid, with white space and escapes where they may be.
fn json() -> impl Strategy<Value = String> {
    json_value().prop_recursive(6, 60, 6, |inner| {
        let member = (json_key(), inner.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        prop_oneof![
            1 => vec(inner, 0..6).prop_map(|values| format!("[{}]", values.join(","))),
            2 => vec(member, 0..8).prop_map(|members| format!("{{{}}}", members.join(" ,\t"))),
        ]
    })
}

fn json_value() -> impl Strategy<Value = String> {
    let number = prop_oneof!["-?(0|[1-9][0-9]{0,17})", "-?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?"];
    let word = select(&["true", "false", "null", " null ", "\"commit\"", "nul"][..]).prop_map(str::to_string);
    let lane = select(&["feed.post", "feed.like", "feed.repost", "graph.follow", "graph.block"][..])
        .prop_map(|name| format!("\"app.bsky.{name}\""));
    prop_oneof![3 => number, 2 => word, 2 => lane, 3 => json_string()]
}

fn json_key() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 7] =
        ["time_us", "kind", "commit", "collection", "time\\u005fus", "\\u006bind", "c\\u006Fmmit"];
    prop_oneof![4 => select(&KNOWN[..]).prop_map(|key| format!("\"{key}\"")), 1 => json_string()]
}

fn json_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        20 => "[a-z ]{0,40}",
        5 => "[é待💦\u{7F}]",
        5 => select(&["\\n", "\\\"", "\\\\", "\\/", "\\u0000", "\\ud83d\\ude00", "\\uABCD"][..]).prop_map(str::to_string),
        1 => select(&["\\ud83d", "\\ude00", "\\x", "\\u12", "\\u12G4", "\t", "\0", "\""][..]).prop_map(str::to_string),
    ];
    vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A change to a line: where, and what.
#[derive(Debug, Clone)]
enum Change {
    Flip(u8),
    Put(u8),
    Insert(Vec<u8>),
    Delete(usize),
    Repeat(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let token = select(&b"\"\\{}[]:,0-.e \t\r\n\0u\x80"[..]);
    prop_oneof![
        (0_u8..8).prop_map(|bit| Change::Flip(1 << bit)),
        token.clone().prop_map(Change::Put),
        vec(token, 1..3).prop_map(Change::Insert),
        (1_usize..4).prop_map(Change::Delete),
        (1_usize..80).prop_map(Change::Repeat),
    ]
}

fn changed(mut line: Vec<u8>, changes: &[(prop::sample::Index, Change)]) -> Vec<u8> {
    for (place, change) in changes {
        let length = line.len();
        let at = place.index(length + 1);
        let behind = |count: usize| at..length.min(at + count);
        match change {
            Change::Flip(bits) => line[behind(1)].iter_mut().for_each(|byte| *byte ^= bits),
            Change::Put(new) => line[behind(1)].fill(*new),
            Change::Insert(new) => drop(line.splice(at..at, new.iter().copied())),
            Change::Delete(count) => drop(line.drain(behind(*count))),
            Change::Repeat(count) => {
                let again = line[behind(*count)].to_vec();
                line.splice(at..at, again);
            }
        }
    }
    line
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn json_of_any_kind_is_taken_as_serde_json_takes_it(text in json()) {
        check(text.as_bytes())?;
    }

    #[test]
    fn json_cut_short_is_refused(text in json(), place: prop::sample::Index) {
        check(&text.as_bytes()[..place.index(text.len())])?;
    }

    #[test]
    fn events_with_bytes_changed_are_taken_as_serde_json_takes_them(
        event in select(&EVENTS[..]),
        changes in vec((any::<prop::sample::Index>(), change()), 1..4),
    ) {
        check(&changed(event.as_bytes().to_vec(), &changes))?;
    }

    #[test]
    fn strings_end_where_they_end_at_any_offset_in_a_block(
        before in 0_usize..130, within in 0_usize..130, after in 0_usize..130, special in select(&b"\"\\\x1F\x20\x7F\x80"[..]),
    ) {
        let mut line = [b"{\"time_us\":1,\"", "x".repeat(before).as_bytes(), b"\":\""].concat();
        line.extend(vec![b'#'; within]);
        line.push(special);
        line.extend(vec![b'!'; after]);
        line.extend(b"\"}");
        check(&line)?;
    }
}

#[test]
fn recorded_events_are_events_and_keep_their_lanes() {
    for line in recorded().unwrap_or_default().iter().map(Vec::as_slice).chain(EVENTS.map(str::as_bytes)) {
        check(line).unwrap();
        assert!(parse(line).is_ok(), "{}", String::from_utf8_lossy(line));
    }
    let lanes = EVENTS.map(|line| parse(line.as_bytes()).unwrap().lane);
    assert_eq!(
        lanes,
        [jetstream::LIKES, jetstream::POSTS, jetstream::FOLLOWS, jetstream::OTHER, jetstream::REPOSTS]
    );
}

/// Each byte of each event changed in turn, to each byte that has a meaning.
#[test]
fn one_byte_changed_anywhere_is_judged_as_serde_json_judges_it() {
    for event in EVENTS {
        for at in 0..event.len() {
            for new in *b"\"\\{}[]:,0-.e \t\n\0\x80" {
                let mut line = event.as_bytes().to_vec();
                line[at] = new;
                check(&line).unwrap();
            }
        }
    }
}

#[test]
fn valid_json_of_every_class_is_taken() {
    let nested = format!("{}{}", "[".repeat(126), "]".repeat(126));
    for value in [
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+5",
        "1e-5",
        "0.5",
        "123456789012345678901234567890",
        "1e999",
        "\"\"",
        "\"\\u0000\"",
        "\"\\uD834\\uDD1E\"",
        "\"\u{7F}\u{2028}\u{FFFF}\u{10FFFF}\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[[[]]]",
        "{\"\":{}}",
        "{\"a\":1,\"a\":2}",
        "\t\r 1\t\r ",
        &nested,
    ] {
        let line = format!("{{\"x\":{value},\"time_us\":7}}");
        assert_eq!(parse(line.as_bytes()).map(|event| event.time_us), Ok(7), "{line}");
        check(line.as_bytes()).unwrap();
    }
}

#[test]
fn invalid_json_of_every_class_is_refused() {
    use Fault::{
        ByteOrderMark, Control, Ended, Escape, LineFeed, LoneSurrogate, NoColon, NoComma, NoKey, NoValue,
        Number, Trailing,
    };
    for (line, fault, offset) in [
        ("{", Ended, 1),
        ("{\"a", Ended, 3),
        ("{\"a\":1", Ended, 6),
        ("{\"a\":[1,", Ended, 8),
        ("[\"\\", Escape, 2),
        ("{,}", NoKey, 1),
        ("{\"a\":1,}", NoKey, 7),
        ("{1:1}", NoKey, 1),
        ("{a:1}", NoKey, 1),
        ("{'a':1}", NoKey, 1),
        ("{\"a\" 1}", NoColon, 5),
        ("{\"a\"}", NoColon, 4),
        ("{\"a\"::1}", NoValue, 5),
        ("{\"a\":}", NoValue, 5),
        ("[1,]", NoValue, 3),
        ("[,1]", NoValue, 1),
        ("[1 2]", NoComma, 3),
        ("[1}", NoComma, 2),
        ("{\"a\":1]", NoComma, 6),
        ("{\"x\":{\"a\":1]}", NoComma, 11),
        ("]", NoValue, 0),
        ("{}}", Trailing, 2),
        ("{} {}", Trailing, 3),
        ("{}\0", Trailing, 2),
        ("\0{}", NoValue, 0),
        ("{\"a\":\0}", NoValue, 5),
        ("{}\n", LineFeed, 2),
        ("{\n}", LineFeed, 1),
        ("\u{FEFF}{}", ByteOrderMark, 0),
        ("{}\u{FEFF}", Trailing, 2),
        ("{\u{A0}}", NoKey, 1),
        ("[01]", Number, 1),
        ("[-01]", Number, 1),
        ("[1.]", Number, 1),
        ("[.5]", NoValue, 1),
        ("[-]", Number, 1),
        ("[+1]", NoValue, 1),
        ("[1e]", Number, 1),
        ("[1e+]", Number, 1),
        ("[1.e1]", Number, 1),
        ("[0x1]", NoComma, 2),
        ("[-a]", Number, 1),
        ("[NaN]", NoValue, 1),
        ("[Infinity]", NoValue, 1),
        ("[-Infinity]", Number, 1),
        ("[True]", NoValue, 1),
        ("[tru]", NoValue, 1),
        ("[nulll]", NoComma, 5),
        ("[\"\t\"]", Control, 2),
        ("[\"\0\"]", Control, 2),
        ("[\"a\nb\"]", Control, 3),
        ("[\"\\a\"]", Escape, 2),
        ("[\"\\x41\"]", Escape, 2),
        ("[\"\\u12\"]", Escape, 2),
        ("[\"\\u12G4\"]", Escape, 2),
        ("[\"\\u+123\"]", Escape, 2),
        ("[\"\\U0041\"]", Escape, 2),
        ("[\"\\ud800\"]", LoneSurrogate, 2),
        ("[\"\\udc00\"]", LoneSurrogate, 2),
        ("[\"\\udc00\\ud800\"]", LoneSurrogate, 2),
        ("[\"\\ud800\\ud800\"]", LoneSurrogate, 2),
        ("[\"\\ud800\\n\"]", LoneSurrogate, 2),
        ("// no\n{}", NoValue, 0),
        ("[1 /* no */]", NoComma, 3),
    ] {
        assert_eq!(parse(line.as_bytes()), Err(Reject::NotJson { fault, offset }), "{line:?}");
        check(line.as_bytes()).unwrap();
    }
}

#[test]
fn what_is_no_event_is_refused_for_its_own_reason() {
    for (line, reject) in [
        (&b""[..], Reject::Empty),
        (b" \t\r", Reject::Empty),
        (b"\n", Reject::Empty),
        (b"[1]", Reject::NotAnObject),
        (b"\"time_us\"", Reject::NotAnObject),
        (b" 1 ", Reject::NotAnObject),
        (b"{\"time_us\":1}\xFF", Reject::NotUtf8 { offset: 13 }),
        (b"{\"a\":\"\xED\xA0\x80\",\"time_us\":1}", Reject::NotUtf8 { offset: 6 }),
        (b"{\"a\":\"\xC0\xAF\",\"time_us\":1}", Reject::NotUtf8 { offset: 6 }),
        (b"{\"a\":\"\xF0\x9F\x92", Reject::NotUtf8 { offset: 6 }),
    ] {
        assert_eq!(parse(line), Err(reject), "{}", line.escape_ascii());
    }
}

#[test]
fn time_us_is_a_whole_number_up_to_two_to_the_53() {
    let time = |written: &str| {
        let line = format!("{{\"time_us\":{written}}}");
        check(line.as_bytes()).unwrap();
        parse(line.as_bytes()).map(|event| event.time_us)
    };
    assert_eq!(time("0"), Ok(0));
    assert_eq!(time(" 1783175888085434 "), Ok(1_783_175_888_085_434));
    assert_eq!(time("9007199254740992"), Ok(TIME_US_MAX));
    for large in
        ["9007199254740993", "9999999999999999", "18446744073709551617", "100000000000000000000000000000"]
    {
        assert_eq!(time(large), Err(Reject::TimeTooLarge), "{large}");
    }
    for text in ["\"1783175888085434\"", "\"\""] {
        assert_eq!(time(text), Err(Reject::TimeText), "{text}");
    }
    for negative in ["-1", "-0", "-1.5"] {
        assert_eq!(time(negative), Err(Reject::TimeNegative), "{negative}");
    }
    for not_whole in ["1.0", "1.5", "1e5", "0e0", "17831758880854.34e2"] {
        assert_eq!(time(not_whole), Err(Reject::TimeNotWhole), "{not_whole}");
    }
    for other in ["null", "true", "[1]", "{\"time_us\":1}"] {
        assert_eq!(time(other), Err(Reject::TimeNotNumber), "{other}");
    }
    for (line, reject) in [
        ("{}", Reject::NoTime),
        ("{\"Time_us\":1,\"time_us \":1}", Reject::NoTime),
        ("{\"commit\":{\"time_us\":1},\"x\":[{\"time_us\":1}]}", Reject::NoTime),
        ("{\"time_us\":1,\"time_us\":1}", Reject::TimeTwice),
        ("{\"time_us\":1,\"time\\u005fus\":1,\"x\":1}", Reject::TimeTwice),
        ("{\"time_us\":\"\",\"time_us\":1}", Reject::TimeTwice),
    ] {
        assert_eq!(parse(line.as_bytes()), Err(reject), "{line}");
    }
}

#[test]
fn the_lane_is_that_of_the_last_commit_and_the_last_kind() {
    let like = r#""commit":{"collection":"app.bsky.feed.like"}"#;
    for (rest, lane) in [
        (format!(r#""kind":"commit",{like}"#), jetstream::LIKES),
        (format!(r#"{like},"kind":"commit""#), jetstream::LIKES),
        (format!(r#"{like},"kind":"account","kind":"commit""#), jetstream::LIKES),
        (format!(r#"{like},"kind":"commit","kind":"account""#), jetstream::OTHER),
        (format!(r#"{like},"kind":["commit"]"#), jetstream::OTHER),
        (format!(r#"{like},"kind":"commit","commit":{{}}"#), jetstream::OTHER),
        (format!(r#"{like},"kind":"commit","commit":"app.bsky.feed.post""#), jetstream::OTHER),
        (
            r#""kind":"commit","commit":{"collection":"app.bsky.feed.like","collection":1}"#.into(),
            jetstream::OTHER,
        ),
        (
            r#""kind":"commit","commit":{"record":{"collection":"app.bsky.feed.like"}}"#.into(),
            jetstream::OTHER,
        ),
        (r#""kind":"commit","commit":{"collection":"\u0061pp.bsky.graph.block"}"#.into(), jetstream::BLOCKS),
        (r#""kind":"commit","collection":"app.bsky.feed.like""#.into(), jetstream::OTHER),
        (like.into(), jetstream::OTHER),
    ] {
        let line = format!("{{\"time_us\":1,{rest}}}");
        assert_eq!(parse(line.as_bytes()).map(|event| event.lane), Ok(lane), "{line}");
        check(line.as_bytes()).unwrap();
    }
}

#[test]
fn nesting_ends_where_that_of_serde_json_ends() {
    for depth in 120..140_usize {
        for (open, close) in [("[", "]"), ("{\"\":", "}")] {
            // The object around it is a level too.
            let nested = format!("{}0{}", open.repeat(depth - 1), close.repeat(depth - 1));
            for line in [
                format!("{{\"time_us\":1,\"x\":{nested}}}"),
                format!("{{\"time_us\":1,\"commit\":{nested}}}"),
                format!("[{nested}]"),
            ] {
                assert_eq!(
                    matches!(parse(line.as_bytes()), Err(Reject::TooDeep { .. })),
                    depth > 127,
                    "{line}"
                );
                check(line.as_bytes()).unwrap();
            }
        }
    }
    let bomb = "[".repeat(1 << 20);
    assert_eq!(parse(bomb.as_bytes()), Err(Reject::TooDeep { offset: 127 }));
}

/// The lines of a file of recorded events, where there is one.
fn recorded() -> Option<Vec<Vec<u8>>> {
    let file = std::env::var_os("FOREBAY_RECORDED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jetstream-2026-07-04.ndjson"),
        Into::into,
    );
    let bytes = std::fs::read(file).ok()?;
    Some(bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect())
}

#[test]
#[ignore = "a measurement, for release builds: --release speed -- --ignored --nocapture"]
fn speed() {
    #[derive(serde::Deserialize)]
    struct Outline<'a> {
        time_us: u64,
        kind: &'a str,
        #[serde(borrow)]
        commit: Option<Commit<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Commit<'a> {
        collection: &'a str,
    }
    let Some(lines) = recorded() else {
        println!("no recorded events: name a file of them in FOREBAY_RECORDED");
        return;
    };
    let measure = |name, read: &dyn Fn(&[u8]) -> (u64, Lane)| {
        const ROUNDS: u32 = 200;
        let sample = || {
            let start = Instant::now();
            for line in (0..ROUNDS).flat_map(|_| &lines) {
                std::hint::black_box(read(std::hint::black_box(line)));
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS) / lines.len() as f64
        };
        let mut samples: Vec<f64> = (0..21).map(|_| sample()).collect();
        samples.sort_by(f64::total_cmp);
        println!("{name}: {:.3} us/event, the best {:.3}", samples[10], samples[0]);
    };
    measure("parse", &|line| parse(line).map(|event| (event.time_us, event.lane)).unwrap());
    measure("serde_json", &|line| {
        let outline: Outline = serde_json::from_slice(line).unwrap();
        let commit = outline.commit.filter(|_| outline.kind == "commit");
        (outline.time_us, jetstream::lane_of(commit.map(|commit| commit.collection)))
    });
}
