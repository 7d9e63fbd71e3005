//! Events to encode, and both directions in one call.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use forebay_rig::synth::Synth;

use forebay::block::atproto::{DecodeError, Decoder, Dictionary, Effort, Encoder};

pub static DICTIONARY: LazyLock<Arc<Dictionary>> = LazyLock::new(|| Dictionary::built_in().unwrap());

/// Events that the network sent.
pub const RECORDED: [&str; 2] =
    [include_str!("vectors/recorded.ndjson"), include_str!("vectors/one-of-each.ndjson")];
/// Events of the generator: the first of seed 1.
pub static SYNTHETIC: LazyLock<String> = LazyLock::new(|| {
    let (synth, mut lines) = (Synth::network(1), Vec::new());
    for number in 0..2_000 {
        synth.write_event(number, &mut lines);
        lines.push(b'\n');
    }
    String::from_utf8(lines).unwrap()
});

/// How many cases a property is tried with: 256, or as many as `CASES` says.
pub fn cases() -> proptest::test_runner::Config {
    let cases = std::env::var("CASES").ok().and_then(|cases| cases.parse().ok());
    proptest::test_runner::Config::with_cases(cases.unwrap_or(256))
}

thread_local! {
    static BOTH: RefCell<(Encoder, Decoder)> = RefCell::new((
        Encoder::new(Arc::clone(&DICTIONARY)).unwrap(),
        Decoder::new(Arc::clone(&DICTIONARY)).unwrap(),
    ));
}

pub fn encode(events: &[u8], effort: Effort) -> Vec<u8> {
    BOTH.with_borrow_mut(|(encoder, _)| encoder.encode(events, effort).unwrap())
}

pub fn decode(frame: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    BOTH.with_borrow_mut(|(_, decoder)| decoder.decode(frame, limit, &mut out)).map(|()| out)
}

/// Encodes with both efforts; the events must come back.
#[track_caller]
pub fn assert_comes_back(events: &[u8]) -> Vec<u8> {
    for effort in [Effort::Quick, Effort::Dense] {
        let frame = encode(events, effort);
        let out = decode(&frame, events.len());
        assert!(
            out.as_deref() == Ok(events),
            "{effort:?}: {:?} became {:?}",
            String::from_utf8_lossy(events),
            out.map(|out| String::from_utf8_lossy(&out).into_owned())
        );
    }
    encode(events, Effort::Dense)
}
