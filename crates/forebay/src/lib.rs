//! Forebay: a dense, durable buffer for an event stream in Redis or Valkey.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`event`] | what an event is: parsing, lanes, lines |
//! | [`block`] | events ⇄ compressed frame |
//! | [`buffer`] | events in, acknowledged blocks out, on one server |

pub mod block;
pub mod buffer;
pub mod event;
