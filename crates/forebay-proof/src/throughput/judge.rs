//! From what was held to claims. The controls are judged by the same function.

use super::combined_load::CombinedResult;
use crate::claim::{Axes, Bound, Evidence, Judged, Series, Unit};
use crate::report::units::{counted, span, thousands};
use forebay_rig::load::latency::Latency;
use forebay_rig::load::outcome::Outcome;
use forebay_watch::profile::Profile;

/// The step of the brief that throughput answers.
const STEP: u8 = 8;

/// Share of what was due that must be answered rightly in time.
const RATE_PERCENT_MIN: f64 = 99.9;

/// How far the rate may stray from second to second, and how much of it may be gone by the end, in percent.
const DEVIATION_PERCENT_MAX: f64 = 5.0;
const FADING_PERCENT_MAX: f64 = 1.0;

/// Of fewer whole seconds there is nothing to compare.
const SECONDS_MIN: usize = 2;
const TOO_SHORT: &str = "it ran for less than two whole seconds";

/// How long after the end acknowledgements still count for the rate: blocks wait for their linger. Answers to operations
/// count as long as the profile's line for p95 allows.
const SETTLE: f64 = 1.0;

/// Faults that are shown one by one.
const FAULTS_SHOWN: usize = 10;

/// Every claim of the proof, controls still to come.
pub fn claims(held: &[CombinedResult], profile: &Profile) -> Vec<Judged> {
    let mut claims: Vec<Judged> = held.iter().map(|one| rate(one, profile)).collect();
    if held.is_empty() {
        return claims;
    }
    claims.extend([
        latency("throughput.p50", 50.0, profile.load.p50_max.as_secs_f64() * 1e3, held, profile),
        latency("throughput.p95", 95.0, profile.load.p95_max.as_secs_f64() * 1e3, held, profile),
    ]);
    if let Some(constant) = held.iter().find(|one| one.pattern.name() == "constant") {
        claims.extend([stable(constant, profile), fading(constant, profile)]);
    }
    claims.extend([left_over(held), answers(held), identical(held)]);
    claims
}

/// A claim about the profile's time: what held for less is untested.
fn for_the_time(claim: Judged, ran: f64, profile: &Profile) -> Judged {
    let wanted = profile.load.duration.as_secs_f64();
    if !claim.holds() || ran >= wanted * 0.999 {
        return claim;
    }
    let why = format!("it ran for {} of {}, in which: {}", span(ran), span(wanted), claim.why);
    claim.untested(why).test_with("forebay throughput --scale full")
}

fn rate(held: &CombinedResult, profile: &Profile) -> Judged {
    let load = &profile.load;
    let of = |outcome: &Outcome, settle: f64| {
        // Whole seconds, and what was under way at the end if it came soon.
        let within: u64 = outcome.whole_seconds().map(|second| second.right).sum();
        let in_time = if outcome.seconds <= outcome.asked_seconds + settle { outcome.right } else { within };
        in_time as f64 * 100.0 / outcome.due.max(1) as f64
    };
    let (operations, events) = (of(&held.operations, load.p95_max.as_secs_f64()), of(&held.events, SETTLE));
    let said = |outcome: &Outcome, what: &str| {
        let (right, due) = (thousands(outcome.right as f64, 0), thousands(outcome.due as f64, 0));
        format!("{right} of {due} {what} ({}/s)", thousands(outcome.rate(), 0))
    };
    let mut why = format!("{} and {}", said(&held.operations, "operations"), said(&held.events, "events"));
    for shortfall in [held.operations.shortfall(), held.events.shortfall()].into_iter().flatten() {
        why = format!("{why}; {shortfall}");
    }
    let mut claim = Judged::of(
        &format!("throughput.rate.{}", held.pattern.name()),
        STEP,
        format!(
            "{} operations/s and as many events/s are held for {} ({}): {RATE_PERCENT_MIN} of 100 are answered rightly in time",
            thousands(load.rate, 0),
            span(load.duration.as_secs_f64()),
            held.pattern,
        ),
        (Bound::AtLeast, RATE_PERCENT_MIN, Unit::Percent),
        operations.min(events),
        why,
    );
    claim.evidence.extend([over_time(held), percentiles(held)]);
    if held.operations.due == 0 || held.events.due == 0 {
        return claim.untested("no operation, or no event, was due");
    }
    for_the_time(claim, held.seconds(), profile)
}

fn latency(id: &str, percent: f64, most: f64, held: &[CombinedResult], profile: &Profile) -> Judged {
    let of = |one: &CombinedResult| one.operations.response().percentile(percent);
    let worst = held.iter().map(of).fold(0.0, f64::max);
    let where_worst = held.iter().max_by(|a, b| of(a).total_cmp(&of(b))).map_or("", |one| one.pattern.name());
    let mut claim = Judged::of(
        id,
        STEP,
        format!(
            "under that load ({}) {percent} of 100 operations take at most {most} ms, from when they are due",
            counted(held.len() as u64, "pattern", "patterns")
        ),
        (Bound::AtMost, most, Unit::Milliseconds),
        worst,
        format!("the most was under {where_worst}"),
    );
    if held.iter().any(|one| one.operations.response().count() == 0) {
        return claim.untested("no operation was due");
    }
    if percent > 90.0 {
        claim.evidence.push(table(held));
    }
    let ran = held.iter().map(CombinedResult::seconds).fold(f64::INFINITY, f64::min);
    for_the_time(claim, ran, profile)
}

/// Right answers in each whole second of the run's time.
fn by_second(held: &CombinedResult) -> Vec<f64> {
    held.operations.whole_seconds().map(|second| second.right as f64).collect()
}

fn stable(held: &CombinedResult, profile: &Profile) -> Judged {
    let rates = by_second(held);
    let count = rates.len().max(1) as f64;
    let mean = rates.iter().sum::<f64>() / count;
    let deviation = (rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count).sqrt();
    let lowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let claim = Judged::of(
        "throughput.stable",
        STEP,
        format!(
            "at an even rate the answers of each second stray by at most {DEVIATION_PERCENT_MAX} % (standard deviation)"
        ),
        (Bound::AtMost, DEVIATION_PERCENT_MAX, Unit::Percent),
        deviation * 100.0 / mean,
        format!(
            "{} to {} answers a second; a straight line through them runs by {:+.3} % of the rate from start to end",
            thousands(lowest, 0),
            thousands(highest, 0),
            slope(&rates) * count * 100.0 / mean
        ),
    );
    if rates.len() < SECONDS_MIN {
        return claim.untested(TOO_SHORT);
    }
    for_the_time(claim, held.seconds(), profile)
}

/// Slope of the straight line through evenly spaced values.
fn slope(values: &[f64]) -> f64 {
    let mean_x = (values.len() as f64 - 1.0) / 2.0;
    let (mut over, mut under) = (0.0, 0.0);
    for (x, y) in values.iter().enumerate() {
        let off = x as f64 - mean_x;
        // The values' mean would fall out: what is off to one side is off to the other.
        over += off * y;
        under += off * off;
    }
    if under > 0.0 { over / under } else { 0.0 }
}

fn fading(held: &CombinedResult, profile: &Profile) -> Judged {
    let rates = by_second(held);
    let tenth = (rates.len() / 10).max(1).min(rates.len());
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let (first, last) = (mean(&rates[..tenth]), mean(&rates[rates.len() - tenth..]));
    let p99 = |part: &[forebay_rig::load::outcome::Second]| {
        let mut values: Vec<f64> = part.iter().map(|second| second.p99).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    let series = &held.operations.series;
    let end = rates.len().min(series.len());
    let claim = Judged::of(
        "throughput.fading",
        STEP,
        format!(
            "in the last tenth of the time the rate is at most {FADING_PERCENT_MAX} % below that of the first"
        ),
        (Bound::AtMost, FADING_PERCENT_MAX, Unit::Percent),
        (first - last) * 100.0 / first,
        format!(
            "{:.1} answers/s in the first tenth, {:.1} in the last; p99 of the middle second {:.2} ms and {:.2} ms",
            first,
            last,
            p99(&series[..tenth.min(end)]),
            p99(&series[end.saturating_sub(tenth)..end])
        ),
    );
    if rates.len() < SECONDS_MIN {
        return claim.untested(TOO_SHORT);
    }
    for_the_time(claim, held.seconds(), profile)
}

fn left_over(held: &[CombinedResult]) -> Judged {
    let of = |one: &CombinedResult| {
        let (operations, events) = (&one.operations, &one.events);
        operations.unsent()
            + operations.unanswered
            + events.unsent()
            + events.unanswered
            + one.findings.lost()
    };
    let most = held.iter().flat_map(|one| &one.behind).map(|point| point.1).fold(0.0, f64::max);
    let backlog = held.iter().map(|one| one.operations.backlog_max).max().unwrap_or(0);
    let claim = Judged::of(
        "throughput.backlog",
        STEP,
        "at the end nothing is left over: everything due was sent and answered, and every event read",
        (Bound::Exactly, 0.0, Unit::Count),
        held.iter().map(of).sum::<u64>() as f64,
        format!(
            "meanwhile at most {} operations were due and not sent, and {} acknowledged events not yet read",
            thousands(backlog as f64, 0),
            thousands(most, 0)
        ),
    );
    if held.iter().any(|one| one.operations.interrupted || one.events.interrupted) {
        return claim.untested("the run was interrupted before its end");
    }
    if claim.holds() && held.iter().any(|one| one.operations.due == 0 || one.findings.acknowledged == 0) {
        return claim.untested("no operation was due, or no event was acknowledged");
    }
    claim
}

fn answers(held: &[CombinedResult]) -> Judged {
    let bad: u64 = held.iter().map(|one| one.operations.faults()).sum();
    let right: u64 = held.iter().map(|one| one.operations.right).sum();
    let mut kinds: Vec<String> = Vec::new();
    for one in held {
        kinds.extend(one.operations.errors.iter().map(|(kind, count)| format!("{count} x {kind}")));
        kinds.extend(one.operations.examples.iter().cloned());
    }
    let why = if kinds.is_empty() { "each was checked".into() } else { kinds.join("; ") };
    let claim = Judged::of(
        "throughput.answers",
        STEP,
        "every operation is answered with what its key, list or stream holds",
        (Bound::Exactly, 0.0, Unit::Count),
        bad as f64,
        format!("{} right answers; {why}", thousands(right as f64, 0)),
    );
    if right == 0 && bad == 0 {
        return claim.untested("nothing was answered");
    }
    claim
}

fn identical(held: &[CombinedResult]) -> Judged {
    let faults: u64 = held.iter().map(|one| one.findings.faults() + one.faults.len() as u64).sum();
    let acknowledged: u64 = held.iter().map(|one| one.findings.acknowledged).sum();
    let said: Vec<String> =
        held.iter().filter(|one| one.findings.faults() > 0).map(|one| one.findings.sentence()).collect();
    let others: usize = held.iter().map(|one| one.faults.len()).sum();
    let why = if said.is_empty() && others > 0 {
        format!(
            "{} events acknowledged and read; the group came upon {others} entries that are no blocks of this run",
            thousands(acknowledged as f64, 0)
        )
    } else if said.is_empty() {
        format!(
            "{} events acknowledged, each read by the group once, the same bytes, in its lane's order",
            thousands(acknowledged as f64, 0)
        )
    } else {
        said.join("; ")
    };
    let mut claim = Judged::of(
        "throughput.identical",
        STEP,
        "every acknowledged event reaches the reading group once, byte for byte, in its lane's order",
        (Bound::Exactly, 0.0, Unit::Events),
        faults as f64,
        why,
    );
    if acknowledged == 0 {
        claim = claim.untested("no event was acknowledged");
    }
    for fault in held.iter().flat_map(|one| &one.faults).take(FAULTS_SHOWN) {
        claim.evidence.push(Evidence::Note { text: fault.clone() });
    }
    claim
}

fn over_time(held: &CombinedResult) -> Evidence {
    let line = |name: &str, dashed, points| Series { name: name.into(), dashed, points };
    let of = |outcome: &Outcome, pick: fn(&forebay_rig::load::outcome::Second) -> u64| {
        let whole = outcome.series.iter().filter(|second| second.at <= outcome.asked_seconds + 1e-6);
        whole.map(|second| (second.at, pick(second) as f64)).collect()
    };
    Evidence::Chart {
        title: format!("Rate over time, {}", held.pattern.name()),
        x: "seconds".into(),
        y: "a second".into(),
        axes: Axes::Plain,
        series: vec![
            line("operations answered", false, of(&held.operations, |second| second.right)),
            line("events acknowledged", false, of(&held.events, |second| second.right)),
            line("due", true, of(&held.operations, |second| second.due)),
        ],
    }
}

fn percentiles(held: &CombinedResult) -> Evidence {
    let line =
        |name: &str, latency: Latency| Series { name: name.into(), dashed: false, points: latency.curve() };
    Evidence::Chart {
        title: format!("Latency by percentile, {}", held.pattern.name()),
        x: "percentile".into(),
        y: "milliseconds".into(),
        axes: Axes::Percentiles,
        series: vec![
            line("operations, from when they were due", held.operations.response()),
            line("operations, from when they were sent", held.operations.service()),
            line("events, until acknowledged", held.events.response()),
        ],
    }
}

fn table(held: &[CombinedResult]) -> Evidence {
    let columns = ["pattern", "ops/s", "p50", "p95", "p99", "max", "event p50", "p99"];
    let ms = |value: f64| format!("{value:.2}");
    let rows = held
        .iter()
        .map(|one| {
            let (operations, events) = (one.operations.response(), one.events.response());
            vec![
                one.pattern.name().into(),
                thousands(one.operations.rate(), 0),
                ms(operations.percentile(50.0)),
                ms(operations.percentile(95.0)),
                ms(operations.percentile(99.0)),
                ms(operations.max()),
                ms(events.percentile(50.0)),
                ms(events.percentile(99.0)),
            ]
        })
        .collect();
    Evidence::Table {
        title: "Milliseconds by pattern: operations from when they were due, events from when they were due until \
                they were acknowledged (a block's linger is in it)"
            .into(),
        columns: columns.map(String::from).into(),
        rows,
    }
}

#[cfg(test)]
mod tests;
