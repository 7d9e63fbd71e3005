//! Somebody's server, killed and started by commands of theirs: the one fault that can befall it from outside.

use super::cell::{Appendfsync, Cell, Fault};
use super::environment::{DurabilityEnvironment, Settings};
use super::guarantee::guarantee;
use super::judge;
use super::negative_controls::planted;
use super::not_run::NotRun;
use super::round::{Rounds, names};
use super::run::{BEFORE, DurabilityRun, rounds};
use crate::claim::{Claim, Evidence, Judged};
use crate::target;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::Ack;

/// How events are acknowledged, in each cell.
const ACKS: [Ack; 2] = [Ack::Reply, Ack::Fsync];
/// Cells at the most.
pub(super) const CELLS_MAX: u64 = ACKS.len() as u64;

/// What is shown of it.
pub(super) fn claims(run: &DurabilityRun<'_>, address: &Address) -> anyhow::Result<Vec<Claim>> {
    let Some(commands) = &run.commands else {
        let why = format!(
            "nothing was run: {address} is somebody's server, and it would be killed; --allow-faults, --kill-cmd and \
             --start-cmd permit that"
        );
        let absent = |cell| (cell, Err(NotRun::Absent(why.clone())));
        let absent = judge::claims(&Cell::all().map(absent).collect::<Vec<_>>()).into_iter();
        return Ok(absent.map(Judged::without_control).collect());
    };
    let names = names(run.on.name)?;
    let _keys: Vec<_> = names.iter().map(|name| run.on.target.keys(name)).collect();
    let offer = run.offer()?;
    let rounds = rounds(run.on.scale, run.rounds);
    let set = Settings::of(address)?;
    let tried: Vec<Cell> = cells(address, &set)?.collect();
    run.on.progress.begin("faults", tried.len() as u64 * rounds);
    let (mut cells, mut done) = (Vec::new(), 0);
    for cell in &tried {
        if let Err(why) = address.dial() {
            cells.push((*cell, Err(NotRun::Absent(why.to_string()))));
            continue;
        }
        let mut played: Rounds = Ok(Vec::new());
        for round in 0..rounds {
            let mut environment = DurabilityEnvironment::given(address, commands, &set)?;
            let seen = run.on_ground(&mut environment, &offer, *cell, round, BEFORE, None)?;
            drop(environment);
            remove(address, &names);
            match (&mut played, seen) {
                (Ok(played), Ok(seen)) => played.push(seen),
                (_, Err(why)) => {
                    played = Err(why);
                    break;
                }
                (Err(_), _) => break,
            }
            done += 1;
            run.on.progress.at(done);
        }
        cells.push((*cell, played));
    }
    let mut claims = judge::claims(&cells);
    for claim in &mut claims {
        let text = format!("{address} was set to {}; {commands}", set.words());
        claim.evidence.push(Evidence::Note { text });
    }
    let with = |claim: Judged| {
        if claim.measured().is_none() {
            return Ok(claim.without_control());
        }
        let mut environment = DurabilityEnvironment::given(address, commands, &set)?;
        let control = planted(run, &mut environment, &offer, &tried, &claim)?;
        drop(environment);
        remove(address, &names);
        Ok(claim.with(control))
    };
    claims.into_iter().map(with).collect()
}

fn remove(address: &Address, names: &[Name]) {
    for name in names {
        target::remove(address, name);
    }
}

/// A kill, as the server is set: what is acknowledged by reply, and after fsync where it can say so.
fn cells(address: &Address, set: &Settings) -> anyhow::Result<impl Iterator<Item = Cell>> {
    let appendfsync = Appendfsync::ALL.into_iter().find(|known| known.word() == set.appendfsync());
    let appendfsync = appendfsync.ok_or_else(|| {
        anyhow::anyhow!("{address} does not tell its appendfsync: CONFIG GET must be allowed")
    })?;
    let cells = ACKS.map(|ack| Cell { fault: Fault::Kill, appendfsync, ack });
    Ok(cells.into_iter().filter(|cell| guarantee(*cell).is_ok()))
}
