//! The steps of a commit and of a compaction, by name, so that a test can end a drain before any of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::destination::DestinationError;

/// A step of a drain that changes something, outside of its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A file is begun.
    Stage,
    /// A staged file is whole, and synced.
    SyncStaged,
    /// The range is written down on the server.
    Plan,
    /// The pending record is written.
    Prepare,
    /// A file comes into the tree.
    Publish,
    /// It is made sure of: its folder is synced, or what a bucket has is looked at.
    SyncTree,
    /// The commit's record is written.
    Record,
    /// The pending record is removed.
    Forget,
    /// The server is told, and lets go.
    Commit,
    /// Everything of a commit is done.
    Done,
    /// A compacted file is begun.
    Merge,
    /// The files that stay as they are come into the new folder.
    Link,
    /// The new folder is synced.
    SyncMerged,
    /// The pending record of a compaction is written.
    PlanSwap,
    /// The new folder comes into the tree, and the old one out of it.
    Swap,
    /// The folders above both are synced.
    SyncSwap,
    /// The record of the compaction is written.
    RecordSwap,
    /// Its pending record is removed.
    ForgetSwap,
    /// A folder that nobody needs any more is removed.
    Clear,
}

impl Step {
    /// All of a commit, in order.
    pub const ALL: [Self; 10] = [
        Self::Stage,
        Self::SyncStaged,
        Self::Plan,
        Self::Prepare,
        Self::Publish,
        Self::SyncTree,
        Self::Record,
        Self::Forget,
        Self::Commit,
        Self::Done,
    ];

    /// All of a compaction, in order.
    pub const OF_COMPACTION: [Self; 9] = [
        Self::Merge,
        Self::Link,
        Self::SyncMerged,
        Self::PlanSwap,
        Self::Swap,
        Self::SyncSwap,
        Self::RecordSwap,
        Self::ForgetSwap,
        Self::Clear,
    ];
}

/// Who is asked before a step.
type Ear = Arc<dyn Fn(Step) -> bool + Send + Sync>;

/// What is asked before each step whether the drain shall go on: nobody, unless a test or a proof wants to end it there.
#[derive(Clone, Default)]
pub struct Steps(Option<Ear>);

impl Steps {
    /// Asks before each step.
    pub fn asked(ear: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ear)))
    }

    /// Ends the drain before the `nth` time that it comes to a step, counted from 1.
    pub fn until(step: Step, nth: u64) -> Self {
        let seen = AtomicU64::new(0);
        Self::asked(move |at| at != step || seen.fetch_add(1, Relaxed) + 1 != nth)
    }

    /// Whether it shall go on.
    pub fn goes_on(&self, step: Step) -> bool {
        self.0.as_ref().is_none_or(|ear| ear(step))
    }

    pub(crate) fn before(&self, step: Step) -> Result<(), DestinationError> {
        if self.goes_on(step) { Ok(()) } else { Err(DestinationError::Stopped(step)) }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Steps(asked)" } else { "Steps" })
    }
}
