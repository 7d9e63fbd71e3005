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

use crate::Subject;
use crate::parallel::by_side;
use forebay_rig::synth::Synth;

use bench::Bench;
pub use outcome::Outcome;
pub use sizes::Sizes;

mod bench;
mod defrag;
mod lazyfree;
mod maxclients;
mod nodes;
mod outcome;
pub mod row;
mod sizes;
mod slow_client;
mod slow_reader;
mod slow_seen;

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
