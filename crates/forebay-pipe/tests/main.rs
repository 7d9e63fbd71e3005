//! Tests of the pipeline against a simulated network and real servers.

#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

mod drain_bucket;
mod drain_compact;
mod drain_compact_ends;
mod drain_destination;
mod drain_doubts;
mod drain_figures;
mod drain_identifiers;
mod drain_met;
mod drain_mutations;
mod drain_once;
mod drain_readers;
mod drain_rows;
mod drain_server;
mod drain_support;
mod drain_verify_buffer;
mod ingest_dial;
mod ingest_faults;
mod ingest_hosts;
mod ingest_lines;
mod ingest_resume;
mod ingest_waits;
mod nightly_drain_moto;
mod nightly_drain_rows;
mod nightly_ingest_speed;
mod scripted;
mod support;
