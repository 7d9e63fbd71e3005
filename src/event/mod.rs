//! What an event is: one JSON message of the source, kept byte for byte.

pub mod ids;
mod json;
pub mod lane;
pub mod lines;
pub mod parse;
pub mod record;
pub mod synth;
mod tokens;
