//! What is claimed of docs/format.md: a reader that was written from it alone, in another language, gives the same events, and says
//! of the same frames that they are damaged.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::process::{Command, Output};
use std::time::Duration;

use forebay::block::encode::{Encoding, Wanted};
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay::event::parse::parse;
use forebay_rig::synth::Synth;

use crate::cli_support::run;
use crate::support::{ask, server, tell};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// An interpreter that has the packages redis and zstandard.
fn python() -> String {
    let named = std::env::var("FOREBAY_PYTHON").ok();
    let tried = named.into_iter().chain([format!("{ROOT}/target/python/bin/python3"), "python3".into()]);
    let has = |python: &String| {
        let ran = Command::new(python).args(["-c", "import redis, zstandard"]).output();
        ran.is_ok_and(|output| output.status.success())
    };
    tried.into_iter().find(has).expect("a python3 with the packages redis and zstandard: make setup-python")
}

fn reader(args: &[&str]) -> Output {
    Command::new(python()).arg(format!("{ROOT}/docs/reader.py")).args(args).output().unwrap()
}

#[test]
fn the_reader_in_python_gives_what_the_vectors_say() {
    const TRY: &str = r#"
import json, sys
sys.path.insert(0, sys.argv[1] + "/docs")
import reader
block = sys.argv[1] + "/crates/forebay/src/block/atproto/dictionary-1.bin"
known = {1: reader.Dictionary(open(block, "rb").read())}
for vector in json.load(open(sys.argv[1] + "/crates/forebay/tests/vectors/frames.json")):
    fields = {key.encode(): vector[key] for key in "fnaz"} | {b"d": bytes.fromhex(vector["d"])}
    try:
        lines = reader.content(fields, True, known.__getitem__).decode().split("\n")
    except Exception as error:
        lines = None
    print(vector["name"], "ok" if lines == vector.get("events") else "WRONG")
"#;
    let ran = Command::new(python()).args(["-c", TRY, ROOT]).output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let (right, wrong): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.ends_with(" ok"));
    assert!(right.len() >= 15 && wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_reader_in_python_reads_a_live_buffer_as_forebay_does() {
    let server = server(&[]);
    let (address, name) = (Address::parse(&server.url()).unwrap(), "live".parse().unwrap());
    let synth = Synth::network(5);
    let mut bytes = Vec::new();
    // Half of it in each encoding.
    for (wanted, numbers) in [(Wanted::Dense, 0..1_500), (Wanted::Plain, 1_500..3_000)] {
        let limits = Limits { events_max: 40, ..Limits::default() };
        let encoding = Encoding { wanted, ..Encoding::default() };
        let mut writer =
            Writer::open(&address, &name, &Options { limits, encoding, ..Options::default() }).unwrap();
        for number in numbers {
            bytes.clear();
            synth.write_event(number, &mut bytes);
            writer.push_at(&parse(&bytes).unwrap(), Duration::ZERO).unwrap();
        }
        writer.close().unwrap();
    }
    for lane in jetstream::ALL {
        let ours =
            run(&["read", "--url", &server.url(), "--buffer", "live", "--lane", lane.name(), "--quiet"]);
        let theirs = reader(&[&server.url(), "live", lane.name()]);
        assert!(theirs.status.success(), "{}", String::from_utf8_lossy(&theirs.stderr));
        assert!(!ours.out.is_empty() && ours.out == theirs.stdout, "lane {lane}");
    }
    // A block that is damaged is named by its place, and costs no other.
    let key = "forebay:{live.blocks.0}";
    let whole = reader(&[&server.url(), "live", "blocks"]).stdout;
    let next: u64 = ask::<u64>(&server, &format!("HGET {key}:writer s")).unwrap() + 1;
    tell(&server, &format!("XADD {key} * f 2 s {next} n 1 e 1 a 1 z 1 p 1 c 1 w 1 d nonsense"));
    let damaged = reader(&[&server.url(), "live", "blocks"]);
    let said = String::from_utf8(damaged.stderr).unwrap();
    assert_eq!((damaged.status.code(), damaged.stdout == whole), (Some(1), true), "{said}");
    assert!(said.contains(key) && said.contains("damaged"), "{said}");
}
