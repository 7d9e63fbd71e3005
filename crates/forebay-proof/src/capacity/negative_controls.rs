//! The controls: runs on something known to be broken, judged by the same claims, which must refute them.

use forebay::buffer::connection::{Budget, Connection};
use redis::Value;

use super::fill::{FillPlan, fill};
use super::judge::{self, PREDICTION_PERCENT_MAX};
use super::measured::Measured;
use super::readback::{ReadBack, read_back};
use super::sample::{Layout, Weight};
use crate::Subject;
use crate::claim::{Claim, Control, Judged, Judgement};
use crate::ledger::{Findings, Ledger};
use crate::report::units::{bytes, figure, thousands};
use crate::target::{scratch, scratch_like};
use forebay::block::encode::Encoding;
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::event::jetstream;
use forebay_rig::synth::Synth;
use forebay_watch::profile::Profile;

/// What part of the memory needed the control's server has.
const PART: f64 = 0.2;

/// Events that the fill with too small a limit is at least planned for: of fewer, what the writer's
/// connections hold on the server would outweigh what the prediction may be off.
const EVENTS_MIN: u64 = 1_000_000;

/// Events in the buffer that is damaged on purpose, and the rate they are cut at: enough blocks to choose from.
const DAMAGED_EVENTS: u64 = 5_000;
const DAMAGED_RATE: f64 = 100.0;

/// Runs every control and puts it beside its claims.
pub(super) fn attach(
    on: &Subject<'_>,
    events: &Synth,
    measured: &Measured<'_>,
    limits: Limits,
    claims: Vec<Judged>,
) -> anyhow::Result<Vec<Claim>> {
    let small = too_small(on, events, measured, limits)?;
    let damaged = damaged(on, events, limits)?;
    Ok(weighed(claims, &small, &damaged, &wrong_sample(measured)))
}

/// Each claim with its control.
fn weighed(claims: Vec<Judged>, small: &[Control; 3], damaged: &Control, predicted: &Control) -> Vec<Claim> {
    let with = |claim: Judged| {
        let control = match claim.id.as_str() {
            "capacity.events" => &small[0],
            "capacity.memory" => &small[1],
            "capacity.hours" => &small[2],
            "capacity.identical" => damaged,
            "capacity.predicted" => predicted,
            _ => return claim.without_control(),
        };
        claim.with(control.clone())
    };
    claims.into_iter().map(with).collect()
}

/// What a server that is too small is to hold.
struct TooSmall {
    profile: Profile,
    limit: u64,
    /// The event at which its limit will be met.
    predicted: u64,
}

impl TooSmall {
    /// For a profile whose events weigh so much; more of them where they are few.
    fn of(profile: &Profile, weight: Weight) -> Self {
        let mut profile = profile.clone();
        let scale = (EVENTS_MIN as f64 / profile.hold.events as f64).max(1.0);
        profile.hold.events = (profile.hold.events as f64 * scale) as u64;
        profile.hold.hours *= scale;
        let need = weight.per_event * profile.hold.events as f64;
        Self {
            limit: (weight.empty_bytes as f64 + PART * need) as u64,
            predicted: (PART * profile.hold.events as f64) as u64,
            profile,
        }
    }
}

/// A limit at a fifth of what is needed: must be refuted, at the count predicted.
fn too_small(
    on: &Subject<'_>,
    events: &Synth,
    measured: &Measured<'_>,
    limits: Limits,
) -> anyhow::Result<[Control; 3]> {
    let TooSmall { profile, limit, predicted } = TooSmall::of(on.profile, measured.weight);
    let (_server, address) = scratch_like(on.target, on.binary, limit)?;
    let name: Name = "control".parse()?;
    let plan = FillPlan {
        address: &address,
        name: &name,
        events,
        count: profile.hold.events,
        rate: profile.rate(),
        limits,
        encoding: Encoding::default(),
        used_bytes_max: None,
    };
    on.progress.begin("control: a limit too small", predicted);
    let make = |index: u64, out: &mut Vec<u8>| events.write_event(index, out);
    let mut ledger = Ledger::new(&make);
    let filled = fill(&plan, &mut ledger, on.progress)?;
    on.progress.begin("control: reading it back", filled.counts.acknowledged);
    let back = read_back(&address, &name, &mut ledger, on.progress)?;
    let outcome = Measured {
        profile: &profile,
        limit_bytes: Some(limit),
        weight: measured.weight,
        sample: measured.sample,
        weights: Vec::new(),
        filled,
        read_back: back,
        allocator: measured.allocator.clone(),
        fragmentation: None,
    };
    Ok(judged_small(&outcome, predicted))
}

/// Refuted, at the count that was predicted, and with every acknowledged event still there.
fn judged_small(outcome: &Measured<'_>, predicted: u64) -> [Control; 3] {
    let limit = outcome.limit_bytes.unwrap_or_default();
    let what = format!("a server with maxmemory at a fifth of what is needed, {}", bytes(limit as f64));
    let met = outcome.filled.counts.acknowledged;
    let off = (met as f64 - predicted as f64).abs() * 100.0 / predicted as f64;
    let judged = judge::claims(outcome);
    let refuted =
        |id: &str| judged.iter().any(|claim| claim.id == id && claim.judgement() == Judgement::Refuted);
    let sound = judged.iter().any(|claim| claim.id == "capacity.identical" && claim.holds());
    let said = |id: &str| {
        let claim = judged.iter().find(|claim| claim.id == id)?;
        let figure =
            claim.measured().map_or_else(|| "no figure".into(), |measured| figure(measured, claim.unit));
        Some(format!("{figure}: {}", claim.why))
    };
    let events = Control::when(
        &*what,
        refuted("capacity.events") && off <= PREDICTION_PERCENT_MAX && sound,
        format!(
            "the limit was met at {} acknowledged events, {} predicted ({off:.1} % off); {}",
            thousands(met as f64, 0),
            thousands(predicted as f64, 0),
            outcome.read_back.findings.sentence(),
        ),
    );
    let other = |id: &str| Control::when(&*what, refuted(id), said(id).unwrap_or_default());
    [events, other("capacity.memory"), other("capacity.hours")]
}

/// A prediction from events kept one an entry, held against the fill with blocks.
fn wrong_sample(measured: &Measured<'_>) -> Control {
    let what = "a prediction from events kept one an entry".to_owned();
    let wrong = measured.weights.iter().find(|(layout, _)| *layout == Layout::EntryAnEvent);
    let (Some((_, wrong)), Some(found)) = (wrong, measured.bytes_per_event()) else {
        return Control::not_run(what, "no event went in, so there is nothing to compare");
    };
    let off = (wrong.per_event - found).abs() * 100.0 / found;
    let judged = judge::predicted(wrong.per_event, Some(found), measured.sample);
    Control::when(
        what,
        judged.judgement() == Judgement::Refuted,
        format!("{:.1} bytes an event predicted, {found:.1} found: {off:.1} % off", wrong.per_event),
    )
}

/// A buffer with a block taken out, one stored twice and one with a flipped byte: each must be found.
fn damaged(on: &Subject<'_>, events: &Synth, limits: Limits) -> anyhow::Result<Control> {
    on.progress.begin("control: planted damage", DAMAGED_EVENTS);
    let (_server, address) = scratch(on.binary, 0)?;
    let name: Name = "control".parse()?;
    let plan = FillPlan {
        address: &address,
        name: &name,
        events,
        count: DAMAGED_EVENTS,
        rate: DAMAGED_RATE,
        limits,
        encoding: Encoding::default(),
        used_bytes_max: None,
    };
    let make = |index: u64, out: &mut Vec<u8>| events.write_event(index, out);
    let mut ledger = Ledger::new(&make);
    fill(&plan, &mut ledger, on.progress)?;
    let planted = plant(&address, &name)?;
    let back = read_back(&address, &name, &mut ledger, on.progress)?;
    Ok(judged_damage(&planted, &back))
}

/// Just what was damaged must be found: no less, no more.
fn judged_damage(planted: &Planted, back: &ReadBack) -> Control {
    let found = Findings {
        lost_prefix: 0,
        lost_middle: back.findings.lost(),
        lost_tail: 0,
        lost_whole: 0,
        ..back.findings
    };
    let expected = Findings {
        lost_middle: planted.taken + planted.flipped,
        read: found.acknowledged.saturating_sub(planted.taken + planted.flipped),
        repeats: planted.twice,
        ..Findings { offered: found.offered, acknowledged: found.acknowledged, ..Findings::default() }
    };
    Control::when(
        "a buffer with one block taken out, one stored twice, one with a flipped byte",
        judge::identical(back).judgement() == Judgement::Refuted
            && [planted.taken, planted.twice, planted.flipped].iter().all(|events| *events > 0)
            && found == expected
            && back.faults.iter().any(|fault| fault.contains("does not open")),
        format!("{}; {}", back.findings.sentence(), back.faults.join("; ")),
    )
}

/// Events in the blocks that were damaged.
struct Planted {
    taken: u64,
    twice: u64,
    flipped: u64,
}

/// Writes a lane's stream anew: the second block taken out, the fourth twice, the sixth with a byte flipped.
fn plant(address: &Address, name: &Name) -> anyhow::Result<Planted> {
    let (mut connection, _) = address.connect()?;
    connection.set_budget(Budget::LANE);
    let key = name.stream(jetstream::LIKES);
    let entries: Vec<(String, Vec<Vec<u8>>)> =
        redis::cmd("XRANGE").arg(&key).arg("-").arg("+").query(&mut connection)?;
    anyhow::ensure!(entries.len() > 6, "too few blocks to damage");
    redis::cmd("DEL").arg(&key).query::<Value>(&mut connection)?;
    let mut planted = Planted { taken: 0, twice: 0, flipped: 0 };
    for (at, (_, fields)) in entries.into_iter().enumerate() {
        let value =
            |field: &str| fields.chunks(2).find(|pair| pair[0] == field.as_bytes()).map(|pair| &pair[1]);
        let events = value("n").and_then(|n| std::str::from_utf8(n).ok()?.parse().ok()).unwrap_or(0);
        match at {
            1 => planted.taken = events,
            3 => {
                planted.twice = events;
                add(&mut connection, &key, &fields)?;
                add(&mut connection, &key, &fields)?;
            }
            5 => {
                planted.flipped = events;
                let mut fields = fields;
                let frame = fields.last_mut().ok_or_else(|| anyhow::anyhow!("an entry without fields"))?;
                let middle = frame.len() / 2;
                frame[middle] ^= 0x10;
                add(&mut connection, &key, &fields)?;
            }
            _ => add(&mut connection, &key, &fields)?,
        }
    }
    Ok(planted)
}

fn add(connection: &mut Connection, key: &str, fields: &[Vec<u8>]) -> anyhow::Result<()> {
    let mut command = redis::cmd("XADD");
    command.arg(key).arg("*");
    for field in fields {
        command.arg(field);
    }
    command.query::<Value>(connection)?;
    Ok(())
}

#[cfg(test)]
mod tests;
