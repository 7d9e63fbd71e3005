//! What an event is: one JSON message of the source, kept byte for byte.

pub mod cursor;
mod extend;
pub mod jetstream;
pub mod json;
mod json_fault;
pub mod json_stream;
pub mod lane;
pub mod lines;
pub mod parse;
mod partition;
mod rfc3339;
pub mod stream;
mod tokens;
pub mod unit;
