//! From what was measured to claims. The controls are judged by the same functions.

use std::collections::BTreeSet;

use super::bench::CONNECTIONS;
use super::cells::{CONNECTIONS as CONNECTIONS_TRIED, Cell};
use super::counters::Counters;
use super::measured::Measured;
use super::saturation::Probe;
use crate::claim::{Axes, Bound, Evidence, Judged, Series, Unit};
use crate::report::units::{bytes, millis, thousands};
use forebay_rig::load::outcome::Outcome;
use forebay_rig::load::work::OperationKind;
use forebay_watch::profile::{Load, Profile};

/// The step of the brief that the baseline answers.
const STEP: u8 = 2;

/// Every claim of the proof, controls still to come.
pub fn claims(measured: &Measured, profile: &Profile) -> Vec<Judged> {
    let load = &profile.load;
    let mut rate = rate(&measured.cells, load);
    rate.evidence.extend(tables(&measured.cells));
    rate.evidence.extend(measured.cells.iter().filter(|cell| cell.connections.is_none()).map(writer));
    rate.evidence.push(weights(measured));
    let mut p95 = latency("baseline.p95", 95.0, load.p95_max.as_secs_f64() * 1e3, &measured.paced, load);
    p95.evidence.push(percentiles(&measured.paced));
    let outcomes: Vec<&Outcome> =
        measured.cells.iter().map(|cell| &cell.outcome).chain([&measured.paced]).collect();
    let mut counted = counted(measured);
    counted.evidence.push(counters(measured));
    vec![
        rate,
        latency("baseline.p50", 50.0, load.p50_max.as_secs_f64() * 1e3, &measured.paced, load),
        p95,
        saturation(&measured.probes, load),
        answers(&outcomes),
        counted,
    ]
}

/// The slowest cell.
pub fn rate(cells: &[Cell], load: &Load) -> Judged {
    let kinds: BTreeSet<&str> = cells.iter().map(|cell| cell.kind.name()).collect();
    let slowest = cells.iter().min_by(|a, b| a.outcome.rate().total_cmp(&b.outcome.rate()));
    let why = slowest.map_or("nothing was tried".into(), |cell| {
        let connections = cell.connections.map_or("its own connections".into(), connections);
        format!("the slowest was {} on {connections}", cell.kind.name())
    });
    let claim = Judged::of(
        "baseline.rate",
        STEP,
        format!(
            "each of {} operations, on 1 to 1,000 connections one request at a time, reaches {} requests/s",
            kinds.len(),
            thousands(load.rate, 0)
        ),
        (Bound::AtLeast, load.rate, Unit::RequestsPerSecond),
        slowest.map_or(0.0, |cell| cell.outcome.rate()),
        why,
    );
    if cells.is_empty() { claim.untested("nothing was tried") } else { claim }
}

fn connections(count: usize) -> String {
    let unit = if count == 1 { "connection" } else { "connections" };
    format!("{} {unit}", thousands(count as f64, 0))
}

/// Of the mix at the profile's rate.
pub fn latency(id: &str, percent: f64, most: f64, paced: &Outcome, load: &Load) -> Judged {
    let response = paced.response();
    let mut why = format!(
        "{} requests on {CONNECTIONS} connections; p99 {:.2} ms, p99.9 {:.2} ms, at most {:.2} ms",
        thousands(response.count() as f64, 0),
        response.percentile(99.0),
        response.percentile(99.9),
        response.max()
    );
    if let Some(shortfall) = paced.shortfall() {
        why = format!("{shortfall}; {why}");
    }
    let claim = Judged::of(
        id,
        STEP,
        format!(
            "at {} operations/s {percent} of 100 take at most {most} ms, from when they are due",
            thousands(load.rate, 0)
        ),
        (Bound::AtMost, most, Unit::Milliseconds),
        response.percentile(percent),
        why,
    );
    if response.count() == 0 { claim.untested("nothing was due") } else { claim }
}

/// Of the probes.
pub fn saturation(probes: &[Probe], load: &Load) -> Judged {
    let line = load.p99_max.as_secs_f64() * 1e3;
    let highest = probes.iter().filter(|probe| probe.is_borne).map(|probe| probe.rate).fold(0.0, f64::max);
    let beyond = probes.iter().find(|probe| probe.rate > highest && !probe.is_borne);
    let why = beyond.map_or("no rate was too high".into(), |probe| {
        format!(
            "at {} requests/s p99 was {:.1} ms, and {:.1} % were answered in time",
            thousands(probe.rate, 0),
            probe.p99,
            probe.answered * 100.0
        )
    });
    let mut claim = Judged::of(
        "baseline.saturation",
        STEP,
        format!(
            "the highest rate of mixed operations with p99 at most {line} ms, and 99 of 100 answered in time, is the profile's \
             or higher"
        ),
        (Bound::AtLeast, load.rate, Unit::RequestsPerSecond),
        highest,
        why,
    );
    let line_of = |name: &str, pick: fn(&Probe) -> f64| Series {
        name: name.into(),
        dashed: false,
        points: probes.iter().map(|probe| (probe.rate, pick(probe))).collect(),
    };
    let ends =
        [probes.first(), probes.last()].into_iter().flatten().map(|probe| (probe.rate, line)).collect();
    claim.evidence.push(Evidence::Chart {
        title: format!("Latency against rate, {CONNECTIONS} connections"),
        x: "requests a second".into(),
        y: "milliseconds".into(),
        axes: Axes::Log,
        series: vec![
            line_of("p99", |probe| probe.p99),
            line_of("p50", |probe| probe.p50),
            Series { name: "the profile's line for p99".into(), dashed: true, points: ends },
        ],
    });
    if probes.is_empty() { claim.untested("no rate was tried") } else { claim }
}

/// Of every answer.
pub fn answers(outcomes: &[&Outcome]) -> Judged {
    let sum = |pick: fn(&Outcome) -> u64| outcomes.iter().map(|outcome| pick(outcome)).sum::<u64>();
    let bad = sum(Outcome::faults);
    let right = sum(|outcome| outcome.right);
    let mut said: Vec<String> = Vec::new();
    for outcome in outcomes {
        said.extend(outcome.errors.iter().map(|(kind, count)| format!("{count} x {kind}")));
        said.extend(outcome.examples.iter().cloned());
    }
    said.truncate(5);
    let said = if said.is_empty() { "each was checked".into() } else { said.join("; ") };
    let claim = Judged::of(
        "baseline.answers",
        STEP,
        "every request is answered, and with what its key, list or stream holds",
        (Bound::Exactly, 0.0, Unit::Count),
        bad as f64,
        format!("{} right answers; {said}", thousands(right as f64, 0)),
    );
    if right == 0 && bad == 0 { claim.untested("nothing was asked") } else { claim }
}

/// Requests that we sent, by our account, and those that the server counted.
fn counted(measured: &Measured) -> Judged {
    let claim = difference(&measured.counters, &sent(measured));
    if measured.is_own {
        return claim;
    }
    let seen = claim.measured().unwrap_or(0.0);
    let why = format!(
        "others may send the same commands to this server; its counters differ by {}",
        thousands(seen, 0)
    );
    claim.untested(why).test_with("forebay baseline, without --url: on a server of its own")
}

/// Requests sent by kind.
fn sent(measured: &Measured) -> Vec<(OperationKind, u64)> {
    let outcomes = measured.cells.iter().map(|cell| &cell.outcome).chain([&measured.paced]);
    let mut sent: Vec<(OperationKind, u64)> = OperationKind::ALL.into_iter().map(|kind| (kind, 0)).collect();
    for outcome in outcomes.chain(measured.probes.iter().map(|probe| &probe.outcome)) {
        for (kind, count) in &mut sent {
            *count += outcome.kinds.get(kind).map_or(0, |figures| figures.sent);
        }
    }
    sent.retain(|(kind, _)| *kind != OperationKind::Append);
    sent
}

/// The claim that a server's counters agree with what was sent.
pub fn difference(counters: &Counters, sent: &[(OperationKind, u64)]) -> Judged {
    let of = |kind: &OperationKind| counters.commands.get(kind).map_or(0, |calls| calls.count);
    let off: u64 = sent.iter().map(|(kind, count)| count.abs_diff(of(kind))).sum();
    let worst = sent.iter().filter(|(kind, count)| of(kind) != *count).map(|(kind, count)| {
        format!(
            "{}: {} sent, {} counted",
            kind.name(),
            thousands(*count as f64, 0),
            thousands(of(kind) as f64, 0)
        )
    });
    let worst: Vec<String> = worst.take(3).collect();
    let all: u64 = sent.iter().map(|(_, count)| count).sum();
    let said = if worst.is_empty() { "command by command the same".into() } else { worst.join("; ") };
    let claim = Judged::of(
        "baseline.counted",
        STEP,
        "the server counted as many calls of each command as were sent",
        (Bound::Exactly, 0.0, Unit::Count),
        off as f64,
        format!("{} requests; {said}", thousands(all as f64, 0)),
    );
    if all == 0 { claim.untested("nothing was sent") } else { claim }
}

/// A figure of every cell: a row an operation, a column so many connections.
fn table(cells: &[Cell], title: &str, figure: &dyn Fn(&Cell) -> String) -> Evidence {
    let mut columns = vec!["operation".to_owned()];
    columns.extend(CONNECTIONS_TRIED.map(|count| format!("{} conn.", thousands(count as f64, 0))));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.connections.is_some()) {
        match rows.last_mut().filter(|row| row[0] == cell.kind.name()) {
            Some(row) => row.push(figure(cell)),
            None => rows.push(vec![cell.kind.name().to_owned(), figure(cell)]),
        }
    }
    for row in &mut rows {
        row.resize(columns.len(), "-".into());
    }
    Evidence::Table { title: title.into(), columns, rows }
}

/// The buffer's own writer, which has connections of its own.
fn writer(cell: &Cell) -> Evidence {
    let response = cell.outcome.response();
    Evidence::Note {
        text: format!(
            "the buffer's writer, as fast as it takes them: {} events/s, acknowledged after {} ms (p50), {} ms (p99)",
            thousands(cell.outcome.rate(), 0),
            millis(response.percentile(50.0)),
            millis(response.percentile(99.0))
        ),
    }
}

/// Rates and latencies of every cell.
fn tables(cells: &[Cell]) -> Vec<Evidence> {
    let latency = |percent: f64| {
        move |cell: &Cell| {
            let figures = cell.outcome.kinds.get(&cell.kind);
            figures.map_or("-".into(), |figures| millis(figures.response.percentile(percent)))
        }
    };
    vec![
        table(
            cells,
            "Requests/s, as fast as answers come, one request at a time on each connection. What an operation needs (the \
             SET before a DEL) is in its rate",
            &|cell| thousands(cell.outcome.rate(), 0),
        ),
        table(
            cells,
            "The same: half of the answers came within so many milliseconds of the request. This is a closed loop, which \
             waits with the server",
            &latency(50.0),
        ),
        table(cells, "The same: 99 of 100 (p99), milliseconds", &latency(99.0)),
        table(cells, "The same: the longest, milliseconds", &latency(100.0)),
    ]
}

fn weights(measured: &Measured) -> Evidence {
    let rows = measured
        .weights
        .iter()
        .map(|weight| {
            vec![
                bytes(weight.value_bytes as f64),
                bytes(weight.used_bytes),
                format!("{:.2}", weight.used_bytes / weight.value_bytes as f64),
            ]
        })
        .collect();
    Evidence::Table {
        title: "What a value weighs in memory as it grows (SET, a server of its own)".into(),
        columns: ["value", "used memory", "times its size"].map(String::from).into(),
        rows,
    }
}

fn percentiles(paced: &Outcome) -> Evidence {
    let line = |name: &str, latency: forebay_rig::load::latency::Latency| Series {
        name: name.into(),
        dashed: false,
        points: latency.curve(),
    };
    Evidence::Chart {
        title: "Latency by percentile at the profile's rate".into(),
        x: "percentile".into(),
        y: "milliseconds".into(),
        axes: Axes::Percentiles,
        series: vec![
            line("from when they were due", paced.response()),
            line("from when they were sent", paced.service()),
        ],
    }
}

/// What the server says of the same seconds.
fn counters(measured: &Measured) -> Evidence {
    let counters = &measured.counters;
    let rows = counters
        .commands
        .iter()
        .filter(|(_, calls)| calls.count > 0)
        .map(|(kind, calls)| {
            vec![
                kind.name().to_owned(),
                thousands(calls.count as f64, 0),
                format!("{:.2}", calls.micros as f64 / calls.count as f64),
                calls.p99_micros.map_or("-".into(), |p99| format!("≤ {p99}")),
            ]
        })
        .collect();
    Evidence::Table {
        title: format!(
            "What the server counted in the same {:.0} s: {:.0} % of a core; forks {}, delayed fsyncs {}, slow \
             commands {}; microseconds inside it",
            counters.seconds,
            counters.cpu_seconds * 100.0 / counters.seconds.max(0.001),
            counters.forks,
            counters.delayed_fsyncs,
            counters.slow
        ),
        columns: ["command", "calls", "mean us", "p99 us"].map(String::from).into(),
        rows,
    }
}

#[cfg(test)]
mod tests;
