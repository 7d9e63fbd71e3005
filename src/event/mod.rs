//! What an event is: one JSON message of the source, kept byte for byte.

pub mod lane;
