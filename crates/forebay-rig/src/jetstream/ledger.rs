//! Every event of a network by what it is, against every event that a buffer hands out.
//!
//! What is the same of an event whichever host sends it is spelled out here once more, in another way than the
//! engine's: a mistake in its identities would else be in the proof too.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

/// What is the same of an event whichever host sends it.
pub fn identity(line: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return String::from_utf8_lossy(line).into();
    };
    let text = |pointer: &str| value.pointer(pointer).map(Value::to_string).unwrap_or_default();
    match value["kind"].as_str() {
        Some("commit") => ["/did", "/commit/rev", "/commit/collection", "/commit/rkey", "/commit/operation"]
            .map(text)
            .join(" "),
        Some(kind) => format!("{} {kind} {}", text("/did"), text(&format!("/{kind}/seq"))),
        None => String::from_utf8_lossy(line).into(),
    }
}

/// A made-up network in which two events are the same, by their identity: which of them came could not be told.
#[derive(Debug, thiserror::Error)]
#[error("two events of the network are the same")]
pub struct SameEvent;

/// What became of the events of a network.
#[derive(Default)]
pub struct IngestLedger {
    owed: HashMap<String, u64>,
    /// By index, from that of the first event that is owed.
    seen: Vec<bool>,
    first: u64,
    left: u64,
    /// The newest event of each lane so far.
    latest: HashMap<usize, u64>,
    /// Events that were handed out once more.
    pub twice: Vec<u64>,
    /// Events that came after a later one of their lane.
    pub out_of_order: Vec<u64>,
    /// Lines that are none of the events owed, and how often each came.
    pub strange: HashMap<Vec<u8>, u64>,
}

/// How many, with the first and the last of them.
impl fmt::Debug for IngestLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |of: &[u64]| format!("{} {:?}", of.len(), of.first().zip(of.last()));
        let strange =
            self.strange.keys().map(|line| String::from_utf8_lossy(line).chars().take(200).collect());
        write!(
            f,
            "lost {}, twice {}, out of order {}, strange {:?}",
            of(&self.lost()),
            of(&self.twice),
            of(&self.out_of_order),
            strange.collect::<Vec<String>>()
        )
    }
}

impl IngestLedger {
    /// Nothing was handed out yet of the events from one index up to another, each of which `line` gives.
    pub fn new(events: std::ops::Range<u64>, line: impl Fn(u64) -> Vec<u8>) -> Result<Self, SameEvent> {
        let owed: HashMap<String, u64> =
            events.clone().map(|index| (identity(&line(index)), index)).collect();
        let count = events.end - events.start;
        if owed.len() as u64 != count {
            return Err(SameEvent);
        }
        let seen = vec![false; owed.len()];
        Ok(Self { owed, seen, first: events.start, left: count, ..Self::default() })
    }

    /// A buffer has handed out a line of a lane.
    pub fn read(&mut self, lane: usize, line: &[u8]) {
        let Some(index) = self.owed.get(&identity(line)).copied() else {
            *self.strange.entry(line.to_vec()).or_default() += 1;
            return;
        };
        let seen = &mut self.seen[(index - self.first) as usize];
        if *seen {
            self.twice.push(index);
            return;
        }
        *seen = true;
        self.left -= 1;
        let latest = self.latest.entry(lane).or_insert(index);
        if index < *latest {
            self.out_of_order.push(index);
        }
        *latest = index.max(*latest);
    }

    /// Whether everything owed was handed out.
    pub fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// How many of the events that are owed were not handed out.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The newest event that was handed out, of any lane.
    pub fn newest(&self) -> Option<u64> {
        self.latest.values().copied().max()
    }

    /// The events that were not handed out, in their order.
    pub fn lost(&self) -> Vec<u64> {
        let lost = self.seen.iter().zip(self.first..).filter(|(seen, _)| !**seen);
        lost.map(|(_, index)| index).collect()
    }

    /// Strange lines that came more than once.
    pub fn strange_twice(&self) -> u64 {
        self.strange.values().map(|times| times - 1).sum()
    }

    /// Whether everything came once, in its lane's order, and nothing else.
    pub fn is_clean(&self) -> bool {
        self.is_complete() && self.twice.is_empty() && self.out_of_order.is_empty() && self.strange.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(index: u64, time: u64) -> Vec<u8> {
        format!(
            r#"{{"did":"did:plc:a","time_us":{time},"kind":"commit","commit":{{"rev":"r{index}","operation":"create","collection":"c","rkey":"k"}}}}"#
        )
        .into_bytes()
    }

    /// Of the events 10 to 13, these were handed out, at other times than the network's.
    fn after(handed_out: &[u64]) -> IngestLedger {
        let mut ledger = IngestLedger::new(10..14, |index| line(index, index)).unwrap();
        for index in handed_out {
            ledger.read(0, &line(*index, 99));
        }
        ledger
    }

    #[test]
    fn all_of_them_once_and_in_order_are_clean() {
        let ledger = after(&[10, 11, 12, 13]);
        assert!(ledger.is_clean() && ledger.is_complete() && ledger.newest() == Some(13), "{ledger:?}");
    }

    #[test]
    fn one_that_is_absent_doubled_late_or_unknown_is_told() {
        assert_eq!(after(&[10, 12, 13]).lost(), [11]);
        assert_eq!(after(&[10, 11, 11, 12, 13]).twice, [11]);
        assert_eq!(after(&[10, 12, 11, 13]).out_of_order, [11]);
        let strange = after(&[10, 11, 12, 13, 7, 7]);
        assert_eq!((strange.strange.len(), strange.strange_twice()), (1, 1));
        for handed_out in [&[10, 12, 13][..], &[10, 11, 11, 12, 13], &[10, 12, 11, 13], &[10, 11, 12, 13, 7]]
        {
            assert!(!after(handed_out).is_clean(), "{handed_out:?}");
        }
    }

    #[test]
    fn lanes_have_an_order_each() {
        let mut ledger = IngestLedger::new(0..4, |index| line(index, index)).unwrap();
        for (lane, index) in [(0, 2), (1, 0), (1, 1), (0, 3)] {
            ledger.read(lane, &line(index, 0));
        }
        assert!(ledger.is_clean(), "{ledger:?}");
    }

    #[test]
    fn an_event_is_itself_whoever_sends_it_and_another_under_another_number() {
        let account = |time: u64, seq: u64| {
            identity(
                format!(r#"{{"did":"d","time_us":{time},"kind":"account","account":{{"seq":{seq}}}}}"#)
                    .as_bytes(),
            )
        };
        assert_eq!(account(1, 5), account(2, 5));
        assert_ne!(account(1, 5), account(1, 6));
        assert_ne!(identity(&line(1, 0)), identity(&line(2, 0)));
        assert_ne!(identity(b"no JSON"), identity(b"no JSON "));
        assert!(IngestLedger::new(0..2, |_| line(1, 1)).is_err());
    }
}
