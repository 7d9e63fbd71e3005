//! What tests and proofs stand on: servers of our own, faults, load, and synthetic events.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`server`] | servers of our own: found, started, ended; faults |
//! | [`load`] | requests at intended times, measured from those times |
//! | [`jetstream`] | a source of our own, in both of the protocols of Jetstream, with the faults of the real ones |
//! | [`s3`] | a bucket of our own, with the faults of real ones |
//! | [`synth`] | events like those of the network, from a seed |

mod http;
pub mod jetstream;
pub mod load;
pub mod s3;
pub mod server;
pub mod synth;
