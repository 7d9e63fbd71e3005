//! The chain proof: from a source's events to files, is each in them once, with the bytes that the source sent?
//!
//! A simulated Jetstream, an ingest from it, a buffer on a server of its own, a drain from that as it goes, to a folder, and the
//! files read back. Something goes wrong at each of these places, also at several of them in one round. In each control the
//! ingest takes again what it has, or a drain begins again: events must be in the files twice.
//!
//! | file | is responsible for |
//! |---|---|
//! | `scenario` | what goes wrong, as a table |
//! | `faults` | what is done, and when |
//! | `line` | source, ingest, server and drain of a round |

mod faults;
mod line;
mod scenario;
#[cfg(test)]
mod tests;

use crate::claim::Claim;
use crate::exactly_once::ExactlyOnce;
use crate::{Scale, Subject};

/// Rounds at a time: each mostly waits for the source's clock.
const AT_A_TIME: usize = 10;

/// The proof of a subject. It runs on servers of its own, whatever the subject's is.
pub struct ChainRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Rounds of each fault; by default one, at full scale fifty.
    pub rounds: Option<u64>,
    /// These faults alone, by the last part of their claims' ids; all of them where none is named.
    pub only: &'a [String],
}

/// The names of the faults.
pub fn faults() -> impl Iterator<Item = &'static str> {
    scenario::ALL.iter().map(|scenario| scenario.id)
}

impl ChainRun<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let events = match self.on.scale {
            Scale::Smallest => 2_000,
            Scale::Quick => 2_400,
            Scale::Full => 4_000,
        };
        let proof = ExactlyOnce {
            on: self.on,
            proof: "chain",
            scenarios: scenario::ALL,
            rounds: self.rounds,
            only: self.only,
            events,
            at_a_time: AT_A_TIME,
        };
        proof.run()
    }
}
