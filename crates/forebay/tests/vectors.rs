//! The test vectors of docs/format.md: frames of both encodings, their events, and what is wrong with those that are damaged.
//! They are for readers in other languages too, and are not written again once a version was published.

use forebay::block::damage::Damage;
use forebay::block::decode::Decoder;
use forebay::block::encode::Wanted;
use forebay::block::frame::{Block, Draft, Sealed};
use forebay::event::parse::parse;
use serde_json::{Value, json};

use crate::atproto_support::RECORDED;
use crate::support::encode;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/frames.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn of_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().as_chunks::<2>().0.iter();
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// One word for each kind of damage, as the vectors have it.
fn kind(damage: &Damage) -> &'static str {
    match damage {
        Damage::Encoding(_) => "encoding",
        Damage::Dictionary(_) => "dictionary",
        Damage::Size => "size",
        Damage::Frame(_) => "frame",
        Damage::Events { .. } => "events",
        Damage::Times { .. } => "times",
        Damage::Event { .. } => "event",
        _ => "other",
    }
}

#[test]
fn every_vector_opens_to_its_events_or_has_its_damage() {
    let vectors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let mut decoder = Decoder::new().unwrap();
    for vector in &vectors {
        let number = |field: &str| vector[field].as_u64().unwrap();
        let frame = of_hex(vector["d"].as_str().unwrap());
        let sealed = Sealed {
            encoding: number("f"),
            frame: &frame,
            events: number("n"),
            times: (number("a"), number("z")),
        };
        let opened = decoder.open(sealed).map(<[u8]>::to_vec);
        let name = &vector["name"];
        match vector["damage"].as_str() {
            None => {
                let events: Vec<&str> =
                    vector["events"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
                assert!(opened.as_deref() == Ok(events.join("\n").as_bytes()), "{name}");
            }
            Some(damage) => assert_eq!(kind(&opened.unwrap_err()), damage, "{name}"),
        }
    }
    assert!(vectors.len() >= 15, "{}", vectors.len());
}

fn block(lines: &[&str], wanted: Wanted) -> Block {
    let mut draft = Draft::default();
    for line in lines {
        draft.push(&parse(line.as_bytes()).unwrap());
    }
    encode(&draft, wanted)
}

fn vector(name: &str, block: &Block, lines: Result<&[&str], &str>) -> Value {
    let mut vector = json!({
        "name": name, "f": block.encoding, "n": block.events, "a": block.time_min, "z": block.time_max,
        "d": hex(&block.frame),
    });
    match lines {
        Ok(lines) => vector["events"] = json!(lines),
        Err(damage) => vector["damage"] = json!(damage),
    }
    vector
}

/// Writes the file: only before a version is published.
#[test]
#[ignore = "writes the vectors anew"]
fn the_vectors_are_written() {
    let recorded: Vec<&str> = RECORDED[0].lines().take(12).collect();
    let each: Vec<&str> = RECORDED[1].lines().collect();
    let did = "did:plc:wq4aajammjtxdomz3e23667t";
    let odd = [1, 2].map(|number| {
        format!(r#"{{"seen":"{did}","odd":"\u00e9","time_us":178317588808543{number},"again":["{did}",{number}]}}"#)
    });
    let odd: Vec<&str> = odd.iter().map(String::as_str).collect();
    let whole: Vec<&str> = RECORDED[0].lines().collect();
    let plain = ["{\"time_us\":5,\"a\":1}", "{\"a\":\"\\u00e9\",\"time_us\":7}"];
    let mut vectors = Vec::new();
    for (wanted, encoding) in [(Wanted::Plain, "encoding 1"), (Wanted::Dense, "encoding 2")] {
        for (what, lines) in [
            ("one event", &recorded[..1]),
            ("a moment of the network", &recorded),
            ("one of each kind", &each),
            ("152 events of the network, with repeated values", &whole),
            ("events that are not the network's", &plain),
            ("the same skeleton twice, which no dictionary knows", &odd),
        ] {
            let block = block(lines, wanted);
            // What is no smaller in encoding 2 is left in encoding 1.
            if encoding.ends_with(&block.encoding.to_string()) {
                vectors.push(vector(&format!("{encoding}: {what}"), &block, Ok(lines)));
            }
        }
        let sound = block(&recorded, wanted);
        let with = |change: fn(&mut Block)| {
            let mut block = sound.clone();
            change(&mut block);
            block
        };
        for (what, damage, block) in [
            ("cut by a byte", "frame", with(|block| block.frame.truncate(block.frame.len() - 1))),
            ("a byte behind it", "frame", with(|block| block.frame.push(0))),
            (
                "a bit flipped in the middle",
                "frame",
                with(|block| {
                    let middle = block.frame.len() / 2;
                    block.frame[middle] ^= 1;
                }),
            ),
            ("an event more than it holds", "events", with(|block| block.events += 1)),
            ("an earliest time that is none of its events'", "times", with(|block| block.time_min -= 1)),
        ] {
            vectors.push(vector(&format!("{encoding}: {what}"), &block, Err(damage)));
        }
    }
    let dense = block(&recorded, Wanted::Dense);
    let mut unknown = dense.clone();
    unknown.frame[1] = 99;
    vectors.push(vector("encoding 2: a dictionary that does not exist", &unknown, Err("dictionary")));
    let later = Block { encoding: 9, ..dense };
    vectors.push(vector("an encoding that does not exist", &later, Err("encoding")));
    let lines: Vec<String> = vectors.iter().map(Value::to_string).collect();
    std::fs::write(FILE, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}
