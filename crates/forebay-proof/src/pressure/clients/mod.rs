//! Settings of the server that bound its clients, each tried on servers of our own: who is refused, who is dropped, and
//! what that costs a buffer.
//!
//! | experiment | settings |
//! |---|---|
//! | `maxclients` | `maxclients` |
//! | `slow_reader` | `client-output-buffer-limit`, `maxmemory-clients` |
//!
//! What is a fact, yes or no, is a claim with a control. What to do follows by rules that stand beside the table
//! (`advice.rs`).

use crate::Subject;
use crate::claim::{Claim, Evidence};
use crate::server_setting::Outcome;

use sizes::Bench;
pub use sizes::Sizes;

mod advice;
mod bare;
mod maxclients;
mod sizes;
mod slow_client;
mod slow_client_result;
mod slow_reader;

type Experiment = fn(&Bench<'_>) -> anyhow::Result<Outcome>;

/// Tries every setting, as much as the subject's scale says.
pub fn run(on: &Subject<'_>) -> anyhow::Result<Outcome> {
    run_sized(on, Sizes::of(on.scale))
}

/// The same with other sizes.
pub fn run_sized(on: &Subject<'_>, sizes: Sizes) -> anyhow::Result<Outcome> {
    let bench = Bench::of(on, sizes)?;
    let experiments: [(&str, Experiment); 2] =
        [("maxclients", maxclients::measure), ("a client that does not read", slow_reader::measure)];
    let mut outcome = Outcome::default();
    for (number, (what, measure)) in (1..).zip(experiments) {
        on.progress.begin(&format!("limits on clients {number} of {}: {what}", experiments.len()), 0);
        outcome.add(measure(&bench).map_err(|error| error.context(format!("limits on clients, {what}")))?);
    }
    Ok(outcome)
}

/// The table of all settings, its rules, and the figures behind it.
pub fn evidence(outcome: &Outcome) -> Vec<Evidence> {
    outcome.evidence("Limits on clients, each against the server's default", advice::RULES)
}

/// The claims, the tables beside the first of them.
pub fn claims(outcome: Outcome) -> Vec<Claim> {
    let evidence = evidence(&outcome);
    let mut claims = outcome.claims;
    if let Some(first) = claims.first_mut() {
        first.evidence.extend(evidence);
    }
    claims
}
