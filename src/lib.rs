//! Forebay: a dense, durable buffer for an event stream in Redis or Valkey, and proofs that it holds.
//!
//! The map is completed as parts land; the contract between them is in ARCHITECTURE.md.

pub mod event;
pub mod exit;
pub mod proof;
pub mod report;
pub mod server;
