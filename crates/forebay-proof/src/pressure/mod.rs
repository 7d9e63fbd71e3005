//! The pressure proof: what happens when the buffer is full, for each overflow policy of the writer and each eviction
//! policy of the server?
//!
//! Each run fills a server with a small `maxmemory` to nine tenths, to the limit, and goes on pushing; then a group drains
//! it. A reader follows meanwhile. The ledger knows every event: what was acknowledged, spilled, shed, trimmed, and what
//! is lost, and where. A run in which the limit was not met shows nothing. The controls are runs that lose: by eviction,
//! by a block taken out behind the writer's back, by a damaged spill file, and runs whose memory or writer does not
//! come back.

mod environment;
mod guard;
mod judge;
mod liveness;
mod negative_controls;
mod others;
mod read;
mod recovery;
mod round;
mod seen;
pub mod settings;
mod table;
mod wait;
mod watch;

use std::time::Duration;

use super::capacity::sample::{Layout, sample, weigh};
use crate::claim::Claim;
use crate::parallel::by_side;
use crate::progress::Silent;
use crate::target::Target;
use crate::workload::Offer;
use crate::{Scale, Subject};
use forebay::buffer::batch::Limits;

use environment::{Ground, holds_keys};
pub use guard::guard;
use round::{Pace, Scene};
use seen::Policy;

/// Every eviction policy, the one that evicts nothing first.
const EVICTIONS: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

/// Limit of a quick run.
const QUICK_LIMIT: u64 = 256 << 20;

/// The same where keys are evicted: what goes, goes by the lane, however large that is.
const QUICK_EVICTING: u64 = 32 << 20;

/// Events of a quick run, at the most, but for what it takes to go beyond the limit.
const QUICK_EVENTS: u64 = 2_700_000;

/// How far beyond the limit every run goes, as a part of what fits.
const BEYOND: f64 = 1.1;

/// The proof of a subject.
pub struct Run<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Whether somebody's server may be filled, and its limit and policy changed meanwhile.
    pub allow_faults: bool,
    /// How long events are pushed at the profile's rate once the limit is met, in each run.
    pub beyond: Option<Duration>,
}

/// What all runs have in common.
struct Plan {
    limit: u64,
    /// The same where keys are evicted.
    evicting: u64,
    limits: Limits,
    pace: Pace,
    /// Bytes that an event will weigh, from a sample of so many.
    per_event: f64,
    sample: u64,
    /// The same of another layout, which must be found wrong.
    wrong: f64,
    /// Events of a run that goes past the limit, and of one that also offers all of the profile's.
    events: (u64, u64),
    offer: Offer,
}

impl Run<'_> {
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
        let plan = self.plan()?;
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
                None => scene.play(&Ground::own(self, limit, eviction)?)?,
                Some(address) => {
                    let ground = Ground::given(address, limit, eviction)?;
                    let _keys = self.on.target.keys(self.on.name);
                    let run = scene.play(&ground)?;
                    if let Some(told) = others::told(&[&run]) {
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
            Scene { progress: &Silent, ..scene }.play(&Ground::own(self, limit, eviction)?)
        })?);
        skipped.dedup();
        let mut claims = judge::claims(&seen, self.on.profile, Some(&plan), NOT_RUN);
        if let Some(limit) = claims.iter_mut().find(|claim| claim.id == "pressure.limit") {
            limit.evidence.extend(others::left_out(&skipped));
        }
        let mut claims = negative_controls::attach(self, &plan, &seen, claims)?;
        // Of servers that are started here: of somebody's they would say nothing.
        if given.is_none() {
            let settings = settings::run(&self.on)?;
            let evidence = settings.evidence();
            if let Some(memory) = claims.iter_mut().find(|claim| claim.id == "pressure.memory") {
                memory.evidence.extend(evidence);
            }
            claims.extend(settings.claims);
        }
        Ok(claims)
    }

    /// What to run under a policy, and at which limit.
    fn scene<'a>(&'a self, plan: &'a Plan, policy: Policy, eviction: &'a str) -> (Scene<'a>, u64) {
        let (count, pace, limit) = if eviction == EVICTIONS[0] {
            // All of the profile's events where none is given up.
            let all = matches!(policy, Policy::Wait | Policy::Spill);
            (if all { plan.events.1 } else { plan.events.0 }, plan.pace, plan.limit)
        } else {
            // Whose latency nobody asks for.
            let pace = Pace { before: Duration::ZERO, after: Duration::ZERO, ..plan.pace };
            (plan.past(plan.evicting).min(plan.events.0), pace, plan.evicting)
        };
        let scene = Scene {
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

    fn plan(&self) -> anyhow::Result<Plan> {
        let (profile, scale) = (self.on.profile, self.on.scale);
        let limits = profile.limits().map_err(anyhow::Error::msg)?;
        let own = profile.maxmemory().map_err(anyhow::Error::msg)?;
        let second = Duration::from_secs(1);
        let (limit, evicting, events, aside, beyond) = match scale {
            Scale::Quick => {
                let events = profile.hold.events.min(QUICK_EVENTS);
                (own.min(QUICK_LIMIT), own.min(QUICK_EVICTING), events, second / 2, second)
            }
            Scale::Full => (own, own, profile.hold.events, second * 10, second * 60),
        };
        // Blocks are cut as they are at the pace that a full server is pushed at.
        let events_per_second = profile.load.rate;
        let drawn = forebay_rig::synth::Synth::network(self.on.seed).with_rate(events_per_second);
        let weigh = |layout| {
            weigh(self.on.binary, layout, &drawn, sample(scale), limits, self.on.progress)
                .map(|weight| weight.per_event)
        };
        let (per_event, wrong) = (weigh(Layout::Blocks(events_per_second))?, weigh(Layout::EntryAnEvent)?);
        let past = past(limit, per_event);
        let beyond = self.beyond.unwrap_or(beyond);
        let aside = aside.min(beyond);
        let pace = Pace { rate: profile.load.rate, before: aside, beyond, after: aside };
        let paced = (pace.rate * (aside * 2 + beyond).as_secs_f64()) as u64;
        let events = (past + paced, events.max(past) + paced);
        let offer = Offer::draw(self.on.seed, events_per_second, events.1 + paced, self.on.progress)?;
        Ok(Plan { limit, evicting, limits, pace, per_event, sample: sample(scale), wrong, events, offer })
    }
}

/// Events that go past a limit, at so many bytes each.
fn past(limit: u64, per_event: f64) -> u64 {
    (limit as f64 / per_event * BEYOND) as u64
}

impl Plan {
    /// Events that go past a limit, with those that are pushed beyond it at a pace.
    fn past(&self, limit: u64) -> u64 {
        past(limit, self.per_event) + (self.pace.rate * self.pace.beyond.as_secs_f64()) as u64
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
