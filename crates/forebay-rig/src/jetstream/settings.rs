//! What a simulator is asked to be.

use std::time::Duration;

use super::fault::Fault;

/// Which generation of Jetstream a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `/subscribe` alone; a cursor is a `time_us`.
    V1,
    /// `/subscribe` with a top-level `cursor` in every event, `/xrpc/network.bsky.jetstream.subscribeEvents`, and the
    /// dictionary. A cursor below 10^15 is a seq, any other a `time_us`.
    V2,
}

/// What a simulator is asked to be. All of it can be changed for the connections to come, but for `seed`, `rate` and
/// `history`: they decide what has happened already.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which generation of Jetstream it is.
    pub protocol: Protocol,
    /// What the network has.
    pub seed: u64,
    /// Live events a second, at most a million.
    pub rate: f64,
    /// Events that exist already when it starts.
    pub history: u64,
    /// So many of the newest events can still be had.
    pub retention: u64,
    /// No event comes after this one: the source falls silent, and still pings.
    pub last: Option<u64>,
    /// The seq of event 0. Another one is another instance, whose seqs say nothing about those of the first.
    pub first_seq: u64,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// A connection is dropped when a frame is not taken within this time.
    pub write_deadline: Duration,
    /// How often it pings.
    pub ping_every: Duration,
    /// A connection is dropped when a ping is not answered within this time.
    pub pong_within: Duration,
    /// Bytes that the kernel keeps for a slow reader on a connection, where its own choice (megabytes) is too much.
    pub send_buffer: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            protocol: Protocol::V1,
            seed: 1,
            rate: 938.0,
            history: 100_000,
            retention: u64::MAX,
            last: None,
            first_seq: 1,
            faults: Vec::new(),
            write_deadline: Duration::from_secs(5),
            ping_every: Duration::from_secs(30),
            pong_within: Duration::from_secs(5),
            send_buffer: None,
        }
    }
}
