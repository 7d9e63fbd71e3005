//! The proofs: what can be claimed of a server, how it is tried, and the control that must fail.

pub mod audit;
pub mod capacity;
pub mod claim;
pub mod conflict;
pub mod ledger;
pub mod progress;
pub mod target;
