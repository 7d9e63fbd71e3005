//! `forebay stat`: the buffer at a glance.

mod limits;
mod live;

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use limits::{Rate, Standing, WIDTH};

use super::{At, Global, say};
use crate::buffer::rate::MINUTE;
use crate::buffer::stat::{GroupStat, LaneStat, Stat as Look};
use crate::exit;
use crate::profile::{self, Profile};
use crate::watch::Subject;

/// The buffer at a glance: what it holds, when it is full, who is behind
#[derive(Args)]
#[command(after_help = "Examples:
  forebay stat
  forebay stat --watch                     again every second, with a verdict
  forebay stat --json | jq .seconds_to_full

Full is where the first of three limits is met: maxmemory; the disk of the
append-only log, with a rewrite; the machine's memory (or its cgroup's), with
what a fork may copy. Today's rate is the mean of the last 24 hours, or as far
back as blocks are held. Disk and memory are known only of a server on this
machine.

Changes nothing on the server. What cannot be known is shown as `unknown`, never
as 0; with --json it is null, and the reason stands beside it.")]
pub(crate) struct Stat {
    #[command(flatten)]
    at: At,
    /// Profile whose peak rate the time to full is also given for
    #[arg(long, default_value = profile::DEFAULT)]
    profile: String,
    /// Look twice, so far apart, to see what goes out; 0s looks once
    #[arg(long, value_name = "TIME", default_value = "1s")]
    over: humantime::Duration,
    /// Go on, and show it again after each look; --over is the time between two
    #[arg(long, short)]
    watch: bool,
}

/// Looks nearer to each other cost the server for nothing.
const LOOKS_APART: Duration = Duration::from_millis(100);

impl Stat {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (address, name) = self.at.parse()?;
        let profile = Profile::load(&self.profile)?;
        if self.watch {
            let every = (*self.over).max(LOOKS_APART);
            return live::run(Subject { address, name, profile, every }, global);
        }
        let mut before = None;
        if *self.over > Duration::ZERO {
            before = Some(Look::look(&address, &name)?);
            // The time between the looks is what is asked for, not a wait for something to happen.
            std::thread::sleep(*self.over);
        }
        let now = Look::look(&address, &name)?;
        if now.is_there().is_none() {
            let refused = now.refused.join(", ");
            anyhow::bail!(
                "{address} does not let this user see whether there is a buffer {name}: it refuses {refused}"
            );
        }
        if now.lanes.is_empty() {
            anyhow::bail!(
                "there is no buffer {name} at {address}; `forebay append` makes one, --buffer names it"
            );
        }
        let rates = Rates::between(before.as_ref(), &now);
        let standing = Standing::of(&address, &now, rates.today(&now), profile.rates.peak);
        let text = if global.json {
            format!("{}\n", as_json(&name.to_string(), &now, &rates, &standing))
        } else {
            say::printable(&as_text(&name.to_string(), &now, &rates, &standing))
        };
        say::result(&text).context(say::STDOUT)?;
        Ok(exit::OK)
    }
}

/// Events a second, all lanes together.
struct Rates {
    coming: Option<f64>,
    going: Option<f64>,
}

impl Rates {
    fn between(before: Option<&Look>, now: &Look) -> Self {
        let seconds = |before: &Look| Some(now.at_ms?.saturating_sub(before.at_ms?) as f64 / 1_000.0);
        let trimmed = |look: &Look| look.total()?.checked_sub(look.events()?);
        let rate = |count: &dyn Fn(&Look) -> Option<u64>| {
            let seconds = before.and_then(seconds).filter(|seconds| *seconds > 0.0)?;
            Some(count(now)?.saturating_sub(count(before?)?) as f64 / seconds)
        };
        Self { coming: now.events_per_second_in().or_else(|| rate(&Look::total)), going: rate(&trimmed) }
    }

    /// Today's rate; where a lane cannot tell, because it was read empty, that of the last minute.
    fn today(&self, now: &Look) -> Option<Rate> {
        let today = now.today().map(|(per_second, span_ms)| Rate { per_second, span_ms });
        let minute = |per_second| Rate { per_second, span_ms: MINUTE.as_millis() as u64 };
        today.or_else(|| self.coming.map(minute))
    }
}

fn as_json(name: &str, now: &Look, rates: &Rates, standing: &Standing<'_>) -> serde_json::Value {
    let lanes = now.lanes.iter().map(|lane| {
        serde_json::json!({
            "lane": lane.lane.name(), "events": lane.events, "blocks": lane.blocks, "total": lane.total,
            "oldest_age_ms": lane.oldest_age_ms, "events_per_second_in": lane.events_per_second_in,
            "bytes": lane.bytes, "epoch": lane.epoch,
            "damaged": lane.damaged.iter().map(|(id, why)| {
                serde_json::json!({ "id": id.to_string(), "why": why.to_string() })
            }).collect::<Vec<_>>(),
        })
    });
    let groups = now.groups.iter().map(|group| {
        serde_json::json!({
            "lane": group.lane.name(), "group": group.group, "unread_events": group.unread_events,
            "pending_blocks": group.pending_blocks, "pending_age_ms": group.pending_age_ms,
            "consumers": group.consumers,
        })
    });
    let mut json = serde_json::json!({
        "buffer": name, "server": now.facts.server(), "version": now.facts.version(), "at_ms": now.at_ms,
        "events": now.events(), "bytes_per_event": now.bytes_per_event(),
        "used_memory": now.facts.number("used_memory"), "maxmemory": now.limit_bytes(),
        "maxmemory_policy": now.facts.get("maxmemory_policy"),
        "events_per_second_in": rates.coming, "events_per_second_out": rates.going,
        "lanes": lanes.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>(),
    });
    for (field, value) in standing.json() {
        json[field] = value;
    }
    json
}

const UNKNOWN: &str = "unknown";

fn or_unknown<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.into(), show)
}

fn age(ms: u64) -> String {
    let round = if ms >= 60_000 { 60_000 } else { 1_000 };
    humantime::format_duration(Duration::from_millis(ms / round * round)).to_string()
}

fn span(seconds: f64) -> String {
    // Beyond that nobody plans, and the figure says more about the rate than about the buffer.
    const LONG: f64 = 30.0 * 86_400.0;
    if seconds > LONG { "over 30 days".into() } else { age((seconds * 1_000.0) as u64) }
}

fn bytes(count: u64) -> String {
    bytesize::ByteSize::b(count).display().iec().to_string()
}

fn as_text(name: &str, now: &Look, rates: &Rates, standing: &Standing<'_>) -> String {
    let facts = &now.facts;
    let used = facts.number("used_memory");
    let memory = match (used, now.limit_bytes()) {
        (Some(used), Some(limit)) => {
            let policy = facts.get("maxmemory_policy").unwrap_or(UNKNOWN);
            format!(
                "{} of {} ({:.1} %), {policy}",
                bytes(used),
                bytes(limit),
                used as f64 * 100.0 / limit as f64
            )
        }
        (Some(used), None) => {
            format!("{} used, no limit is set", bytes(used))
        }
        _ => UNKNOWN.into(),
    };
    let per_second = |rate: Option<f64>| or_unknown(rate, |rate| format!("{rate:.0} events/s"));
    let mut text = format!("buffer {name} on {} {}\n", facts.server(), facts.version());
    for (label, value) in [
        (
            "events",
            format!(
                "{} ({} bytes each)",
                or_unknown(now.events(), |events| events.to_string()),
                or_unknown(now.bytes_per_event(), |b| format!("{b:.0}"))
            ),
        ),
        ("oldest", or_unknown(now.oldest_age_ms(), age)),
        ("memory", memory),
        ("in", per_second(rates.coming)),
        ("out", per_second(rates.going)),
    ]
    .into_iter()
    .chain(standing.lines())
    {
        for part in ["  ", &format!("{label:<9}"), &value, "\n"] {
            text.push_str(part);
        }
    }
    [
        &text,
        "\n",
        &standing.table(),
        "\n",
        &lanes(&now.lanes),
        &damage(&now.lanes),
        "\n",
        &groups(&now.groups),
    ]
    .concat()
}

/// Blocks at either end of a lane that cannot be read.
fn damage(lanes: &[LaneStat]) -> String {
    let mut text = String::new();
    for lane in lanes {
        for (id, why) in &lane.damaged {
            text.push_str(&textwrap::fill(&format!("damaged: {} {id}: {why}", lane.lane), WIDTH));
            text.push('\n');
        }
    }
    text
}

fn lanes(lanes: &[LaneStat]) -> String {
    let mut table = plain(&["lane", "events", "blocks", "ever", "oldest", "in /s", "memory"]);
    for lane in lanes {
        table.add_row(vec![
            lane.lane.name().to_owned(),
            or_unknown(lane.events, |events| events.to_string()),
            or_unknown(lane.blocks, |blocks| blocks.to_string()),
            or_unknown(lane.total, |total| total.to_string()),
            lane.oldest_age_ms.map_or("-".into(), age),
            or_unknown(lane.events_per_second_in, |rate| format!("{rate:.1}")),
            or_unknown(lane.bytes, bytes),
        ]);
    }
    right(table)
}

fn groups(groups: &[GroupStat]) -> String {
    if groups.is_empty() {
        return "no consumer group: nothing is ever let go\n".into();
    }
    let mut table = plain(&["group", "lane", "unread", "pending blocks", "oldest", "consumers"]);
    for group in groups {
        table.add_row(vec![
            short(&say::printable(&group.group).replace('\n', "\\n")),
            group.lane.name().to_owned(),
            or_unknown(group.unread_events, |events| events.to_string()),
            or_unknown(group.pending_blocks, |blocks| blocks.to_string()),
            group.pending_age_ms.map_or("-".into(), age),
            group.consumers.to_string(),
        ]);
    }
    right(table)
}

/// A group's name as far as a line of 80 has room for it; `--json` has all of it.
fn short(name: &str) -> String {
    const ROOM: usize = 24;
    if name.chars().count() <= ROOM {
        return name.into();
    }
    name.chars().take(ROOM - 1).chain(['…']).collect()
}

fn plain(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec());
    table
}

/// Numbers to the right, the first column to the left.
fn right(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}
