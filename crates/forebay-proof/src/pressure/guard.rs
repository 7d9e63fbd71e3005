//! The proof in short, for settings that somebody proposes: a server that has them and is full, and a writer that waits.

use std::time::Duration;

use super::environment::PressureEnvironment;
use super::judge;
use super::plan::{QUICK_EVICTING, past};
use super::policy::{EVICTIONS, Policy};
use super::round::{Pace, PressureRound};
use crate::Subject;
use crate::capacity::sample::{Layout, weigh};
use crate::claim::Judged;
use crate::parallel::by_side;
use crate::printable::error_chain;
use crate::progress::Silent;
use crate::workload::Offer;
use forebay_rig::synth::Synth;
use forebay_watch::profile::Profile;

/// Events of the sample.
const SAMPLE: u64 = 50_000;
/// The claim.
const ID: &str = "pressure.wait";
/// How long events come at the profile's pace beyond the limit.
const BEYOND: Duration = Duration::from_millis(500);

/// The claim of each of these profiles.
pub fn guard(on: &Subject<'_>, profiles: &[Profile]) -> anyhow::Result<Vec<Judged>> {
    let Some(first) = profiles.first() else { return Ok(Vec::new()) };
    let (rate, limit) = (first.load.rate, first.maxmemory().map_err(anyhow::Error::msg)?.min(QUICK_EVICTING));
    let limits = first.limits().map_err(anyhow::Error::msg)?;
    let layout = Layout::Blocks(rate);
    let drawn = Synth::network(on.seed).with_rate(rate);
    let quiet = Subject { progress: &Silent, ..*on };
    let per_event = weigh(&quiet, layout, &drawn, SAMPLE, limits)?.per_event;
    let pace = Pace { rate, before: Duration::ZERO, beyond: BEYOND, after: Duration::ZERO };
    let (count, drawn) = counts(limit, per_event, rate);
    let offer = Offer::draw(on.seed, rate, drawn, &Silent)?;
    on.progress.begin("guards: a full server", profiles.len() as u64);
    by_side(profiles, on.progress, |profile| {
        let on = Subject { profile, ..*on };
        let eviction = profile.setting("maxmemory-policy").unwrap_or_else(|| EVICTIONS[0].into());
        let scene = PressureRound {
            policy: Policy::Wait,
            eviction: &eviction,
            name: on.name,
            offer: &offer,
            limits: profile.limits().map_err(anyhow::Error::msg)?,
            count,
            pace,
            acks: true,
            harm: None,
            progress: &Silent,
        };
        match PressureEnvironment::own(&on, limit, &eviction).and_then(|environment| scene.run(&environment))
        {
            Ok(seen) => Ok(judge::kept(Some(&seen), ID, Policy::Wait, "")),
            Err(error) if forebay_rig::server::ending() => Err(error),
            // A client that is thrown out, or a server that ends, loses it too.
            Err(error) => Ok(judge::kept(None, ID, Policy::Wait, "").refuted(error_chain(&error))),
        }
    })
}

/// Events that go beyond a limit, and for a while longer at a rate; and as many as are drawn, should the limit be met late.
fn counts(limit: u64, per_event: f64, rate: f64) -> (u64, u64) {
    let count = past(limit, per_event) + (rate * BEYOND.as_secs_f64()) as u64;
    (count, count * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_suffice_for_the_limit_and_the_time_beyond_it() {
        let full = past(1_000_000, 100.0);
        assert!(full > 10_000);
        assert_eq!(counts(1_000_000, 100.0, 200.0), (full + 100, (full + 100) * 2));
    }
}
