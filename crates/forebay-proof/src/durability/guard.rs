//! The proof in short, for settings that somebody proposes: kills and power cuts on a server that has them, held against
//! what the profile's own `appendfsync` promises.

use super::cell::{Appendfsync, Cell, Fault};
use super::guarantee::{Guarantee, guarantee};
use super::judge;
use super::run::{DurabilityRun, LONG};
use crate::Subject;
use crate::claim::Judged;
use crate::parallel;
use forebay::buffer::writer::Ack;

/// What befalls a server with them.
const FAULTS: [Fault; 3] = [Fault::Kill, Fault::PowerCut, Fault::PowerCutInLongRewrite];

/// What the profile says of fsync, or else what a server does by itself; and what is tried under it. Where nothing is promised no
/// setting makes it worse.
fn cells(today: Option<&str>) -> (Appendfsync, Vec<(Cell, Guarantee)>) {
    let appendfsync = Appendfsync::ALL.into_iter().find(|fsync| Some(fsync.word()) == today);
    let appendfsync = appendfsync.unwrap_or(Appendfsync::Everysec);
    let cells = FAULTS.into_iter().map(|fault| Cell { fault, appendfsync, ack: Ack::Reply });
    let promised = cells.filter_map(|cell| Some((cell, guarantee(cell).ok()?)));
    (appendfsync, promised.filter(|(_, promised)| *promised != Guarantee::None).collect())
}

/// The claims of each of these sets of settings, which go over the profile's.
pub fn guard(on: &Subject<'_>, sets: &[Vec<(String, String)>]) -> anyhow::Result<Vec<Vec<Judged>>> {
    let run = DurabilityRun { on: *on, rounds: None, commands: None };
    let (appendfsync, cells) = cells(on.profile.setting("appendfsync").as_deref());
    let offer = run.offer()?;
    let plays: Vec<(usize, Cell, Guarantee)> = (0..sets.len())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_under_the_profiles_fsync_is_tried_and_nothing_else() {
        let tried = |today: Option<&str>| {
            let (appendfsync, cells) = cells(today);
            assert!(cells.iter().all(|(cell, promised)| {
                cell.appendfsync == appendfsync
                    && guarantee(*cell) == Ok(*promised)
                    && *promised != Guarantee::None
            }));
            (appendfsync, cells.iter().map(|(cell, _)| cell.fault).collect::<Vec<_>>())
        };
        for fsync in [Appendfsync::Always, Appendfsync::Everysec] {
            assert_eq!(tried(Some(fsync.word())), (fsync, FAULTS.to_vec()));
        }
        assert_eq!(tried(None), (Appendfsync::Everysec, FAULTS.to_vec()));
        // Without fsync nothing is promised of a power cut.
        assert_eq!(tried(Some("no")), (Appendfsync::No, vec![Fault::Kill]));
    }
}
