//! What frames of encoding 2 are made of: bytes an event by column and by lane, with the built-in dictionary or another one.
//! `columns <events.ndjson> [dictionary]`

#[path = "../blocks.rs"]
mod blocks;

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay::block::atproto::code::Role;
use forebay::block::atproto::tally::{Column, Tally};
use forebay::block::atproto::{Dictionary, Effort, Encoder};

#[derive(Default)]
struct Bits {
    columns: BTreeMap<String, u64>,
}

fn column_of(role: Role) -> &'static str {
    use Role::{Cid, Created, CreatedWithKey, Did, FirstTime, Int, NextTime, OwnCid, Shape};
    match role {
        Shape => "skeleton",
        Did => "DIDs",
        Cid | OwnCid => "CIDs",
        FirstTime => "first time",
        NextTime => "times",
        Created | CreatedWithKey => "created",
        Int => "integers",
        _ => "TIDs",
    }
}

impl Tally for Bits {
    fn number(&mut self, role: Role, _: u64, bits: u32) {
        *self.columns.entry(column_of(role).to_owned()).or_default() += u64::from(bits);
    }
    fn bytes(&mut self, column: Column, bytes: &[u8]) {
        let name = match column {
            Column::Header => "header",
            Column::Texts => "texts",
            Column::Dids => "DIDs",
            Column::Cids | Column::OwnCids => "CIDs",
        };
        *self.columns.entry(name.to_owned()).or_default() += 8 * bytes.len() as u64;
    }
    fn texts(&mut self, _: &[u8]) {}
}

fn columns(name: &str, dictionary: &Arc<Dictionary>, blocks: &[Vec<u8>], events: f64, effort: Effort) {
    let mut encoder = Encoder::with_tally(Arc::clone(dictionary), Bits::default()).expect("zstd");
    let total: usize = blocks.iter().map(|block| encoder.encode(block, effort).expect("zstd").len()).sum();
    let share = |bits: u64| bits as f64 / 8.0 / events;
    let columns: Vec<_> =
        encoder.tally().columns.iter().map(|(name, bits)| format!("{name} {:.1}", share(*bits))).collect();
    println!(
        "{name:24} {:.1} bytes an event in {} blocks of {:.1} ({effort:?}): {}",
        total as f64 / events,
        blocks.len(),
        events / blocks.len() as f64,
        columns.join(", ")
    );
}

fn lanes(dictionary: &Arc<Dictionary>, blocks: &[Vec<u8>]) {
    let mut sums: BTreeMap<u8, (usize, usize, usize)> = BTreeMap::new();
    let mut encoder = Encoder::new(Arc::clone(dictionary)).expect("zstd");
    for block in blocks {
        let text = String::from_utf8_lossy(block);
        let sum = sums.entry(blocks::lane_of(text.lines().next().unwrap_or_default())).or_default();
        sum.0 += text.lines().count();
        sum.1 += encoder.encode(block, Effort::Dense).expect("zstd").len();
        sum.2 += 1;
    }
    for (lane, (events, bytes, blocks)) in sums {
        println!(
            "    lane {lane}: {:.1} bytes an event, {:.1} events a block, {events} events",
            bytes as f64 / events as f64,
            events as f64 / blocks as f64
        );
    }
}

fn main() {
    let file = std::env::args().nth(1).expect("usage: columns <events.ndjson> [dictionary]");
    let text = std::fs::read_to_string(file).expect("a file of events");
    let lines: Vec<&str> = text.lines().collect();
    let dictionary = match std::env::args().nth(2) {
        Some(other) => {
            Arc::new(Dictionary::new(1, &std::fs::read(other).expect("a dictionary")).expect("a dictionary"))
        }
        None => Dictionary::built_in().expect("the dictionary"),
    };
    // Recorded events are few: all of them at both rates. Of made-up ones, a tenth comes at a tenth of the rate.
    let step = if lines.len() > 10_000 { 10 } else { 1 };
    let thinned: Vec<&str> = lines.iter().copied().step_by(step).collect();
    let slow = blocks::blocks(&thinned, 94.0);
    let fast = blocks::blocks(&lines, 938.0);
    let flat_out = blocks::blocks(&lines, 1e9);
    for (name, blocks, events) in [
        ("94/s", &slow, thinned.len()),
        ("938/s", &fast, lines.len()),
        ("256 events", &flat_out, lines.len()),
    ] {
        for effort in [Effort::Dense, Effort::Quick] {
            columns(name, &dictionary, blocks, events as f64, effort);
        }
        lanes(&dictionary, blocks);
    }
}
