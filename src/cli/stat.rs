//! `forebay stat`: the buffer at a glance.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use super::{At, Global, say};
use crate::buffer::connect::Address;
use crate::buffer::limit::{self, Limit, Machine};
use crate::buffer::stat::{GroupStat, LaneStat, Stat as Look};
use crate::exit;
use crate::profile::{self, Profile};
use crate::proof::audit::host;

/// The buffer at a glance: what it holds, when it is full, who is behind
#[derive(Args)]
#[command(after_help = "Examples:
  forebay stat
  forebay stat --json | jq .seconds_to_full

A buffer is full when the first of three limits is met: maxmemory; the disk, on
which the AOF grows and is written anew beside itself; the memory of the machine
or its cgroup, less what a fork copies. The last two are known where the server
runs on this machine. Changes nothing on the server. What cannot be known is
shown as `unknown`, never as 0.")]
pub(crate) struct Stat {
    #[command(flatten)]
    at: At,
    /// Profile whose peak rate the time to full is also given for
    #[arg(long, default_value = profile::DEFAULT)]
    profile: String,
    /// Look twice, so far apart, to see what goes out; 0s looks once
    #[arg(long, value_name = "TIME", default_value = "1s")]
    over: humantime::Duration,
}

impl Stat {
    pub(crate) fn run(&self, global: &Global) -> anyhow::Result<u8> {
        let (address, name) = self.at.parse()?;
        let profile = Profile::load(&self.profile)?;
        let mut before = None;
        if *self.over > Duration::ZERO {
            before = Some(Look::look(&address, &name)?);
            // The time between the looks is what is asked for, not a wait for something to happen.
            std::thread::sleep(*self.over);
        }
        let now = Look::look(&address, &name)?;
        if now.lanes.is_empty() {
            anyhow::bail!(
                "there is no buffer {name} at {address}; `forebay append` makes one, --buffer names it"
            );
        }
        let rates = Rates::between(before.as_ref(), &now);
        let room = Room { limits: limit::limits(&now, &machine(&address, &now)), held: now.events() };
        let text = if global.json {
            format!("{}\n", as_json(&name.to_string(), &now, &rates, &room, &profile))
        } else {
            as_text(&name.to_string(), &now, &rates, &room, &profile)
        };
        say::result(&text).context(say::STDOUT)?;
        Ok(exit::OK)
    }
}

/// What the machine beneath the server has left.
fn machine(address: &Address, now: &Look) -> Machine {
    match host::beneath(address, &now.facts, now.dir.as_deref()) {
        Ok(host) => Machine {
            memory: host.memory_left().map_err(|why| why.0),
            disk: host.disk().map(|disk| disk.free_bytes).map_err(|why| why.0),
        },
        Err(why) => Machine { memory: Err(why.0.clone()), disk: Err(why.0) },
    }
}

/// What still goes in.
struct Room {
    limits: [Limit; 3],
    /// Events held.
    held: Option<u64>,
}

impl Room {
    /// The limit that is met first, and events until then.
    fn first(&self) -> Option<(&'static str, u64)> {
        limit::first(&self.limits)
    }

    fn seconds_to_full(&self, rate: f64) -> Option<f64> {
        self.first().filter(|_| rate > 0.0).map(|(_, events)| events as f64 / rate)
    }

    /// Events that are held when the first limit is met.
    fn events(&self) -> Option<u64> {
        Some(self.held? + self.first()?.1)
    }

    /// Hours of events that are held when the first limit is met, at the rate at which those held came.
    fn hours(&self, oldest_ms: Option<u64>) -> Option<(f64, f64)> {
        let hours = oldest_ms? as f64 / 3.6e6;
        let held = self.held.filter(|held| *held > 0)? as f64;
        Some((hours, hours * self.events()? as f64 / held))
    }
}

/// Events a second, all lanes together.
struct Rates {
    coming: Option<f64>,
    going: Option<f64>,
}

impl Rates {
    fn between(before: Option<&Look>, now: &Look) -> Self {
        let seconds = |before: &Look| now.at_ms.saturating_sub(before.at_ms) as f64 / 1_000.0;
        let total = |look: &Look| look.lanes.iter().try_fold(0_u64, |sum, lane| sum.checked_add(lane.total));
        let trimmed = |look: &Look| total(look)?.checked_sub(look.events()?);
        let rate = |count: &dyn Fn(&Look) -> Option<u64>| {
            let before = before.filter(|before| seconds(before) > 0.0)?;
            Some(count(now)?.saturating_sub(count(before)?) as f64 / seconds(before))
        };
        Self { coming: now.events_per_second_in().or_else(|| rate(&total)), going: rate(&trimmed) }
    }
}

fn as_json(name: &str, now: &Look, rates: &Rates, room: &Room, profile: &Profile) -> serde_json::Value {
    let lanes = now.lanes.iter().map(|lane| {
        serde_json::json!({
            "lane": lane.lane.name(), "events": lane.events, "blocks": lane.blocks, "total": lane.total,
            "oldest_age_ms": lane.oldest_age_ms, "events_per_second_in": lane.events_per_second_in,
            "bytes": lane.bytes, "epoch": lane.epoch,
        })
    });
    let groups = now.groups.iter().map(|group| {
        serde_json::json!({
            "lane": group.lane.name(), "group": group.group, "unread_events": group.unread_events,
            "pending_blocks": group.pending_blocks, "pending_age_ms": group.pending_age_ms,
            "consumers": group.consumers,
        })
    });
    let limits = room.limits.iter().map(|limit| {
        serde_json::json!({
            "limit": limit.name, "events_left": limit.events.as_ref().ok(), "unknown": limit.events.as_ref().err(),
        })
    });
    let hours = room.hours(oldest(now));
    serde_json::json!({
        "buffer": name, "server": now.facts.server(), "version": now.facts.version(), "at_ms": now.at_ms,
        "events": now.events(), "bytes_per_event": now.bytes_per_event(),
        "used_memory": now.facts.number("used_memory"), "maxmemory": now.limit_bytes(),
        "maxmemory_policy": now.facts.get("maxmemory_policy"),
        "events_per_second_in": rates.coming, "events_per_second_out": rates.going,
        "limits": limits.collect::<Vec<_>>(), "limit": room.first().map(|(name, _)| name),
        "events_left": room.first().map(|(_, events)| events), "events_when_full": room.events(),
        "hours": hours.map(|(now, _)| now), "hours_when_full": hours.map(|(_, full)| full),
        "seconds_to_full": rates.coming.and_then(|rate| room.seconds_to_full(rate)),
        "seconds_to_full_at_peak": room.seconds_to_full(profile.rates.peak),
        "lanes": lanes.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>(),
    })
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

/// Milliseconds since the oldest block was stored.
fn oldest(now: &Look) -> Option<u64> {
    now.lanes.iter().filter_map(|lane| lane.oldest_age_ms).max()
}

/// `1,200 of 3,000 events (40.0 %), 3.2 of 8.0 hours; limit: maxmemory`.
fn utilisation(now: &Look, room: &Room) -> String {
    let (Some(held), Some(all), Some((name, _))) = (room.held, room.events(), room.first()) else {
        return UNKNOWN.into();
    };
    let percent = held as f64 * 100.0 / all.max(1) as f64;
    let hours =
        room.hours(oldest(now)).map_or(String::new(), |(now, full)| format!(", {now:.1} of {full:.1} h"));
    format!("{held} of {all} events ({percent:.1} %){hours}, by {name}")
}

fn left(limit: &Limit) -> String {
    match &limit.events {
        Ok(events) => format!("{events} more events"),
        Err(why) => format!("{UNKNOWN}: {why}"),
    }
}

fn as_text(name: &str, now: &Look, rates: &Rates, room: &Room, profile: &Profile) -> String {
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
    let full = |rate: Option<f64>, at: &str| match (room.first(), rate) {
        (None, _) => "unknown: no limit is known".into(),
        (_, Some(0.0)) => "never, as long as nothing comes in".into(),
        (_, rate) => match rate.and_then(|rate| room.seconds_to_full(rate)) {
            None => UNKNOWN.into(),
            Some(seconds) => format!("{}{at}, if nothing is read", span(seconds)),
        },
    };
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
        ("oldest", or_unknown(oldest(now), age)),
        ("memory", memory),
        ("used", utilisation(now, room)),
        ("in", per_second(rates.coming)),
        ("out", per_second(rates.going)),
        ("full in", full(rates.coming, "")),
        ("at peak", full(Some(profile.rates.peak), &format!(" at {} events/s", profile.rates.peak))),
    ] {
        for part in ["  ", &format!("{label:<9}"), &value, "\n"] {
            text.push_str(part);
        }
    }
    for (label, limit) in ["room", "", ""].iter().zip(&room.limits) {
        let line = format!("  {label:<9}{:<10}{}", limit.name, left(limit));
        text.push_str(&(line + "\n"));
    }
    text + "\n" + &lanes(&now.lanes) + "\n" + &groups(&now.groups)
}

fn lanes(lanes: &[LaneStat]) -> String {
    let mut table = plain(&["lane", "events", "blocks", "ever", "oldest", "in /s", "memory"]);
    for lane in lanes {
        table.add_row(vec![
            lane.lane.name().to_owned(),
            or_unknown(lane.events, |events| events.to_string()),
            lane.blocks.to_string(),
            lane.total.to_string(),
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
            short(&group.group),
            group.lane.name().to_owned(),
            or_unknown(group.unread_events, |events| events.to_string()),
            group.pending_blocks.to_string(),
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
