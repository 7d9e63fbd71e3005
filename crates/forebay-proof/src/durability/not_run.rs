//! Why a cell has no rounds to judge.

use crate::printable::error_chain;
use forebay::buffer::error::Error;

/// Why a cell has no rounds to judge.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum NotRun {
    /// It cannot be tried here, or did not come to the fault.
    #[error("{0}")]
    Absent(String),
    /// It did not come to its end: the server did not come back, or a client did not go on.
    #[error("{0}")]
    Broken(String),
}

/// What went wrong before the fault: it says nothing of what the fault does.
pub(super) fn early(error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    match error.downcast_ref::<Error>() {
        // Told by its own name.
        Some(Error::NoFsync(_)) => error,
        _ => NotRun::Absent(format!("before the fault: {}", error_chain(&error))).into(),
    }
}
