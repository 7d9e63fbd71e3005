//! Hours without an alert: a healthy buffer under the rules as they are deployed, at their own pace.
//!
//! Beside it stands another, whose reader is killed as the time begins: what is deaf to that would call anything healthy.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::alert_stack::{AlertStack, Every, Programs, Sends};
use super::rig::{Rig, RigSettings};
use super::times::{HEALTHY_LATE, STEADY};
use super::webhook::Notice;
use crate::Subject;
use crate::claim::{Bound, Claim, Control, Judged, Unit};
use crate::report::units::thousands;
use crate::wait::go_on;
use forebay_watch::deploy::rules::rules;

/// The step of the brief that is about dashboards and alerts.
pub(super) const ALERTS: u8 = 10;

const ID: &str = "monitoring.healthy-hour";

/// Less cannot tell a calm buffer from deaf rules: the longest of those that a killed reader brings holds for minutes.
pub const AT_LEAST: Duration = Duration::from_secs(15 * 60);

/// A healthy buffer has this share of the events that were due, at least.
const EVENTS_MIN: f64 = 0.95;

/// Between two looks at whether it is over.
const PAUSE: Duration = Duration::from_millis(500);

/// Watches for so long.
pub(super) fn run(on: &Subject<'_>, programs: &Programs, length: Duration) -> anyhow::Result<Claim> {
    let ground = RigSettings { rate: Some(on.profile.rate()), ..RigSettings::default() };
    let rig = |number| -> anyhow::Result<Rig> {
        let mut rig = Rig::new(on, &ground, number)?;
        // So that there is something to see in the buffer.
        rig.end_reading();
        rig.begin_reading(HEALTHY_LATE)?;
        Ok(rig)
    };
    let healthy = rig(0).context("setting up the healthy rig")?;
    let mut deserted = rig(1).context("setting up the rig that its reader leaves")?;
    let targets = [healthy.instance(), deserted.instance()];
    let stack =
        AlertStack::start(programs, &rules(on.profile, 1.0), &targets, Every::AsDeployed, Sends::All)?;
    for target in &targets {
        stack.wait_for(&format!("forebay_buffer_present{{instance=\"{target}\"}}"), STEADY)?;
    }
    on.progress.begin("seconds without an alert", length.as_secs());
    let written = format!("sum(forebay_lane_appended_events_total{{instance=\"{}\"}})", healthy.instance());
    let before = stack.value(&written)?;
    deserted.end_reading();
    let started = Instant::now();
    while started.elapsed() < length {
        go_on()?;
        on.progress.at(started.elapsed().as_secs());
        std::thread::sleep(PAUSE);
    }
    let events = stack.value(&written)? - before;
    let mut came = stack.receiver.of(&healthy.instance());
    came.extend(stack.receiver.of_none());
    let calm = QuietTime { length, events, due: on.profile.rate() * length.as_secs_f64() };
    let claim = judge(&calm, &came);
    let of_deserted = stack.receiver.of(&deserted.instance());
    Ok(claim.with(Control::of(
        "a buffer beside it whose reader was killed at the beginning",
        &[judge(&calm, &of_deserted)],
        ID,
    )))
}

/// The time that was watched.
struct QuietTime {
    length: Duration,
    /// Events that came meanwhile, and that should have.
    events: f64,
    due: f64,
}

fn judge(calm: &QuietTime, came: &[Notice]) -> Judged {
    let mut names: Vec<&str> =
        came.iter().filter(|notice| notice.is_firing).map(|notice| notice.alert.as_str()).collect();
    let firings = names.len();
    names.sort_unstable();
    names.dedup();
    let told = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    let claim = claim(
        firings as f64,
        format!(
            "{firings} alerts in {:.0} min at the rules' own pace{told}; {} events came meanwhile",
            calm.length.as_secs_f64() / 60.0,
            thousands(calm.events, 0)
        ),
    );
    // Nothing may fire where nothing goes on; that shows nothing.
    // What is no number is not enough either.
    let is_enough = calm.events >= calm.due * EVENTS_MIN;
    if firings == 0 && !is_enough {
        return claim.untested(format!("{:.0} events came of {:.0} that were due", calm.events, calm.due));
    }
    claim
}

/// The claim where nobody watched for so long.
pub(super) fn untested(why: &str) -> Judged {
    claim(0.0, String::new()).untested(why).test_with("forebay monitoring --scale full")
}

fn claim(firings: f64, why: String) -> Judged {
    let statement = "a healthy buffer fires nothing at the rules' own pace: alerts that came";
    Judged::of(ID, ALERTS, statement, (Bound::Exactly, 0.0, Unit::Count), firings, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Judgement;

    #[test]
    fn an_alert_refutes_and_a_buffer_without_traffic_shows_nothing() {
        let notice = |is_firing| Notice {
            at: Instant::now(),
            alert: "ForebaySlowWarning".into(),
            instance: "a:1".into(),
            is_firing,
        };
        let calm = |events| QuietTime { length: Duration::from_secs(3_600), events, due: 1_000.0 };
        assert_eq!(judge(&calm(1_000.0), &[]).judgement(), Judgement::Holds);
        assert_eq!(judge(&calm(0.0), &[]).judgement(), Judgement::Untested);
        assert_eq!(judge(&calm(f64::NAN), &[]).judgement(), Judgement::Untested);
        let claim = judge(&calm(1_000.0), &[notice(true), notice(false)]);
        assert_eq!((claim.judgement(), claim.measured()), (Judgement::Refuted, Some(1.0)));
        assert!(claim.why.contains("ForebaySlowWarning"), "{}", claim.why);
    }
}
