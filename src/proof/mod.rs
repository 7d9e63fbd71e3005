//! The proofs: what can be claimed of a server, how it is tried, and the control that must fail.

pub mod claim;
