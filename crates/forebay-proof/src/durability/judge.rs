//! From cells to claims: each is held against what its configuration promises. The controls are judged by the same
//! function.

use std::fmt::Write as _;

use super::alive::PUT_OFF;
use super::cell::{Appendfsync, Cell, Fault};
use super::event_fates::EventFates;
use super::guarantee::{Guarantee, guarantee};
use super::not_run::NotRun;
use super::round::{RoundResult, Rounds};
use super::table;
use crate::claim::{Bound, Evidence, Judged, Unit};
use crate::report::units::{counted, millis, thousands};
use forebay::buffer::writer::Ack;

#[cfg(test)]
pub(super) mod tests;

/// The steps of the brief: what survives a restart, and what a fault does.
const RESTART: u8 = 4;
const FAULT: u8 = 7;

/// The claim of each cell that makes sense.
pub(super) fn claims(cells: &[(Cell, Rounds)]) -> Vec<Judged> {
    let mut claims: Vec<Judged> = cells
        .iter()
        .filter_map(|(cell, rounds)| {
            let promised = guarantee(*cell).ok()?;
            let mut claim = played(*cell, promised, rounds);
            let is_late = cell.fault == Fault::Kill && cell.appendfsync == Appendfsync::Everysec;
            if rounds.is_ok() && is_late && claim.measured() > Some(0.0) {
                claim.why.push_str(LATE);
            }
            Some(claim)
        })
        .collect();
    if let Some(first) = claims.first_mut() {
        first.evidence.extend(table::cells(cells));
        first.evidence.push(table::left_out());
        first.evidence.extend(table::logs(cells));
    }
    claims
}

fn step(cell: Cell) -> u8 {
    if cell.fault == Fault::Restart { RESTART } else { FAULT }
}

fn judged_by(promised: Guarantee) -> (Bound, f64, Unit) {
    match promised {
        Guarantee::Within(time) => (Bound::AtMost, time.as_secs_f64() * 1e3, Unit::Milliseconds),
        Guarantee::Nothing | Guarantee::None => (Bound::Exactly, 0.0, Unit::Events),
    }
}

fn statement(cell: Cell, promised: Guarantee) -> String {
    let what = match promised {
        Guarantee::Within(time) => {
            format!("costs no event that was acknowledged more than {} s before it", table::seconds(time))
        }
        Guarantee::Nothing if is_excusable(cell) => format!(
            "costs no event that was acknowledged before the server was last seen without a pending fsync, or more than {} s \
             before its end",
            table::seconds(PUT_OFF)
        ),
        Guarantee::Nothing => "costs no acknowledged event".into(),
        Guarantee::None => "costs no event of whose place readers are not told".into(),
    };
    let setting = match (cell.appendfsync, cell.ack) {
        // The server's settings have no part in it.
        _ if !cell.fault.ends_server() => String::new(),
        (Appendfsync::Always | Appendfsync::Everysec | Appendfsync::No, _) => {
            format!("with {}, ", cell.setting())
        }
    };
    format!("{setting}{} {what}", cell.fault.words())
}

fn blank(cell: Cell, promised: Guarantee) -> Judged {
    Judged::blank(&cell.id(), step(cell), statement(cell, promised), judged_by(promised))
}

/// Whether what is promised was kept; of what could not be tried nothing is shown, and what did not come to its end is
/// refuted.
pub(super) fn played(cell: Cell, promised: Guarantee, rounds: &Rounds) -> Judged {
    match rounds {
        Ok(rounds) => kept(cell, promised, rounds),
        Err(NotRun::Absent(why)) => blank(cell, promised).untested(why),
        Err(NotRun::Broken(why)) => blank(cell, promised).refuted(why),
    }
}

/// What is said of a kill that cost something under everysec.
const LATE: &str = ". Under everysec a server answers up to 2 s before it writes while an fsync is slow";

/// Whether every round of a cell kept what is promised.
pub(super) fn kept(cell: Cell, promised: Guarantee, rounds: &[RoundResult]) -> Judged {
    let judged = rounds.iter().map(|seen| (figure(seen, cell, promised), seen));
    // The one that cost most speaks for all of them; what no configuration permits is said of whichever had it.
    let Some((measured, seen)) = judged.max_by(|(a, _), (b, _)| a.total_cmp(b)) else {
        return blank(cell, promised).untested("no round was played");
    };
    let mut why = sentence(seen, rounds.len());
    let late = rounds.iter().map(|seen| excused(seen, cell)).max().unwrap_or_default();
    if late > 0 {
        let late = thousands(late as f64, 0);
        write!(why, "; excused, in the worst round: {late}, acknowledged while the server had an fsync pending at its end").ok();
    }
    let wrongs =
        rounds.iter().map(|seen| wrongs(seen, cell, promised)).max_by_key(Vec::len).unwrap_or_default();
    for wrong in &wrongs {
        why = format!("{wrong}; {why}");
    }
    let mut claim =
        Judged::of(&cell.id(), step(cell), statement(cell, promised), judged_by(promised), measured, why);
    if !wrongs.is_empty() {
        let why = claim.why.clone();
        claim = claim.refuted(why);
    }
    let idle = rounds.iter().find(|seen| seen.acted.count == 0);
    if let (true, Some(seen)) = (claim.holds(), idle) {
        return claim.untested(format!("in a round the fault did not act: no {}", seen.acted.what));
    }
    let lost = |seen: &RoundResult| seen.held.findings.lost() + seen.through.findings.lost();
    claim.lost_worst = rounds.iter().map(lost).max();
    let reads = [&seen.held.read, &seen.through.read];
    let told = reads.into_iter().flat_map(|read| read.faults.iter().chain(&read.back));
    claim.evidence.extend(told.take(5).map(|fault| Evidence::Note { text: fault.clone() }));
    claim
}

/// What is held against the promise.
fn figure(seen: &RoundResult, cell: Cell, promised: Guarantee) -> f64 {
    let both = [&seen.held, &seen.through];
    match promised {
        Guarantee::Within(_) => both
            .iter()
            .filter_map(|fates| Some(fates.lost_for?.0))
            .max()
            .map_or(0.0, |oldest| oldest.as_secs_f64() * 1e3),
        Guarantee::Nothing => {
            let lost = both.iter().map(|fates| fates.findings.lost()).sum::<u64>();
            (lost - excused(seen, cell)) as f64
        }
        Guarantee::None => both.iter().map(|fates| fates.silent).sum::<u64>() as f64,
    }
}

/// Whether a kill may take what was acknowledged in its last moment: of a server that fsyncs every second, an fsync may have
/// begun after it was last asked, and then it answers before it writes.
fn is_excusable(cell: Cell) -> bool {
    let kill = matches!(cell.fault, Fault::Kill | Fault::KillInRewrite);
    kill && (cell.appendfsync, cell.ack) == (Appendfsync::Everysec, Ack::Reply)
}

/// Lost events that are excused: the end of each lane, as far as it was acknowledged after the server was last seen without a
/// pending fsync, and at most [`PUT_OFF`] before it was last seen at all.
fn excused(seen: &RoundResult, cell: Cell) -> u64 {
    if is_excusable(cell) { seen.held.late + seen.through.late } else { 0 }
}

/// What no configuration permits.
fn wrongs(seen: &RoundResult, cell: Cell, promised: Guarantee) -> Vec<String> {
    let mut wrongs = Vec::new();
    let held = &seen.held.findings;
    let through = &seen.through.findings;
    let mut count = |events: u64, what: &str| {
        if events > 0 {
            wrongs.push(format!("{} {what}", thousands(events as f64, 0)));
        }
    };
    count(held.unexpected + through.unexpected, "read that were never offered");
    count(held.repeats, "stored twice");
    count(seen.held.silent + seen.through.silent, "lost at places that no reader was told of");
    if promised != Guarantee::Nothing {
        count(seen.held.after + seen.through.after, "lost that were acknowledged after it");
    }
    count(held.out_of_order + through.out_of_order, "out of their lane's order");
    // Where the server may lose what it has answered, it may also have given it to a group before; whatever the writer
    // waits for.
    let answered = guarantee(Cell { ack: Ack::Reply, ..cell });
    let back = if answered == Ok(Guarantee::Nothing) && excused(seen, cell) == 0 {
        seen.through.read.back.len()
    } else {
        0
    };
    let faults = seen.held.read.faults.len() + seen.held.read.back.len() + seen.through.read.faults.len();
    let faults = (faults + back) as u64;
    if faults > 0 {
        wrongs.push(counted(faults, "fault told by a reader", "faults told by readers"));
    }
    if let Some(failure) = &seen.failure {
        wrongs.push(format!("a client ended: {failure}"));
    } else if seen.again.is_none() {
        wrongs.push("nothing was acknowledged any more after it".into());
    }
    wrongs
}

fn sentence(seen: &RoundResult, rounds: usize) -> String {
    let show = |events: u64| thousands(events as f64, 0);
    let of = |fates: &EventFates| {
        let lost = fates.findings.lost();
        let age = fates.lost_for.map_or(String::new(), |(oldest, newest)| {
            let ms = |time: std::time::Duration| millis(time.as_secs_f64() * 1e3);
            format!(" (acknowledged {} to {} ms before)", ms(oldest), ms(newest))
        });
        format!("{} of {} lost{age}", show(lost), show(fates.findings.acknowledged))
    };
    let back = seen.back.map_or(String::new(), |back| {
        format!("; the server was back after {} ms", millis(back.as_secs_f64() * 1e3))
    });
    let twice = match seen.through.findings.repeats {
        0 => String::new(),
        again => format!(", {} given to the group again", show(again)),
    };
    let back =
        if seen.helped { format!("{back}; it took writes again only once it was restarted") } else { back };
    let worst = if rounds > 1 { format!("the worst of {rounds} rounds: ") } else { String::new() };
    format!(
        "{worst}{} that nobody had read, {} that a group reads{twice}; {} were acknowledged before it{back}",
        of(&seen.held),
        of(&seen.through),
        show(seen.before)
    )
}
