//! What the tests of the drain share: events in, a drain that ends before any step, and every line that the files have.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::{Options, Writer};
use forebay::event::parse::parse;
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::counts::Counts;
use forebay_pipe::drain::layout::Layout;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::replay::{Wanted, replay};
use forebay_pipe::drain::roll::Rolling;
use forebay_pipe::drain::run::{DrainError, drain};
use forebay_pipe::drain::step::Steps;
use forebay_pipe::drain::verify::verify;
use forebay_rig::server::Server;
use forebay_rig::synth::Synth;

use crate::support::LIMIT;

/// Lines by lane, in order.
pub type Lines = BTreeMap<String, Vec<String>>;

/// The lines of these events.
pub fn events(numbers: std::ops::Range<u64>) -> Vec<String> {
    let synth = Synth::network(7).with_rate(938.0);
    let line = |number| {
        let mut line = Vec::new();
        synth.write_event(number, &mut line);
        String::from_utf8(line).unwrap()
    };
    numbers.map(line).collect()
}

/// Puts lines into the buffer `test`, in small blocks, by a writer of its own.
pub fn append(server: &Server, lines: &[String]) {
    let mut options = Options::default();
    options.limits.events_max = 40;
    let name: Name = "test".parse().unwrap();
    let mut writer = Writer::open(&Address::parse(&server.url()).unwrap(), &name, &options).unwrap();
    for line in lines {
        writer.push(&parse(line.as_bytes()).unwrap()).unwrap();
    }
    assert_eq!(writer.close().unwrap().acknowledged, lines.len() as u64);
}

pub fn by_lane(lines: &[String]) -> Lines {
    let mut by_lane = Lines::new();
    for line in lines {
        let lane = parse(line.as_bytes()).unwrap().lane;
        by_lane.entry(lane.name().into()).or_default().push(line.clone());
    }
    by_lane
}

pub fn config(server: &Server, to: &Path) -> Config {
    Config {
        address: Address::parse(&server.url()).unwrap(),
        name: "test".parse().unwrap(),
        group: "files".into(),
        to: Target::Folder(to.to_owned()),
        staging: None,
        layout: Layout::default(),
        columns: Vec::new(),
        is_lean: false,
        rolling: Rolling::default(),
        once: true,
        patience: LIMIT,
        steps: Steps::default(),
    }
}

/// Drains what is there.
pub fn run(config: &Config) -> Result<Counts, DrainError> {
    let counts = Counts::default();
    drain(config, &counts, &Arc::new(AtomicBool::new(false))).map(|()| counts)
}

/// Every line that the files have, by lane; the destination must be sound.
pub fn drained(to: &Path) -> Lines {
    archived(&Archive::of_folder(to).unwrap())
}

/// The same of any destination.
pub fn archived(archive: &Archive) -> Lines {
    let verified = verify(archive, |_| {}).unwrap();
    assert_eq!(verified.told, [""; 0]);
    let mut lines = Lines::new();
    let heard = replay::<DrainError>(archive, &Wanted::default(), |lane, line| {
        let line = String::from_utf8(line.to_vec()).unwrap();
        lines.entry(lane.into()).or_default().push(line);
        Ok(true)
    });
    assert_eq!(heard.unwrap(), verified.rows);
    lines
}

/// So many of each lane, for words that can be read.
pub fn counted(lines: &Lines) -> Vec<(&str, usize)> {
    lines.iter().map(|(lane, lines)| (lane.as_str(), lines.len())).collect()
}

/// The same lines in the same order, by lane.
pub fn assert_same(found: &Lines, expected: &Lines, what: &str) {
    assert_eq!(counted(found), counted(expected), "{what}");
    assert!(found == expected, "{what}: other lines, or another order");
}
