//! Every test that needs more than one module: a file for each kind of claim.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit_conf;
mod audit_events;
mod audit_look;
mod audit_rules;
mod block_frame;
mod buffer_append;
mod buffer_batch;
mod buffer_claims;
mod buffer_damage;
mod buffer_faults;
mod buffer_losses;
mod buffer_read;
mod buffer_shed;
mod buffer_spill;
mod buffer_spill_damage;
mod buffer_spill_kills;
mod buffer_stat;
mod buffer_trim;
mod cli_append;
mod cli_audit;
mod cli_bad_days;
mod cli_errors;
mod cli_load;
mod cli_overflow;
mod cli_read;
mod cli_stat;
mod cli_support;
mod event_cids;
mod event_parse;
mod event_synth;
mod load_append;
mod load_bad_days;
mod load_driver;
mod load_support;
mod proof_capacity;
mod proof_load;
mod proxy;
mod report;
mod report_audit;
mod report_chart;
mod report_remedy;
mod server;
mod structure;
mod support;
