//! The durability proof: what is left of the acknowledged events after a kill, a power cut, a full disk, a failing fsync?
//!
//! Each cell is a fault under a way to fsync and a way to acknowledge. Two writers write through it, one at the profile's
//! rate and one flat out, and a group reads; the ledger outlives everything. What each configuration promises is said
//! beforehand (`promise`), and each cell is held against it. The controls are a server without an AOF that is killed,
//! one that never fsyncs and loses its power, and blocks that are taken out, repeated, moved or damaged.

mod cell;
mod clients;
mod controls;
mod damage;
mod damaged;
mod ground;
mod judge;
mod promise;
mod scene;
mod strike;
mod table;

use std::time::Duration;

use crate::buffer::error::Error;
use crate::proof::claim::Claim;
use crate::proof::offer::Offer;
use crate::proof::target::Target;
use crate::proof::{Scale, Subject};

use cell::Cell;
use ground::{Ground, NoGround};
use judge::{NotPlayed, Rounds};
use promise::promise;
use scene::{Plant, Scene, Seen};

/// Events drawn for a cell: more than a writer that goes flat out can push in one.
const EVENTS: u64 = 600_000;
/// Rounds of a cell at full scale.
const FULL_ROUNDS: u64 = 50;
/// How long there is load before the fault, and up to a second more.
const BEFORE: Duration = Duration::from_millis(600);

/// The proof of a subject.
pub struct Run<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Rounds of each cell; by default one, at full scale fifty.
    pub rounds: Option<u64>,
}

impl Run<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        if let Target::Given(address) = self.on.target {
            let why = format!("{address} is somebody's server: it would be killed");
            let absent = || Err(NotPlayed::Absent(why.clone()));
            let cells: Vec<(Cell, Rounds)> = Cell::all().map(|cell| (cell, absent())).collect();
            return Ok(judge::claims(&cells));
        }
        let offer = Offer::draw(self.on.seed, self.on.profile.load.rate, EVENTS, self.on.progress)?;
        let rounds = self.rounds.unwrap_or(match self.on.scale {
            Scale::Quick => 1,
            Scale::Full => FULL_ROUNDS,
        });
        let tried: Vec<Cell> = Cell::all().filter(|cell| promise(*cell).is_ok()).collect();
        self.on.progress.begin("faults", tried.len() as u64 * rounds);
        let mut cells = Vec::new();
        for cell in tried {
            let mut played = Ok(Vec::new());
            for round in 0..rounds {
                let seen = self.play(&offer, cell, round)?;
                match (&mut played, seen) {
                    (Ok(played), Ok(seen)) => played.push(seen),
                    (_, Err(why)) => {
                        played = Err(why);
                        break;
                    }
                    (Err(_), _) => break,
                }
                self.on.progress.at(cells.len() as u64 * rounds + round);
            }
            cells.push((cell, played));
        }
        let mut claims = judge::claims(&cells);
        controls::attach(self, &offer, &mut claims)?;
        claims.extend(damaged::claims(self, &offer)?);
        Ok(claims)
    }

    /// A round of a cell; or why it cannot be tried here.
    fn play(&self, offer: &Offer, cell: Cell, round: u64) -> anyhow::Result<Result<Seen, NotPlayed>> {
        let over = [("appendfsync", cell.appendfsync.word())];
        self.scene(offer, cell, round, &over, None)
    }

    fn scene(
        &self,
        offer: &Offer,
        cell: Cell,
        round: u64,
        over: &[(&str, &str)],
        plant: Option<Plant<'_>>,
    ) -> anyhow::Result<Result<Seen, NotPlayed>> {
        let ground = Ground::new(self.on.binary, self.on.profile, cell.fault, over);
        let mut ground = match ground {
            Ok(ground) => ground,
            Err(NoGround::Disk(error)) => return Ok(Err(NotPlayed::Absent(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        let scene = Scene {
            cell,
            offer,
            limits: self.on.profile.limits().map_err(anyhow::Error::msg)?,
            rate: self.on.profile.load.rate,
            before: BEFORE,
            seed: self.on.seed.wrapping_mul(1_000_003).wrapping_add(round),
            plant,
        };
        match scene.play(&mut ground) {
            Ok(seen) => Ok(Ok(seen)),
            Err(error) if crate::server::ending() => Err(error),
            Err(error) => Ok(Err(match error.downcast_ref::<Error>() {
                Some(Error::NoFsync(why)) => NotPlayed::Absent(why.clone()),
                _ => NotPlayed::Broken(format!("{error:#}")),
            })),
        }
    }
}
