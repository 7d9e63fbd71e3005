//! The pressure proof: what happens when the buffer is full, for each overflow policy of the writer and each eviction
//! policy of the server?
//!
//! Each run fills a server with a small `maxmemory` to nine tenths, to the limit, and goes on pushing; then a group drains
//! it. A reader follows meanwhile. The ledger knows every event: what was acknowledged, spilled, shed, trimmed, and what
//! is lost, and where. A run in which the limit was not met shows nothing. The controls are runs that lose: by eviction,
//! by a block taken out behind the writer's back, by a damaged spill file, and runs whose memory or writer does not
//! come back.

pub mod clients;
mod environment;
mod foreign_keys;
mod guard;
mod judge;
mod liveness;
mod negative_controls;
mod plan;
mod policy;
mod read;
mod recovery;
mod round;
mod run_result;
mod table;
mod wait;
mod watch;

use std::time::Duration;

use crate::claim::Claim;
use crate::parallel::by_side;
use crate::progress::Silent;
use crate::target::Target;
use crate::{Scale, Subject};

use environment::{PressureEnvironment, holds_keys};
pub use guard::guard;
use plan::PressurePlan;
use policy::{EVICTIONS, Policy};
use round::{Pace, PressureRound};

/// The proof of a subject.
pub struct PressureRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Whether somebody's server may be filled, and its limit and policy changed meanwhile.
    pub allow_faults: bool,
    /// How long events are pushed at the profile's rate once the limit is met, in each run.
    pub beyond: Option<Duration>,
}

impl PressureRun<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let given = match self.on.target {
            Target::Own(..) => None,
            Target::Given(address) => Some(address),
        };
        if given.is_some() && !self.allow_faults {
            let forbidden = judge::claims(&[], self.on.profile, None, FORBIDDEN).into_iter();
            return Ok(forbidden
                .map(|claim| claim.test_with("forebay pressure --allow-faults").without_control())
                .collect());
        }
        let plan = PressurePlan::of(&self.on, self.beyond)?;
        let (mut seen, mut skipped) = (Vec::new(), Vec::new());
        // What is evicted does not hang on the pace: on servers of our own such runs need not wait for each other.
        let (alone, beside): (Vec<_>, Vec<_>) = runs(self.on.scale)
            .into_iter()
            .partition(|(_, eviction)| given.is_some() || *eviction == EVICTIONS[0]);
        for (policy, eviction) in alone {
            // Its keys would be evicted too. Asked anew each time: others may have written some since the last run.
            if eviction != EVICTIONS[0]
                && let Some(address) = given
                && holds_keys(address)?
            {
                skipped.push(eviction);
                continue;
            }
            let (scene, limit) = self.scene(&plan, policy, eviction);
            seen.push(match given {
                None => scene.run(&PressureEnvironment::own(&self.on, limit, eviction)?)?,
                Some(address) => {
                    let _keys = self.on.target.keys(self.on.name);
                    let environment = PressureEnvironment::given(&self.on, address, limit, eviction)?;
                    let run = scene.run(&environment)?;
                    if let Some(told) = foreign_keys::summary(&[&run]) {
                        tracing::warn!("under {eviction} {told}");
                    }
                    run
                }
            });
        }
        if !beside.is_empty() {
            self.on.progress.begin("wait under policies that evict", beside.len() as u64);
        }
        seen.extend(by_side(&beside, self.on.progress, |(policy, eviction)| {
            let (scene, limit) = self.scene(&plan, *policy, eviction);
            PressureRound { progress: &Silent, ..scene }
                .run(&PressureEnvironment::own(&self.on, limit, eviction)?)
        })?);
        skipped.dedup();
        let mut claims = judge::claims(&seen, self.on.profile, Some(&plan), NOT_RUN);
        if let Some(limit) = claims.iter_mut().find(|claim| claim.id == "pressure.limit") {
            limit.evidence.extend(foreign_keys::left_out(&skipped));
        }
        let mut claims = negative_controls::attach(&self.on, &plan, &seen, claims)?;
        // Of servers that are started here: of somebody's they would say nothing.
        if given.is_none() {
            claims.extend(clients::claims(clients::run(&self.on)?));
        }
        Ok(claims)
    }

    /// What to run under a policy, and at which limit.
    fn scene<'a>(
        &'a self,
        plan: &'a PressurePlan,
        policy: Policy,
        eviction: &'a str,
    ) -> (PressureRound<'a>, u64) {
        let (count, pace, limit) = if eviction == EVICTIONS[0] {
            // All of the profile's events where none is given up.
            let all = matches!(policy, Policy::Wait | Policy::Spill);
            (if all { plan.events.1 } else { plan.events.0 }, plan.pace, plan.limit)
        } else {
            // Whose latency nobody asks for.
            let pace = Pace { before: Duration::ZERO, after: Duration::ZERO, ..plan.pace };
            (plan.past(plan.evicting).min(plan.events.0), pace, plan.evicting)
        };
        let scene = PressureRound {
            policy,
            eviction,
            name: self.on.name,
            offer: &plan.offer,
            limits: plan.limits,
            count,
            pace,
            acks: true,
            harm: None,
            progress: self.on.progress,
        };
        (scene, limit)
    }
}

/// Why there is nothing to say of a run.
const NOT_RUN: &str = "no such run was made: the server holds keys of others, which would be evicted";
const FORBIDDEN: &str = "nothing was run: filling somebody's server needs --allow-faults";

/// Every overflow policy where nothing is evicted, then every eviction policy; in full each with each.
fn runs(scale: Scale) -> Vec<(Policy, &'static str)> {
    let all = EVICTIONS.into_iter().flat_map(|eviction| Policy::ALL.map(|policy| (policy, eviction)));
    all.filter(|(policy, eviction)| {
        scale == Scale::Full || *policy == Policy::Wait || *eviction == EVICTIONS[0]
    })
    .collect()
}
