//! The drain proof: whatever drain, server or destination do, is each event in the files once, with its bytes?
//!
//! A buffer on a server of its own, filled by a writer that resumes by what the server has; a drain from it, to a destination
//! in which something goes wrong; then the files are read back by `replay` and as any reader of the tree would, and every
//! event's bytes are held against those that were appended. In each control something is broken from outside: events must be
//! lost, or be there twice, or a file must be torn, and the same judge must find it.
//!
//! | file | is responsible for |
//! |---|---|
//! | `scenario` | what goes wrong, as a table |
//! | `world` | the server, the events, and drains from the one with the others |
//! | `destination` | where drains go |
//! | `ends`, `losses`, `disks`, `buckets`, `rivals`, `damaged` | rounds in which the drain ends, the server loses, the disk or the bucket fails, a second drain comes, a block is damaged |
//! | `sabotage` | what controls break |

mod buckets;
mod damaged;
mod destination;
mod disks;
mod ends;
mod losses;
mod rivals;
mod sabotage;
mod scenario;
#[cfg(test)]
mod tests;
mod world;

use crate::claim::Claim;
use crate::exactly_once::ExactlyOnce;
use crate::{Scale, Subject};

/// Rounds at a time: each waits for disks and servers most of its time.
const AT_A_TIME: usize = 6;

/// The proof of a subject. It runs on servers of its own, whatever the subject's is.
pub struct DrainRun<'a> {
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

impl DrainRun<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let events = match self.on.scale {
            Scale::Smallest => 1_000,
            Scale::Quick => 2_000,
            Scale::Full => 4_000,
        };
        let proof = ExactlyOnce {
            on: self.on,
            proof: "drain",
            scenarios: scenario::ALL,
            rounds: self.rounds,
            only: self.only,
            events,
            at_a_time: AT_A_TIME,
        };
        proof.run()
    }
}
