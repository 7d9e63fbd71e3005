//! One core, no I/O: the parser and the frames, beside what would be used instead.

use std::hint::black_box;
use std::time::Instant;

use forebay::block::decode::Decoder;
use forebay::block::encode::{Encoder, Encoding, Wanted};
use forebay::block::frame::Draft;
use forebay::event::parse;
use forebay::event::stream::Stream;
use forebay_rig::synth::Synth;
use serde::Deserialize;

use crate::RUNS;
use crate::commands::Input;
use crate::table::{Row, Table};

/// Lines that a round goes through.
const LINES: usize = 50_000;

/// What `serde_json` is asked for: the same fields, borrowed.
#[derive(Deserialize)]
struct Borrowed<'a> {
    time_us: u64,
    #[serde(borrow)]
    commit: Option<Commit<'a>>,
}

#[derive(Deserialize)]
struct Commit<'a> {
    collection: Option<&'a str>,
}

pub fn rows(input: &Input, table: &mut Table) -> anyhow::Result<()> {
    let bytes = std::fs::read(input.path())?;
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(LINES).collect();
    let (mut ours, mut serde, mut encode, mut decode, mut synth) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let encoder = |wanted| Encoder::of(Stream::jetstream(), Encoding { wanted, ..Encoding::default() });
    let (mut plain, mut dense) = (encoder(Wanted::Plain)?, encoder(Wanted::Dense)?);
    let mut decoder = Decoder::new()?;
    let (mut dense_encode, mut dense_decode) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(rate(&lines, |line| {
            let _ = black_box(parse::parse(line));
        }));
        serde.push(rate(&lines, |line| {
            if let Ok(event) = serde_json::from_slice::<Borrowed<'_>>(line) {
                black_box((event.time_us, event.commit.and_then(|commit| commit.collection)));
            }
        }));
        let (packed, opened) = frames(&lines, &mut plain, &mut decoder)?;
        encode.push(packed);
        decode.push(opened);
        let (packed, opened) = frames(&lines, &mut dense, &mut decoder)?;
        dense_encode.push(packed);
        dense_decode.push(opened);
        synth.push(synth_rate());
    }
    table.add(Row::new("synth, one core", "events/s", synth).at_least(400_000.0));
    table.add(Row::new("parse, one core", "events/s", ours).beside("serde_json, borrowed", serde, None));
    table.add(
        Row::new(
            "events to frames of 512, decoded and compared, encoding 2, one core",
            "events/s",
            dense_encode,
        )
        .beside("encoding 1", encode, None),
    );
    table.add(Row::new("frames to checked events, encoding 2, one core", "events/s", dense_decode).beside(
        "encoding 1",
        decode,
        None,
    ));
    Ok(())
}

fn rate(lines: &[&[u8]], mut work: impl FnMut(&[u8])) -> f64 {
    let started = Instant::now();
    for line in lines {
        work(line);
    }
    lines.len() as f64 / started.elapsed().as_secs_f64()
}

fn synth_rate() -> f64 {
    let (synth, mut line, started) = (Synth::network(2), Vec::new(), Instant::now());
    for index in 0..LINES as u64 {
        line.clear();
        synth.write_event(index, &mut line);
        black_box(&line);
    }
    LINES as f64 / started.elapsed().as_secs_f64()
}

fn frames(lines: &[&[u8]], encoder: &mut Encoder, decoder: &mut Decoder) -> anyhow::Result<(f64, f64)> {
    let mut drafts = Vec::new();
    for chunk in lines.chunks(512) {
        let mut draft = Draft::default();
        for line in chunk {
            draft.push(&parse::parse(line)?);
        }
        drafts.push(draft);
    }
    let started = Instant::now();
    let blocks =
        drafts.iter().map(|draft| Ok(encoder.encode(draft)?.0)).collect::<anyhow::Result<Vec<_>>>()?;
    let packed = lines.len() as f64 / started.elapsed().as_secs_f64();
    let started = Instant::now();
    for block in &blocks {
        black_box(decoder.open(block.sealed())?);
    }
    Ok((packed, lines.len() as f64 / started.elapsed().as_secs_f64()))
}
