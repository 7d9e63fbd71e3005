//! A candidate as data: what it changes, why that might help a buffer, what it could cost, how that is measured, and which
//! proofs it must not lose.

use crate::tune::client::Client;
use crate::tune::trial_run::{Cut, Work};

/// What a candidate changes.
#[derive(Clone, Copy)]
pub enum Change {
    /// Settings of the server; whether a running one takes them.
    Server {
        /// Each with its value, as CONFIG GET shows it.
        settings: &'static [(&'static str, &'static str)],
        /// Whether CONFIG SET takes them.
        is_live: bool,
    },
    /// The writer, the reader or the connections: in words what there is and what there would be, and the change.
    Client {
        /// What is changed.
        what: &'static str,
        /// What it is, of a client.
        show: fn(&Client) -> String,
        /// Changes it.
        change: fn(&mut Client),
    },
}

/// How it is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// Legs of this work.
    By(Work),
    /// Starts of a server that was killed.
    ByRestart,
}

/// Which proofs a candidate must not lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It has no part in what is kept.
    None,
    /// Kills and power cuts, as today's `appendfsync` promises.
    Durability,
    /// A full server.
    Pressure,
}

/// What follows from a candidate's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateKind {
    /// It is proposed where it is better.
    Plain,
    /// It costs what no figure here shows: where it is better, it is offered and not taken.
    Choice,
    /// It is safer than what there is: that no cost was seen is reason enough to offer it.
    Safer,
    /// It is known to harm a buffer: to be proposed it would be an error.
    Harmful,
}

/// One candidate.
pub struct Candidate {
    /// Its name, for `--only` and for scripts.
    pub id: &'static str,
    /// What it does.
    pub change: Change,
    /// Why it might help a buffer.
    pub hope: &'static str,
    /// What it could cost; where no figure here shows that, it is left to people.
    pub cost: &'static str,
    /// In which work.
    pub measured: Measured,
    /// What it must not lose.
    pub guard: Guard,
    /// Settings of both sides, without which a short run would not show it.
    pub both: &'static [(&'static str, &'static str)],
    /// What follows where it is better, or is not.
    pub kind: CandidateKind,
    /// Whether trying it could harm what others have on a server.
    pub risks_others: bool,
}

impl Candidate {
    /// What others are written as differences from.
    pub(super) const PLAIN: Self = Self {
        id: "",
        change: Change::Server { settings: &[], is_live: true },
        hope: "",
        cost: "",
        measured: Measured::By(Work::Append(Cut::Load)),
        guard: Guard::None,
        both: &[],
        kind: CandidateKind::Plain,
        risks_others: false,
    };

    /// What it changes, in words and without what there is today.
    pub fn words(&self) -> String {
        match self.change {
            Change::Server { settings, is_live } => {
                let settings: Vec<String> =
                    settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
                let when = if is_live { "" } else { " (at the start only)" };
                format!("{}{when}", settings.join(", "))
            }
            Change::Client { what, .. } => what.into(),
        }
    }

    /// What it changes, in words: `appendfsync no`.
    pub fn to(&self, today: &Client) -> String {
        match self.change {
            Change::Server { settings, .. } => {
                settings.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
            }
            Change::Client { what, show, change } => {
                let mut client = today.clone();
                change(&mut client);
                format!("{what} {}", show(&client))
            }
        }
    }
}
