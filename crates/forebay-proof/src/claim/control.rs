//! A run of the same check on something known to be broken, and what became of it.

use serde::{Deserialize, Serialize};

use super::judged::{Judged, Judgement};
use crate::report::units::figure;

/// A run of the same proof on something known to be broken, which the proof must refute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// What was broken.
    pub what: String,
    outcome: ControlOutcome,
    /// What it measured, in a sentence with figures; or why it could not be run.
    pub measured: String,
}

/// What became of a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlOutcome {
    /// The check refuted what was broken, as it must.
    Refuted,
    /// The check let it pass: nothing that it says is evidence.
    NotRefuted,
    /// What should have been broken was not, or not so that anything could be judged.
    NotRun,
}

impl ControlOutcome {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Refuted => "refuted",
            Self::NotRefuted => "not refuted",
            Self::NotRun => "not run",
        }
    }
}

/// A control that was refuted; only [`Control::refuted`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct RefutedControl(Control);

impl RefutedControl {
    /// The control.
    pub fn get(&self) -> &Control {
        &self.0
    }
}

impl Control {
    /// Whether what was judged of something broken refutes the claim of this id.
    pub fn of(what: impl Into<String>, judged: &[Judged], id: &str) -> Self {
        let judged = judged.iter().find(|judged| judged.id == id);
        let measured = judged.map_or("no such claim was made".into(), |judged| {
            let measured =
                judged.measured().map_or("no figure".into(), |measured| figure(measured, judged.unit));
            format!("{measured}: {}", judged.why)
        });
        let outcome = match judged.map(Judged::judgement) {
            Some(Judgement::Refuted) => ControlOutcome::Refuted,
            Some(Judgement::Untested) => ControlOutcome::NotRun,
            Some(Judgement::Holds) | None => ControlOutcome::NotRefuted,
        };
        Self { what: what.into(), outcome, measured }
    }

    /// A control that something else than a claim's figure tells of.
    pub fn when(what: impl Into<String>, is_refuted: bool, measured: impl Into<String>) -> Self {
        let outcome = if is_refuted { ControlOutcome::Refuted } else { ControlOutcome::NotRefuted };
        Self { what: what.into(), outcome, measured: measured.into() }
    }

    /// A control that did not come about.
    pub fn not_run(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), outcome: ControlOutcome::NotRun, measured: why.into() }
    }

    /// The same, refuted only where this is so too: what shows that it was refuted by what was broken.
    #[must_use]
    pub fn and(mut self, is_so: bool) -> Self {
        if self.outcome == ControlOutcome::Refuted && !is_so {
            self.outcome = ControlOutcome::NotRefuted;
        }
        self
    }

    /// Itself as one that was refuted, where it was.
    pub fn refuted(self) -> Result<RefutedControl, Self> {
        if self.outcome == ControlOutcome::Refuted { Ok(RefutedControl(self)) } else { Err(self) }
    }

    /// Itself, whichever it was.
    pub(super) fn of_either(refuted: Result<RefutedControl, Self>) -> Self {
        refuted.map_or_else(|control| control, |RefutedControl(control)| control)
    }

    /// What became of it.
    pub fn outcome(&self) -> ControlOutcome {
        self.outcome
    }

    /// Whether it was refuted.
    pub fn is_refuted(&self) -> bool {
        self.outcome == ControlOutcome::Refuted
    }
}
