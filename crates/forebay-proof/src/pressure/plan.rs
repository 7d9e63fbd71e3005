//! What all runs have in common: limits, the pace, and how many events go past a limit, told from a sample.

use std::time::Duration;

use super::round::Pace;
use crate::capacity::sample::{Layout, sample, weigh};
use crate::workload::Offer;
use crate::{Scale, Subject};
use forebay::buffer::batch::Limits;

/// Limit of a quick run.
const QUICK_LIMIT: u64 = 144 << 20;

/// The same where keys are evicted: what goes, goes by the lane, however large that is.
pub(super) const QUICK_EVICTING: u64 = 20 << 20;

/// The same of the smallest.
const SMALLEST_EVICTING: u64 = 8 << 20;

/// Events of a quick run, at the most, but for what it takes to go beyond the limit.
const QUICK_EVENTS: u64 = 2_700_000;

/// How far beyond the limit every run goes, as a part of what fits.
const BEYOND: f64 = 1.1;

/// What all runs have in common.
pub(super) struct PressurePlan {
    pub(super) limit: u64,
    /// The same where keys are evicted.
    pub(super) evicting: u64,
    pub(super) limits: Limits,
    pub(super) pace: Pace,
    /// Bytes that an event will weigh, from a sample of so many.
    pub(super) per_event: f64,
    pub(super) sample: u64,
    /// The same of another layout, which must be found wrong.
    pub(super) wrong: f64,
    /// Events of a run that goes past the limit, and of one that also offers all of the profile's.
    pub(super) events: (u64, u64),
    pub(super) offer: Offer,
}

impl PressurePlan {
    /// From a sample that is weighed here, and events that are drawn; `wanted` is how long events are pushed beyond the
    /// limit, where that is not left to the scale.
    pub(super) fn of(on: &Subject<'_>, wanted: Option<Duration>) -> anyhow::Result<Self> {
        let (profile, scale) = (on.profile, on.scale);
        let limits = profile.limits().map_err(anyhow::Error::msg)?;
        let own = profile.maxmemory().map_err(anyhow::Error::msg)?;
        let second = Duration::from_secs(1);
        let (limit, evicting, events, aside, beyond) = match scale {
            Scale::Smallest | Scale::Quick => {
                let evicting = if scale == Scale::Quick { QUICK_EVICTING } else { SMALLEST_EVICTING };
                let events = profile.hold.events.min(QUICK_EVENTS);
                (own.min(QUICK_LIMIT), own.min(evicting), events, second / 2, second)
            }
            Scale::Full => (own, own, profile.hold.events, second * 10, second * 60),
        };
        // Blocks are cut as they are at the pace that a full server is pushed at.
        let events_per_second = profile.load.rate;
        let drawn = forebay_rig::synth::Synth::network(on.seed).with_rate(events_per_second);
        let sample = sample(scale, events);
        let weigh = |layout| weigh(on, layout, &drawn, sample, limits).map(|weight| weight.per_event);
        let (per_event, wrong) = (weigh(Layout::Blocks(events_per_second))?, weigh(Layout::EntryAnEvent)?);
        let past = past(limit, per_event);
        let beyond = wanted.unwrap_or(beyond);
        let aside = aside.min(beyond);
        let pace = Pace { rate: profile.load.rate, before: aside, beyond, after: aside };
        let paced = (pace.rate * (aside * 2 + beyond).as_secs_f64()) as u64;
        let events = (past + paced, events.max(past) + paced);
        let offer = Offer::draw(on.seed, events_per_second, events.1 + paced, on.progress)?;
        Ok(Self { limit, evicting, limits, pace, per_event, sample, wrong, events, offer })
    }

    /// Events that go past a limit, with those that are pushed beyond it at a pace.
    pub(super) fn past(&self, limit: u64) -> u64 {
        past(limit, self.per_event) + (self.pace.rate * self.pace.beyond.as_secs_f64()) as u64
    }
}

/// Events that go past a limit, at so many bytes each.
pub(super) fn past(limit: u64, per_event: f64) -> u64 {
    (limit as f64 / per_event * BEYOND) as u64
}
