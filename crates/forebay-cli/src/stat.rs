//! `forebay stat`: the buffer at a glance.

mod limits;
mod live;

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use limits::{Standing, WIDTH};

use super::{At, Global, say};
use crate::exit;
use forebay::buffer::server_stat::ServerStat;
use forebay::buffer::stat::{GroupStat, LaneStat, Stat as Look};
use forebay::buffer::status_subscriber::Heard;
use forebay_proof::printable::printable;
use forebay_proof::report::units;
use forebay_watch::figures::{count, percent, rate, span, span_ms};
use forebay_watch::look::Seen;
use forebay_watch::profile::{self, Profile};
use forebay_watch::view::View;
use forebay_watch::{Subject, json};

/// The buffer at a glance: what it holds, when it is full, who is behind
#[derive(Args)]
#[command(after_help = "Examples:
  forebay stat
  forebay stat --watch                     again every second, with a verdict
  forebay stat --json | jq .seconds_to_full

Full is where the first of three limits is met: maxmemory; the disk of the
append-only log, with a rewrite; the machine's memory (or its cgroup's), with
what a fork may copy. Disk and memory are known only of a server on this
machine. Rates are those of the last minute, or of as much of it as was seen:
what goes out is known from two looks, and how fast it fills from 10 seconds
(--over 10s, or --watch).

Changes nothing on the server. What cannot be known is shown as `unknown`, never
as 0; with --json it is null, and the reason stands beside it.")]
pub(crate) struct Stat {
    #[command(flatten)]
    at: At,
    /// Profile whose peak rate the time to full is also given for, and whose hours it must hold
    ///
    /// Without one, the peak is that of bluesky-8h, and nothing is asked of its hours.
    #[arg(long)]
    profile: Option<String>,
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
        let profile = Profile::load(self.profile.as_deref().unwrap_or(profile::DEFAULT))?;
        let every = if self.watch { (*self.over).max(LOOKS_APART) } else { *self.over };
        let is_profile_chosen = self.profile.is_some();
        let subject = Subject { address, name, profile, is_profile_chosen, every };
        if self.watch {
            return live::run(subject, global);
        }
        let mut view = View::new(&subject);
        if subject.every > Duration::ZERO {
            look(&mut view, &subject)?;
            // The time between the looks is what is asked for, not a wait for something to happen.
            std::thread::sleep(subject.every);
        }
        look(&mut view, &subject)?;
        let Subject { address, name, .. } = &subject;
        let seen = view.seen().context("the look is too old")?;
        let now = &seen.stat;
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
        if global.json {
            say::document(&format!("{}\n", as_json(&view, seen, &subject)))
        } else {
            say::result(&live::shown(&view, &subject))
        }
        .context(say::STDOUT)?;
        Ok(exit::OK)
    }
}

/// Takes a look in. One alone hears no writers.
fn look(view: &mut View, subject: &Subject) -> anyhow::Result<()> {
    let started = Instant::now();
    let stat = Look::look(&subject.address, &subject.name)?;
    let seen = Seen::of(&subject.address, stat, ServerStat::default(), started.elapsed());
    view.take(subject, Ok(seen), Heard::default());
    Ok(())
}

fn as_json(view: &View, seen: &Seen, subject: &Subject) -> serde_json::Value {
    let (now, rates) = (&seen.stat, view.rates);
    let standing = Standing::of(view, seen, subject);
    let lanes = now.lanes.iter().map(|lane| {
        serde_json::json!({
            "lane": lane.lane.name(), "events": lane.events, "blocks": lane.blocks, "total": lane.total,
            "oldest_age_ms": lane.oldest_age_ms, "ids_ahead_ms": lane.ids_ahead_ms,
            "events_per_second_in": lane.events_per_second_in,
            "bytes": lane.bytes, "epoch": lane.epoch,
            "damaged": lane.damaged.iter().map(|(id, why)| {
                serde_json::json!({ "id": id.to_string(), "why": why.to_string() })
            }).collect::<Vec<_>>(),
        })
    });
    let groups = now.groups.iter().map(|group| {
        serde_json::json!({
            "lane": group.lane.name(), "group": group.group, "unread_events": group.unread_events,
            "behind_ms": group.behind_ms,
            "pending_blocks": group.pending_blocks, "pending_age_ms": group.pending_age_ms,
            "consumers": group.consumers,
        })
    });
    let mut json = serde_json::json!({
        "buffer": subject.name.to_string(), "server": now.facts.server(), "version": now.facts.version(),
        "at_ms": now.at_ms, "verdict": json::verdict(view), "ids_ahead_ms": now.ids_ahead_ms(),
        "events": now.events(), "bytes_per_event": now.bytes_per_event(),
        "used_memory": now.facts.number("used_memory"), "maxmemory": now.limit_bytes(),
        "maxmemory_policy": now.facts.get("maxmemory_policy"),
        "events_per_second_in": rates.coming(), "events_per_second_out": rates.going(),
        "in_span_ms": rates.coming.map(|rate| rate.span_ms), "out_span_ms": rates.going.map(|rate| rate.span_ms),
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

fn bytes(count: u64) -> String {
    units::bytes(count as f64)
}

/// Labelled lines, no longer than a terminal: a value that is longer goes on below itself.
fn line(label: &str, value: &str) -> String {
    let first = format!("  {label:<9}");
    let options = textwrap::Options::new(WIDTH).initial_indent(&first).subsequent_indent("           ");
    textwrap::fill(value, options) + "\n"
}

/// Over how long a rate was told, where that is not the usual minute.
fn over(span_ms: u64) -> String {
    const USUAL_MS: u64 = 50_000;
    if span_ms >= USUAL_MS {
        "over the last minute".into()
    } else {
        format!("over {}", span(span_ms as f64 / 1_000.0))
    }
}

fn as_text(view: &View, seen: &Seen, subject: &Subject) -> String {
    let (now, standing) = (&seen.stat, Standing::of(view, seen, subject));
    let facts = &now.facts;
    let memory = match (facts.number("used_memory"), now.limit_bytes()) {
        (Some(used), Some(limit)) => {
            let policy = facts.get("maxmemory_policy").unwrap_or(UNKNOWN);
            format!("{} of {} ({}), {policy}", bytes(used), bytes(limit), percent(used as f64 / limit as f64))
        }
        (Some(used), None) => format!("{} used, no limit is set", bytes(used)),
        _ => UNKNOWN.into(),
    };
    let per_second = |rate_of: Option<forebay_watch::forecast::Rate>, unknown: &str| match rate_of {
        Some(of) => format!("{} events/s, {}", rate(of.per_second), over(of.span_ms)),
        None => format!("{UNKNOWN}: {unknown}"),
    };
    let oldest = match (now.oldest_age_ms(), now.ids_ahead_ms()) {
        (Some(age_ms), _) => span_ms(age_ms),
        (None, Some(ahead_ms)) if ahead_ms > 0 => {
            format!("{UNKNOWN}: ids of blocks lie {} in the future", span_ms(ahead_ms))
        }
        (None, _) if now.events() == Some(0) => "none is held".into(),
        (None, _) => UNKNOWN.into(),
    };
    let mut text = format!("buffer {} on {} {}\n", subject.name, facts.server(), facts.version());
    for (label, value) in [
        ("events", format!("{}{}", or_unknown(now.events(), count), weight(seen))),
        ("oldest", oldest),
        ("memory", memory),
        ("in", per_second(view.rates.coming, "no block of the last minute is held; two looks tell")),
        ("out", per_second(view.rates.going, "two looks tell")),
    ]
    .into_iter()
    .chain(standing.lines())
    {
        text.push_str(&line(label, &value));
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

/// What an event weighs, and whether that is more than an assumption.
fn weight(seen: &Seen) -> String {
    match &seen.weight {
        Some(weight) if weight.is_assumed() => {
            format!(" ({:.0} bytes each, assumed: too few are held to weigh)", weight.bytes_per_event)
        }
        Some(weight) => format!(" ({:.0} bytes each)", weight.bytes_per_event),
        None => format!(" ({UNKNOWN} bytes each)"),
    }
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
            or_unknown(lane.events, count),
            or_unknown(lane.blocks, count),
            or_unknown(lane.total, count),
            if lane.is_empty() { "-".into() } else { or_unknown(lane.oldest_age_ms, span_ms) },
            lane.events_per_second_in.map_or("-".into(), rate),
            if lane.is_empty() { "-".into() } else { or_unknown(lane.bytes, bytes) },
        ]);
    }
    right(table)
}

fn groups(groups: &[GroupStat]) -> String {
    if groups.is_empty() {
        return "no consumer group: blocks are never trimmed\n".into();
    }
    let mut table = plain(&["group", "lane", "unread", "pending blocks", "oldest", "consumers"]);
    for group in groups {
        table.add_row(vec![
            short(&printable(&group.group).replace('\n', "\\n")),
            group.lane.name().to_owned(),
            or_unknown(group.unread_events, count),
            or_unknown(group.pending_blocks, count),
            group.pending_age_ms.map_or("-".into(), span_ms),
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
