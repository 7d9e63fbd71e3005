//! Every test that needs more than one module: a file for each kind of claim.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// They take longest, and the harness begins tests by the alphabet.
#[path = "proofs/mod.rs"]
mod a_whole_proof;
mod audit_cases;
mod audit_cluster;
mod audit_conf;
mod audit_events;
mod audit_look;
mod audit_rules;
mod audit_secrets;
mod audit_variants;
mod browser;
mod buffer_limit;
mod buffer_policies;
mod buffer_status_subscriber;
mod buffer_takeover;
mod buffer_writer_status;
mod cli_ack;
mod cli_append;
mod cli_append_again;
mod cli_audit;
mod cli_bad_days;
mod cli_cursor;
mod cli_drain;
mod cli_errors;
mod cli_group;
mod cli_ingest;
mod cli_ingest_lines;
mod cli_ingest_says;
mod cli_input_form;
mod cli_lanes;
mod cli_load;
mod cli_overflow;
mod cli_overflow_left;
mod cli_partitions;
mod cli_read;
mod cli_run;
mod cli_stat;
mod cli_stream;
mod cli_support;
mod cli_verify;
mod cli_verify_refused;
mod deploy;
mod deploy_cluster;
mod external_server;
mod hostile;
mod ingest_support;
mod nightly_audit;
mod nightly_drain;
mod nightly_durability;
mod nightly_ingest;
mod nightly_ingest_hour;
mod nightly_open;
mod nightly_verify;
mod other_user;
mod own_folders;
mod page;
#[allow(dead_code, reason = "a part of what the tests of ingest share")]
#[path = "../../forebay-pipe/tests/support.rs"]
mod pipe_support;
mod profile_settings;
mod reader_py;
mod report;
mod report_audit;
mod report_chart;
mod report_remedy;
mod structure;
#[allow(dead_code, reason = "a part of what the tests of the buffer share")]
#[path = "../../forebay/tests/support.rs"]
mod support;
mod verify_folder;
mod verify_program;
mod verify_support;
mod watch;
mod watch_connection_limit;
mod watch_drain;
mod watch_names;
mod watch_refused;
mod watch_source;
mod watch_support;
mod watch_verdict;
