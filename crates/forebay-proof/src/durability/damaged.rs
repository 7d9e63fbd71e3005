//! From damage to claims, with their controls.

use super::damage::{After, Came, TAIL, Whole, wrong};
use crate::Subject;
use crate::claim::{Bound, Claim, Control, Evidence, Judged, Unit};
use crate::parallel::in_parts;
use crate::report::units::{counted, thousands};
use forebay::buffer::keys::Name;
use forebay::event::jetstream;

/// The step of the brief that is answered.
const FAULT: u8 = 7;
const CUT: &str = "durability.tail-cut";
const FLIP: &str = "durability.flip";
/// Lines of a log that are shown.
const LOG_LINES: usize = 3;
/// Damages that are shown one by one.
const NOTES_MAX: usize = 3;

/// Runs both, and their controls.
pub(super) fn claims(on: &Subject<'_>) -> anyhow::Result<Vec<Claim>> {
    let whole = Whole::new(on)?;
    let (cuts, flips) = whole.places(on.scale, on.seed);
    let progress = on.progress;
    progress.begin("damaged AOFs", (cuts.len() + flips.len()) as u64);
    let bench = || whole.bench(on);
    let came = in_parts(&cuts, progress, bench, |bench, cut| Ok((*cut, bench.cut(*cut)?)))?;
    let cut = judge_cuts(&came, |cut| whole.cost(cut));
    let flipped = in_parts(&flips, progress, bench, |bench, flip| Ok((*flip, bench.flip(*flip)?)))?;
    let flip = judge_flips(&flipped, |flip| whole.around(flip));
    let mut bench = bench()?;

    let missing = |connection: &mut forebay::buffer::connection::Connection, name: &Name| {
        let (key, oldest) = (name.stream(jetstream::LIKES), "-");
        let first: Vec<(String, redis::Value)> =
            redis::cmd("XRANGE").arg(&key).arg(oldest).arg("+").arg("COUNT").arg(1).query(connection)?;
        let id = first.into_iter().next().map(|(id, _)| id).unwrap_or_default();
        redis::cmd("XDEL").arg(&key).arg(id).exec(connection)?;
        Ok(())
    };
    let lost = bench.with(|_| Ok(()), missing)?;
    let judged = judge_cuts(&[(0, lost)], |_| 0);
    let cut = cut.with(Control::of("the first block of a lane taken out of a whole AOF", &[judged], CUT));
    let lost = bench.with(|_| Ok(()), forget_the_last)?;
    let judged = judge_flips(&[((0, 0), lost)], |_| "a lane's last block".into());
    let flip = flip.with(Control::of(
        "the last block of a lane taken out, and the lane's hash set back as if it had never been",
        &[judged],
        FLIP,
    ));
    Ok(vec![cut, flip])
}

/// Takes a lane's last block away so that nothing tells of it.
fn forget_the_last(
    connection: &mut forebay::buffer::connection::Connection,
    name: &Name,
) -> anyhow::Result<()> {
    let (key, hash) = (name.stream(jetstream::LIKES), name.writer(jetstream::LIKES));
    let last: Vec<(String, Vec<String>)> = {
        let raw: Vec<(String, Vec<redis::Value>)> =
            redis::cmd("XREVRANGE").arg(&key).arg("+").arg("-").arg("COUNT").arg(2).query(connection)?;
        let word = |value: &redis::Value| match value {
            redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        };
        raw.into_iter().map(|(id, fields)| (id, fields.iter().map(word).collect())).collect()
    };
    let [(id, _), (_, before)] = &last[..] else { anyhow::bail!("a lane of fewer than two blocks") };
    let field = |name: &str| {
        before.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone()).unwrap_or_default()
    };
    redis::cmd("XDEL").arg(&key).arg(id).exec(connection)?;
    let mut set = redis::cmd("HSET");
    ["s", "e", "c"].iter().fold(set.arg(&hash), |set, name| set.arg(*name).arg(field(name)));
    set.exec(connection)?;
    Ok(())
}

/// Whether a cut costs what it takes a byte of, and nothing else.
fn judge_cuts(came: &[(u64, Came)], cost: impl Fn(u64) -> u64) -> Judged {
    let statement = format!(
        "an AOF whose end is cut off, anywhere in its last {} KiB, loads, and costs the events of the blocks that were cut \
         and no other",
        TAIL >> 10
    );
    let (mut beyond, mut most, mut untouched, mut refused) = (0, 0, 0, Vec::new());
    for (cut, came) in came {
        match came {
            Came::Up(up) => {
                let lost = up.findings.lost();
                // Of each lane only the end may be gone.
                let elsewhere = up.findings.lost_prefix + up.findings.lost_middle;
                beyond += (lost - elsewhere).abs_diff(cost(*cut)) + elsewhere + wrong(&up.findings);
                most = most.max(lost);
            }
            Came::Refused(log) => refused.push(format!("{cut} bytes cut off: {}", last(log))),
            Came::Untouched => untouched += 1,
        }
    }
    let why = format!(
        "{}; the costliest took {} events with it; {} lost that were not cut or there that were, read twice, out of order or never offered; {}",
        counted(came.len() as u64, "cut", "cuts"),
        thousands(most as f64, 0),
        thousands(beyond as f64, 0),
        counted(refused.len() as u64, "was not loaded", "were not loaded")
    );
    let judged_by = (Bound::Exactly, 0.0, Unit::Events);
    let mut claim = Judged::of(CUT, FAULT, statement, judged_by, beyond as f64, why);
    if !refused.is_empty() {
        let why = claim.why.clone();
        claim = claim.refuted(why);
    }
    claim.evidence.extend(refused.into_iter().take(NOTES_MAX).map(|text| Evidence::Note { text }));
    acted(claim, untouched)
}

/// What is claimed of damage, some of which has changed no byte: then nothing is shown.
fn acted(claim: Judged, untouched: u64) -> Judged {
    if untouched == 0 || !claim.holds() {
        return claim;
    }
    claim.untested(format!("{} changed no byte of the file", counted(untouched, "damage", "damages")))
}

/// The end of a log: what the server said before it gave up.
fn last(log: &str) -> String {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

/// Whether a flipped bit, of which what stands around it is shown, is never read without anybody being told.
fn judge_flips(came: &[((u64, u64), Came)], around: impl Fn((u64, u64)) -> String) -> Judged {
    let statement = "a bit flipped anywhere in an AOF is noticed: the server does not load it, or readers are told of what is \
                     damaged or missing, or a lane's last block and its hash disagree; else every event is there, and so is \
                     what a writer adds";
    let (mut silent, mut told, mut harmless, mut refused, mut untouched, mut log) = (0, 0, 0, 0, 0, None);
    let mut places = Vec::new();
    for (flip, came) in came {
        match came {
            Came::Refused(said) => {
                refused += 1;
                log.get_or_insert(said);
            }
            Came::Untouched => untouched += 1,
            Came::Up(up) => {
                let after = if let After::Wrong(events) = up.after { events } else { 0 };
                // What is gone before is gone afterwards too.
                match ((up.findings.lost() + wrong(&up.findings)).max(after), up.is_known()) {
                    (_, true) => told += 1,
                    (0, false) => harmless += 1,
                    (events, false) => {
                        silent += events;
                        places.push(format!("{}: {}", around(*flip), counted(events, "event", "events")));
                    }
                }
            }
        }
    }
    let why = format!(
        "{}: {refused} not loaded, {told} told by readers or the lanes' hashes, {harmless} that changed no event; {} lost or \
         wrong without a word",
        counted(came.len() as u64, "flip", "flips"),
        counted(silent, "event", "events")
    );
    let judged_by = (Bound::Exactly, 0.0, Unit::Events);
    let mut claim = Judged::of(FLIP, FAULT, statement, judged_by, silent as f64, why);
    claim.evidence.extend(
        log.map(|log| Evidence::Note { text: format!("A server that did not load it: {}", last(log)) }),
    );
    claim.evidence.extend(places.into_iter().take(NOTES_MAX).map(|text| Evidence::Note { text }));
    acted(claim, untouched)
}
