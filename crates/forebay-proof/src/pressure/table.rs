//! What the runs saw, for people.

use super::policy::{EVICTIONS, Policy};
use super::run_result::PressureResult;
use crate::claim::{Axes, Evidence, Series};
use crate::ledger::Findings;
use crate::report::units::{millis, thousands};
use forebay_rig::load::latency::Latency;

/// A count of events.
pub(super) fn events(count: u64) -> String {
    thousands(count as f64, 0)
}

fn table(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Evidence {
    let columns = columns.iter().map(|head| (*head).to_owned()).collect();
    Evidence::Table { title: title.into(), columns, rows }
}

/// Policy against loss: the table that everything else explains.
pub(super) fn losses(seen: &[PressureResult]) -> Evidence {
    let rows = seen
        .iter()
        .map(|seen| {
            let found = &seen.findings;
            vec![
                run(seen),
                events(found.offered),
                events(found.read),
                events(found.given_up),
                events(seen.watched.evicted),
                events(found.lost()),
            ]
        })
        .collect();
    let title = "Policy against loss: of the events offered, how many came back, how many the writer counted as given up \
                 (shed or trimmed), and how many acknowledged ones are lost";
    let columns = ["overflow, maxmemory-policy", "offered", "came back", "given up", "keys evicted", "lost"];
    table(title, &columns, rows)
}

/// Which overflow policy is for whom, and what it cost here.
pub(super) fn choice(seen: &[&PressureResult]) -> Evidence {
    let rows = seen
        .iter()
        .map(|seen| {
            let (gives_up, choose) = match seen.policy {
                Policy::Wait => {
                    ("nothing: the source is held back", "the source can wait, or be asked again")
                }
                Policy::Spill => (
                    "nothing: blocks go to a folder, and from there",
                    "it cannot wait, and the writer has a disk",
                ),
                Policy::Shed => ("new events", "old events matter more than new ones"),
                Policy::TrimOldest => {
                    ("the oldest events, read or not", "new events matter more than old ones")
                }
            };
            let beyond = seen.latency[1].as_ref().filter(|latency| latency.count() > 0);
            vec![
                seen.policy.name().into(),
                choose.into(),
                gives_up.into(),
                events(seen.findings.given_up),
                beyond.map_or("–".into(), |latency| millis(latency.percentile(99.0))),
            ]
        })
        .collect();
    let title = "Which overflow policy to choose, always with maxmemory-policy noeviction: a policy that evicts drops a \
                 lane with everything in it, and tells nobody";
    table(title, &["overflow", "choose it when", "gives up", "events here", "p99 beyond, ms"], rows)
}

fn run(seen: &PressureResult) -> String {
    format!("{}, {}", seen.policy.name(), seen.eviction)
}

/// Where evicting runs lost events, and how many went with a key.
pub(super) fn evictions(seen: &[&PressureResult]) -> Evidence {
    let rows = seen
        .iter()
        .map(|seen| {
            let found = &seen.findings;
            let keys = seen.watched.evicted.max(1);
            vec![
                seen.eviction.clone(),
                events(seen.watched.evicted),
                evicted_keys(seen),
                events(found.lost() / keys),
                places(found),
            ]
        })
        .collect();
    let title = "What evicted_keys meant in events: a lane is one key, and goes with everything in it";
    let columns = ["maxmemory-policy", "keys evicted", "which", "events a key", "lost where"];
    table(title, &columns, rows)
}

/// `prefix 3, tail 4`.
fn places(found: &Findings) -> String {
    let places = [
        ("prefix", found.lost_prefix),
        ("middle", found.lost_middle),
        ("tail", found.lost_tail),
        ("whole lanes", found.lost_whole),
    ];
    let some = places.into_iter().filter(|(_, lost)| *lost > 0);
    let told: Vec<String> = some.map(|(place, lost)| format!("{place} {}", events(lost))).collect();
    if told.is_empty() { "nowhere".into() } else { told.join(", ") }
}

/// `likes 2, posts 1, 3 states`: a lane's state is a key too.
fn evicted_keys(seen: &PressureResult) -> String {
    let lanes = seen.evictions.iter().filter(|(_, times, _)| *times > 0);
    let mut names: Vec<String> = lanes.map(|(lane, times, _)| format!("{lane} {times}")).collect();
    let states: u64 = seen.evictions.iter().map(|(.., states)| states).sum();
    if states > 0 {
        names.push(format!("{states} of lanes' states"));
    }
    let others: u64 = seen.others.iter().map(|(_, times)| times).sum();
    if others > 0 {
        names.push(format!("{others} of others"));
    }
    if names.is_empty() { "not told".into() } else { names.join(", ") }
}

/// What each policy costs in time.
pub(super) fn latencies(seen: &[&PressureResult]) -> Evidence {
    let figures = |latency: &Option<Latency>| match latency {
        Some(latency) if latency.count() > 0 => {
            format!("{} / {}", millis(latency.percentile(50.0)), millis(latency.percentile(99.0)))
        }
        _ => "–".into(),
    };
    let rows = seen
        .iter()
        .map(|seen| {
            let [before, beyond, after] = &seen.latency;
            vec![
                seen.policy.name().into(),
                seen.met.as_ref().map_or("never".into(), |met| events(met.events)),
                figures(before),
                figures(beyond),
                figures(after),
                seen.refused_for.map_or("–".into(), |span| millis(span.as_secs_f64() * 1e3)),
                seen.resumed().map_or("–".into(), |span| millis(span.as_secs_f64() * 1e3)),
                seen.watched.refused.map_or("–".into(), events),
            ]
        })
        .collect();
    let title = "Append latency of a block, p50 / p99 in ms, from when it is due to be cut until its events are \
                 acknowledged, spilled or shed: at 90 % of the limit, beyond it, and after the drain; for how long nothing \
                 was acknowledged, how soon the slowest lane was back after there was room, and how many appends were refused";
    let columns =
        ["overflow", "limit met at", "at 90 %", "beyond", "after", "no ack ms", "back ms", "refused"];
    table(title, &columns, rows)
}

/// What each policy costs in memory.
pub(super) fn memory(seen: &[&PressureResult]) -> Evidence {
    let rows = seen
        .iter()
        .map(|seen| {
            let peak = |pick: fn(&super::watch::Moment) -> f64| {
                seen.watched.curve.iter().map(pick).fold(0.0, f64::max)
            };
            let last = seen.watched.curve.last();
            vec![
                seen.policy.name().into(),
                mib(seen.peak() as f64),
                mib(peak(|moment| moment.rss as f64)),
                last.map_or("–".into(), |last| mib(last.used as f64)),
                last.map_or("–".into(), |last| mib(last.rss as f64)),
                last.map_or("–".into(), |last| format!("{:.2}", last.fragmentation)),
                format!("{:.1}", seen.drained.seconds),
                seen.watched.copied.map_or("–".into(), |copied| mib(copied as f64)),
            ]
        })
        .collect();
    let title = "Memory in MiB: most used and most resident, both right after the drain (the allocator gives pages back \
                 later), how long that took, and what a rewrite at the limit copied (copy-on-write)";
    let columns = [
        "overflow",
        "used",
        "resident",
        "used after",
        "resident after",
        "fragmentation",
        "drain s",
        "copied",
    ];
    table(title, &columns, rows)
}

fn mib(bytes: f64) -> String {
    thousands(bytes / f64::from(1 << 20), 1)
}

/// Memory through each run.
pub(super) fn curves(seen: &[&PressureResult]) -> Evidence {
    let end =
        seen.iter().filter_map(|seen| seen.watched.curve.last()).map(|last| last.seconds).fold(0.0, f64::max);
    let mut series = Vec::new();
    for run in seen {
        let pick = |pick: fn(&super::watch::Moment) -> f64| {
            run.watched.curve.iter().map(|moment| (moment.seconds, pick(moment))).collect()
        };
        series.push(Series {
            name: run.policy.name().into(),
            dashed: false,
            points: pick(|moment| moment.used as f64),
        });
    }
    if let Some(run) = seen.iter().find(|run| run.policy == Policy::Wait) {
        let points = run.watched.curve.iter().map(|moment| (moment.seconds, moment.rss as f64)).collect();
        series.push(Series { name: "resident, wait".into(), dashed: false, points });
    }
    if let Some(run) = seen.first() {
        let limit = run.limit as f64;
        series.push(Series {
            name: "maxmemory".into(),
            dashed: true,
            points: vec![(0.0, limit), (end, limit)],
        });
    }
    Evidence::Chart {
        title: format!("Used memory through a run under {}", EVICTIONS[0]),
        x: "seconds".into(),
        y: "bytes".into(),
        axes: Axes::Plain,
        series,
    }
}
