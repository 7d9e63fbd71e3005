//! What all experiments have in common: how much is tried, with what, on a server as it is.

use std::time::Duration;

use super::client::Client;
use super::experiment::ExperimentPlan;
use super::settings::{self, Settings};
use super::trial_events::TrialEvents;
use super::trial_run::TrialSetup;
use crate::{Scale, Subject};
use forebay_rig::load::payload::Payloads;

/// The step of the brief that is answered.
pub(super) const TUNING: u8 = 5;

/// Events of a leg.
const EVENTS: u64 = 16_000;

/// How much is tried.
pub(super) struct Sizes {
    /// Events of a leg.
    pub(super) events: u64,
    /// How long operations are sent in one.
    pub(super) stretch: Duration,
    /// After how many rounds of four legs the answer is looked at.
    pub(super) looks: &'static [usize],
    /// Times that today's settings are held against themselves, and how often a difference may be called; where that happens
    /// more often, the same of more times.
    pub(super) same: &'static [(u64, u64)],
    /// Times that a side is held back by a little, and how often that must be found.
    pub(super) little: (u64, u64),
}

impl Sizes {
    /// No more events than the profile holds.
    pub(super) fn of(on: &Subject<'_>) -> Self {
        let of_scale = Self::of_scale(on.scale);
        Self { events: of_scale.events.min(on.profile.hold.events), ..of_scale }
    }

    fn of_scale(scale: Scale) -> Self {
        match scale {
            Scale::Smallest => Self {
                events: 2_000,
                stretch: Duration::from_millis(60),
                // As at quick scale: beside other programs a control must be found too.
                looks: &[8, 14],
                same: &[(1, 0), (3, 1)],
                little: (0, 0),
            },
            Scale::Quick => Self {
                events: EVENTS,
                stretch: Duration::from_millis(120),
                looks: &[8, 14],
                same: &[(4, 0), (20, 1)],
                little: (0, 0),
            },
            Scale::Full => Self {
                stretch: Duration::from_millis(250),
                looks: &[12, 24, 40, 80],
                same: &[(40, 2)],
                little: (10, 9),
                ..Self::of_scale(Scale::Quick)
            },
        }
    }
}

/// What all experiments have in common.
pub(super) struct Bench<'a> {
    pub(super) on: Subject<'a>,
    pub(super) course: TrialSetup<'a>,
    pub(super) plan: ExperimentPlan,
    /// The server's settings as they are, and the client's.
    pub(super) settings: Settings,
    pub(super) client: Client,
}

impl<'a> Bench<'a> {
    pub(super) fn of(
        on: &Subject<'a>,
        feed: &'a TrialEvents,
        payloads: &'a Payloads,
        sizes: &Sizes,
    ) -> anyhow::Result<Self> {
        let course = TrialSetup {
            feed,
            payloads,
            held: on.profile.rate(),
            load: on.profile.load.rate,
            stretch: sizes.stretch,
            seed: on.seed,
        };
        Ok(Self {
            on: *on,
            course,
            plan: ExperimentPlan { looks: sizes.looks.to_vec(), seed: on.seed },
            settings: settings::all(&mut on.target.address().dial()?)?,
            client: Client::of(on.profile).map_err(anyhow::Error::msg)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_todays_settings_against_themselves_one_in_twenty_may_seem_to_differ_and_no_more() {
        for sizes in [Sizes::of_scale(Scale::Quick), Sizes::of_scale(Scale::Full)] {
            assert!(sizes.same.iter().all(|(times, called)| called * 20 <= *times), "{:?}", sizes.same);
            assert!(sizes.same.last().is_some_and(|(times, _)| *times >= 20), "{:?}", sizes.same);
        }
    }
}
