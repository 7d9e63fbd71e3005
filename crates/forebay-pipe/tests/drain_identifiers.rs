//! The recorded events, repeated with other identifiers: other accounts, posts, hashes, times and letters, so that a repetition
//! shares with the last one what events of the network share, their form, and nothing else.

use std::collections::HashMap;

use fastrand::Rng;
use forebay::block::atproto::RecordCids;
use forebay_pipe::drain::columns::Row;
use jiff::Timestamp;

/// Letters of DIDs and hashes.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Letters of record keys, which sort as their times do.
const SORTED: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
/// Microseconds from one repetition to the next: 152 events at the network's 938 a second.
const STEP_US: u64 = 162_000;

/// The line of the recorded events in their `round`th repetition. Within one, the same identifier becomes the same one.
pub struct Repeated {
    rng: Rng,
    round: u64,
    known: HashMap<Vec<u8>, Vec<u8>>,
    letters: [u8; 256],
    cids: RecordCids,
}

impl Repeated {
    pub fn new(round: u64) -> Self {
        let mut rng = Rng::with_seed(round);
        let mut letters = std::array::from_fn(|byte| byte as u8);
        rng.shuffle(&mut letters[b'a' as usize..=b'z' as usize]);
        Self { rng, round, known: HashMap::new(), letters, cids: RecordCids::default() }
    }

    pub fn line(&mut self, line: &str) -> Vec<u8> {
        let mut made = Vec::new();
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let len = self.put(rest, at.checked_sub(1).map(|before| bytes[before]), &mut made);
            at += len;
        }
        self.own_hash(&mut made);
        made
    }

    /// The hash of a record is that of the record as it is now.
    fn own_hash(&mut self, made: &mut [u8]) {
        let text = String::from_utf8(made.to_vec()).unwrap();
        let Some(record) = Row::of(&text).record.filter(|_| text.ends_with("\"}}")) else { return };
        if let Some(at) = text.rfind("\"cid\":\"") {
            let cid = self.cids.of(record).unwrap();
            made[at + 7..][..cid.len()].copy_from_slice(cid.as_bytes());
        }
    }

    /// Writes what comes for the start of `rest`; how much of it that was.
    fn put(&mut self, rest: &[u8], before: Option<u8>, to: &mut Vec<u8>) -> usize {
        let is = |bytes: &[u8], set: &[u8; 32]| bytes.iter().all(|byte| set.contains(byte));
        if rest.starts_with(b"did:plc:") && rest.len() > 32 && is(&rest[8..32], BASE32) {
            return self.other(&rest[..32], 8, to);
        }
        if (rest.starts_with(b"bafyrei") || rest.starts_with(b"bafkrei")) && is(&rest[7..59], BASE32) {
            return self.other(&rest[..59], 7, to);
        }
        if rest.len() > 13
            && matches!(before, Some(b'"' | b'/'))
            && rest[13] == b'"'
            && is(&rest[..13], SORTED)
        {
            to.extend_from_slice(&self.key(&rest[..13]));
            return 13;
        }
        if rest.starts_with(b"\"time_us\":") {
            let time: u64 = std::str::from_utf8(&rest[10..26]).unwrap().parse().unwrap();
            to.extend_from_slice(format!("\"time_us\":{}", time + self.round * STEP_US).as_bytes());
            return 26;
        }
        if rest.starts_with(b"\"createdAt\":\"") && rest.len() > 38 && rest[36] == b'Z' {
            let time: Timestamp = std::str::from_utf8(&rest[13..37]).unwrap().parse().unwrap();
            let moved =
                time.as_millisecond() + (self.round * STEP_US / 1_000).cast_signed() + self.rng.i64(0..1_000);
            let moved = Timestamp::from_millisecond(moved).unwrap();
            to.extend_from_slice(format!("\"createdAt\":\"{moved:.3}").as_bytes());
            return 37;
        }
        if rest.starts_with(b"\"text\":\"") {
            return self.text(rest, to);
        }
        to.push(rest[0]);
        1
    }

    /// Another identifier with the same first letters.
    fn other(&mut self, text: &[u8], kept: usize, to: &mut Vec<u8>) -> usize {
        let rng = &mut self.rng;
        let made = self.known.entry(text.to_vec()).or_insert_with(|| {
            let mut made = text.to_vec();
            made[kept..].fill_with(|| BASE32[rng.usize(0..32)]);
            if kept == 7 {
                // 256 bits of a hash begin within a letter, and end within one.
                made[7] = BASE32[rng.usize(0..8)];
                made[58] = BASE32[rng.usize(0..8) * 4];
            }
            made
        });
        to.extend_from_slice(made);
        text.len()
    }

    /// A key of a later time and of another clock.
    fn key(&mut self, text: &[u8]) -> Vec<u8> {
        let rng = &mut self.rng;
        let round = self.round;
        let digit = |byte: &u8| SORTED.iter().position(|letter| letter == byte).unwrap_or(0) as u64;
        let make = || {
            let number = text.iter().fold(0_u64, |number, byte| number << 5 | digit(byte));
            let time_us = (number >> 10) + round * STEP_US + rng.u64(0..1_000);
            let number = time_us << 10 | rng.u64(0..1_024);
            (0..13).map(|at| SORTED[(number >> (60 - 5 * at) & 31) as usize]).collect()
        };
        self.known.entry(text.to_vec()).or_insert_with(make).clone()
    }

    /// A text in other letters.
    fn text(&self, rest: &[u8], to: &mut Vec<u8>) -> usize {
        let mut at = 8;
        to.extend_from_slice(&rest[..at]);
        while rest[at] != b'"' {
            let escape = if rest[at] == b'\\' { if rest[at + 1] == b'u' { 6 } else { 2 } } else { 0 };
            to.extend_from_slice(&rest[at..at + escape]);
            at += escape;
            if escape == 0 {
                to.push(self.letters[rest[at] as usize]);
                at += 1;
            }
        }
        at
    }
}
