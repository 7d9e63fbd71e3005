//! What a proof says: claims with their verdicts, their controls and their evidence.
//! Every renderer in `report` draws from these types and from nothing else.
//!
//! A judge makes a [`Judged`] of figures. It becomes a [`Claim`] when the control that the same judge was tried on is put
//! beside it, and no claim is proven without a control that was refuted: there is no way to build one.

pub(crate) mod bound;
mod control;
mod evidence;
mod judged;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use bound::{Bound, Unit};
pub use control::{Control, ControlOutcome, RefutedControl};
pub use evidence::{Axes, Evidence, Series};
pub use judged::{Judged, Judgement};

/// What a claim turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The run showed it, and the same check refuted something known to be broken.
    Proven,
    /// The run showed the contrary.
    Refuted,
    /// The run could not tell; the claim says why, and what would test it.
    Untested,
}

impl Verdict {
    /// The word for people; `serde` spells it the same for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Refuted => "refuted",
            Self::Untested => "untested",
        }
    }
}

/// One sentence that is true or false of this server under this profile, or untested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Claim {
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
    found: ClaimOutcome,
}

/// What was found, with what each verdict cannot be without.
#[derive(Debug, Clone, PartialEq)]
enum ClaimOutcome {
    Proven { measured: f64, control: RefutedControl },
    Refuted { measured: Option<f64>, control: Option<Control> },
    Untested { control: Option<Control>, test_with: String },
}

impl Claim {
    /// What a judge says, weighed with what became of its control. A refutation stands by itself.
    fn of(judged: Judged, control: Option<Control>) -> Self {
        let (judgement, mut why, test_with) = (judged.judgement(), judged.why, judged.test_with);
        let measured = judged.measured.filter(|figure| figure.is_finite());
        let found = match (judgement, measured, control.map(Control::refuted)) {
            (Judgement::Refuted, measured, control) => {
                ClaimOutcome::Refuted { measured, control: control.map(Control::of_either) }
            }
            (Judgement::Holds, Some(measured), Some(Ok(control))) => {
                ClaimOutcome::Proven { measured, control }
            }
            (judgement, _, control) => {
                let control = control.map(Control::of_either);
                if judgement == Judgement::Holds {
                    let outcome = control.as_ref().map_or(ControlOutcome::NotRun, Control::outcome);
                    why = format!(
                        "the control was {}, so nothing shows that this check can fail; {why}",
                        outcome.words()
                    );
                }
                ClaimOutcome::Untested { control, test_with }
            }
        };
        let Judged { id, step, statement, bound, required, unit, lost_worst, evidence, .. } = judged;
        Self { id, step, statement, bound, required, unit, why, lost_worst, evidence, found }
    }

    /// What it turned out to be.
    pub fn verdict(&self) -> Verdict {
        match self.found {
            ClaimOutcome::Proven { .. } => Verdict::Proven,
            ClaimOutcome::Refuted { .. } => Verdict::Refuted,
            ClaimOutcome::Untested { .. } => Verdict::Untested,
        }
    }

    /// The figure found; none where it is untested, or where the run did not get that far.
    pub fn measured(&self) -> Option<f64> {
        match &self.found {
            ClaimOutcome::Proven { measured, .. } => Some(*measured),
            ClaimOutcome::Refuted { measured, .. } => *measured,
            ClaimOutcome::Untested { .. } => None,
        }
    }

    /// The run on something known to be broken; every proven claim has one that was refuted.
    pub fn control(&self) -> Option<&Control> {
        match &self.found {
            ClaimOutcome::Proven { control, .. } => Some(control.get()),
            ClaimOutcome::Refuted { control, .. } | ClaimOutcome::Untested { control, .. } => {
                control.as_ref()
            }
        }
    }

    /// Of what is untested: the command that would test it, or what that needs.
    pub fn test_with(&self) -> Option<&str> {
        match &self.found {
            ClaimOutcome::Untested { test_with, .. } => Some(test_with),
            ClaimOutcome::Proven { .. } | ClaimOutcome::Refuted { .. } => None,
        }
    }

    /// Whether its check let something pass that was broken on purpose.
    pub fn missed_its_control(&self) -> bool {
        self.control().is_some_and(|control| control.outcome() == ControlOutcome::NotRefuted)
    }
}

impl Judged {
    /// The claim, with the control that was run.
    pub fn with(self, control: Control) -> Claim {
        Claim::of(self, Some(control))
    }

    /// The claim where no control was run. What holds is untested then.
    pub fn without_control(self) -> Claim {
        Claim::of(self, None)
    }
}

/// A claim as `report.json` has it.
#[derive(Serialize, Deserialize)]
struct Written {
    id: String,
    step: u8,
    statement: String,
    bound: Bound,
    required: f64,
    measured: Option<f64>,
    unit: Unit,
    verdict: Verdict,
    why: String,
    test_with: Option<String>,
    control: Option<Control>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_worst: Option<u64>,
    evidence: Vec<Evidence>,
}

impl From<Claim> for Written {
    fn from(claim: Claim) -> Self {
        Self {
            measured: claim.measured().filter(|figure| figure.is_finite()),
            verdict: claim.verdict(),
            test_with: claim.test_with().map(str::to_owned),
            control: claim.control().cloned(),
            id: claim.id,
            step: claim.step,
            statement: claim.statement,
            bound: claim.bound,
            required: claim.required,
            unit: claim.unit,
            why: claim.why,
            lost_worst: claim.lost_worst,
            evidence: claim.evidence,
        }
    }
}

impl TryFrom<Written> for Claim {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written {
            id, step, statement, bound, required, unit, why, evidence, measured, lost_worst, ..
        } = written;
        let found = match (written.verdict, measured, written.control) {
            (Verdict::Proven, Some(measured), Some(control)) => {
                let control = control
                    .refuted()
                    .map_err(|_| format!("{id} is proven, and its control was not refuted"))?;
                ClaimOutcome::Proven { measured, control }
            }
            (Verdict::Proven, ..) => return Err(format!("{id} is proven without a figure or a control")),
            (Verdict::Refuted, measured, control) => ClaimOutcome::Refuted { measured, control },
            (Verdict::Untested, _, control) => {
                ClaimOutcome::Untested { control, test_with: written.test_with.unwrap_or_default() }
            }
        };
        Ok(Self { id, step, statement, bound, required, unit, why, lost_worst, evidence, found })
    }
}
