//! Every test of the rig that needs more than one module: a file for each kind of claim.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cluster_set;
mod faults_disk;
mod faults_network;
mod jetstream_clients;
mod jetstream_faults;
mod jetstream_links;
mod jetstream_protocol;
mod jetstream_speed;
mod jetstream_support;
mod load_append;
mod load_bad_days;
mod load_driver;
mod load_support;
mod s3_clients;
mod s3_faults;
mod s3_limits;
mod s3_list;
mod s3_support;
mod s3_verbs;
mod server;
#[allow(dead_code, reason = "a part of what the tests of the buffer share")]
#[path = "../../forebay/tests/support.rs"]
mod support;
mod synth;
mod synth_cids;
