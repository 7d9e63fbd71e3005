//! The controls: servers that are bound to lose, and blocks that are taken out, repeated, moved or damaged. Each is judged
//! by the function that judges the cells.

use redis::Value;

use super::cell::{Appendfsync, Cell, Fault};
use super::ground::Ground;
use super::judge::NotPlayed;
use super::promise::{Promise, promise};
use super::scene::{Plant, Seen};
use super::{BEFORE, LONG, Run, judge};
use crate::buffer::keys::Name;
use crate::buffer::writer::Ack;
use crate::event::lane::Lane;
use crate::proof::claim::{Claim, Control, Judged};
use crate::proof::offer::Offer;
use crate::proof::side;

/// An entry of a stream: its id, its fields.
type Entry = (String, Vec<Value>);

/// What is done to the blocks of a lane.
#[derive(Clone, Copy)]
enum Plan {
    Missing,
    Repeated,
    Moved,
    Flipped,
}

impl Plan {
    fn words(self) -> &'static str {
        match self {
            Self::Missing => "a block taken out of a lane behind the writer's back",
            Self::Repeated => "a block that stands in its lane twice",
            Self::Moved => "two blocks of a lane that changed places",
            Self::Flipped => "a block with one bit flipped",
        }
    }

    /// Does it in the middle of a lane.
    fn change(self, entries: &mut Vec<Entry>) -> anyhow::Result<()> {
        let middle = entries.len() / 2;
        anyhow::ensure!(middle > 0, "a lane of {} blocks has none in its middle", entries.len());
        match self {
            Self::Missing => drop(entries.remove(middle)),
            Self::Repeated => {
                let again = entries[middle].1.clone();
                let last = entries.last().map_or(String::new(), |(id, _)| format!("{id}1"));
                entries.push((last, again));
            }
            Self::Moved => {
                let (before, after) = entries.split_at_mut(middle);
                std::mem::swap(&mut before[middle - 1].1, &mut after[0].1);
            }
            Self::Flipped => match entries[middle].1.last_mut() {
                Some(Value::BulkString(frame)) if !frame.is_empty() => {
                    let byte = frame.len() / 2;
                    frame[byte] ^= 1;
                }
                _ => anyhow::bail!("a block without a frame"),
            },
        }
        Ok(())
    }

    /// Does it to the likes of a buffer.
    fn plant(self, ground: &Ground, name: &Name) -> anyhow::Result<()> {
        let (mut connection, stream) = (ground.address.dial()?, name.stream(Lane::Likes));
        connection.set_budget(crate::buffer::link::Budget::LANE);
        let mut entries: Vec<Entry> =
            redis::cmd("XRANGE").arg(&stream).arg("-").arg("+").query(&mut connection)?;
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

/// What is broken.
#[derive(Clone, Copy)]
enum Broken {
    /// A server without an AOF, killed.
    NoAof,
    /// One that never fsyncs, and a power cut.
    NoFsync,
    /// Blocks changed behind the writer's back.
    Planted(Plan),
}

impl Broken {
    fn words(self) -> &'static str {
        match self {
            Self::NoAof => "the same load on a server without an AOF, killed",
            Self::NoFsync => "the same load with appendfsync no, and a power cut",
            Self::Planted(plan) => plan.words(),
        }
    }

    /// Whether the round shows what was broken: a round that failed of something else has caught nothing.
    fn is_found(self, seen: &Seen) -> bool {
        let (findings, read) = (&seen.held.findings, &seen.held.read);
        match self {
            Self::NoAof | Self::NoFsync => findings.lost() > 0,
            Self::Planted(Plan::Missing) => findings.lost_middle > 0 && read.missing > 0,
            Self::Planted(Plan::Repeated) => findings.repeats > 0 || !read.back.is_empty(),
            Self::Planted(Plan::Moved) => findings.out_of_order > 0 && read.is_told(),
            Self::Planted(Plan::Flipped) => findings.lost_middle > 0 && !read.faults.is_empty(),
        }
    }
}

/// Runs every control and puts it beside the claims that it is about.
pub(super) fn attach(run: &Run<'_>, offer: &Offer, claims: Vec<Judged>) -> anyhow::Result<Vec<Claim>> {
    let kill = Cell { fault: Fault::Kill, appendfsync: Appendfsync::Everysec, ack: Ack::Reply };
    let power = Cell { fault: Fault::PowerCut, appendfsync: Appendfsync::No, ack: Ack::Reply };
    let restart = Cell { fault: Fault::Restart, ..kill };
    let plans = [Plan::Missing, Plan::Repeated, Plan::Moved, Plan::Flipped];
    let broken: Vec<Broken> =
        [Broken::NoAof, Broken::NoFsync].into_iter().chain(plans.map(Broken::Planted)).collect();
    run.on.progress.begin("controls", broken.len() as u64);
    let mut seen = side::by_side(&broken, run.on.progress, |broken| match broken {
        Broken::NoAof => run.scene(offer, kill, 0, LONG, &[("appendonly", "no"), ("save", "")], None),
        Broken::NoFsync => run.scene(offer, power, 0, LONG, &[("appendfsync", "no")], None),
        Broken::Planted(plan) => {
            let plant = |ground: &Ground, name: &Name| plan.plant(ground, name);
            run.scene(offer, restart, 0, BEFORE, &[("appendfsync", "everysec")], Some(&plant as Plant<'_>))
        }
    })?;
    let all = seen.split_off(2);
    let (no_aof, no_fsync) = (&seen[0], &seen[1]);
    let mut turn = 0;
    let with = |claim: Judged| {
        if claim.measured().is_none() {
            return claim.without_control();
        }
        let fault = claim.id.split('.').nth(1).unwrap_or_default();
        let control = match fault {
            "kill" | "kill-rewrite" | "restart" | "kill-slow-fsync" => caught(Broken::NoAof, no_aof, &claim),
            "power" | "power-rewrite" => caught(Broken::NoFsync, no_fsync, &claim),
            _ => {
                turn += 1;
                let at = (turn - 1) % plans.len();
                caught(Broken::Planted(plans[at]), &all[at], &claim)
            }
        };
        claim.with(control)
    };
    Ok(claims.into_iter().map(with).collect())
}

/// The control of a claim about somebody's server: the same again, with a block taken out before it is read.
pub(super) fn planted(
    run: &Run<'_>,
    ground: &mut Ground,
    offer: &Offer,
    tried: &[Cell],
    claim: &Judged,
) -> anyhow::Result<Control> {
    let Some(cell) = tried.iter().find(|cell| cell.id() == claim.id) else {
        anyhow::bail!("{} is not a claim of what was tried", claim.id);
    };
    let plant = |ground: &Ground, name: &Name| Plan::Missing.plant(ground, name);
    let seen = run.on_ground(ground, offer, *cell, 0, BEFORE, Some(&plant as Plant<'_>))?;
    Ok(caught(Broken::Planted(Plan::Missing), &seen, claim))
}

/// What the claim's own judgement says of something broken.
fn caught(broken: Broken, seen: &Result<Seen, NotPlayed>, claim: &Judged) -> Control {
    let what = broken.words();
    match seen {
        Ok(seen) => {
            // By what is promised of the cell that is claimed of.
            let cell = Cell::all().find(|cell| cell.id() == claim.id).unwrap_or(seen.cell);
            let promised = promise(cell).unwrap_or(Promise::Nothing);
            let judged = judge::kept(cell, promised, std::slice::from_ref(seen));
            let id = judged.id.clone();
            let control = Control::of(what, &[judged], &id);
            let measured = format!("not what was broken: {}", control.measured);
            if broken.is_found(seen) { control } else { Control::when(control.what, false, measured) }
        }
        Err(NotPlayed::Absent(why) | NotPlayed::Broken(why)) => Control::not_run(what, why),
    }
}
