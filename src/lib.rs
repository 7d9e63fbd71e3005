//! Forebay: a dense, durable buffer for an event stream in Redis or Valkey, and proofs that it holds.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`event`] | what an event is: parsing, lanes, lines, synthetic events |
//! | [`block`] | events ⇄ compressed frame |
//! | [`buffer`] | events in, acknowledged blocks out, on one server |
//! | [`profile`] | what must hold |
//! | [`host`] | the machine beneath a server, where it is this one |
//! | [`server`] | servers of our own: found, started, ended |
//! | [`load`] | requests at intended times, measured from those times |
//! | [`proof`] | what can be claimed of a server, and the control beside each claim |
//! | [`verify`] | what a copied AOF folder holds |
//! | [`deploy`] | alert rules, dashboards and the files around them, from a profile |
//! | [`watch`] | a running buffer looked at, for Prometheus and for people |
//! | [`tune`] | which settings are worth changing, by experiments |
//! | [`report`] | one run's claims as terminal text, JSON and HTML |
//! | [`cli`] | the command line |
//! | [`exit`] | every exit code |
//! | [`small_file`] | a file of the user's, read whole within a limit |
//! | [`printable`] | text from outside, without what steers a terminal |
//!
//! The data path, `event`, `block` and `buffer`, uses nothing of the rest.

pub mod block;
pub mod buffer;
pub mod cli;
pub mod deploy;
pub mod event;
pub mod exit;
pub mod host;
pub mod load;
pub mod printable;
pub mod profile;
pub mod proof;
pub mod report;
pub mod server;
pub mod small_file;
pub mod tune;
pub mod verify;
pub mod watch;
