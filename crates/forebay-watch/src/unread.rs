//! A part of what was looked at, or why it could not be read.

use serde::{Deserialize, Serialize};

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread(pub String);

/// A part of what was looked at, or why it could not be read.
pub type Read<T> = Result<T, Unread>;
