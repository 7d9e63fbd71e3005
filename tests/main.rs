//! Every test that needs more than one module: a file for each kind of claim.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod event_cids;
mod event_parse;
mod event_synth;
mod report;
mod server;
