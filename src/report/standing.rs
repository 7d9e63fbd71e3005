//! What a run and each of its claims amount to once the controls are weighed in, in words that
//! the terminal and the page share.

use super::Report;
use crate::proof::claim::{Claim, Verdict};

/// A verdict, or the discovery that there is none: a proof that missed its control can prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Held.
    Proven,
    /// Did not hold.
    Refuted,
    /// Could not be told.
    NotShown,
    /// The control was not caught, so that the verdict means nothing.
    Worthless,
}

impl Standing {
    /// What a claim amounts to.
    pub fn of(claim: &Claim) -> Self {
        if claim.control.as_ref().is_some_and(|control| !control.caught) {
            return Self::Worthless;
        }
        match claim.verdict {
            Verdict::Proven => Self::Proven,
            Verdict::Refuted => Self::Refuted,
            Verdict::NotShown => Self::NotShown,
        }
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Worthless => "worthless",
            Self::Proven => Verdict::Proven.word(),
            Self::Refuted => Verdict::Refuted.word(),
            Self::NotShown => Verdict::NotShown.word(),
        }
    }

    /// A sign that tells the standings apart without colour.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Proven => "✓",
            Self::Refuted => "✗",
            Self::NotShown => "?",
            Self::Worthless => "!",
        }
    }

    /// The word as a class of the page's style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::NotShown => "not-shown",
            other => other.word(),
        }
    }

    /// What the word means, for someone who meets it for the first time.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Proven => "the run showed it",
            Self::Refuted => "the run showed the contrary",
            Self::NotShown => "the run could not tell, and says why",
            Self::Worthless => {
                "the proof did not notice what was broken on purpose, so that its verdict means nothing"
            }
        }
    }
}

impl Report {
    /// What the run amounts to: the worst of its claims. A run without claims has shown nothing.
    pub fn standing(&self) -> Standing {
        if self.control_missed() {
            Standing::Worthless
        } else if self.count(Verdict::Refuted) > 0 {
            Standing::Refuted
        } else if self.count(Verdict::NotShown) > 0 || self.claims.is_empty() {
            Standing::NotShown
        } else {
            Standing::Proven
        }
    }

    /// How many claims have this standing.
    pub fn standings(&self, standing: Standing) -> usize {
        self.claims.iter().filter(|claim| Standing::of(claim) == standing).count()
    }

    /// The run in one sentence, to follow the word.
    pub fn headline(&self) -> String {
        let all = self.claims.len();
        let place =
            format!("on {} {} under profile {}", self.target.server, self.target.version, self.profile);
        let count = |standing| self.standings(standing);
        let verb = |n: usize, one, many| if n == 1 { one } else { many };
        let of = |n: usize| format!("{n} of {all} {}", verb(all, "claim", "claims"));
        match self.standing() {
            _ if all == 0 => format!("no claim was tried {place}"),
            Standing::Worthless => {
                let missed = count(Standing::Worthless);
                let what = verb(missed, "control was", "controls were");
                format!("{missed} {what} not caught {place}: do not rely on this run")
            }
            Standing::Refuted => {
                let n = count(Standing::Refuted);
                format!("{} {} not hold {place}", of(n), verb(n, "does", "do"))
            }
            Standing::NotShown => format!("{} could not be shown {place}", of(count(Standing::NotShown))),
            Standing::Proven => format!("{} {} {place}", of(all), verb(all, "holds", "hold")),
        }
    }

    /// The claims by standing: `2 proven, 1 refuted`; standings that no claim has are left out.
    pub fn tally(&self) -> Vec<(Standing, usize)> {
        [Standing::Worthless, Standing::Refuted, Standing::NotShown, Standing::Proven]
            .into_iter()
            .map(|standing| (standing, self.standings(standing)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}
