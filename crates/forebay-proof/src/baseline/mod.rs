//! The baseline proof: how fast is the server, before anything is asked of it that it might not bear?
//!
//! Each operation on one to a thousand connections as fast as answers come; the mix at the profile's rate, measured
//! from when each request was due; and the highest rate at which p99 stays under the profile's line. Beside it stands
//! what the server counted itself. The controls are a server that is paused, one kept busy by others, values
//! overwritten behind the run's back, and commands that somebody else sent.

mod cells;
mod counters;
mod judge;
mod negative_controls;
mod saturation;
mod values;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::claim::Claim;
use crate::progress::Progress;
use crate::target::Target;
use crate::{Scale, Subject};
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay_rig::load::arrivals::Arrivals;
use forebay_rig::load::driver;
use forebay_rig::load::outcome::{Outcome, Second};
use forebay_rig::load::pattern::Pattern;
use forebay_rig::load::payload::{Payloads, Source};
use forebay_rig::load::stage;
use forebay_rig::load::work::Work;

use cells::Cell;
use counters::Counters;
use saturation::Probe;
use values::Weight;

/// Connections of everything that is not a cell of its own.
const CONNECTIONS: usize = 50;

/// How long what is still under way is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// The proof of a subject.
pub struct Run<'a> {
    /// What it is about.
    pub on: Subject<'a>,
}

/// Everything that was measured.
struct Measured {
    cells: Vec<Cell>,
    /// The mix at the profile's rate.
    paced: Outcome,
    probes: Vec<Probe>,
    weights: Vec<Weight>,
    counters: Counters,
    /// Whether nobody else sends commands to the server.
    is_own: bool,
}

/// A server under load.
#[derive(Clone, Copy)]
struct Bench<'a> {
    address: &'a Address,
    name: &'a Name,
    payloads: &'a Payloads,
    seed: u64,
    progress: &'a dyn Progress,
}

/// What is asked of it.
struct Asked<'a> {
    work: &'a Work,
    connections: usize,
    /// None for as fast as answers come.
    rate: Option<f64>,
    duration: Duration,
}

impl Bench<'_> {
    /// Work over connections, at a rate or as fast as answers come.
    fn run(
        &self,
        work: &Work,
        connections: usize,
        rate: Option<f64>,
        duration: Duration,
    ) -> anyhow::Result<Outcome> {
        // A signal ends the server, or the program: either ends this.
        self.ask(&Asked { work, connections, rate, duration }, &AtomicBool::new(false), &mut |_| {})
    }

    fn ask(
        &self,
        asked: &Asked<'_>,
        stop: &AtomicBool,
        each_second: &mut dyn FnMut(&Second),
    ) -> anyhow::Result<Outcome> {
        anyhow::ensure!(!forebay_rig::server::ending(), "interrupted");
        let Asked { work, connections, rate, duration } = *asked;
        let plan = driver::Plan {
            address: self.address,
            name: self.name,
            work,
            payloads: self.payloads,
            arrivals: rate.map(|rate| Arrivals::of(&Pattern::Constant, rate, duration, self.seed)),
            duration,
            connections,
            pipeline: 1,
            grace: GRACE,
            seed: self.seed,
        };
        Ok(stage::run(&plan, stop, each_second)?)
    }
}

impl Run<'_> {
    fn bench<'a>(&'a self, payloads: &'a Payloads) -> Bench<'a> {
        let address = self.on.target.address();
        Bench { address, name: self.on.name, payloads, seed: self.on.seed, progress: self.on.progress }
    }

    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let payloads = Payloads::of(&Source::Events, self.on.seed).map_err(anyhow::Error::msg)?;
        let bench = self.bench(&payloads);
        let load = &self.on.profile.load;
        // No longer than the profile's own time: who asks for a second does not wait for a minute.
        let (cell, paced, probe) = match self.on.scale {
            Scale::Quick => (250, 2_000, 250),
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
        negative_controls::attach(self, &payloads, judge::claims(&measured, self.on.profile))
    }
}
