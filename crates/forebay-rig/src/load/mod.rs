//! The load generator: requests at intended times over raw RESP, measured from those times, contents checked.
//!
//! A closed loop sends its next request when the last one was answered, so a server that stands still also
//! stands the clock still (coordinated omission). Here [`arrivals`] says beforehand when each request is due;
//! [`driver`] sends it then, or as soon after as a connection is free, and [`latency`] counts from when it was due.

pub mod append;
pub mod arrivals;
mod connection;
mod curve;
mod dial;
pub mod driver;
mod expected_state;
pub mod keyspace;
pub mod latency;
pub mod outcome;
pub mod pattern;
pub mod payload;
mod plan;
mod poll;
pub mod replay;
pub mod resp;
pub mod stage;
mod stats;
mod traffic;
pub mod work;
