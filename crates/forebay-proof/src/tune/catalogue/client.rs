//! Candidates among the settings of writers, readers and connections.

use super::super::trial_run::{Cut, Work};
use super::candidate::{Candidate, CandidateKind, Change, Guard, Measured};
use crate::tune::client::Client;

use std::time::Duration;

const HELD: Measured = Measured::By(Work::Append(Cut::Held));
const FULL: Measured = Measured::By(Work::Append(Cut::Full));
const LOAD: Measured = Measured::By(Work::Append(Cut::Load));
const DRAIN: Measured = Measured::By(Work::Drain);
const OPERATIONS: Measured = Measured::By(Work::Operations);

const fn linger(change: fn(&mut Client)) -> Change {
    Change::Client {
        what: "linger",
        show: |client| format!("{} ms", client.limits.linger.as_millis()),
        change,
    }
}

const fn events(change: fn(&mut Client)) -> Change {
    Change::Client { what: "events a block", show: |client| client.limits.events_max.to_string(), change }
}

const fn bytes(change: fn(&mut Client)) -> Change {
    Change::Client {
        what: "bytes a block",
        show: |client| bytesize::ByteSize(client.limits.bytes_max as u64).display().iec().to_string(),
        change,
    }
}

const fn in_flight(change: fn(&mut Client)) -> Change {
    Change::Client { what: "blocks in flight a lane", show: |client| client.in_flight.to_string(), change }
}

const fn answer(change: fn(&mut Client)) -> Change {
    Change::Client {
        what: "COUNT by",
        show: |client| bytesize::ByteSize(client.answer_bytes as u64).display().iec().to_string(),
        change,
    }
}

const fn pool(change: fn(&mut Client)) -> Change {
    Change::Client { what: "connections", show: |client| client.connections.to_string(), change }
}

fn word(is: bool) -> String {
    if is { "yes".into() } else { "no".into() }
}

/// What a longer linger costs.
const LATER: &str =
    "each event is acknowledged so much later, and a writer that ends has so much more to send again";

/// All of them.
pub const CLIENT: &[Candidate] = &[
    Candidate {
        id: "linger-50ms",
        change: linger(|client| client.limits.linger = Duration::from_millis(50)),
        hope: "events are acknowledged sooner",
        cost: "smaller blocks, which weigh more an event",
        measured: HELD,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "linger-500ms",
        change: linger(|client| client.limits.linger = Duration::from_millis(500)),
        hope: "larger blocks at the profile's rate: fewer bytes an event",
        cost: LATER,
        measured: HELD,
        kind: CandidateKind::Choice,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "linger-1s",
        change: linger(|client| client.limits.linger = Duration::from_secs(1)),
        hope: "the same, more so",
        cost: LATER,
        measured: HELD,
        kind: CandidateKind::Choice,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "block-events-128",
        change: events(|client| client.limits.events_max = 128),
        hope: "smaller blocks are sent and read sooner",
        cost: "more bytes an event where events come fast",
        measured: FULL,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "block-events-2048",
        change: events(|client| client.limits.events_max = 2_048),
        hope: "fewer and larger blocks where events come fast",
        cost: "more that is lost with one damaged block",
        measured: FULL,
        guard: Guard::Pressure,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "block-bytes-64k",
        change: bytes(|client| client.limits.bytes_max = 64 << 10),
        hope: "smaller allocations in the server",
        cost: "more bytes an event where events come fast",
        measured: FULL,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "block-bytes-1m",
        change: bytes(|client| {
            client.limits.bytes_max = 1 << 20;
            client.limits.events_max = 4_096;
        }),
        hope: "the largest blocks where events come fast",
        cost: "more that is lost with one damaged block; nodes of a megabyte",
        measured: FULL,
        guard: Guard::Pressure,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "in-flight-4",
        change: in_flight(|client| client.in_flight = 4),
        hope: "less memory in the writer, less to send again",
        cost: "waits where an answer takes long",
        measured: LOAD,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "in-flight-64",
        change: in_flight(|client| client.in_flight = 64),
        hope: "no wait for answers",
        cost: "four times the memory in the writer",
        measured: LOAD,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "nodelay-off",
        change: Change::Client {
            what: "TCP_NODELAY",
            show: |client| word(client.nodelay),
            change: |client| client.nodelay = false,
        },
        hope: "fewer and fuller packets",
        cost: "a small request waits for the answer to the one before it",
        measured: LOAD,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "read-ahead",
        change: Change::Client {
            what: "reading ahead",
            show: |client| word(client.ahead),
            change: |client| client.ahead = true,
        },
        hope: "the server prepares the next blocks while the last ones are worked off",
        cost: "a reader that ends has more to be given again",
        measured: DRAIN,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "count-512k",
        change: answer(|client| client.answer_bytes = 512 << 10),
        hope: "smaller answers: less memory in the server's output buffers",
        cost: "more questions",
        measured: DRAIN,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "count-16m",
        change: answer(|client| client.answer_bytes = 16 << 20),
        hope: "fewer questions",
        cost: "answers of 16 MB in the server's output buffers",
        measured: DRAIN,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "pool-1",
        change: pool(|client| client.connections = 1),
        hope: "one connection, and nothing to choose",
        cost: "each operation waits for the one before it",
        measured: OPERATIONS,
        kind: CandidateKind::Choice,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "pool-64",
        change: pool(|client| client.connections = 64),
        hope: "nobody waits for a connection",
        cost: "fewer commands that the server finds at once: more wake-ups",
        measured: OPERATIONS,
        kind: CandidateKind::Choice,
        ..Candidate::PLAIN
    },
    Candidate {
        id: "pipeline-16",
        change: Change::Client {
            what: "requests in flight a connection",
            show: |client| client.pipeline.to_string(),
            change: |client| client.pipeline = 16,
        },
        hope: "nobody waits for an answer before the next request",
        cost: "more whose fate is unknown when a connection is lost",
        measured: OPERATIONS,
        kind: CandidateKind::Choice,
        ..Candidate::PLAIN
    },
];
