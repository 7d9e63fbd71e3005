//! What can befall a server, as parts that can be started and stopped.

pub mod disk;
pub mod network;
