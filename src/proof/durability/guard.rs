//! The proof in short, for settings that somebody proposes: kills and power cuts on a server that has them, held against
//! what the profile's own `appendfsync` promises.

use super::cell::{Appendfsync, Cell, Fault};
use super::judge::NotPlayed;
use super::promise::{Promise, promise};
use super::{LONG, Run, judge};
use crate::buffer::writer::Ack;
use crate::proof::Subject;
use crate::proof::claim::{Claim, Verdict};
use crate::proof::side;

/// What befalls a server with them.
const FAULTS: [Fault; 3] = [Fault::Kill, Fault::PowerCut, Fault::PowerCutInLongRewrite];

/// The claims of each of these sets of settings, which go over the profile's.
pub fn guard(on: &Subject<'_>, sets: &[Vec<(String, String)>]) -> anyhow::Result<Vec<Vec<Claim>>> {
    let run = Run { on: *on, rounds: None, commands: None };
    let today = on.profile.setting("appendfsync");
    let appendfsync = Appendfsync::ALL.into_iter().find(|fsync| Some(fsync.word()) == today.as_deref());
    // What a server does by itself.
    let appendfsync = appendfsync.unwrap_or(Appendfsync::Everysec);
    let cells = FAULTS.map(|fault| Cell { fault, appendfsync, ack: Ack::Reply });
    let offer = run.offer()?;
    let plays: Vec<(usize, Cell)> = (0..sets.len()).flat_map(|set| cells.map(|cell| (set, cell))).collect();
    on.progress.begin("guards: kills and power cuts", plays.len() as u64);
    let seen = side::by_side(&plays, on.progress, |(set, cell)| {
        let mut over = vec![("appendfsync", appendfsync.word())];
        over.extend(sets[*set].iter().map(|(name, value)| (name.as_str(), value.as_str())));
        run.scene(&offer, *cell, *set as u64, LONG, &over, None)
    })?;
    let mut claims: Vec<Vec<Claim>> = sets.iter().map(|_| Vec::new()).collect();
    for ((set, cell), seen) in plays.iter().zip(seen) {
        // Where nothing is promised there is nothing to lose.
        let promised = promise(*cell).unwrap_or(Promise::None);
        claims[*set].push(match seen {
            Ok(seen) => judge::kept(*cell, promised, &[seen]),
            Err(NotPlayed::Absent(why)) => judge::blank(*cell, promised).not_shown(why),
            Err(NotPlayed::Broken(why)) => {
                let mut claim = judge::blank(*cell, promised).not_shown(why);
                claim.verdict = Verdict::Refuted;
                claim
            }
        });
    }
    Ok(claims)
}
