//! The proof in short, for settings that somebody proposes: kills and power cuts on a server that has them, held against
//! what the profile's own `appendfsync` promises.

use super::cell::{Appendfsync, Cell, Fault};
use super::guarantee::{Promise, promise};
use super::{LONG, Run, judge};
use crate::Subject;
use crate::claim::Judged;
use crate::parallel;
use forebay::buffer::writer::Ack;

/// What befalls a server with them.
const FAULTS: [Fault; 3] = [Fault::Kill, Fault::PowerCut, Fault::PowerCutInLongRewrite];

/// The claims of each of these sets of settings, which go over the profile's.
pub fn guard(on: &Subject<'_>, sets: &[Vec<(String, String)>]) -> anyhow::Result<Vec<Vec<Judged>>> {
    let run = Run { on: *on, rounds: None, commands: None };
    let today = on.profile.setting("appendfsync");
    let appendfsync = Appendfsync::ALL.into_iter().find(|fsync| Some(fsync.word()) == today.as_deref());
    // What a server does by itself.
    let appendfsync = appendfsync.unwrap_or(Appendfsync::Everysec);
    // Where nothing is promised no setting makes it worse.
    let cells: Vec<(Cell, Promise)> = FAULTS
        .into_iter()
        .map(|fault| Cell { fault, appendfsync, ack: Ack::Reply })
        .filter_map(|cell| Some((cell, promise(cell).ok()?)))
        .filter(|(_, promised)| *promised != Promise::None)
        .collect();
    let offer = run.offer()?;
    let plays: Vec<(usize, Cell, Promise)> = (0..sets.len())
        .flat_map(|set| cells.iter().map(move |(cell, promised)| (set, *cell, *promised)))
        .collect();
    on.progress.begin("guards: kills and power cuts", plays.len() as u64);
    let seen = parallel::by_side(&plays, on.progress, |(set, cell, _)| {
        let mut over = vec![("appendfsync", appendfsync.word())];
        over.extend(sets[*set].iter().map(|(name, value)| (name.as_str(), value.as_str())));
        run.scene(&offer, *cell, *set as u64, LONG, &over, None)
    })?;
    let mut claims: Vec<Vec<Judged>> = sets.iter().map(|_| Vec::new()).collect();
    for ((set, cell, promised), seen) in plays.iter().zip(seen) {
        claims[*set].push(judge::played(*cell, *promised, &seen.map(|seen| vec![seen])));
    }
    Ok(claims)
}
