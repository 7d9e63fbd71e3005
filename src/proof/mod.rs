//! The proofs: what can be claimed of a server, how it is tried, and the control that must fail.

pub mod audit;
pub mod baseline;
pub mod capacity;
pub mod claim;
pub mod conflict;
mod gauge;
pub mod harm;
pub mod ledger;
pub mod progress;
pub mod target;
pub mod throughput;

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// What a minute or two can show.
    Quick,
    /// Samples and times as long as the profile says.
    Full,
}
