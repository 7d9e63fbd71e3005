//! A candidate, what came of it, and where it stands in the end.

use super::catalogue::Candidate;
use super::experiment::Outcome;
use super::guard::Guarded;

/// Where a candidate stands in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Better in something, worse in nothing, and no proof lost.
    Proposed,
    /// The same, at a price that no figure here shows.
    Choice,
    /// Safer, and no cost of it was seen.
    Safer,
    /// It is so today.
    AsItIs,
    /// None was seen.
    NoDifference,
    /// It was better, and in a second experiment it was not.
    NotAgain,
    /// Worse in something.
    Worse,
    /// It loses a proof.
    Rejected(String),
    /// It could not be tried.
    Untested(String),
}

impl Standing {
    /// Whether people are told to set it, or that they may.
    pub fn is_offered(&self) -> bool {
        matches!(self, Self::Proposed | Self::Choice | Self::Safer)
    }
}

/// A candidate, and what came of it.
pub struct Row {
    pub candidate: &'static Candidate,
    /// What there is today, and what there would be.
    pub from: String,
    pub to: String,
    pub outcome: Option<Outcome>,
    pub guard: Guarded,
    pub standing: Standing,
}
