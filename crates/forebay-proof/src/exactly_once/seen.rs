//! What was seen of a round.

use std::fmt::Display;

use crate::acted::Acted;
use crate::findings::Findings;

/// What was seen of a round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Its seed: the same round again.
    pub seed: u64,
    /// Every event's bytes against those that the files have.
    pub findings: Findings,
    /// What records, files and tree say against each other.
    pub faults: u64,
    /// Files in the tree that could not be read to their end.
    pub torn: u64,
    /// Files that were committed.
    pub files: u64,
    /// How often each fault acted.
    pub acted: Acted,
    /// Why something ended that should not have.
    pub failed: Option<String>,
    /// The first that is wrong with the files, in words.
    pub example: String,
}

impl Seen {
    /// Whatever is wrong.
    pub fn wrong(&self) -> u64 {
        self.findings.faults() + self.faults + self.torn + u64::from(self.failed.is_some())
    }

    /// Events that are in no file.
    pub fn lost(&self) -> u64 {
        self.findings.lost()
    }

    /// Events that are in files more than once.
    pub fn twice(&self) -> u64 {
        self.findings.repeats
    }

    /// Files that could not be read.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// Something ended that should not have; the first of it is kept.
    pub fn fail(&mut self, why: impl Display) {
        if self.failed.is_none() {
            self.failed = Some(format!("{why}"));
        }
    }

    /// Something is wrong with the files; the first of it is kept.
    pub fn note(&mut self, what: impl Display) {
        if self.example.is_empty() {
            self.example = format!("{what}");
        }
    }

    /// What is wrong, in a sentence.
    pub fn sentence(&self) -> String {
        let mut parts = vec![self.findings.sentence()];
        parts.extend(self.failed.clone().map(|why| format!("it ended: {why}")));
        parts.extend(Some(self.example.clone()).filter(|example| !example.is_empty()));
        parts.join("; ")
    }
}
