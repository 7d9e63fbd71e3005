//! The durability proof: what is left of the acknowledged events after a kill, a power cut, a full disk, a failing fsync?
//!
//! Each cell is a fault under a way to fsync and a way to acknowledge. Three writers write through it, two at the profile's
//! rate and one flat out, and a group reads what the first of them writes; the ledger outlives everything. What each configuration promises is said
//! beforehand (`guarantee`), and each cell is held against it. The controls are a server without an AOF that is killed,
//! one that never fsyncs and loses its power, and blocks that are taken out, repeated, moved or damaged.

mod alive;
mod aof;
mod approach;
mod ask;
mod cell;
mod clients;
mod cost;
mod damage;
mod damaged;
mod environment;
mod external_server;
mod fates;
mod guarantee;
mod guard;
mod inject_fault;
mod judge;
mod negative_controls;
mod not_played;
mod reload;
mod round;
mod table;
mod wait;
mod waitaof;

use std::time::Duration;

use crate::claim::{Claim, Evidence};
use crate::parallel;
use crate::printable::told;
use crate::target::Target;
use crate::workload::Offer;
use crate::{Scale, Subject};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay_rig::server::ServerError;
use forebay_rig::server::external_server::Commands;

pub use guard::guard;

use cell::Cell;
use environment::{Ground, NoGround};
use guarantee::{Promise, promise};
use not_played::NotPlayed;
use round::{Plant, Rounds, Scene, Seen};

/// Events drawn for a cell: more than a writer that goes flat out can push in one.
const EVENTS: u64 = 600_000;
/// Rounds of a cell at full scale.
const FULL_ROUNDS: u64 = 50;
/// How long there is load before the fault, and up to a second more.
const BEFORE: Duration = Duration::from_millis(600);
/// The same before a fault that may cost what is younger than something: longer than that, so that more can be lost.
const LONG: Duration = Duration::from_secs(4);

/// The proof of a subject.
#[derive(Clone)]
pub struct Run<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Rounds of each cell; by default one, at full scale fifty.
    pub rounds: Option<u64>,
    /// How somebody's server is killed and started, where that is permitted.
    pub commands: Option<Commands>,
}

impl Run<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let mut claims = self.faults()?;
        claims.extend(self.costs()?);
        Ok(claims)
    }

    /// What each fault costs. Nothing in it is as fast as can be, so that other things may run meanwhile.
    pub fn faults(&self) -> anyhow::Result<Vec<Claim>> {
        if let Target::Given(address) = self.on.target {
            return external_server::claims(self, address);
        }
        let offer = self.offer()?;
        let rounds = rounds(self.on.scale, self.rounds);
        let tried: Vec<Cell> = Cell::all().filter(|cell| promise(*cell).is_ok()).collect();
        // Round by round, so that an interrupted or failing run has seen every cell soon.
        let plays: Vec<(Cell, u64)> =
            (0..rounds).flat_map(|round| tried.iter().map(move |cell| (*cell, round))).collect();
        self.on.progress.begin("faults", plays.len() as u64);
        let seen = parallel::by_side(&plays, self.on.progress, |(cell, round)| {
            let over = [("appendfsync", cell.appendfsync.word())];
            let before = if matches!(promise(*cell), Ok(Promise::Within(_))) { LONG } else { BEFORE };
            self.scene(&offer, *cell, *round, before, &over, None)
        })?;
        let mut claims = judge::claims(&gathered(&tried, &plays, seen));
        if let Some(first) = claims.first_mut() {
            let text = "a server is killed, also in a rewrite, while it has no fsync pending: under everysec it answers before \
                        it writes while it has; that is the cell kill-slow-fsync";
            first.evidence.push(Evidence::Note { text: text.into() });
        }
        let mut claims = negative_controls::attach(self, &offer, claims)?;
        claims.extend(damaged::claims(self)?);
        claims.push(waitaof::claim(self.on.binary, self.on.profile)?);
        Ok(claims)
    }

    /// How soon events are back, and what persistence costs, on servers of our own.
    pub fn costs(&self) -> anyhow::Result<Vec<Claim>> {
        if let Target::Given(_) = self.on.target {
            return Ok(Vec::new());
        }
        let mut claims = reload::claims(self)?;
        claims.push(cost::claim(self)?);
        Ok(claims)
    }

    fn offer(&self) -> anyhow::Result<Offer> {
        Offer::draw(self.on.seed, self.on.profile.load.rate, EVENTS, self.on.progress)
    }

    /// A round of a cell on a server of our own; or why it cannot be tried here.
    fn scene(
        &self,
        offer: &Offer,
        cell: Cell,
        round: u64,
        before: Duration,
        over: &[(&str, &str)],
        plant: Option<Plant<'_>>,
    ) -> anyhow::Result<Result<Seen, NotPlayed>> {
        let ground = Ground::new(self.on.binary, self.on.profile, cell.fault, over);
        let mut ground = match ground {
            Ok(ground) => ground,
            Err(NoGround::Disk(error)) => return Ok(Err(NotPlayed::Absent(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        self.on_ground(&mut ground, offer, cell, round, before, plant)
    }

    /// A round of a cell.
    fn on_ground(
        &self,
        ground: &mut Ground,
        offer: &Offer,
        cell: Cell,
        round: u64,
        before: Duration,
        plant: Option<Plant<'_>>,
    ) -> anyhow::Result<Result<Seen, NotPlayed>> {
        let scene = Scene {
            cell,
            offer,
            limits: self.on.profile.limits().map_err(anyhow::Error::msg)?,
            rate: self.on.profile.load.rate,
            before,
            seed: self.on.seed.wrapping_mul(1_000_003).wrapping_add(round),
            base: self.on.name,
            plant,
        };
        match scene.play(ground) {
            Ok(seen) => Ok(Ok(seen)),
            Err(error) if forebay_rig::server::ending() => Err(error),
            Err(error) => not_played(error, ground).map(Err),
        }
    }
}

/// Why a round has nothing to judge; or the error, where nothing was tried because of it.
fn not_played(error: anyhow::Error, ground: &Ground) -> anyhow::Result<NotPlayed> {
    if let Some(why) = error.downcast_ref::<NotPlayed>() {
        return Ok(why.clone());
    }
    match (error.downcast_ref::<Error>(), error.downcast_ref::<ServerError>()) {
        (Some(Error::NoFsync(why)), _) => Ok(NotPlayed::Absent(why.clone())),
        // The command that should have ended it did not.
        (_, Some(ServerError::Command { line, .. })) if ground.is_killed_by(line) => Err(error),
        _ => Ok(NotPlayed::Broken(told(&error))),
    }
}

/// How often somebody's server is killed, at the most: each cell in each round and for its control.
pub fn kills_max(scale: Scale, wanted: Option<u64>) -> u64 {
    external_server::CELLS_MAX * (rounds(scale, wanted) + 1)
}

fn rounds(scale: Scale, wanted: Option<u64>) -> u64 {
    wanted.unwrap_or(match scale {
        Scale::Quick => 1,
        Scale::Full => FULL_ROUNDS,
    })
}

/// The buffers that the proof fills on a server, besides its own name.
pub fn buffers(base: &Name) -> anyhow::Result<Vec<Name>> {
    Ok(round::names(base)?.to_vec())
}

/// Every cell with its rounds; or why one of them was not played.
fn gathered(
    tried: &[Cell],
    plays: &[(Cell, u64)],
    seen: Vec<Result<Seen, NotPlayed>>,
) -> Vec<(Cell, Rounds)> {
    let mut cells: Vec<(Cell, Rounds)> = tried.iter().map(|cell| (*cell, Ok(Vec::new()))).collect();
    for ((cell, _), seen) in plays.iter().zip(seen) {
        let Some((_, rounds)) = cells.iter_mut().find(|(known, _)| known == cell) else { continue };
        match (&mut *rounds, seen) {
            (Ok(played), Ok(seen)) => played.push(seen),
            (Ok(_), Err(why)) => *rounds = Err(why),
            (Err(_), _) => {}
        }
    }
    cells
}
