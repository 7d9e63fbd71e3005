//! A file of a spill, and what a read of it comes upon.

use std::path::PathBuf;
use std::sync::Arc;

use super::record::{Mark, Record};

/// A file of the log.
pub(super) struct Segment {
    pub path: PathBuf,
    pub session: Arc<str>,
    /// Its place in the log, so that it can be named when earlier ones are gone.
    pub number: u64,
    /// Bytes that are on the disk for certain.
    pub bytes: u64,
    /// Blocks that were read from it, or written to it and sent, and are not acknowledged.
    pub owed: u64,
    /// Something in it could not be read: it is kept.
    pub is_damaged: bool,
    /// It ends before a block does, as a writer leaves it that is cut off while it writes.
    pub is_torn: bool,
    /// What was in it for certain, until all of it was read.
    pub mark: Option<Mark>,
}

impl Segment {
    /// A file of which nothing has been read.
    pub(super) fn new(path: PathBuf, session: Arc<str>, number: u64, bytes: u64) -> Self {
        Self { path, session, number, bytes, owed: 0, is_damaged: false, is_torn: false, mark: None }
    }
}

/// What a read came upon.
pub(super) enum Item {
    /// A block, its session and its file.
    Block(Record, Arc<str>, u64),
    /// Something that is none: where, and what is known of it.
    Damage(String),
}
