//! Fragmentation: what is resident beyond what is used after cycles of fill and drain, with `activedefrag` and without.
//!
//! Every cycle leaves one lane behind, as where its reader is late: what stays lies between what went.

use std::time::{Duration, Instant};

use super::advice::{Cost, by_memory};
use super::sizes::Bench;
use crate::claim::Evidence;
use crate::own_server::{OwnServer, Tried};
use crate::report::units::{bytes, span, thousands};
use crate::server_setting::{Advice, Outcome, Row, mark_default};
use crate::wait::look_for;
use forebay::buffer::connect::Facts;
use forebay::event::jetstream;
use forebay::event::lane::Lane;

const SETTING: &str = "activedefrag";

/// From how much waste on the server defragments: its default is 100 MiB, more than the whole of a small run.
const IGNORE: (&str, &str) = ("active-defrag-ignore-bytes", "1048576");

/// The lane whose reader is late.
const LATE: Lane = jetstream::POSTS;

/// Resident memory is back once no more than this part lies over what is used, and so many bytes.
const BACK: (f64, u64) = (1.1, 1 << 20);

/// How soon a server has looked at its allocator again.
const LOOKED_WITHIN: Duration = Duration::from_millis(300);

/// Memory at one moment.
#[derive(Debug, Clone, Copy)]
struct Moment {
    used: u64,
    rss: u64,
    allocated: u64,
    ratio: f64,
    allocator_ratio: f64,
    allocator_bytes: u64,
}

impl Moment {
    fn of(facts: &Facts) -> Self {
        let number = |name| facts.number(name).unwrap_or(0);
        let ratio = |name| facts.get(name).and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
        Self {
            used: number("used_memory"),
            rss: number("used_memory_rss"),
            allocated: number("allocator_allocated"),
            ratio: ratio("mem_fragmentation_ratio"),
            allocator_ratio: ratio("allocator_frag_ratio"),
            allocator_bytes: number("allocator_frag_bytes"),
        }
    }

    fn cells(self, value: &str, when: &str) -> Vec<String> {
        vec![
            value.into(),
            when.into(),
            bytes(self.used as f64),
            bytes(self.rss as f64),
            thousands(self.ratio, 2),
            thousands(self.allocator_ratio, 2),
            bytes(self.allocator_bytes as f64),
        ]
    }
}

/// A server with one value.
struct Trial {
    value: &'static str,
    own: OwnServer,
    empty: Moment,
    full: Moment,
    end: Moment,
    /// After how long resident memory was back.
    back: Option<Duration>,
    micros: f64,
    hits: u64,
    rows: Vec<Vec<String>>,
}

/// The experiment.
pub fn measure(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let (mut trials, mut refused) = (Vec::new(), Vec::new());
    for value in ["no", "yes"] {
        let mut own = bench.start()?;
        match prepare(&mut own, value) {
            Tried::Set => trials.push(cycles(bench, own, value)?),
            Tried::Not(why) => refused.push(Row::untested(SETTING, value, &why)),
        }
    }
    settle(&mut trials, bench.sizes.settle)?;
    let default = bench.start()?.setting(SETTING);
    let mut rows = rows(&trials, default.as_deref(), bench.sizes.settle);
    rows.extend(refused);
    Ok(Outcome { rows, claims: Vec::new(), details: vec![table(&trials, bench.sizes.cycles)] })
}

fn prepare(own: &mut OwnServer, value: &str) -> Tried {
    let set = own.try_setting(SETTING, value);
    match (&set, value) {
        (Tried::Set, "yes") => own.try_setting(IGNORE.0, IGNORE.1),
        // A server that cannot be told to defragment does not.
        (Tried::Not(_), "no") if own.setting(SETTING).is_some_and(|now| now == "no") => Tried::Set,
        _ => set,
    }
}

/// Memory as the server sees it from now on: it looks at its allocator ten times a second, and INFO gives what it saw
/// then.
fn next_moment(own: &mut OwnServer) -> anyhow::Result<Moment> {
    let last = Moment::of(&own.facts("memory")?);
    let seen = look_for(LOOKED_WITHIN, || {
        let now = Moment::of(&own.facts("memory")?);
        Ok(((now.rss, now.allocated) != (last.rss, last.allocated)).then_some(now))
    })?;
    // Nothing has changed: then what it saw last is right.
    Ok(seen.unwrap_or(last))
}

/// Fills and drains.
fn cycles(bench: &Bench<'_>, mut own: OwnServer, value: &'static str) -> anyhow::Result<Trial> {
    let lanes: Vec<Lane> = jetstream::ALL.into_iter().filter(|lane| *lane != LATE).collect();
    let empty = next_moment(&mut own)?;
    own.reset_counts()?;
    let (mut rows, mut full, mut end) = (Vec::new(), empty, empty);
    for cycle in 0..bench.sizes.cycles {
        let from = cycle * bench.sizes.events;
        bench.fill(&own, from..from + bench.sizes.events)?;
        full = next_moment(&mut own)?;
        rows.push(full.cells(value, &format!("filled, cycle {}", cycle + 1)));
        own.drain(&lanes, |blocks| blocks)?;
        end = next_moment(&mut own)?;
        rows.push(end.cells(value, &format!("drained, cycle {}", cycle + 1)));
    }
    let events = bench.sizes.cycles * bench.sizes.events;
    let micros = own.append_micros()? as f64 / events as f64;
    Ok(Trial { value, own, empty, full, end, back: None, micros, hits: 0, rows })
}

/// Watches all of them until their memory is back, or for as long as `limit`.
fn settle(trials: &mut [Trial], limit: Duration) -> anyhow::Result<()> {
    let started = Instant::now();
    look_for(limit, || {
        for trial in trials.iter_mut().filter(|trial| trial.back.is_none()) {
            trial.end = Moment::of(&trial.own.facts("memory")?);
            trial.back = is_back(trial.empty, trial.end).then(|| started.elapsed());
        }
        Ok(trials.iter().all(|trial| trial.back.is_some()).then_some(()))
    })?;
    for trial in trials {
        trial.hits = trial.own.number("stats", "active_defrag_hits")?;
        trial.rows.push(trial.end.cells(trial.value, &format!("{} later", when(trial.back, limit))));
    }
    Ok(())
}

/// Of what came since the server was empty.
fn is_back(empty: Moment, now: Moment) -> bool {
    let used = now.used.saturating_sub(empty.used) as f64;
    now.rss.saturating_sub(empty.rss) as f64 <= used * BACK.0 + BACK.1 as f64
}

fn when(back: Option<Duration>, limit: Duration) -> String {
    span(back.unwrap_or(limit).as_secs_f64())
}

fn rows(trials: &[Trial], default: Option<&str>, limit: Duration) -> Vec<Row> {
    let cost = |trial: &Trial| Cost {
        full: trial.full.rss as f64,
        drained: trial.end.rss as f64,
        micros: trial.micros,
    };
    let reference = trials.iter().find(|trial| Some(trial.value) == default).map(cost);
    let judged = |trial: &Trial| match reference {
        Some(reference) => by_memory(reference, cost(trial)),
        None => Advice::Untested("the default could not be tried".into()),
    };
    let rows = trials
        .iter()
        .map(|trial| Row::new(SETTING, trial.value, measured(trial, limit), judged(trial)))
        .collect();
    mark_default(rows, default)
}

fn measured(trial: &Trial, limit: Duration) -> String {
    let Trial { full, end, .. } = trial;
    let back = if trial.back.is_some() { "back after" } else { "not back within" };
    let back = format!("{back} {}", when(trial.back, limit));
    format!(
        "{} resident when full; drained {} resident, {} used (ratio {:.2}, allocator's {:.2}, {}), {back}; {:.2} µs an \
         event; {} allocations moved",
        bytes(full.rss as f64),
        bytes(end.rss as f64),
        bytes(end.used as f64),
        end.ratio,
        end.allocator_ratio,
        bytes(end.allocator_bytes as f64),
        trial.micros,
        thousands(trial.hits as f64, 0),
    )
}

fn table(trials: &[Trial], cycles: u64) -> Evidence {
    Evidence::Table {
        title: format!(
            "Fragmentation over {cycles} cycles of fill and drain; lane {LATE} is never drained; {} {} for {SETTING} yes",
            IGNORE.0, IGNORE.1
        ),
        columns: [
            SETTING,
            "when",
            "used_memory",
            "used_memory_rss",
            "mem_fragmentation_ratio",
            "allocator_frag_ratio",
            "allocator_frag_bytes",
        ]
        .map(String::from)
        .to_vec(),
        rows: trials.iter().flat_map(|trial| trial.rows.iter().cloned()).collect(),
    }
}
