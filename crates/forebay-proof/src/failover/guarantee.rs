//! What each acknowledgement promises over a failover, said beforehand: what claims hold rounds against.

use forebay::buffer::writer::Ack;

use crate::claim::Evidence;

/// An acknowledgement, and what it promises.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guarantee {
    /// Its claim is `failover.<id>`.
    pub id: &'static str,
    pub ack: Ack,
    /// As the subject of a sentence.
    pub what: &'static str,
    /// Lost with a master, and when that is promised.
    pub promise: &'static str,
    /// What is not promised.
    pub beyond: &'static str,
}

/// What `--ack replica` promises.
pub(super) const REPLICA: Guarantee = Guarantee {
    id: "replica",
    ack: Ack::Replica,
    what: "--ack replica",
    promise: "nothing, whether the writer lives or not",
    beyond: "what a master and all its replicas lose at once",
};

/// What `--ack reply` promises.
pub(super) const TAIL: Guarantee = Guarantee {
    id: "tail",
    ack: Ack::Reply,
    what: "--ack reply",
    promise: "nothing while the writer lives: it has the newest blocks and sends them again",
    beyond: "what only the master had, where the writer is gone too, or has let go of it (16 MiB)",
};

/// The table of them.
pub(super) fn table() -> Evidence {
    let row = |of: &Guarantee| [of.what, of.promise, of.beyond].map(String::from).into();
    Evidence::Table {
        title: "What an acknowledgement promises".into(),
        columns: ["acknowledgement", "lost with a master", "not promised"].map(String::from).into(),
        rows: [REPLICA, TAIL].iter().map(row).collect(),
    }
}
