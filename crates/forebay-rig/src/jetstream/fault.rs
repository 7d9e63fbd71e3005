//! What can go wrong with a Jetstream: each fault with its parameters, and the bug of a real host or client behind it.

use std::time::Duration;

pub use crate::http::FaultName;

/// A cursor older than what is kept was moved up, or refused.
pub(super) const CLAMPED: FaultName = "clamped";
/// A cursor of the future became the live tip, without an error: a wrong host's cursor jumps to now (both versions).
pub(super) const FUTURE: FaultName = "future";
/// The port answered with the other protocol than before.
pub(super) const OTHER_PROTOCOL: FaultName = "other-protocol";
/// The seqs of the host began anew.
pub(super) const SEQ_RESTART: FaultName = "seq-restart";
/// Every connection was ended at once.
pub(super) const CUT: FaultName = "cut";
/// A ping was not answered in time.
pub(super) const NO_PONG: FaultName = "no-pong";
/// A frame was not taken in time.
pub(super) const NOT_TAKEN: FaultName = "not-taken";

/// What goes wrong. Every fault acts on each connection by itself, and is counted each time it acts.
///
/// "After so many events" counts what the connection has delivered. What is said of an index is the same for every
/// connection, as it would be if it stood in the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// jetstream-legacy #42 and #27: where a replay meets the live tail, so many events are swallowed, then one from further
    /// on comes before those between, and soon after the connection ends without a close frame (1006). On V1 hosts;
    /// what was swallowed is in the store, and a later replay has it.
    CutOver {
        /// Events that are not delivered.
        swallow: u64,
        /// How many places one event jumps ahead.
        reorder: u64,
        /// Events until the end.
        close_after: u64,
    },
    /// bsky `source.ts`, atproto `client.py`: one event comes before some that are older, so that a client which drops all that
    /// is not newer than its newest loses them.
    Reorder {
        /// Events from one jump to the next.
        every: u64,
        /// How many places the event jumps ahead.
        by: u64,
    },
    /// bluesky-social/jetstream #343: a time cursor replays from the begin of a segment, up to an hour early. On V2 hosts.
    SegmentStart {
        /// Events in a segment.
        events: u64,
    },
    /// zzstoatzz/plyr.fm #1740: a host that stays connected and leaves out one collection.
    OmitCollection {
        /// The collection.
        nsid: String,
    },
    /// jetstream-legacy #48: connected, but nothing comes, no answer to a ping either; then it continues.
    Stall {
        /// Events before.
        after: u64,
        /// For how long.
        for_: Duration,
    },
    /// notjuliet/pdsls #44: no events for a while; pings go on, and a client must not take it for broken.
    Idle {
        /// Events before.
        after: u64,
        /// For how long.
        for_: Duration,
    },
    /// jetstream-turbo: the times that live events show go back now and then, as on the network (31.6 ms were seen).
    TimeBack {
        /// By how much at most, in microseconds.
        jitter_us: u64,
    },
    /// The same by a clock that was set back: events from an index on show an earlier time.
    TimeStep {
        /// The first event.
        at_index: u64,
        /// By how much, in microseconds.
        back_us: u64,
    },
    /// jetstream-legacy #24: something comes that breaks careless parsers, again at each retry, because it is in the store.
    /// The kinds of [`Evil`](super::Evil) take turns.
    Evil {
        /// Events from one to the next.
        every: u64,
    },
    /// blowdart/idunno.Bluesky #454: a small compressed frame that decompresses to very much.
    Bomb {
        /// Events before.
        after: u64,
        /// What it decompresses to.
        bytes: u64,
    },
    /// A frame that was compressed with a dictionary nobody has.
    WrongDictionary {
        /// Events before.
        after: u64,
    },
    /// The host has another dictionary; the id of the former is refused with 400 `UnknownZstdDictionary`. On V2 streams.
    RotatedDictionary,
    /// bluesky-social/jetstream `slowdetect.go`: whoever is far behind and reads slowly for some time is dropped, on `/subscribe`
    /// without a word. The real host's are 100,000, 5 a second, 60 s.
    SlowConsumer {
        /// Events behind the tip.
        behind: u64,
        /// Events a second.
        rate: f64,
        /// For how long.
        window: Duration,
    },
    /// bluesky-social/jetstream 0299f4ae and its oracle: the last events come once more, under the same seqs.
    DuplicateLast {
        /// How many.
        n: u64,
        /// Before this event.
        at: u64,
    },
    /// bluesky-social/jetstream #231: a relay restored from a backup sends its account and identity events again, which get new
    /// seqs. On V2 hosts.
    Regress {
        /// Events that it goes back.
        by: u64,
        /// Before this event.
        at: u64,
    },
    /// The connection is closed, in order, after about so many events; where exactly is drawn for each connection.
    Drop {
        /// Events on average.
        every: u64,
    },
    /// The connection is reset in the middle of a frame, after about so many events.
    Reset {
        /// Events on average.
        every: u64,
    },
    /// The host has forgotten the connection, and says so to nobody: nothing comes and nothing is answered any more.
    HalfOpen {
        /// Events before.
        after: u64,
        /// How many connections, from the first on: of all of them, a client that reads again a little of what it had comes no
        /// further than that each time.
        connections: u64,
    },
    /// The host answers connections with an error; 429 with a `Retry-After` of one second.
    Status {
        /// Which.
        code: u16,
        /// How often, counted from the start or the last change.
        times: u64,
    },
    /// One frame that is far larger than any event may be (the official client stops at 32 MiB).
    LargeFrame {
        /// Its size.
        bytes: u64,
        /// Events before.
        after: u64,
    },
    /// The host takes its time before it answers a connection.
    SlowHandshake {
        /// How long.
        wait: Duration,
    },
}

impl Fault {
    /// One of each, with parameters that show it within some thousand events.
    pub fn all() -> Vec<Self> {
        let moment = Duration::from_secs(2);
        vec![
            Self::CutOver { swallow: 20, reorder: 5, close_after: 50 },
            Self::Reorder { every: 50, by: 5 },
            Self::SegmentStart { events: 4_096 },
            Self::OmitCollection { nsid: "app.bsky.feed.repost".into() },
            Self::Stall { after: 500, for_: moment },
            Self::Idle { after: 500, for_: moment },
            Self::TimeBack { jitter_us: 50_000 },
            Self::TimeStep { at_index: 1_000, back_us: 3_600_000_000 },
            Self::Evil { every: 100 },
            Self::Bomb { after: 500, bytes: 768 << 20 },
            Self::WrongDictionary { after: 500 },
            Self::RotatedDictionary,
            Self::SlowConsumer { behind: 1_000, rate: 5.0, window: moment },
            Self::DuplicateLast { n: 200, at: 1_000 },
            Self::Regress { by: 5_000, at: 6_000 },
            Self::Drop { every: 1_000 },
            Self::Reset { every: 1_000 },
            Self::HalfOpen { after: 500, connections: u64::MAX },
            Self::Status { code: 503, times: 2 },
            Self::LargeFrame { bytes: 64 << 20, after: 500 },
            Self::SlowHandshake { wait: moment },
        ]
    }

    /// By which it is counted.
    pub fn name(&self) -> FaultName {
        match self {
            Self::CutOver { .. } => "cut-over",
            Self::Reorder { .. } => "reorder",
            Self::SegmentStart { .. } => "segment-start",
            Self::OmitCollection { .. } => "omit-collection",
            Self::Stall { .. } => "stall",
            Self::Idle { .. } => "idle",
            Self::TimeBack { .. } => "time-back",
            Self::TimeStep { .. } => "time-step",
            Self::Evil { .. } => "evil",
            Self::Bomb { .. } => "bomb",
            Self::WrongDictionary { .. } => "wrong-dictionary",
            Self::RotatedDictionary => "rotated-dictionary",
            Self::SlowConsumer { .. } => "slow-consumer",
            Self::DuplicateLast { .. } => "duplicate-last",
            Self::Regress { .. } => "regress",
            Self::Drop { .. } => "drop",
            Self::Reset { .. } => "reset",
            Self::HalfOpen { .. } => "half-open",
            Self::Status { .. } => "status",
            Self::LargeFrame { .. } => "large-frame",
            Self::SlowHandshake { .. } => "slow-handshake",
        }
    }

    /// By how much it sets the time of an event back.
    pub(super) fn set_back_us(&self, index: u64, history: u64) -> u64 {
        match *self {
            // Four events of five are on time, as on the network.
            Self::TimeBack { jitter_us } if index >= history => {
                let bits = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
                if bits.is_multiple_of(5) { bits % (jitter_us + 1) } else { 0 }
            }
            Self::TimeStep { at_index, back_us } if index >= at_index => back_us,
            _ => 0,
        }
    }
}
