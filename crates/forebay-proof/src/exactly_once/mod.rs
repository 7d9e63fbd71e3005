//! What the proofs `drain` and `chain` share: rounds in which something goes wrong, and files that are read back against a ledger
//! of every event's bytes.
//!
//! | file | is responsible for |
//! |---|---|
//! | `scenario` | what goes wrong, what must have acted, what is broken in its control |
//! | `seen` | what was seen of a round |
//! | `read_back` | the files of a destination into a ledger |
//! | `judge` | what rounds say; the same for claims and controls |
//! | `run` | rounds by seed, tried again where nothing acted; claims with their controls |

mod judge;
mod read_back;
mod run;
mod scenario;
mod seen;
#[cfg(test)]
mod tests;

pub(crate) use read_back::{Line, Looked, read_back};
pub(crate) use run::ExactlyOnce;
pub(crate) use scenario::{Broken, Round, SABOTAGED, Scenario};
pub(crate) use seen::Seen;
