//! A frame opens to just what went in, or not at all, whatever bytes stand in its place.

#![no_main]

use forebay::block::decode::Decoder;
use forebay::block::encode::{Encoder, Encoding};
use forebay::block::frame::{Draft, LINES, Sealed, lines};
use forebay::event::parse::parse;
use forebay::event::stream::Stream;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new().unwrap();
    // As a frame: an error or events, never a panic.
    if let Ok(content) = decoder.open(Sealed { encoding: LINES, frame: bytes, events: 1, times: (1, 1) }) {
        assert!(lines(content).all(|line| parse(line).is_ok()));
    }
    // As events: what goes in comes out.
    let mut draft = Draft::default();
    let events: Vec<&[u8]> = lines(bytes).filter(|line| parse(line).is_ok()).collect();
    for event in &events {
        draft.push(&parse(event).unwrap());
    }
    if draft.is_empty() {
        return;
    }
    let mut encoder = Encoder::of(Stream::jetstream(), Encoding::default()).unwrap();
    let (mut block, _) = encoder.encode(&draft).unwrap();
    let content = decoder.open(block.sealed()).unwrap();
    assert!(lines(content).eq(events.iter().copied()));
    // With a byte flipped: the same events or none.
    let at = bytes.len() % block.frame.len();
    block.frame[at] ^= 1 << (bytes.len() % 8);
    if let Ok(content) = decoder.open(block.sealed()) {
        assert!(lines(content).eq(events.iter().copied()));
    }
});
