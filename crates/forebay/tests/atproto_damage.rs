//! A damaged frame is an error or the same events, never a panic and never more memory than its reader allows.

use super::atproto_support::{DICTIONARY, RECORDED, SYNTHETIC, cases, decode, encode};
use forebay::block::atproto::{DecodeError, Decoder, Dictionary, Effort};
use proptest::prelude::*;
use std::sync::Arc;

/// Blocks of every kind: texts, spelled skeletons, repeats, stored and computed CIDs.
fn blocks() -> Vec<Vec<u8>> {
    let recorded: Vec<&str> = RECORDED[0].lines().collect();
    let odd = "{\"a\":\"\u{1}\"}\n\nplain words\n{\"did\":\"did:plc:wq4aajammjtxdomz3e23667t\"}";
    let each = RECORDED[1].lines().collect::<Vec<_>>().join("\n");
    vec![
        recorded[..12].join("\n").into_bytes(),
        each.into_bytes(),
        odd.as_bytes().to_vec(),
        recorded[0].into(),
        Vec::new(),
    ]
}

#[test]
fn every_cut_of_a_frame_is_an_error() {
    for block in blocks() {
        let frame = encode(&block, Effort::Dense);
        for len in 0..frame.len() {
            assert!(decode(&frame[..len], block.len()).is_err(), "cut at {len} of {}", frame.len());
        }
    }
}

#[test]
fn every_byte_changed_is_an_error_or_changes_nothing() {
    for block in blocks() {
        let frame = encode(&block, Effort::Dense);
        for at in 0..frame.len() {
            for change in [1, 2, 4, 8, 16, 32, 64, 128, 0xFF, 0x55] {
                let mut damaged = frame.clone();
                damaged[at] ^= change;
                if let Ok(out) = decode(&damaged, 1 << 20) {
                    assert!(out == block, "byte {at} changed by {change} gives other events");
                }
            }
        }
    }
}

#[test]
fn every_byte_of_a_small_frame_set_to_every_value_is_an_error_or_changes_nothing() {
    let block = RECORDED[0].lines().take(3).collect::<Vec<_>>().join("\n").into_bytes();
    let frame = encode(&block, Effort::Quick);
    for at in 0..frame.len() {
        for value in 0..=255 {
            let mut damaged = frame.clone();
            damaged[at] = value;
            if let Ok(out) = decode(&damaged, 1 << 20) {
                assert!(out == block, "byte {at} set to {value} gives other events");
            }
        }
    }
}

#[test]
fn bytes_behind_the_frame_are_an_error() {
    for block in blocks() {
        let mut frame = encode(&block, Effort::Dense);
        frame.push(0);
        assert!(decode(&frame, block.len()).is_err());
    }
}

#[test]
fn events_beyond_the_limit_are_refused_before_memory_is_taken() {
    let block = SYNTHETIC.trim_end().as_bytes();
    let frame = encode(block, Effort::Dense);
    let mut out = Vec::new();
    let mut decoder = Decoder::new(Arc::clone(&DICTIONARY)).unwrap();
    let result = decoder.decode(&frame, block.len() - 1, &mut out);
    assert_eq!(result, Err(DecodeError::TooLarge { size: block.len(), limit: block.len() - 1 }));
    assert_eq!(out.capacity(), 0);
    decoder.decode(&frame, block.len(), &mut out).unwrap();
    assert!(out == block);
}

#[test]
fn another_dictionary_or_encoding_is_named() {
    let frame = encode(b"{}", Effort::Dense);
    let mut other = frame.clone();
    other[1] = 9;
    assert_eq!(decode(&other, 99), Err(DecodeError::Dictionary { said: 9, given: 1 }));
    other[0] = 1;
    assert_eq!(decode(&other, 99), Err(DecodeError::Version(1)));
}

#[test]
fn damaged_dictionaries_are_refused_or_usable() {
    let bytes = DICTIONARY.bytes();
    assert!(Dictionary::new(1, &[]).is_err());
    for len in (0..bytes.len()).step_by(97) {
        let _ = Dictionary::new(1, &bytes[..len]).map(Arc::new).map(Decoder::new);
    }
    for at in (0..bytes.len()).step_by(31) {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x11;
        let Ok(dictionary) = Dictionary::new(1, &damaged).map(Arc::new) else { continue };
        let Ok(mut decoder) = Decoder::new(dictionary) else { continue };
        let _ = decoder.decode(
            &encode(RECORDED[0].trim_end().as_bytes(), Effort::Dense),
            1 << 20,
            &mut Vec::new(),
        );
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn arbitrary_bytes_are_no_frame(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut frame = vec![2, 1];
        frame.extend_from_slice(&bytes);
        let _ = decode(&frame, 1 << 16);
        let _ = decode(&bytes, 1 << 16);
    }

    #[test]
    fn several_changes_are_an_error(changes in proptest::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..8)) {
        let block = blocks().swap_remove(0);
        let mut frame = encode(&block, Effort::Dense);
        for (at, change) in changes {
            let at = at.index(frame.len());
            frame[at] ^= change;
        }
        if let Ok(out) = decode(&frame, 1 << 20) {
            prop_assert!(out == block);
        }
    }
}
