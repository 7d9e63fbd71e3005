//! The monitoring proof: does each alert fire by its cause, in time, and clear; and does nothing fire without one?
//!
//! Every cause has a rig: a server, a buffer with a writer and a reading group, and a watch. One real Prometheus looks at
//! all of them, with the rules that `forebay deploy` makes, on a faster clock; one real Alertmanager tells a webhook. A
//! cause is brought about, its alerts must come, it is ended, and they must be resolved. A rig to which nothing happens
//! must stay silent. Beside them stand a Prometheus and an Alertmanager that are broken, over the same rigs: what those
//! told is judged as the rest is, and must be refuted.

mod actions;
mod alert_stack;
mod causes;
mod control_stack;
mod drain_causes;
mod judge;
mod quiet_hours;
mod received_alerts;
mod rig;
mod runner;
mod scenario;
mod source_causes;
mod times;
mod traffic;
mod webhook;

use std::time::{Duration, Instant};

use anyhow::Context as _;

pub use alert_stack::Programs;
pub use quiet_hours::AT_LEAST as HEALTHY_AT_LEAST;

use crate::claim::Claim;
use crate::target::Target;
use crate::{Scale, Subject};
use forebay_watch::deploy::rules::rules;
use forebay_watch::profile::Profile;

use alert_stack::{AlertStack, Every, Sends};
use causes::{CAUSES, FILL, SHRINKING, SHRINKS};
use judge::{Played, QuietRig};
use rig::{Rig, RigSettings};
use scenario::Scenario;
use times::{HEALTHY_LATE, PACE, STEADY};

/// The profile's line for 95 of 100 answers, for the time of the proof.
const SLOW: Duration = Duration::from_secs(1);

/// How long a full run watches a healthy buffer at the rules' own pace.
const HEALTHY_FOR: Duration = Duration::from_secs(3_600);

/// The proof of a subject.
pub struct MonitoringRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Every cause; else those of a quick part.
    pub is_whole: bool,
    /// How long nothing may fire at the rules' own pace; else an hour in a full run.
    pub healthy_for: Option<Duration>,
}

impl MonitoringRun<'_> {
    /// Runs the proof and its control.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        if let Target::Given(_) = self.on.target {
            return Ok(judge::untested(
                "alerts are tried on servers of Forebay's own: run this without --url",
            ));
        }
        let programs = match Programs::find() {
            Ok(programs) => programs,
            Err(why) => return Ok(judge::untested(&why)),
        };
        let fast = faster(self.on.profile);
        let on = Subject { profile: &fast, ..self.on };
        let causes: Vec<&Scenario> = CAUSES
            .iter()
            .chain(source_causes::CAUSES)
            .chain(drain_causes::CAUSES)
            .filter(|cause| self.is_whole || self.on.scale == Scale::Full || cause.is_quick)
            .collect();
        // The control of the forecast comes last, where there is one to judge.
        let shrinking = causes.iter().any(|cause| cause.name == FILL).then_some(&SHRINKING);
        let causes: Vec<&Scenario> = causes.into_iter().chain(shrinking).collect();
        on.progress.begin("causes", causes.len() as u64 + 1);
        let (mut rigs, mut left_out) = (Vec::new(), Vec::new());
        for (number, cause) in causes.iter().enumerate() {
            match Rig::new(&on, &(cause.rig)(), number) {
                Ok(rig) => rigs.push((*cause, rig)),
                Err(error) if error.is::<forebay_rig::server::fault::disk::DiskError>() => {
                    left_out.push((cause.name, error.to_string()));
                }
                Err(error) => return Err(error.context(format!("setting up: {}", cause.name))),
            }
        }
        let mut healthy =
            Rig::new(&on, &RigSettings::default(), causes.len()).context("setting up the healthy rig")?;
        healthy.end_reading();
        healthy.begin_reading(HEALTHY_LATE)?;
        let rules = rules(&fast, PACE);
        let targets: Vec<String> =
            rigs.iter().map(|(_, rig)| rig.instance()).chain([healthy.instance()]).collect();
        let stack = AlertStack::start(&programs, &rules, &targets, Every::Second, Sends::All)?;
        let broken = AlertStack::start(
            &programs,
            &control_stack::rules(&rules),
            &targets,
            Every::Second,
            Sends::Firing,
        )?;
        for (stack, target) in
            [&stack, &broken].into_iter().flat_map(|stack| targets.iter().map(move |target| (stack, target)))
        {
            stack.wait_for(&format!("forebay_buffer_present{{instance=\"{target}\"}}"), STEADY)?;
        }
        stack.wait_for(
            &format!("forebay_buffer_out_events_per_second{{instance=\"{}\"}}", healthy.instance()),
            STEADY,
        )?;
        on.progress.at(1);
        let written =
            format!("sum(forebay_lane_appended_events_total{{instance=\"{}\"}})", healthy.instance());
        let (started, before) = (Instant::now(), stack.value(&written)?);
        let mut causes = runner::all(rigs, (&stack, &broken), on.progress)?;
        let calm = |stack: &AlertStack| QuietRig {
            seconds: started.elapsed().as_secs_f64(),
            events: stack.value(&written).unwrap_or(before) - before,
            notices: stack.receiver.of(&healthy.instance()),
        };
        let played = Played {
            shrinking: causes.pop_if(|both| both.heard.cause.name == SHRINKS),
            causes,
            left_out,
            queries: runner::queries(&stack)?,
            nobody: stack.series(control_stack::NOBODY)?,
            calm: [calm(&stack), calm(&broken)],
            of_none: stack.receiver.of_none(),
            rules,
        };
        drop((healthy, stack, broken));
        let mut claims = judge::claims(&played);
        claims.push(self.hour(&programs)?);
        Ok(claims)
    }

    /// Nothing may fire for an hour, at the rules' own pace.
    fn hour(&self, programs: &Programs) -> anyhow::Result<Claim> {
        let whole = (self.on.scale == Scale::Full).then_some(HEALTHY_FOR);
        match self.healthy_for.or(whole) {
            Some(length) => quiet_hours::run(&self.on, programs, length),
            None => Ok(quiet_hours::untested("it takes an hour").without_control()),
        }
    }
}

/// The profile on the rules' clock: what is to be held for hours is held for seconds. In a window of seconds one stall of
/// this machine would make answers slow that are not, so the lines for that lie above any.
fn faster(profile: &Profile) -> Profile {
    let mut fast = profile.clone();
    fast.hold.hours /= PACE;
    fast.load.p95_max = SLOW;
    fast
}
