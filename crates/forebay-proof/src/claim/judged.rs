//! What a judge says of figures, of a server or of something known to be broken.

use super::bound::{Bound, Unit};
use super::evidence::Evidence;

/// What a judge says of figures, before a control has shown that it can also say the contrary.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Stable name, `proof.claim`; scripts use it.
    pub id: String,
    /// The step of the brief it answers (audit 1, capacity 3, ...).
    pub step: u8,
    /// The sentence.
    pub statement: String,
    /// Which side of `required` is right.
    pub bound: Bound,
    /// The figure asked for.
    pub required: f64,
    /// What both figures count.
    pub unit: Unit,
    /// One or two sentences: what was seen, or why it is untested.
    pub why: String,
    /// Acknowledged events that a fault cost in the worst round, allowed or not; none of a claim about something else.
    pub lost_worst: Option<u64>,
    /// What the reader may want to see.
    pub evidence: Vec<Evidence>,
    judgement: Judgement,
    pub(super) measured: Option<f64>,
    pub(super) test_with: String,
}

/// What a judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The figures keep to the bound.
    Holds,
    /// They do not.
    Refuted,
    /// They do not tell.
    Untested,
}

impl Judged {
    /// Judges a figure.
    pub fn of(
        id: &str,
        step: u8,
        statement: impl Into<String>,
        (bound, required, unit): (Bound, f64, Unit),
        measured: f64,
        why: impl Into<String>,
    ) -> Self {
        Self {
            judgement: if bound.holds(measured, required) { Judgement::Holds } else { Judgement::Refuted },
            measured: Some(measured),
            why: why.into(),
            ..Self::blank(id, step, statement, (bound, required, unit))
        }
    }

    /// Nothing is known yet.
    pub fn blank(
        id: &str,
        step: u8,
        statement: impl Into<String>,
        (bound, required, unit): (Bound, f64, Unit),
    ) -> Self {
        Self {
            id: id.into(),
            step,
            statement: statement.into(),
            bound,
            required,
            unit,
            why: "nothing was tried".into(),
            lost_worst: None,
            evidence: Vec::new(),
            judgement: Judgement::Untested,
            measured: None,
            // Proofs and verbs have the same names.
            test_with: format!("forebay {}", id.split('.').next().unwrap_or(id)),
        }
    }

    /// The same where the run could not tell.
    #[must_use]
    pub fn untested(mut self, why: impl Into<String>) -> Self {
        (self.judgement, self.why, self.measured) = (Judgement::Untested, why.into(), None);
        self
    }

    /// The command that would test it, where that is not the proof's own, or what that needs.
    #[must_use]
    pub fn test_with(mut self, command: impl Into<String>) -> Self {
        self.test_with = command.into();
        self
    }

    /// The same where it is refuted by more than its figure; `why` says by what.
    #[must_use]
    pub fn refuted(mut self, why: impl Into<String>) -> Self {
        (self.judgement, self.why) = (Judgement::Refuted, why.into());
        self
    }

    /// What the judge says.
    pub fn judgement(&self) -> Judgement {
        self.judgement
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.judgement == Judgement::Holds
    }

    /// The figure found.
    pub fn measured(&self) -> Option<f64> {
        self.measured
    }
}
