//! What is run, and what comes of it.

use forebay::buffer::writer::Ack;

use super::epoch::TwoWriters;
use super::guarantee::Guarantee;
use super::seen::Seen;
use super::sentinel::OldMaster;
use super::spread::Streams;

/// One thing to run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Job {
    /// Rounds of all faults on one cluster, under an acknowledgement: the number of the first, and how many.
    Rounds(Guarantee, u64, u64),
    /// The control of those.
    Control,
    /// Two writers, by the number of the round.
    TwoWriters(Ack, u64),
    /// An old master under Sentinel, which may not write with fewer replicas than these.
    OldMaster(u64),
    /// Where streams lie.
    Spread,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Came {
    Rounds(Box<Seen>),
    TwoWriters(TwoWriters),
    OldMaster(OldMaster),
    Spread(Streams),
    /// It could not be tried, and why.
    NotTried(String),
}
