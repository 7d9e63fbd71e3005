//! `forebay stat`: the buffer at a glance.

mod figures;
mod limits;
mod live;
mod source;
mod text;

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use limits::Standing;

use super::output;
use crate::arguments::{At, Global};
use crate::exit;
use forebay::buffer::look;
use forebay::buffer::server_stat::ServerStat;
use forebay::buffer::stat::NodeStat;
use forebay::buffer::status_subscriber::WritersSnapshot;
use forebay_watch::drain::{Drain, drains};
use forebay_watch::look::WatchSnapshot;
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
            output::document(&format!("{}\n", as_json(&view, seen, &subject)))
        } else {
            output::result(&text::stat_text(&view, &subject))
        }
        .context(output::STDOUT)?;
        Ok(exit::OK)
    }
}

/// Takes a look in. One alone hears no writers.
fn look(view: &mut View, subject: &Subject) -> anyhow::Result<()> {
    let started = Instant::now();
    let stat = look::look(&subject.address, &subject.name)?;
    let seen = WatchSnapshot::of(&subject.address, stat, ServerStat::default(), started.elapsed());
    view.take(subject, Ok(seen), WritersSnapshot::default());
    Ok(())
}

fn as_json(view: &View, seen: &WatchSnapshot, subject: &Subject) -> serde_json::Value {
    let (now, rates) = (&seen.stat, view.rates);
    let standing = Standing::of(view, seen, subject);
    let lanes = now.lanes.iter().map(|lane| {
        serde_json::json!({
            "lane": lane.lane.name(), "events": lane.events, "blocks": lane.blocks, "total": lane.total,
            "oldest_age_ms": lane.oldest_age_ms, "ids_ahead_ms": lane.ids_ahead_ms,
            "cursor": lane.cursor.map(|at| at.cursor), "low_watermark": lane.low_watermark.map(|at| at.cursor),
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
            "consumers": group.consumers, "commits": group.commits,
        })
    });
    let mut json = serde_json::json!({
        "buffer": subject.name.to_string(), "server": now.facts.server(), "version": now.facts.version(),
        "at_ms": now.at_ms, "verdict": json::verdict(view), "ids_ahead_ms": now.ids_ahead_ms(),
        "low_watermark": now.low_watermark().map(|at| at.cursor),
        "events": now.events(), "bytes_per_event": now.bytes_per_event(),
        "used_memory": now.facts.number("used_memory"), "maxmemory": now.limit_bytes(),
        "maxmemory_policy": now.facts.get("maxmemory_policy"),
        "events_per_second_in": rates.coming(), "events_per_second_out": rates.going(),
        "in_span_ms": rates.coming.map(|rate| rate.span_ms), "out_span_ms": rates.going.map(|rate| rate.span_ms),
        "lanes": lanes.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>(),
        "drains": drains(now).iter().map(Drain::json).collect::<Vec<_>>(),
    });
    let node = |node: &NodeStat| {
        serde_json::json!({
            "node": node.node, "lanes": node.lanes.iter().map(|lane| lane.name()).collect::<Vec<_>>(),
            "used_memory": node.facts.number("used_memory"), "maxmemory": node.facts.number("maxmemory"),
        })
    };
    json["nodes"] = now.nodes.iter().map(node).collect();
    json["source"] = source::json(now);
    json["missed"] = source::missed(now);
    for (field, value) in standing.json() {
        json[field] = value;
    }
    json
}
