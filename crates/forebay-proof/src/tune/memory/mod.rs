//! Memory settings of the server, each tried against its default on servers of our own: what it is worth to a buffer,
//! and what it costs.
//!
//! | experiment | settings |
//! |---|---|
//! | `defrag` | `activedefrag` |
//! | `nodes` | `stream-node-max-bytes`, `stream-node-max-entries` |
//! | `lazyfree` | `lazyfree-lazy-user-del`, `-server-del`, `-expire`, `-eviction` |
//!
//! They fill and drain more than a leg of a trial does: of a leg's few events, a node that is half drained is a part that
//! counts. Every figure stands in a table, and what to do follows from it by rules that stand beside it (`advice.rs`).

use crate::Subject;
use crate::claim::Evidence;
use crate::parallel::by_side;
use crate::server_setting::Outcome;

use sizes::Bench;
pub use sizes::Sizes;

mod advice;
mod defrag;
mod lazyfree;
mod nodes;
mod sizes;

type Experiment = fn(&Bench<'_>) -> anyhow::Result<Outcome>;

/// Tries every setting, as much as the subject's scale says.
pub fn run(on: &Subject<'_>) -> anyhow::Result<Outcome> {
    run_sized(on, Sizes::of(on.scale))
}

/// The same with other sizes.
pub fn run_sized(on: &Subject<'_>, sizes: Sizes) -> anyhow::Result<Outcome> {
    let bench = Bench::of(on, sizes)?;
    let measure = |(what, measure): &(&str, Experiment)| {
        measure(&bench).map_err(|error| error.context(format!("memory settings, {what}")))
    };
    // They are about bytes, and wait for most of their time.
    let beside: [(&str, Experiment); 2] =
        [("fragmentation", defrag::measure), ("stream nodes", nodes::measure)];
    on.progress.begin("memory settings 1 and 2 of 3: fragmentation, stream nodes", beside.len() as u64);
    let mut outcome = Outcome::default();
    by_side(&beside, on.progress, measure)?.into_iter().for_each(|of_one| outcome.add(of_one));
    // It is about time.
    on.progress.begin("memory settings 3 of 3: lazyfree", 0);
    outcome.add(measure(&("lazyfree", lazyfree::measure))?);
    Ok(outcome)
}

/// The table of all settings, its rules, and the figures behind it.
pub fn evidence(outcome: &Outcome) -> Vec<Evidence> {
    outcome.evidence("Memory settings, each against the server's default", advice::RULES)
}
