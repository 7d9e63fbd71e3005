//! What goes wrong in a round: as a table, with what must be seen of it before the round counts, and what is broken in its control.

use forebay_pipe::ingest::Sabotage;

use super::faults::{self, Fault, play};
use super::line::Breaks;
use crate::exactly_once::{Broken, Scenario, Seen};

const TAKES_AGAIN: Broken =
    Broken { what: "an ingest that takes what it has taken already", does: Seen::twice };
const BEGINS_AGAIN: Broken =
    Broken { what: "a drain that begins again, whatever the files have", does: Seen::twice };

/// Everything that can go wrong, in the order of the claims.
pub(super) static ALL: &[Scenario] = &[
    Scenario {
        id: "host-cuts",
        what: "the host of the source cuts its connections again and again",
        acts: &[faults::CUT],
        play: |round| play(round, &[Fault::Cut; 3], Breaks::Ingest(Sabotage::Repeats)),
        broken: TAKES_AGAIN,
    },
    Scenario {
        id: "ingest-restarted",
        what: "the ingest is ended and started again",
        acts: &[faults::INGEST],
        play: |round| play(round, &[Fault::Ingest; 3], Breaks::Ingest(Sabotage::Repeats)),
        broken: TAKES_AGAIN,
    },
    Scenario {
        id: "server-killed",
        what: "the server is killed in mid-stream, and comes back without what everysec had not fsynced",
        acts: &[faults::TAKEN],
        play: |round| play(round, &[Fault::Server], Breaks::Drain),
        broken: BEGINS_AGAIN,
    },
    Scenario {
        id: "drain-ends",
        what: "the drain ends before any of its steps, and another goes on",
        acts: &[faults::DRAIN],
        play: |round| play(round, &[Fault::Drain; 4], Breaks::Drain),
        broken: BEGINS_AGAIN,
    },
    Scenario {
        id: "all-at-once",
        what: "host, ingest, server and drain each fail in any order",
        acts: &[faults::CUT, faults::INGEST, faults::TAKEN, faults::DRAIN],
        play: |round| {
            let all = [Fault::Cut, Fault::Ingest, Fault::Server, Fault::Drain, Fault::Drain];
            play(round, &all, Breaks::Ingest(Sabotage::Repeats))
        },
        broken: TAKES_AGAIN,
    },
];
