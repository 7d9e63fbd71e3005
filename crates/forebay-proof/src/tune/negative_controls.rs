//! The controls: today against itself, and sides that are held back on purpose.

use super::bench::{Bench, Sizes};
use super::catalogue::Measured;
use super::experiment::{ExperimentPlan, Outcome, Turn};
use super::metric::Metric;
use super::trial::{measure, measure_by, variants};
use super::trial_run::{Cut, Work};
use super::variant::SettingsOverlay;
use crate::wait::go_on;

/// By how much of its time a leg is held back: as much again, which no machine's noise hides.
pub const HELD_BACK: f64 = 1.0;

/// It is looked for up to so many times as long as a candidate's difference: beside other programs it takes longer to be seen.
const PATIENCE: [usize; 2] = [2, 4];

/// The same where it shall be as little as can be found, and how long it is looked for: longer than for a candidate.
pub const LITTLE: f64 = 0.05;
pub const LITTLE_ROUNDS: usize = 240;
const LITTLE_LOOKS: [usize; 4] = [40, 80, 140, LITTLE_ROUNDS];

/// What came of them.
pub struct Controls {
    /// Of today's settings against themselves, and how many may call a difference.
    pub same: Vec<Outcome>,
    pub same_max: u64,
    /// Whether a side that was held back by a little was found, and how often it must be. By turns the candidate is, and
    /// today.
    pub little: Vec<bool>,
    pub little_min: u64,
    /// A candidate that is held back, and one against which today is.
    pub slower: Outcome,
    pub faster: Outcome,
}

const APPEND: Measured = Measured::By(Work::Append(Cut::Load));

/// Runs them.
pub(super) fn run(bench: &Bench<'_>, sizes: &Sizes) -> anyhow::Result<Controls> {
    let (little, little_min) = sizes.little;
    let least = sizes.same.first().map_or(0, |(count, _)| *count);
    bench.on.progress.begin("controls: today against itself", least + little + 2);
    let (mut outcomes, mut found, mut done) = (Vec::new(), Vec::new(), 0);
    let mut step = || {
        done += 1;
        bench.on.progress.at(done);
    };
    for part in [LITTLE, -LITTLE].into_iter().cycle().take(little as usize) {
        let outcome =
            held_back(bench, &ExperimentPlan { looks: LITTLE_LOOKS.to_vec(), ..bench.plan.clone() }, part)?;
        found.push(outcome.turn(Metric::Append) == Some(if part > 0.0 { Turn::Worse } else { Turn::Better }));
        step();
    }
    let works = [APPEND, Measured::By(Work::Drain), APPEND, Measured::By(Work::Operations)];
    let (mut works, mut same_max) = (works.into_iter().cycle(), 0);
    for (count, most) in sizes.same {
        for work in works.by_ref().take(count.saturating_sub(outcomes.len() as u64) as usize) {
            let (today, other) = variants(
                bench,
                &SettingsOverlay::default(),
                &SettingsOverlay::default(),
                bench.client.clone(),
            )?;
            outcomes.push(measure(bench, work, today, other)?);
            step();
        }
        same_max = *most;
        if different(&outcomes) <= same_max {
            break;
        }
    }
    let patient = patient(&bench.plan);
    let slower = held_back(bench, &patient, HELD_BACK)?;
    step();
    let faster = held_back(bench, &patient, -HELD_BACK)?;
    step();
    Ok(Controls { same: outcomes, same_max, little: found, little_min, slower, faster })
}

/// A plan that looks on where the answer is not clear at its end.
fn patient(plan: &ExperimentPlan) -> ExperimentPlan {
    let most = plan.looks.iter().copied().max().unwrap_or(0);
    let longer = PATIENCE.map(|times| most * times);
    ExperimentPlan { looks: [&plan.looks[..], &longer].concat(), ..plan.clone() }
}

/// In how many a difference was called.
pub(super) fn different(outcomes: &[Outcome]) -> u64 {
    outcomes.iter().filter(|outcome| outcome.is_different()).count() as u64
}

/// A candidate that differs in nothing but that it is held back by a part of its time, or today by as much below 0.
fn held_back(bench: &Bench<'_>, plan: &ExperimentPlan, part: f64) -> anyhow::Result<Outcome> {
    go_on()?;
    let (mut today, mut other) =
        variants(bench, &SettingsOverlay::default(), &SettingsOverlay::default(), bench.client.clone())?;
    today.client.held_back = (-part).max(0.0);
    other.client.held_back = part.max(0.0);
    measure_by(bench, plan, APPEND, today, other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_own_server;
    use crate::tune::experiment::{Side, run as experiment};
    use crate::tune::trial_events::TrialEvents;
    use forebay_rig::load::payload::{Payloads, Source};
    use forebay_watch::profile::Profile;

    fn outcome(factor: f64) -> Outcome {
        let plan = ExperimentPlan { looks: vec![8], seed: 1 };
        let of = |side| if side == Side::Candidate { factor } else { 1.0 };
        experiment(&plan, |side| Ok(vec![(Metric::Append, of(side))])).unwrap()
    }

    #[test]
    fn differences_either_way_are_counted() {
        assert_eq!(different(&[outcome(1.0), outcome(0.5), outcome(1.0), outcome(2.0)]), 2);
        assert_eq!(different(&[]), 0);
    }

    #[test]
    fn a_control_is_looked_for_longer_than_a_candidate_and_not_for_ever() {
        let plan = ExperimentPlan { looks: vec![6, 14], seed: 1 };
        assert_eq!(patient(&plan).looks, [6, 14, 28, 56]);
        let mut legs = 0;
        let unclear = experiment(&patient(&plan), |_| {
            legs += 1;
            Ok(vec![(Metric::Append, if legs % 7 < 3 { 1.0 } else { 9.0 })])
        });
        assert_eq!(unclear.unwrap().rounds, 56);
    }

    #[test]
    #[ignore = "half a minute of load: make mutants runs it"]
    fn sides_that_are_held_back_are_found_on_a_real_server() {
        let profile = Profile::load("bluesky-8h").unwrap();
        on_own_server(&profile, |on| {
            let sizes = Sizes { events: 4_000, same: &[(1, 0), (3, 9)], little: (2, 1), ..Sizes::of(&on) };
            let feed = TrialEvents::draw(7, profile.load.rate, sizes.events).unwrap();
            let payloads = Payloads::of(&Source::Events, 7).unwrap();
            let bench = Bench::of(&on, &feed, &payloads, &sizes).unwrap();
            let controls = run(&bench, &sizes).unwrap();
            assert!(controls.slower.is_worse() && controls.faster.better().next().is_some());
            assert_eq!((controls.little.len(), controls.little_min), (2, 1));
            match different(&controls.same[..1]) {
                0 => assert_eq!((controls.same.len(), controls.same_max), (1, 0)),
                _ => assert_eq!((controls.same.len(), controls.same_max), (3, 9)),
            }
        });
    }
}
