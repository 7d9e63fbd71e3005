//! The durability proof: what is left of the acknowledged events after a kill, a power cut, a full disk, a failing fsync?
//!
//! Each cell is a fault under a way to fsync and a way to acknowledge. Three writers write through it, two at the profile's
//! rate and one flat out, and a group reads what the first of them writes; the ledger outlives everything. What each configuration promises is said
//! beforehand (`guarantee`), and each cell is held against it. The controls are a server without an AOF that is killed,
//! one that never fsyncs and loses its power, and blocks that are taken out, repeated, moved or damaged.

mod alive;
mod approach;
mod cell;
mod clients;
mod cost;
mod damage;
mod damaged;
mod environment;
mod event_fates;
mod external_server;
mod guarantee;
mod guard;
mod inject_fault;
mod judge;
mod negative_controls;
mod not_run;
mod reload;
mod round;
mod run;
mod server_state;
mod table;
mod waitaof;

use crate::Scale;
use crate::claim::{Claim, Evidence};
use crate::parallel;
use crate::target::Target;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::Ack;

pub use guard::guard;
pub use run::DurabilityRun;

use cell::{Appendfsync, Cell};
use guarantee::{Guarantee, guarantee};
use not_run::NotRun;
use round::{RoundResult, Rounds};
use run::{BEFORE, LONG, rounds};

impl DurabilityRun<'_> {
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
        let tried = tried(self.on.scale);
        // Round by round, so that an interrupted or failing run has seen every cell soon.
        let plays: Vec<(Cell, u64)> =
            (0..rounds).flat_map(|round| tried.iter().map(move |cell| (*cell, round))).collect();
        self.on.progress.begin("faults", plays.len() as u64);
        let seen = parallel::by_side(&plays, self.on.progress, |(cell, round)| {
            let over = [("appendfsync", cell.appendfsync.word())];
            let before = if matches!(guarantee(*cell), Ok(Guarantee::Within(_))) { LONG } else { BEFORE };
            self.scene(&offer, *cell, *round, before, &over, None)
        })?;
        let mut claims = judge::claims(&gathered(&tried, &plays, seen));
        if let Some(first) = claims.first_mut() {
            let text = "a server is killed, also in a rewrite, while it has no fsync pending: under everysec it answers before \
                        it writes while it has; that is the cell kill-slow-fsync";
            first.evidence.push(Evidence::Note { text: text.into() });
        }
        let mut claims = negative_controls::attach(self, &offer, claims)?;
        claims.extend(damaged::claims(&self.on)?);
        claims.push(waitaof::claim(self.on.binary, self.on.profile)?);
        Ok(claims)
    }

    /// How soon events are back, and what persistence costs, on servers of our own.
    pub fn costs(&self) -> anyhow::Result<Vec<Claim>> {
        if let Target::Given(_) = self.on.target {
            return Ok(Vec::new());
        }
        let mut claims = reload::claims(&self.on)?;
        claims.push(cost::claim(&self.on)?);
        Ok(claims)
    }
}

/// Every cell that makes sense; at the smallest scale one for each fault and each of its promises, under `everysec` where it is
/// promised there.
fn tried(scale: Scale) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Cell::all().filter(|cell| guarantee(*cell).is_ok()).collect();
    if scale != Scale::Smallest {
        return cells;
    }
    cells.sort_by_key(|cell| (cell.ack == Ack::Fsync, cell.appendfsync != Appendfsync::Everysec));
    let mut tried: Vec<Cell> = Vec::new();
    for cell in cells {
        if !tried.iter().any(|known| known.fault == cell.fault && guarantee(*known) == guarantee(cell)) {
            tried.push(cell);
        }
    }
    tried
}

/// How often somebody's server is killed, at the most: each cell in each round and for its control.
pub fn kills_max(scale: Scale, wanted: Option<u64>) -> u64 {
    external_server::CELLS_MAX * (rounds(scale, wanted) + 1)
}

/// The buffers that the proof fills on a server, besides its own name.
pub fn buffers(base: &Name) -> anyhow::Result<Vec<Name>> {
    Ok(round::names(base)?.to_vec())
}

/// Every cell with its rounds; or why one of them was not played.
fn gathered(
    tried: &[Cell],
    plays: &[(Cell, u64)],
    seen: Vec<Result<RoundResult, NotRun>>,
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
