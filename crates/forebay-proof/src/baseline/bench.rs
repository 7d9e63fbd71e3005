//! A server under load: what is asked of it, and how.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::Subject;
use crate::progress::Progress;
use crate::wait::go_on;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay_rig::load::arrivals::Arrivals;
use forebay_rig::load::driver;
use forebay_rig::load::outcome::{Outcome, Second};
use forebay_rig::load::pattern::Pattern;
use forebay_rig::load::payload::Payloads;
use forebay_rig::load::stage;
use forebay_rig::load::work::Work;

/// Connections of everything that is not a cell of its own.
pub(super) const CONNECTIONS: usize = 50;

/// How long what is still under way is waited for.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A server under load.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) address: &'a Address,
    pub(super) name: &'a Name,
    pub(super) payloads: &'a Payloads,
    pub(super) seed: u64,
    pub(super) progress: &'a dyn Progress,
}

/// What is asked of it.
pub(super) struct Asked<'a> {
    pub(super) work: &'a Work,
    pub(super) connections: usize,
    /// None for as fast as answers come.
    pub(super) rate: Option<f64>,
    pub(super) duration: Duration,
}

impl<'a> Bench<'a> {
    /// The server that a subject is about.
    pub(super) fn of(on: &Subject<'a>, payloads: &'a Payloads) -> Self {
        Self { address: on.target.address(), name: on.name, payloads, seed: on.seed, progress: on.progress }
    }

    /// Work over connections, at a rate or as fast as answers come.
    pub(super) fn run(
        &self,
        work: &Work,
        connections: usize,
        rate: Option<f64>,
        duration: Duration,
    ) -> anyhow::Result<Outcome> {
        // A signal ends the server, or the program: either ends this.
        self.ask(&Asked { work, connections, rate, duration }, &AtomicBool::new(false), &mut |_| {})
    }

    pub(super) fn ask(
        &self,
        asked: &Asked<'_>,
        stop: &AtomicBool,
        each_second: &mut dyn FnMut(&Second),
    ) -> anyhow::Result<Outcome> {
        go_on()?;
        let Asked { work, connections, rate, duration } = *asked;
        let plan = driver::LoadPlan {
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
