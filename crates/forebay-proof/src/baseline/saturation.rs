//! The highest rate at which p99 stays under the profile's line: climb until it does not, then halve the gap.

use std::time::Duration;

use super::bench::{Bench, CONNECTIONS};
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::pattern::RATE_MAX;
use forebay_rig::load::work::Work;
use forebay_watch::profile::Load;

/// Where the gap between the highest rate borne and the lowest not borne is small enough.
const GAP: f64 = 1.1;

/// Most probes: the climb to the highest rate there is takes ten, the rest four.
const PROBES_MAX: usize = 20;

/// Share of what was due that must be answered in the probe's time.
const ANSWERED_MIN: f64 = 0.99;

/// One rate.
#[derive(Debug)]
pub struct Probe {
    /// Asked for, a second.
    pub rate: f64,
    pub p50: f64,
    pub p99: f64,
    /// Share of what was due that was answered rightly in time.
    pub answered: f64,
    pub is_borne: bool,
    pub outcome: Outcome,
}

/// Every rate that was tried, ascending.
pub fn find(bench: &Bench<'_>, load: &Load, each: Duration) -> anyhow::Result<Vec<Probe>> {
    bench.progress.begin("saturation", PROBES_MAX as u64);
    let mut probes: Vec<Probe> = Vec::new();
    let (mut borne, mut beyond) = (None, None);
    while probes.len() < PROBES_MAX {
        let rate = match (borne, beyond) {
            (None, None) => load.rate,
            (Some(low), None) if low >= RATE_MAX => break,
            (Some(low), None) => f64::min(low * 2.0, RATE_MAX),
            (Some(low), Some(high)) if high / low <= GAP => break,
            (Some(low), Some(high)) => f64::sqrt(low * high),
            // Not even the rate that is asked for: what is above it need not be tried.
            (None, Some(_)) => break,
        };
        let probe = probe(bench, load, rate, each)?;
        if probe.is_borne {
            borne = Some(rate);
        } else {
            beyond = Some(rate);
        }
        probes.push(probe);
        bench.progress.at(probes.len() as u64);
    }
    probes.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    Ok(probes)
}

fn probe(bench: &Bench<'_>, load: &Load, rate: f64, each: Duration) -> anyhow::Result<Probe> {
    let outcome = bench.run(&Work::mix(), CONNECTIONS, Some(rate), each)?;
    let response = outcome.response();
    let answered = if outcome.due == 0 { 0.0 } else { outcome.right as f64 / outcome.due as f64 };
    // Over the time it took: what was answered late was not borne.
    let answered = answered * outcome.asked_seconds / outcome.seconds;
    let p99 = response.percentile(99.0);
    let is_borne = p99 <= load.p99_max.as_secs_f64() * 1e3 && answered >= ANSWERED_MIN;
    Ok(Probe { rate, p50: response.percentile(50.0), p99, answered, is_borne, outcome })
}
