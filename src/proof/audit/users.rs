//! Who may log in to a server, and what the default user may do.

/// Users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {}
