//! Any bytes come back from encoding 2, and any bytes as a frame of it open or are refused, whole and with a flipped bit.

#![no_main]

use std::cell::RefCell;

use forebay::block::atproto::{Decoder, Dictionary, Effort, Encoder};
use libfuzzer_sys::fuzz_target;

/// What a frame may claim: more than any input holds.
const LIMIT: usize = 1 << 20;

thread_local! {
    static BOTH: RefCell<(Encoder, Decoder)> = RefCell::new({
        let dictionary = Dictionary::built_in().unwrap();
        (Encoder::new(dictionary.clone()).unwrap(), Decoder::new(dictionary).unwrap())
    });
}

fuzz_target!(|bytes: &[u8]| {
    BOTH.with_borrow_mut(|(encoder, decoder)| {
        let mut content = Vec::new();
        // As a frame: an error or events, never a panic, and never more than it may.
        let _ = decoder.decode(bytes, LIMIT, &mut content);
        assert!(content.len() <= LIMIT);
        for effort in [Effort::Dense, Effort::Quick] {
            let mut frame = encoder.encode(bytes, effort).unwrap();
            decoder.decode(&frame, LIMIT, &mut content).unwrap();
            assert!(content == bytes);
            // With a bit flipped: the same bytes or none.
            let at = bytes.len() % frame.len();
            frame[at] ^= 1 << (bytes.len() % 8);
            if decoder.decode(&frame, LIMIT, &mut content).is_ok() {
                assert!(content == bytes);
            }
        }
    });
});
