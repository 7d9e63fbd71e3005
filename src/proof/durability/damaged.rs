//! From damage to claims, with their controls.

use super::Run;
use super::damage::{Came, TAIL, Up, Whole};
use crate::buffer::keys::Name;
use crate::event::lane::Lane;
use crate::proof::claim::{Bound, Claim, Control, Evidence, Unit};
use crate::proof::offer::Offer;
use crate::report::units::{counted, thousands};

/// The step of the brief that is answered.
const FAULT: u8 = 7;
const CUT: &str = "durability.tail-cut";
const FLIP: &str = "durability.flip";

/// Runs both, and their controls.
pub(super) fn claims(run: &Run<'_>, offer: &Offer) -> anyhow::Result<Vec<Claim>> {
    let mut whole = Whole::new(run, offer)?;
    let (cuts, flips) = whole.places(run.on.scale, run.on.seed);
    let progress = run.on.progress;
    progress.begin("damaged AOFs", (cuts.len() + flips.len()) as u64);
    let mut came = Vec::new();
    for (done, cut) in (0..).zip(&cuts) {
        progress.at(done);
        came.push((*cut, whole.cut(*cut)?));
    }
    let mut cut = judge_cuts(&came, |cut| whole.cost_max(cut));
    let (mut flipped, before) = (Vec::new(), cuts.len() as u64);
    for (done, (at, bit)) in (before..).zip(&flips) {
        progress.at(done);
        flipped.push(whole.flip(*at, *bit)?);
    }
    let mut flip = judge_flips(&flipped);

    let missing = |connection: &mut redis::Connection, name: &Name| {
        let (key, oldest) = (name.stream(Lane::Likes), "-");
        let first: Vec<(String, redis::Value)> =
            redis::cmd("XRANGE").arg(&key).arg(oldest).arg("+").arg("COUNT").arg(1).query(connection)?;
        let id = first.into_iter().next().map(|(id, _)| id).unwrap_or_default();
        redis::cmd("XDEL").arg(&key).arg(id).exec(connection)?;
        Ok(())
    };
    let lost = whole.with(|_| Ok(()), missing)?;
    let judged = judge_cuts(&[(0, lost)], |_| 0);
    cut.control = Some(Control::of("the first block of a lane taken out of a whole AOF", &[judged], CUT));
    let lost = whole.with(|_| Ok(()), forget_the_last)?;
    let judged = judge_flips(&[lost]);
    flip.control = Some(Control::of(
        "the last block of a lane taken out, and the lane's hash set back as if it had never been",
        &[judged],
        FLIP,
    ));
    Ok(vec![cut, flip])
}

/// Takes a lane's last block away so that nothing tells of it.
fn forget_the_last(connection: &mut redis::Connection, name: &Name) -> anyhow::Result<()> {
    let (key, hash) = (name.stream(Lane::Likes), name.writer(Lane::Likes));
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
    redis::cmd("HSET").arg(&hash).arg("s").arg(field("s")).arg("e").arg(field("e")).exec(connection)?;
    Ok(())
}

/// Events that are wrong, whatever happened.
fn wrong(up: &Up) -> u64 {
    up.findings.unexpected + up.findings.repeats + up.findings.out_of_order
}

/// Whether a cut costs no more than what it takes a byte of.
fn judge_cuts(came: &[(u64, Came)], cost_max: impl Fn(u64) -> u64) -> Claim {
    let statement = format!(
        "an AOF whose end is cut off, anywhere in its last {} KiB, loads, and costs no event but those of blocks that were \
         cut",
        TAIL >> 10
    );
    let (mut beyond, mut most, mut refused) = (0, 0, Vec::new());
    for (cut, came) in came {
        match came {
            Came::Up(up) => {
                let lost = up.findings.lost();
                // Of each lane only the end may be gone.
                let elsewhere = up.findings.lost_prefix + up.findings.lost_middle;
                beyond += lost.saturating_sub(cost_max(*cut)) + elsewhere + wrong(up);
                most = most.max(lost);
            }
            Came::Refused(log) => refused.push(format!("{cut} bytes cut off: {log}")),
        }
    }
    let why = format!(
        "{}; the costliest took {} events with it; {} lost beyond what was cut, read twice, out of order or never offered; {}",
        counted(came.len() as u64, "cut", "cuts"),
        thousands(most as f64, 0),
        thousands(beyond as f64, 0),
        counted(refused.len() as u64, "was not loaded", "were not loaded")
    );
    let judged_by = (Bound::Exactly, 0.0, Unit::Events);
    let mut claim = Claim::judged(CUT, FAULT, statement, judged_by, beyond as f64, why);
    if !refused.is_empty() {
        claim.verdict = crate::proof::claim::Verdict::Refuted;
    }
    claim.evidence.extend(refused.into_iter().take(3).map(|text| Evidence::Note { text }));
    claim
}

/// Whether a flipped bit is never read without anybody being told.
fn judge_flips(came: &[Came]) -> Claim {
    let statement = "a bit flipped anywhere in an AOF is noticed: the server does not load it, or readers are told of what is \
                     damaged or missing, or the lane's hash says that it was longer";
    let (mut silent, mut told, mut harmless, mut refused, mut log) = (0, 0, 0, 0, None);
    for came in came {
        match came {
            Came::Refused(said) => {
                refused += 1;
                log.get_or_insert(said);
            }
            Came::Up(up) => {
                let lost = up.findings.lost();
                let known = !up.read.faults.is_empty() || up.read.missing + up.short > 0;
                silent += wrong(up).saturating_sub(if known { wrong(up) } else { 0 });
                match (lost, known) {
                    (0, false) => harmless += 1,
                    (_, true) => told += 1,
                    (lost, false) => silent += lost,
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
    let mut claim = Claim::judged(FLIP, FAULT, statement, judged_by, silent as f64, why);
    claim.evidence.extend(log.map(|log| Evidence::Note { text: log.clone() }));
    claim
}
