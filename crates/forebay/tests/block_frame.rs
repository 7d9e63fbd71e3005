//! What a frame promises: the same bytes out as went in, and never other events out of a damaged one.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use forebay::block::damage::Damage;
use forebay::block::decode::Decoder;
use forebay::block::encode::{Encoder, Encoding, Wanted};
use forebay::block::frame::{Block, CONTENT_BYTES_MAX, Draft, Sealed, lines};
use forebay::event::jetstream;
use forebay::event::parse::{Event, parse};
use forebay::event::stream::Stream;
use proptest::prelude::*;

use crate::support::event;

fn encode<'a>(events: impl IntoIterator<Item = &'a [u8]>) -> Block {
    let mut draft = Draft::default();
    for event in events {
        draft.push(&parse(event).unwrap());
    }
    crate::support::encode(&draft, Wanted::Plain)
}

fn some_events(count: u64, padding: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| event(jetstream::ALL[number as usize % 6], number, padding)).collect()
}

fn block(events: &[Vec<u8>]) -> Block {
    encode(events.iter().map(Vec::as_slice))
}

fn open(frame: &[u8], block: &Block) -> Result<Vec<Vec<u8>>, Damage> {
    let mut decoder = Decoder::new().unwrap();
    let content = decoder.open(Sealed { frame, ..block.sealed() })?;
    Ok(lines(content).map(<[u8]>::to_vec).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_come_out_as_they_went_in(
        events in prop::collection::vec((0..=1_u64 << 53, "[^\"\\\\\u{0}-\u{1f}]{0,200}", 0_usize..3), 1..60),
    ) {
        let events: Vec<Vec<u8>> = events
            .into_iter()
            .map(|(time_us, text, blanks)| {
                let blanks = " ".repeat(blanks);
                format!(r#"{blanks}{{"text":"{text}",{blanks}"time_us":{time_us}}}{blanks}"#).into_bytes()
            })
            .collect();
        let times = events.iter().map(|event| parse(event).unwrap().time_us);
        let block = block(&events);
        prop_assert_eq!(block.events, events.len() as u64);
        prop_assert_eq!((Some(block.time_min), Some(block.time_max)), (times.clone().min(), times.max()));
        prop_assert_eq!(block.raw_bytes as usize, events.concat().len() + events.len() - 1);
        prop_assert_eq!(open(&block.frame, &block).unwrap(), events);
    }
}

#[test]
fn a_frame_is_what_any_zstd_opens_and_says_its_size_and_checksum() {
    let events = some_events(20, 100);
    let block = block(&events);
    assert_eq!(zstd::decode_all(&block.frame[..]).unwrap(), events.join(&b'\n'));
    let descriptor = block.frame[4];
    assert_eq!(descriptor & 0b100, 0b100, "the checksum flag of RFC 8878");
    assert_eq!(
        zstd::zstd_safe::get_frame_content_size(&block.frame).unwrap(),
        Some(block.raw_bytes),
        "the content's size"
    );
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_changes_nothing() {
    let events = some_events(12, 60);
    let block = block(&events);
    let (mut refused, mut same) = (0, 0);
    for at in 0..block.frame.len() {
        for bit in 0..8 {
            let mut frame = block.frame.clone();
            frame[at] ^= 1 << bit;
            match open(&frame, &block) {
                Err(_) => refused += 1,
                Ok(found) => {
                    assert_eq!(found, events, "bit {bit} of byte {at} gives other events");
                    same += 1;
                }
            }
        }
    }
    // The header has a bit that decoders pass over, and so have the ends of bit streams.
    assert!(same * 100 < refused, "{same} flips were not noticed, {refused} were");
}

#[test]
fn any_other_byte_in_the_header_is_refused_or_changes_nothing() {
    let events = some_events(3, 30);
    let block = block(&events);
    for at in 0..12 {
        for byte in 0..=u8::MAX {
            let mut frame = block.frame.clone();
            frame[at] = byte;
            if let Ok(found) = open(&frame, &block) {
                assert_eq!(found, events, "{byte} at {at} gives other events");
            }
        }
    }
}

#[test]
fn a_frame_cut_anywhere_is_refused() {
    let block = block(&some_events(12, 60));
    for length in 0..block.frame.len() {
        assert!(open(&block.frame[..length], &block).is_err(), "cut to {length} of {}", block.frame.len());
    }
    assert_eq!(open(b"", &block), Err(Damage::Size));
    assert_eq!(open(b"no frame at all", &block), Err(Damage::Size));
}

#[test]
fn a_frame_with_something_behind_it_gives_no_other_events() {
    let events = some_events(4, 60);
    let block = block(&events);
    let second = encode([event(jetstream::LIKES, 99, 10).as_slice()]);
    for tail in [&b"x"[..], &[0; 100], &second.frame, &block.frame] {
        // A decoder that has opened something large has the room for more than this frame says.
        let mut decoder = Decoder::new().unwrap();
        let large = encode([event(jetstream::LIKES, 1, 100_000).as_slice()]);
        decoder.open(large.sealed()).unwrap();
        let frame = [&block.frame, tail].concat();
        let result = decoder.open(Sealed { frame: &frame, ..block.sealed() });
        assert!(result.is_err(), "a tail of {} bytes was taken", tail.len());
    }
}

#[test]
fn two_frames_behind_each_other_are_damaged_whatever_was_opened_before() {
    let (first, second) = (some_events(3, 60), some_events(4, 60));
    let (one, whole) = (block(&first), block(&second));
    // What zstd itself would open as the four events.
    let mut rest = b"\n".to_vec();
    rest.extend_from_slice(&second[3]);
    let both = [&one.frame[..], &zstd::bulk::compress(&rest, 1).unwrap()].concat();
    assert_eq!(zstd::decode_all(&both[..]).unwrap(), second.join(&b'\n'), "the test makes what it says");
    let skippable = [&whole.frame[..], &[0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0], b"JUNK"].concat();
    for had_room in [false, true] {
        let mut decoder = Decoder::new().unwrap();
        if had_room {
            decoder.open(encode([event(jetstream::LIKES, 1, 100_000).as_slice()]).sealed()).unwrap();
        }
        for frame in [&both, &skippable] {
            let opened = decoder.open(Sealed { frame, ..whole.sealed() });
            assert!(matches!(opened, Err(Damage::Frame(_))), "{opened:?}");
        }
    }
}

/// The header of a frame that claims so much and holds nothing.
fn claiming(bytes: u64) -> Vec<u8> {
    // Magic number, descriptor (single segment, 8 bytes of size), size, one empty raw block that is the last.
    [&[0x28, 0xB5, 0x2F, 0xFD, 0b1110_0000][..], &bytes.to_le_bytes(), &[1, 0, 0]].concat()
}

#[test]
fn a_frame_that_claims_more_than_any_block_holds_is_refused_before_memory_is_asked_for() {
    let block = block(&some_events(1, 10));
    for bytes in [CONTENT_BYTES_MAX as u64 + 1, 1 << 40, u64::MAX - 2] {
        assert_eq!(open(&claiming(bytes), &block), Err(Damage::Size), "{bytes}");
    }
    // The header is a sound one: what it claims is what is refused.
    assert!(matches!(open(&claiming(100), &block), Err(Damage::Frame(_))));
    // Without a size: a window of 1 KiB instead, then one raw block of 7 bytes.
    let unsaid = [&[0x28, 0xB5, 0x2F, 0xFD, 0, 0, 57, 0, 0][..], b"no size"].concat();
    assert_eq!(zstd::decode_all(&unsaid[..]).unwrap(), b"no size");
    assert_eq!(open(&unsaid, &block), Err(Damage::Size));
}

#[test]
fn a_frame_that_does_not_hold_what_its_entry_says_is_refused() {
    let events = some_events(5, 60);
    let block = block(&events);
    let with = |change: fn(&mut Block)| {
        let mut said = block.clone();
        change(&mut said);
        open(&block.frame, &said).unwrap_err()
    };
    assert_eq!(with(|said| said.events = 4), Damage::Events { said: 4, found: 5 });
    assert_eq!(with(|said| said.events = 6), Damage::Events { said: 6, found: 5 });
    assert_eq!(with(|said| said.events = 0), Damage::Events { said: 0, found: 5 });
    let (found_min, found_max) = (block.time_min, block.time_max);
    for (a, z) in [
        (found_min - 1, found_max),
        (found_min + 1, found_max),
        (found_min, found_max + 1),
        (found_min, found_max - 1),
    ] {
        let said = Block { time_min: a, time_max: z, ..block.clone() };
        let times = Damage::Times { min: a, max: z, found_min, found_max };
        assert_eq!(open(&block.frame, &said), Err(times));
    }
}

#[test]
fn a_sound_frame_of_what_is_no_event_is_refused_with_the_event_s_place() {
    let good = event(jetstream::LIKES, 7, 10);
    for bad in [&b"not json"[..], b"{}", b"", b"\xff"] {
        let mut draft = Draft::default();
        draft.push(&parse(&good).unwrap());
        draft.push(&Event { bytes: bad, time_us: 0, lane: jetstream::LIKES, cursor: 0 });
        let block = crate::support::encode(&draft, Wanted::Plain);
        let why = open(&block.frame, &block).unwrap_err();
        assert!(matches!(why, Damage::Event { index: 1, .. }), "{why}");
    }
}

#[test]
fn an_encoder_and_a_decoder_can_be_used_again_after_anything() {
    let how = Encoding { wanted: Wanted::Plain, ..Encoding::default() };
    let mut encoder = Encoder::of(Stream::jetstream(), how).unwrap();
    let mut decoder = Decoder::new().unwrap();
    for (count, padding) in [(1, 10), (500, 300), (3, 50_000), (2, 0)] {
        let events = some_events(count, padding);
        let mut draft = Draft::default();
        for event in &events {
            draft.push(&parse(event).unwrap());
        }
        let (block, _) = encoder.encode(&draft).unwrap();
        assert_eq!(block, self::block(&events), "what was encoded before shows");
        let cut = Sealed { frame: &block.frame[1..], ..block.sealed() };
        assert!(decoder.open(cut).is_err());
        assert!(decoder.open(Sealed { events: block.events + 1, ..block.sealed() }).is_err());
        assert_eq!(decoder.open(block.sealed()).unwrap(), events.join(&b'\n'));
    }
}
