//! The pressure proof: what happens when the buffer is full.

pub mod settings;
