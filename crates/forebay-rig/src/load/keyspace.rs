//! How much a run keeps on the server at once, and what this machine lets it have under way.

use super::payload::Payloads;

/// Bytes of values, of lists, of the stream: of each about so many at the most, but for what each connection has at the
/// least.
const BYTES: usize = 64 << 20;

/// Keys, entries of all lists, entries of the stream, where payloads are small.
const KEYS: usize = 1_000;
const LISTS: usize = 10_000;
const STREAM: (usize, usize) = (100, 100_000);

/// So many entries are added between two trims of the stream: few enough that a trim takes no time to speak of.
const TRIM_EVERY: usize = 500;

/// Requests, and bytes of them, that a process may have under way.
const UNDER_WAY: (usize, usize) = (1_000_000, 1 << 30);

/// What a run keeps on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyspace {
    pub(super) connections: usize,
    /// Keys and list entries of each connection.
    pub(super) keys: usize,
    pub(super) list: usize,
    /// Entries of the stream. It is trimmed by whole nodes, so it is a little longer.
    pub(super) stream: usize,
    pub(super) trim_every: usize,
    /// Bytes of payloads that all this comes to.
    pub(super) bytes: u64,
}

impl Keyspace {
    /// For these payloads over so many connections.
    pub fn of(payloads: &Payloads, connections: usize) -> Self {
        let longest = payloads.longest();
        let fit = BYTES / longest;
        let (keys, list) = ((KEYS.min(fit) / connections).max(1), (LISTS.min(fit) / connections).max(1));
        let stream = fit.clamp(STREAM.0, STREAM.1);
        let trim_every = (stream / 10).min(TRIM_EVERY);
        let entries = (keys + list) * connections + stream + trim_every;
        Self { connections, keys, list, stream, trim_every, bytes: (entries * longest) as u64 }
    }
}

/// Whether so many connections with so many requests under way on each are too much to hold here.
pub fn under_way(payloads: &Payloads, connections: usize, pipeline: usize) -> Result<(), String> {
    let requests = connections * pipeline;
    if requests <= UNDER_WAY.0 && requests * payloads.longest() <= UNDER_WAY.1 {
        return Ok(());
    }
    Err(format!(
        "{connections} connections with {pipeline} requests under way on each are {requests} requests of up to {} bytes: \
         more than {} requests or 1 GiB; take fewer connections, a shorter pipeline or a smaller payload",
        payloads.longest(),
        UNDER_WAY.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::payload::Source;

    #[test]
    fn large_payloads_leave_fewer_and_each_connection_has_some() {
        let small = Payloads::of(&Source::Bytes(500), 1).unwrap();
        let room = Keyspace::of(&small, 50);
        assert_eq!((room.keys, room.list, room.stream, room.trim_every), (20, 200, 100_000, 500));
        let large = Payloads::of(&Source::Bytes(1 << 20), 1).unwrap();
        let room = Keyspace::of(&large, 50);
        assert_eq!((room.keys, room.list, room.stream, room.trim_every), (1, 1, 100, 10));
        assert!(Keyspace::of(&small, 5_000).keys == 1);
    }

    #[test]
    fn more_than_a_process_can_hold_is_refused() {
        let small = Payloads::of(&Source::Bytes(500), 1).unwrap();
        let large = Payloads::of(&Source::Bytes(16 << 20), 1).unwrap();
        assert!(under_way(&small, 50, 64).is_ok() && under_way(&large, 50, 1).is_ok());
        assert!(under_way(&small, 20_000, 100).is_err() && under_way(&large, 50, 2).is_err());
    }
}
