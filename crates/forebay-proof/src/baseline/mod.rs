//! The baseline proof: how fast is the server, before anything is asked of it that it might not bear?
//!
//! Each operation on one to a thousand connections as fast as answers come; the mix at the profile's rate, measured
//! from when each request was due; and the highest rate at which p99 stays under the profile's line. Beside it stands
//! what the server counted itself. The controls are a server that is paused, one kept busy by others, values
//! overwritten behind the run's back, and commands that somebody else sent.

mod bench;
mod cells;
mod counters;
mod judge;
mod measured;
mod negative_controls;
mod saturation;
mod values;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::claim::Claim;
use crate::target::Target;
use crate::{Scale, Subject};
use forebay_rig::load::outcome::Second;
use forebay_rig::load::payload::{Payloads, Source};
use forebay_rig::load::work::Work;

use bench::{Asked, Bench, CONNECTIONS};
use counters::Counters;
use measured::Measured;

/// The proof of a subject.
pub struct BaselineRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
}

impl BaselineRun<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let payloads = Payloads::of(&Source::Events, self.on.seed).map_err(anyhow::Error::msg)?;
        let bench = Bench::of(&self.on, &payloads);
        let load = &self.on.profile.load;
        // No longer than the profile's own time: who asks for a second does not wait for a minute.
        let (cell, paced, probe) = match self.on.scale {
            Scale::Smallest | Scale::Quick => (250, 2_000, 250),
            Scale::Full => (5_000, 60_000, 10_000),
        };
        let at_most = |millis, share| Duration::from_millis(millis).min(load.duration / share);
        let before = Counters::read(bench.address)?;
        let mut cells = cells::all(&bench, at_most(cell, 10))?;
        let takes = at_most(paced, 1);
        self.on.progress.begin("the profile's rate", takes.as_secs());
        let asked =
            Asked { work: &Work::mix(), connections: CONNECTIONS, rate: Some(load.rate), duration: takes };
        let mut tick = |second: &Second| self.on.progress.at(second.at as u64);
        let paced = bench.ask(&asked, &AtomicBool::new(false), &mut tick)?;
        let probes = saturation::find(&bench, load, at_most(probe, 2))?;
        let counters = Counters::read(bench.address)?.since(&before);
        // After the counters: its scripts call commands of the same names.
        cells.push(cells::append(&bench, at_most(cell, 10))?);
        let weights = values::weigh(self.on.binary)?;
        let is_own = matches!(self.on.target, Target::Own(..));
        let measured = Measured { cells, paced, probes, weights, counters, is_own };
        negative_controls::attach(&self.on, &payloads, judge::claims(&measured, self.on.profile))
    }
}
