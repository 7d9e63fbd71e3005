//! From runs to claims. The controls are judged by the same functions.

use super::foreign_keys;
use super::liveness::{self, FULL};
use super::plan::PressurePlan;
use super::policy::{EVICTIONS, Policy};
use super::run_result::PressureResult;
use super::table::{self, events};
use crate::claim::{Bound, Evidence, Judged, Judgement, Unit};
use crate::report::units::{bytes, counted};
use forebay_watch::profile::Profile;

/// The step of the brief that is about what fits.
const FITS: u8 = 3;

/// How far the predicted count may be off, in percent.
const PREDICTION_PERCENT_MAX: f64 = 5.0;

/// Fewer events than that are not predicted.
const PREDICTED_MIN: f64 = 20_000.0;

/// Every claim, of the runs that were made; `absent` says why others were not.
pub(super) fn claims(
    seen: &[PressureResult],
    profile: &Profile,
    plan: Option<&PressurePlan>,
    absent: &str,
) -> Vec<Judged> {
    let steady: Vec<&PressureResult> = seen.iter().filter(|seen| seen.eviction == EVICTIONS[0]).collect();
    let mut claims = vec![limit(seen, absent)];
    claims.push(predicted(&steady, plan.map(|plan| plan.per_event), plan, absent));
    for policy in Policy::ALL {
        let run = steady.iter().copied().find(|seen| seen.policy == policy);
        claims.push(kept(run, &format!("pressure.{}", policy.name()), policy, absent));
    }
    claims.push(own_policy(seen, profile, absent));
    claims.push(volatile(seen, absent));
    claims.push(liveness::resumes(&steady, absent));
    claims.push(liveness::memory(&steady, absent));
    claims.push(liveness::readers(&steady, absent));
    claims
}

/// Whether every run went past its limit: what did not shows nothing.
fn limit(seen: &[PressureResult], absent: &str) -> Judged {
    let statement = "every run goes past the limit";
    let id = "pressure.limit";
    let Some(first) = seen.first() else {
        return Judged::blank(id, FULL, statement, (Bound::AtLeast, 1.0, Unit::Count)).untested(absent);
    };
    let met = seen.iter().filter(|seen| seen.met.is_some()).count();
    let why = format!(
        "{met} of {} runs met a limit of {} and pushed on: up to {} events each",
        seen.len(),
        limits(seen, first),
        events(seen.iter().map(|seen| seen.findings.offered).max().unwrap_or(0))
    );
    let judged_by = (Bound::AtLeast, seen.len() as f64, Unit::Count);
    let mut claim = Judged::of(id, FULL, statement, judged_by, met as f64, why);
    let steady: Vec<&PressureResult> = seen.iter().filter(|seen| seen.eviction == EVICTIONS[0]).collect();
    claim.evidence.push(table::choice(&steady));
    claim.evidence.push(table::losses(seen));
    with_others(claim, &seen.iter().collect::<Vec<_>>())
}

/// `144 MiB, or 20 MiB where keys may be evicted`.
fn limits(seen: &[PressureResult], first: &PressureResult) -> String {
    let evicting = seen.iter().find(|seen| seen.eviction != EVICTIONS[0] && seen.limit != first.limit);
    let or = evicting.map(|seen| format!(", or {} where keys may be evicted,", bytes(seen.limit as f64)));
    format!("{}{}", bytes(first.limit as f64), or.unwrap_or_default())
}

/// Whether the count at which the limit was met was told beforehand, from so many bytes an event.
pub(super) fn predicted(
    runs: &[&PressureResult],
    per_event: Option<f64>,
    plan: Option<&PressurePlan>,
    absent: &str,
) -> Judged {
    let statement = "the number of events at which the limit is met can be told beforehand from a sample";
    let judged_by = (Bound::AtMost, PREDICTION_PERCENT_MAX, Unit::Percent);
    let id = "pressure.predicted";
    let off = |seen: &&PressureResult, per_event: f64| {
        let met = seen.met.as_ref()?;
        let said = seen.limit.saturating_sub(seen.empty) as f64 / per_event;
        Some(((said - met.events as f64).abs() * 100.0 / met.events as f64, said, met.events))
    };
    let Some(per_event) = per_event else {
        return Judged::blank(id, FITS, statement, judged_by).untested(absent);
    };
    let worst = runs.iter().filter_map(|seen| off(seen, per_event)).max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((percent, said, met)) = worst else {
        return Judged::blank(id, FITS, statement, judged_by).untested("no run met its limit");
    };
    if said < PREDICTED_MIN {
        return Judged::blank(id, FITS, statement, judged_by).untested(format!(
            "there is room for {} events only: what other clients hold for a moment would decide",
            events(said as u64)
        ));
    }
    let why = format!(
        "{} events predicted from a sample of {} ({per_event:.1} bytes each), the limit met at {}: the worst of {}",
        events(said as u64),
        events(plan.map_or(0, |plan| plan.sample)),
        events(met),
        counted(runs.len() as u64, "run", "runs")
    );
    Judged::of(id, FITS, statement, judged_by, percent, why)
}

/// Whether all that was acknowledged came back, but for what was counted.
pub(super) fn kept(run: Option<&PressureResult>, id: &str, policy: Policy, absent: &str) -> Judged {
    let statement = match policy {
        Policy::Wait => "with overflow wait, a full server costs no acknowledged event",
        Policy::Spill => "with overflow spill, a full server costs no event that was acknowledged or spilled",
        Policy::Shed => "with overflow shed, exactly the events counted as shed are gone",
        Policy::TrimOldest => "with overflow trim-oldest, exactly the events counted as trimmed are gone",
    };
    let judged_by = (Bound::Exactly, 0.0, Unit::Events);
    let Some(seen) = run else { return Judged::blank(id, FULL, statement, judged_by).untested(absent) };
    lossless(seen, id, statement)
}

fn lossless(seen: &PressureResult, id: &str, statement: &str) -> Judged {
    let judged_by = (Bound::Exactly, 0.0, Unit::Events);
    let counts = &seen.counts;
    let (said, what) = match seen.policy {
        Policy::Wait => (0, None),
        Policy::Spill => (0, Some((counts.spilled, "spilled"))),
        Policy::Shed => (counts.shed, Some((counts.shed, "shed"))),
        Policy::TrimOldest => (counts.trimmed, Some((counts.trimmed, "trimmed"))),
    };
    let off = seen.findings.given_up.abs_diff(said);
    let wrong = seen.findings.faults() + off;
    let mut why = seen.findings.sentence();
    if let Some((count, word)) = what {
        why = format!("{} {word}; {why}", events(count));
    }
    if counts.unreadable > 0 {
        why = format!("{} of the spill folder could not be read again; {why}", events(counts.unreadable));
    }
    let mut claim = Judged::of(id, FULL, statement, judged_by, wrong as f64, why);
    let faults = &seen.drained.faults;
    claim.evidence.extend(faults.told.iter().take(5).map(|fault| Evidence::Note { text: fault.clone() }));
    if let Some(failure) = &seen.failure {
        let why = format!("the writer ended: {failure}; {}", claim.why);
        claim = claim.refuted(why);
    } else if wrong == 0 && faults.count > 0 {
        let why = format!("{}; but the reader reported {} faults", claim.why, events(faults.count));
        claim = claim.refuted(why);
    }
    if seen.met.is_none() {
        return claim.untested(format!(
            "the limit of {} was never met: {} events were pushed, and memory was at {} at the most",
            bytes(seen.limit as f64),
            events(seen.findings.offered),
            bytes(seen.peak() as f64)
        ));
    }
    if claim.holds() && seen.findings.acknowledged == 0 {
        return claim.untested("no event was acknowledged");
    }
    match what {
        Some((0, word)) if claim.holds() => {
            claim.untested(format!("the limit was met, and nothing was {word}"))
        }
        _ => claim,
    }
}

/// Whether the eviction policy that the profile asks for loses nothing.
pub(super) fn own_policy(seen: &[PressureResult], profile: &Profile, absent: &str) -> Judged {
    let policy =
        profile.setting("maxmemory-policy").unwrap_or_else(|| EVICTIONS[0].into()).to_ascii_lowercase();
    let statement = format!("under the profile's maxmemory-policy, {policy}, no acknowledged event is lost");
    let id = "pressure.eviction";
    let run = seen.iter().find(|seen| seen.eviction == policy && seen.policy == Policy::Wait);
    let Some(run) = run else {
        let why = if EVICTIONS.contains(&policy.as_str()) {
            absent
        } else {
            "this proof does not know that policy"
        };
        return Judged::blank(id, FULL, &statement, (Bound::Exactly, 0.0, Unit::Events)).untested(why);
    };
    let mut claim = lossless(run, id, &statement);
    if run.watched.evicted > 0 {
        claim.why = format!("{} evicted: {}", counted(run.watched.evicted, "key", "keys"), claim.why);
    }
    claim = with_others(claim, &[run]);
    let lossy: Vec<&PressureResult> = seen.iter().filter(|seen| seen.watched.evicted > 0).collect();
    if !lossy.is_empty() {
        claim.evidence.push(table::evictions(&lossy));
    }
    claim
}

/// Whether the policies that only evict keys with a time to live leave a buffer alone: it has none.
pub(super) fn volatile(seen: &[PressureResult], absent: &str) -> Judged {
    let statement = "volatile-* policies evict nothing of a buffer: its keys have no time to live";
    let id = "pressure.volatile";
    let judged_by = (Bound::Exactly, 0.0, Unit::Events);
    let runs: Vec<&PressureResult> = seen.iter().filter(|seen| is_volatile(&seen.eviction)).collect();
    let claim = judge_all(&runs, id, statement, judged_by, absent);
    let is_run = |eviction: &str| runs.iter().any(|seen| seen.eviction == eviction);
    let missing: Vec<&str> =
        EVICTIONS.into_iter().filter(|eviction| is_volatile(eviction) && !is_run(eviction)).collect();
    if missing.is_empty() || runs.is_empty() || !claim.holds() {
        return claim;
    }
    let why = format!("{absent} ({}); {}", missing.join(", "), claim.why);
    claim.untested(why)
}

/// What several runs lost together.
pub(super) fn judge_all(
    runs: &[&PressureResult],
    id: &str,
    statement: &str,
    judged_by: (Bound, f64, Unit),
    absent: &str,
) -> Judged {
    let judged: Vec<(&PressureResult, Judged)> =
        runs.iter().map(|seen| (*seen, lossless(seen, id, statement))).collect();
    let Some((worst, claim)) = judged.iter().max_by_key(|(_, claim)| grade(claim.judgement())) else {
        return Judged::blank(id, FULL, statement, judged_by).untested(absent);
    };
    let mut claim = claim.clone();
    claim.why =
        format!("{}; under {}: {}", counted(runs.len() as u64, "run", "runs"), worst.eviction, claim.why);
    with_others(claim, runs)
}

/// With what befell keys of others in these runs: never without a word.
fn with_others(mut claim: Judged, runs: &[&PressureResult]) -> Judged {
    if let Some(told) = foreign_keys::summary(runs) {
        claim.why = format!("{}; {told}", claim.why);
        claim.evidence.push(foreign_keys::note(&told));
    }
    claim
}

fn grade(judgement: Judgement) -> u8 {
    match judgement {
        Judgement::Holds => 0,
        Judgement::Untested => 1,
        Judgement::Refuted => 2,
    }
}

fn is_volatile(eviction: &str) -> bool {
    eviction.starts_with("volatile-")
}

#[cfg(test)]
mod tests;
