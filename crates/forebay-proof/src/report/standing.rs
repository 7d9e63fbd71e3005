//! What a run and each of its claims amount to once the controls are weighed in, in words that
//! the terminal and the page share.

use super::content::Report;
use crate::claim::{Claim, Verdict};

/// A verdict, or the discovery that the check is no evidence: it let something pass that was broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Held, and the control was refuted.
    Proven,
    /// Did not hold.
    Refuted,
    /// The run could not tell.
    Untested,
    /// The control was not refuted, so that the verdict means nothing.
    ControlNotRefuted,
}

impl Standing {
    /// What a claim amounts to.
    pub fn of(claim: &Claim) -> Self {
        match claim.verdict() {
            _ if claim.missed_its_control() => Self::ControlNotRefuted,
            Verdict::Proven => Self::Proven,
            Verdict::Refuted => Self::Refuted,
            Verdict::Untested => Self::Untested,
        }
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::ControlNotRefuted => "control not refuted",
            Self::Proven => Verdict::Proven.word(),
            Self::Refuted => Verdict::Refuted.word(),
            Self::Untested => Verdict::Untested.word(),
        }
    }

    /// A sign that tells the standings apart without colour.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Proven => "✓",
            Self::Refuted => "✗",
            Self::Untested => "?",
            Self::ControlNotRefuted => "!",
        }
    }

    /// The word as a class of the page's style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::ControlNotRefuted => "no-evidence",
            other => other.word(),
        }
    }

    /// What the word means, for someone who meets it for the first time.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Proven => "the run showed it, and the same check refuted something broken on purpose",
            Self::Refuted => "the run showed the contrary",
            Self::Untested => "the run could not tell; it says why, and what would test it",
            Self::ControlNotRefuted => {
                "the check let something pass that was broken on purpose: it is no evidence"
            }
        }
    }
}

impl Report {
    /// What the run amounts to: the worst of the claims that it tested. A run that tested none is untested.
    pub fn standing(&self) -> Standing {
        if self.control_missed() {
            Standing::ControlNotRefuted
        } else if self.count(Verdict::Refuted) > 0 {
            Standing::Refuted
        } else if self.count(Verdict::Proven) > 0 {
            Standing::Proven
        } else {
            Standing::Untested
        }
    }

    /// How many claims have this standing.
    pub fn standings(&self, standing: Standing) -> usize {
        self.claims.iter().filter(|claim| Standing::of(claim) == standing).count()
    }

    /// The run in one sentence, to follow the word. What is untested does not count into it.
    pub fn headline(&self) -> String {
        let tested = self.count(Verdict::Proven) + self.count(Verdict::Refuted);
        let place =
            format!("on {} {} under profile {}", self.target.server, self.target.version, self.profile);
        let verb = |n: usize, one, many| if n == 1 { one } else { many };
        let of = |n: usize| {
            format!("{n} of {tested} {} that this run could test", verb(tested, "claim", "claims"))
        };
        match self.standing() {
            Standing::ControlNotRefuted => {
                let missed = self.standings(Standing::ControlNotRefuted);
                let what = verb(missed, "control was", "controls were");
                format!("{missed} {what} not refuted {place}: do not rely on this run")
            }
            Standing::Refuted => {
                let n = self.count(Verdict::Refuted);
                format!("{} {} not hold {place}", of(n), verb(n, "does", "do"))
            }
            Standing::Untested => format!("no claim could be tested {place}"),
            Standing::Proven => {
                format!("{} {} {place}; every control was refuted", of(tested), verb(tested, "holds", "hold"))
            }
        }
    }

    /// The claims by standing: `2 proven, 1 refuted`; standings that no claim has are left out.
    pub fn tally(&self) -> Vec<(Standing, usize)> {
        [Standing::ControlNotRefuted, Standing::Refuted, Standing::Proven, Standing::Untested]
            .into_iter()
            .map(|standing| (standing, self.standings(standing)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}
