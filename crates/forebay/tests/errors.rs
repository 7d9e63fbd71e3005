//! What is claimed of errors: a program that embeds the library shows them as they are, so none speaks of the command line, and
//! each has its cause.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::error::Error as _;
use std::time::Duration;

use forebay::block::damage::Damage;
use forebay::buffer::connect::Address;
use forebay::buffer::error::{Cause, Error};
use forebay::buffer::keys::{BadName, Name};
use forebay::buffer::overflow::{Overflow, Spill};
use forebay::buffer::writer::{Options, Writer};
use forebay::event::jetstream;
use forebay::event::parse::parse;

/// The verbs of the command line, as a text would name them.
const VERBS: [&str; 20] = [
    "prove",
    "audit",
    "baseline",
    "capacity",
    "pressure",
    "durability",
    "throughput",
    "monitoring",
    "tune",
    "append",
    "read",
    "ack",
    "group",
    "stat",
    "watch",
    "verify",
    "load",
    "synth",
    "deploy",
    "completions",
];

fn every_error() -> Vec<Error> {
    let text = || "because".to_owned();
    let cause = || Some(Cause::new(std::io::Error::other("because")));
    let minute = Duration::from_secs(60);
    vec![
        Error::Url { url: text(), why: text() },
        Error::Name(BadName(text())),
        Error::Connect { url: text(), why: text(), source: cause() },
        Error::Certificate { url: text(), why: text(), source: cause() },
        Error::Crowded { url: text(), why: text() },
        Error::Login { url: text(), why: text(), source: cause() },
        Error::Unfit { url: text(), why: text() },
        Error::WrongType { key: text(), why: text() },
        Error::Taken { buffer: text(), url: text(), why: text() },
        Error::Unheard { buffer: text(), url: text(), why: text() },
        Error::NoEvent { why: text() },
        Error::Layout { key: text(), found: text(), known: "2" },
        Error::Fenced { lane: jetstream::POSTS, mine: 1, theirs: 2, unacknowledged: 3 },
        Error::Foreign { lane: jetstream::POSTS, key: text(), number: 1, unacknowledged: 2 },
        Error::NotNow { url: text(), why: text() },
        Error::Damaged { why: text() },
        Error::Lost { url: text(), waited: minute, why: text(), unacknowledged: 1 },
        Error::Disconnected { url: text(), why: text(), unacknowledged: 1 },
        Error::NoFsync(text()),
        Error::NoBuffer { name: text(), url: text(), others: vec![text()] },
        Error::NoLane { buffer: text(), lane: text(), lanes: forebay::Stream::jetstream().lanes() },
        Error::OtherStream {
            buffer: text(),
            theirs: forebay::Stream::jetstream(),
            mine: forebay::Stream::lines("log").unwrap(),
        },
        Error::NotMore {
            buffer: text(),
            theirs: forebay::Stream::jetstream(),
            mine: forebay::Stream::lines("log").unwrap(),
        },
        Error::NoGroup { name: text(), group: text(), others: vec![text()] },
        Error::TakenOver { lane: jetstream::POSTS, group: text(), mine: 1, theirs: 2 },
        Error::NoSink { buffer: text(), group: text(), why: text() },
        Error::InUse { group: text(), consumer: text(), idle: minute },
        Error::Drained { group: text(), ago: minute },
        Error::Unacknowledged { group: text(), consumer: text(), blocks: 1 },
        Error::GroupFull { key: text(), source: cause() },
        Error::Server { doing: text(), why: text(), source: cause() },
        Error::Spill { folder: "folder".into(), why: text(), source: cause() },
        Error::System(text(), cause()),
    ]
}

fn assert_plain(text: &str) {
    assert!(!text.contains("--") && !text.contains("FOREBAY_"), "a flag: {text}");
    let named = VERBS.iter().find(|verb| text.contains(&format!("forebay {verb}")));
    assert!(named.is_none(), "forebay {named:?}: {text}");
}

#[test]
fn no_error_has_a_word_of_the_command_line() {
    let all = every_error();
    let kinds: std::collections::HashSet<_> = all.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), all.len());
    let declared = include_str!("../src/buffer/error.rs").matches("#[error(").count();
    assert_eq!(all.len(), declared, "a variant is not among them");
    for error in &all {
        assert_plain(&error.to_string());
    }
    assert_plain(&BadName("?".into()).to_string());
    assert_plain(&parse(b"{}").unwrap_err().to_string());
    assert_plain(&Damage::Newer(9).to_string());
}

/// What is said in the texts that errors are made with, too: none of a string in the sources has a flag, but for those of other
/// programs.
#[test]
fn no_text_of_the_library_has_a_flag() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let (mut folders, mut looked_at) = (vec![std::path::PathBuf::from(folder)], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with("tests.rs") || path.extension().is_some_and(|kind| kind == "bin") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for line in
                code.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with("--"))
            {
                // How redis-cli is called.
                let is_other = line.starts_with("option(\"--user\"") || line.contains("\"--tls\"");
                let has_flag =
                    line.split("--").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
                let is_rust = path.extension().is_some_and(|name| name == "rs");
                assert!(!is_rust || is_other || !has_flag, "{}: {line}", path.display());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 5_000, "{looked_at}");
}

#[test]
fn an_error_has_its_cause() {
    let name: Name = "causes".parse().unwrap();
    let nobody = Address::parse("redis://127.0.0.1:1").unwrap();
    let Err(error) = Writer::open(&nobody, &name, &Options::default()) else { panic!("nobody is there") };
    assert!(matches!(error, Error::Connect { .. }) && error.source().is_some(), "{error:?}");
    let folder = "/proc/no/such".into();
    let spill = Overflow::Spill(Spill { folder, bytes_max: 1 << 20 });
    let options = Options { overflow: spill, ..Options::default() };
    let Err(error) = Writer::open(&nobody, &name, &options) else { panic!("no folder is there") };
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    assert!(matches!(error, Error::Spill { .. }) && cause.is_some(), "{error:?}");
}
