//! What is done with a database: the buffer's keys as they are, and others beside them.

/// Usage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {}
