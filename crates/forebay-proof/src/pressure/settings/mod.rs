//! Memory settings of the server, each tried against its default on servers of our own: what it is worth to a buffer,
//! and what it costs.
//!
//! | experiment | settings |
//! |---|---|
//! | `defrag` | `activedefrag` |
//! | `nodes` | `stream-node-max-bytes`, `stream-node-max-entries` |
//! | `lazyfree` | `lazyfree-lazy-user-del`, `-server-del`, `-expire`, `-eviction` |
//! | `maxclients` | `maxclients` |
//! | `slow_reader` | `client-output-buffer-limit`, `maxmemory-clients` |
//!
//! What is a figure stands in a table, and what to do follows from it by a rule that stands beside it ([`row`]). What is
//! a fact, yes or no, is a claim with a control.

use std::time::Duration;

use crate::claim::{Claim, Evidence};
use crate::parallel::by_side;
use crate::{Scale, Subject};
use forebay_rig::synth::Synth;

use bench::Bench;
use row::{Advice, Row};

mod bench;
mod defrag;
mod lazyfree;
mod maxclients;
mod nodes;
pub mod row;
mod slow_client;
mod slow_reader;
mod slow_seen;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Events of each fill.
    pub events: u64,
    /// Events kept one an entry, for comparison.
    pub plain_events: u64,
    /// Fills and drains before fragmentation is looked at.
    pub cycles: u64,
    /// How long resident memory may take to come back.
    pub settle: Duration,
    /// How often each stall is measured; the shortest counts.
    pub tries: u32,
    /// Events appended while the server is in trouble.
    pub appended: u64,
    /// Bytes between what is used and `maxmemory` when a client begins not to read.
    pub room_bytes: u64,
}

impl Sizes {
    /// The sizes of a scale.
    pub fn of(scale: Scale) -> Self {
        let settle = Duration::from_secs(4);
        let quick = Self {
            events: 60_000,
            plain_events: 20_000,
            cycles: 3,
            settle,
            tries: 3,
            appended: 5_000,
            room_bytes: 32 << 20,
        };
        match scale {
            Scale::Quick => quick,
            Scale::Full => Self {
                events: 1_000_000,
                plain_events: 200_000,
                cycles: 6,
                settle: settle * 15,
                tries: 5,
                appended: 50_000,
                room_bytes: 256 << 20,
            },
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A row for each value of each setting.
    pub rows: Vec<Row>,
    /// What can be true or false, each with its control.
    pub claims: Vec<Claim>,
    /// The figures behind the rows.
    pub details: Vec<Evidence>,
}

impl Outcome {
    /// The table of all settings, the rules that its last column follows, and the figures behind it.
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut all = vec![row::table(&self.rows), Evidence::Note { text: row::RULES.into() }];
        all.extend(self.details.iter().cloned());
        all
    }

    /// Settings that are worth changing: name, value, and what was measured.
    pub fn worth(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let change = self.rows.iter().filter(|row| row.advice == Advice::Change && !row.is_default());
        change.map(|row| (row.setting.as_str(), row.value.as_str(), row.measured.as_str()))
    }

    fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.claims.extend(other.claims);
        self.details.extend(other.details);
    }
}

type Experiment = fn(&Bench<'_>) -> anyhow::Result<Outcome>;

/// Tries every setting, as much as the subject's scale says.
pub fn run(on: &Subject<'_>) -> anyhow::Result<Outcome> {
    run_sized(on, Sizes::of(on.scale))
}

/// The same with other sizes.
pub fn run_sized(on: &Subject<'_>, sizes: Sizes) -> anyhow::Result<Outcome> {
    let bench = Bench {
        on: *on,
        sizes,
        events: Synth::network(on.seed).with_rate(on.profile.rates.network),
        limits: on.profile.limits().map_err(anyhow::Error::msg)?,
    };
    let experiments: [(&str, Experiment); 5] = [
        ("fragmentation", defrag::measure),
        ("stream nodes", nodes::measure),
        ("lazyfree", lazyfree::measure),
        ("maxclients", maxclients::measure),
        ("a client that does not read", slow_reader::measure),
    ];
    let measure = |(what, measure): &(&str, Experiment)| {
        measure(&bench).map_err(|error| error.context(format!("memory settings, {what}")))
    };
    // The first two are about bytes, and wait for most of their time.
    let (beside, alone) = experiments.split_at(2);
    on.progress.begin("memory settings 1 and 2 of 5: fragmentation, stream nodes", beside.len() as u64);
    let mut outcome = Outcome::default();
    by_side(beside, on.progress, measure)?.into_iter().for_each(|of_one| outcome.add(of_one));
    for (at, experiment) in alone.iter().enumerate() {
        let (number, what) = (beside.len() + at + 1, experiment.0);
        on.progress.begin(&format!("memory settings {number} of 5: {what}"), 0);
        outcome.add(measure(experiment)?);
    }
    Ok(outcome)
}
