//! What an event is: one JSON message of the source, kept byte for byte.

mod json;
mod json_fault;
pub mod lane;
pub mod lines;
pub mod parse;
mod tokens;
