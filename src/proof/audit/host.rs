//! The machine beneath a server, where it is this one: what the kernel says of memory, files and clocks.

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {}
