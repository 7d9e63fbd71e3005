//! The controls: servers that are bound to lose, and blocks that are taken out, repeated, moved or damaged. Each is played
//! with the fault of the claim that it is beside, which must act, and is judged by the function that judges the cells.

use std::time::Duration;

use redis::Value;

use super::cell::{Appendfsync, Cell, Fault};
use super::environment::DurabilityEnvironment;
use super::event_fates::EventFates;
use super::guarantee::{Guarantee, guarantee};
use super::judge;
use super::not_run::NotRun;
use super::round::{RoundResult, StoredSabotage};
use super::run::{BEFORE, DurabilityRun, LONG};
use crate::claim::{Claim, Control, Judged};
use crate::parallel;
use crate::workload::Offer;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::Ack;
use forebay::event::jetstream;

#[cfg(test)]
mod tests;

/// An entry of a stream: its id, its fields.
type Entry = (String, Vec<Value>);

/// What is done to the blocks of a lane.
#[derive(Clone, Copy)]
enum BlockSabotage {
    Missing,
    Repeated,
    Moved,
    Flipped,
    /// Missing, and nothing shows it.
    Closed,
}

/// The block of a lane that is changed: an old one, which was acknowledged long before the fault.
const OLD: usize = 1;
/// Blocks that the lane must have: one before it, and one after it.
const BLOCKS_MIN: usize = OLD + 2;

impl BlockSabotage {
    fn words(self) -> &'static str {
        match self {
            Self::Missing => "a block taken out of a lane behind the writer's back",
            Self::Repeated => "a block that stands in its lane twice",
            Self::Moved => "two blocks of a lane that changed places",
            Self::Flipped => "a block with one bit flipped",
            Self::Closed => "a block taken out of a lane, and those after it renumbered so that no gap shows",
        }
    }

    /// Does it to an old block of a lane.
    fn change(self, entries: &mut Vec<Entry>) -> anyhow::Result<()> {
        match self {
            Self::Missing => drop(entries.remove(OLD)),
            Self::Closed => {
                let gone = entries.remove(OLD);
                let events = number(&gone, "n")?;
                for entry in &mut entries[OLD..] {
                    set(entry, "s", number(entry, "s")? - 1)?;
                    set(entry, "e", number(entry, "e")? - events)?;
                }
            }
            Self::Repeated => {
                let again = entries[OLD].1.clone();
                let last = entries.last().map_or(String::new(), |(id, _)| format!("{id}1"));
                entries.push((last, again));
            }
            Self::Moved => {
                let (before, after) = entries.split_at_mut(OLD);
                std::mem::swap(&mut before[OLD - 1].1, &mut after[0].1);
            }
            Self::Flipped => match entries[OLD].1.last_mut() {
                Some(Value::BulkString(frame)) if !frame.is_empty() => {
                    let byte = frame.len() / 2;
                    frame[byte] ^= 1;
                }
                _ => anyhow::bail!("a block without a frame"),
            },
        }
        Ok(())
    }

    /// Does it to the likes of a buffer, where that lane has enough of them.
    fn plant(self, address: &Address, name: &Name) -> anyhow::Result<()> {
        let (mut connection, stream) = (address.dial()?, name.stream(jetstream::LIKES));
        connection.set_budget(forebay::buffer::connection::Budget::LANE);
        let mut entries: Vec<Entry> =
            redis::cmd("XRANGE").arg(&stream).arg("-").arg("+").query(&mut connection)?;
        if entries.len() < BLOCKS_MIN {
            return Ok(());
        }
        self.change(&mut entries)?;
        redis::cmd("DEL").arg(&stream).exec(&mut connection)?;
        for (id, fields) in entries {
            let mut add = redis::cmd("XADD");
            add.arg(&stream).arg(id);
            for field in fields {
                let Value::BulkString(field) = field else { anyhow::bail!("a field that is no string") };
                add.arg(field);
            }
            add.exec(&mut connection)?;
        }
        Ok(())
    }
}

/// The place of a field's value in an entry.
fn place(entry: &Entry, field: &str) -> anyhow::Result<usize> {
    let is_it = |pair: &[Value]| matches!(&pair[0], Value::BulkString(name) if name == field.as_bytes());
    let at = entry.1.chunks_exact(2).position(is_it);
    at.map(|at| at * 2 + 1).ok_or_else(|| anyhow::anyhow!("a block without {field}"))
}

/// A field that holds a number.
fn number(entry: &Entry, field: &str) -> anyhow::Result<u64> {
    match &entry.1[place(entry, field)?] {
        Value::BulkString(digits) => Ok(String::from_utf8_lossy(digits).parse()?),
        _ => anyhow::bail!("a field that is no string"),
    }
}

fn set(entry: &mut Entry, field: &str, number: u64) -> anyhow::Result<()> {
    let at = place(entry, field)?;
    entry.1[at] = Value::BulkString(number.to_string().into_bytes());
    Ok(())
}

/// What is broken.
#[derive(Clone, Copy)]
enum Broken {
    /// A server without an AOF.
    NoAof,
    /// One that never fsyncs.
    NoFsync,
    /// Blocks changed behind the writer's back.
    Planted(BlockSabotage),
}

impl Broken {
    fn words(self) -> &'static str {
        match self {
            Self::NoAof => "the same load and fault, on a server without an AOF",
            Self::NoFsync => "the same load and fault, with appendfsync no",
            Self::Planted(plan) => plan.words(),
        }
    }

    /// Whether the round shows what was broken: a round that failed of something else has caught nothing.
    fn is_found(self, held: &EventFates) -> bool {
        let (findings, read) = (&held.findings, &held.read);
        match self {
            Self::NoAof | Self::NoFsync => findings.lost() > 0,
            Self::Planted(BlockSabotage::Missing) => findings.lost_middle > 0 && read.missing > 0,
            Self::Planted(BlockSabotage::Repeated) => findings.repeats > 0 || !read.back.is_empty(),
            Self::Planted(BlockSabotage::Moved) => findings.out_of_order > 0 && read.is_told(),
            Self::Planted(BlockSabotage::Flipped) => findings.lost_middle > 0 && !read.faults.is_empty(),
            Self::Planted(BlockSabotage::Closed) => held.silent > 0,
        }
    }
}

/// A fault, and what is broken while it befalls the server.
struct Play {
    cell: Cell,
    /// Whether it is beside claims where nothing is promised: they are refuted by what nobody is told of, and by nothing else.
    is_none: bool,
    broken: Broken,
}

impl Play {
    /// The control of a cell.
    fn of(cell: Cell, turn: usize) -> Self {
        let is_none = guarantee(cell) == Ok(Guarantee::None);
        let plans =
            [BlockSabotage::Missing, BlockSabotage::Repeated, BlockSabotage::Moved, BlockSabotage::Flipped];
        let (broken, appendfsync) = match cell.fault {
            _ if is_none => (Broken::Planted(BlockSabotage::Closed), Appendfsync::No),
            Fault::Restart | Fault::Kill => (Broken::NoAof, Appendfsync::Everysec),
            Fault::PowerCut => (Broken::NoFsync, Appendfsync::No),
            // Where something young may be lost, what is refuted is that something old is.
            fault if fault.needs_disk() => (Broken::Planted(BlockSabotage::Missing), Appendfsync::Everysec),
            _ => (Broken::Planted(plans[turn % plans.len()]), Appendfsync::Everysec),
        };
        Self { cell: Cell { appendfsync, ack: Ack::Reply, ..cell }, is_none, broken }
    }

    /// Whether it is beside the claim of this cell.
    fn is_of(&self, cell: Cell) -> bool {
        self.cell.fault == cell.fault && self.is_none == (guarantee(cell) == Ok(Guarantee::None))
    }

    /// How long there is load before the fault: longer than the youngest that any claim lets go.
    fn before(&self) -> Duration {
        match guarantee(Cell { appendfsync: Appendfsync::Everysec, ..self.cell }) {
            Ok(Guarantee::Within(time)) if !self.is_none => time + LONG / 2,
            _ => BEFORE,
        }
    }

    fn run(&self, run: &DurabilityRun<'_>, offer: &Offer) -> anyhow::Result<Result<RoundResult, NotRun>> {
        let set = [("appendfsync", self.cell.appendfsync.word())];
        match self.broken {
            Broken::NoAof => {
                let none = [("appendonly", "no"), ("save", "")];
                run.scene(offer, self.cell, 0, self.before(), &none, None)
            }
            Broken::NoFsync => run.scene(offer, self.cell, 0, self.before(), &set, None),
            Broken::Planted(plan) => {
                let plant =
                    |environment: &DurabilityEnvironment, name: &Name| plan.plant(&environment.address, name);
                run.scene(offer, self.cell, 0, self.before(), &set, Some(&plant as StoredSabotage<'_>))
            }
        }
    }
}

fn cell_of(claim: &Judged) -> Option<Cell> {
    Cell::all().find(|cell| cell.id() == claim.id)
}

/// Runs every control and puts it beside the claims that it is about.
pub(super) fn attach(
    run: &DurabilityRun<'_>,
    offer: &Offer,
    claims: Vec<Judged>,
) -> anyhow::Result<Vec<Claim>> {
    let mut plays: Vec<Play> = Vec::new();
    for cell in claims.iter().filter(|claim| claim.measured().is_some()).filter_map(cell_of) {
        if !plays.iter().any(|play| play.is_of(cell)) {
            plays.push(Play::of(cell, plays.len()));
        }
    }
    run.on.progress.begin("controls", plays.len() as u64);
    let seen = parallel::by_side(&plays, run.on.progress, |play| play.run(run, offer))?;
    let with = |claim: Judged| {
        let cell = cell_of(&claim).filter(|_| claim.measured().is_some());
        let played = cell.and_then(|cell| plays.iter().zip(&seen).find(|(play, _)| play.is_of(cell)));
        match played {
            Some((play, seen)) => {
                let control = caught(play.broken, seen, &claim);
                claim.with(control)
            }
            None => claim.without_control(),
        }
    };
    Ok(claims.into_iter().map(with).collect())
}

/// The control of a claim about somebody's server: the same again, with a block taken out before it is read.
pub(super) fn planted(
    run: &DurabilityRun<'_>,
    environment: &mut DurabilityEnvironment,
    offer: &Offer,
    tried: &[Cell],
    claim: &Judged,
) -> anyhow::Result<Control> {
    let Some(cell) = tried.iter().find(|cell| cell.id() == claim.id) else {
        anyhow::bail!("{} is not a claim of what was tried", claim.id);
    };
    let plant = |environment: &DurabilityEnvironment, name: &Name| {
        BlockSabotage::Missing.plant(&environment.address, name)
    };
    let seen = run.on_ground(environment, offer, *cell, 0, BEFORE, Some(&plant as StoredSabotage<'_>))?;
    Ok(caught(Broken::Planted(BlockSabotage::Missing), &seen, claim))
}

/// What the claim's own judgement says of something broken.
fn caught(broken: Broken, seen: &Result<RoundResult, NotRun>, claim: &Judged) -> Control {
    let what = broken.words();
    match seen {
        Ok(seen) => {
            // By what is promised of the cell that is claimed of.
            let cell = cell_of(claim).unwrap_or(seen.cell);
            let promised = guarantee(cell).unwrap_or(Guarantee::Nothing);
            let judged = judge::kept(cell, promised, std::slice::from_ref(seen));
            let id = judged.id.clone();
            let control = Control::of(what, &[judged], &id);
            let measured = format!("not what was broken: {}", control.measured);
            if seen.acted.count == 0 {
                return Control::not_run(what, format!("the fault did not act: no {}", seen.acted.what));
            }
            if broken.is_found(&seen.held) { control } else { Control::when(control.what, false, measured) }
        }
        Err(NotRun::Absent(why) | NotRun::Broken(why)) => Control::not_run(what, why),
    }
}
