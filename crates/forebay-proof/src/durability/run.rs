//! What is run: rounds of cells, each on a server of our own or on somebody's.

use std::time::Duration;

use super::cell::Cell;
use super::environment::{DurabilityEnvironment, NoEnvironment};
use super::not_run::NotRun;
use super::round::{DurabilityRound, RoundResult, StoredSabotage};
use crate::printable::error_chain;
use crate::workload::Offer;
use crate::{Scale, Subject};
use forebay::buffer::error::Error;
use forebay_rig::server::ServerError;
use forebay_rig::server::external_server::Commands;

/// Events drawn for a cell: more than a writer that goes flat out can push in one.
const EVENTS: u64 = 600_000;
/// The same at the smallest scale: that writer waits where they would run short, and the two at a rate have enough for minutes.
const SMALLEST: u64 = 150_000;
/// Rounds of a cell at full scale.
const FULL_ROUNDS: u64 = 50;
/// How long there is load before the fault, and up to a second more.
pub(super) const BEFORE: Duration = Duration::from_millis(600);
/// The same before a fault that may cost what is younger than something: longer than that, so that more can be lost.
pub(super) const LONG: Duration = Duration::from_secs(4);

/// The proof of a subject.
#[derive(Clone)]
pub struct DurabilityRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Rounds of each cell; by default one, at full scale fifty.
    pub rounds: Option<u64>,
    /// How somebody's server is killed and started, where that is permitted.
    pub commands: Option<Commands>,
}

impl DurabilityRun<'_> {
    pub(super) fn offer(&self) -> anyhow::Result<Offer> {
        let events = if self.on.scale == Scale::Smallest { SMALLEST } else { EVENTS };
        Offer::draw(self.on.seed, self.on.profile.load.rate, events, self.on.progress)
    }

    /// A round of a cell on a server of our own; or why it cannot be tried here.
    pub(super) fn scene(
        &self,
        offer: &Offer,
        cell: Cell,
        round: u64,
        before: Duration,
        over: &[(&str, &str)],
        plant: Option<StoredSabotage<'_>>,
    ) -> anyhow::Result<Result<RoundResult, NotRun>> {
        let environment = DurabilityEnvironment::new(self.on.binary, self.on.profile, cell.fault, over);
        let mut environment = match environment {
            Ok(environment) => environment,
            Err(NoEnvironment::Disk(error)) => return Ok(Err(NotRun::Absent(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        self.on_ground(&mut environment, offer, cell, round, before, plant)
    }

    /// A round of a cell.
    pub(super) fn on_ground(
        &self,
        environment: &mut DurabilityEnvironment,
        offer: &Offer,
        cell: Cell,
        round: u64,
        before: Duration,
        plant: Option<StoredSabotage<'_>>,
    ) -> anyhow::Result<Result<RoundResult, NotRun>> {
        let scene = DurabilityRound {
            cell,
            offer,
            limits: self.on.profile.limits().map_err(anyhow::Error::msg)?,
            rate: self.on.profile.load.rate,
            before,
            seed: self.on.seed.wrapping_mul(1_000_003).wrapping_add(round),
            base: self.on.name,
            plant,
        };
        match scene.run(environment) {
            Ok(seen) => Ok(Ok(seen)),
            Err(error) if forebay_rig::server::ending() => Err(error),
            Err(error) => not_played(error, environment).map(Err),
        }
    }
}

/// Why a round has nothing to judge; or the error, where nothing was tried because of it.
fn not_played(error: anyhow::Error, environment: &DurabilityEnvironment) -> anyhow::Result<NotRun> {
    if let Some(why) = error.downcast_ref::<NotRun>() {
        return Ok(why.clone());
    }
    match (error.downcast_ref::<Error>(), error.downcast_ref::<ServerError>()) {
        (Some(Error::NoFsync(why)), _) => Ok(NotRun::Absent(why.clone())),
        // The command that should have ended it did not.
        (_, Some(ServerError::Command { line, .. })) if environment.is_killed_by(line) => Err(error),
        _ => Ok(NotRun::Broken(error_chain(&error))),
    }
}

/// How many rounds of each cell.
pub(super) fn rounds(scale: Scale, wanted: Option<u64>) -> u64 {
    wanted.unwrap_or(match scale {
        Scale::Smallest | Scale::Quick => 1,
        Scale::Full => FULL_ROUNDS,
    })
}
