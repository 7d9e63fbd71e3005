//! What ends an ingest before it is told to.

use std::time::Duration;

use forebay::buffer::error::Error;

/// What ends an ingest before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The buffer's side.
    #[error(transparent)]
    Buffer(#[from] Error),
    /// The source's side.
    #[error("no source for {} s; {}", .waited.as_secs(), .tried.join("; "))]
    Source {
        /// How long nothing came.
        waited: Duration,
        /// What was tried, and what came of it.
        tried: Vec<String>,
    },
    /// A file that is a source.
    #[error("cannot read {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// The file with the dictionary.
    #[error("cannot read the dictionary {path}: {why}")]
    Dictionary {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
}
