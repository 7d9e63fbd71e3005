//! How the record of a template looks in DAG-CBOR: worked out once, so that the records of nearly all events are
//! not converted but filled in.

use memchr::memmem;

use super::cbor::RecordHasher;
use super::lexer::record_before;

/// A record in DAG-CBOR that lacks its values.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) cbor: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
}

/// A value of a record: where its text is in the line and in the DAG-CBOR, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) line: usize,
    pub(super) cbor: usize,
    pub(super) len: usize,
}

impl Plan {
    /// The plan for lines of one length, whose values stand at the same places with the same lengths, up to the own
    /// CID. None where a value does not go into DAG-CBOR as the text it is.
    pub(super) fn of(pattern: &[u8], values: &[(usize, usize)]) -> Option<Self> {
        // Letters stand in for values: that a value's own letter repeats so often elsewhere is ruled out below.
        let mut line = pattern.to_vec();
        for (&(at, len), letter) in values.iter().zip(b'A'..=b'Z') {
            line.get_mut(at..at + len)?.fill(letter);
        }
        let record = record_before(&line)?;
        let start = line.len() - record.len() - br#","cid":""#.len();
        let mut hasher = RecordHasher::default();
        let cbor = hasher.convert(record)?.to_vec();
        let mut pieces = Vec::new();
        for (&(at, len), letter) in values.iter().zip(b'A'..=b'Z').filter(|((at, _), _)| *at >= start) {
            let needle = vec![letter; len];
            let mut places = memmem::find_iter(&cbor, &needle);
            let (first, second) = (places.next()?, places.next());
            if second.is_some() {
                return None;
            }
            pieces.push(Piece { line: at, cbor: first, len });
        }
        (values.len() <= 26).then_some(Self { cbor, pieces })
    }
}
