//! The view as JSON, for the page and for programs. What is unknown is null.

use serde_json::{Value, json};

use super::drain::{Drain, drains};
use super::forecast::{Forecast, Point};
use super::source::gap_text;
use super::subject::Subject;
use super::thresholds::Thresholds;
use super::view::{GONE, View, groups, utilisation};
use forebay::buffer::connect::Facts;
use forebay::buffer::limit::{Bound, Full, LimitKind};
use forebay::buffer::stat::{LaneStat, MissedStat, Stat};
use forebay::buffer::status_subscriber::WriterSnapshot;

/// `/api/stat`.
pub fn stat(view: &View, subject: &Subject) -> Value {
    let profile = &subject.profile;
    let (seen, old_since_ms) = view.shown().unzip();
    let stat = seen.map(|seen| &seen.stat);
    let old_since_ms = old_since_ms.flatten();
    let writers = told(&view.heard.writers);
    let lines = Thresholds::of(profile);
    json!({
        "schema": 1, "at_ms": view.at_ms, "look_age_s": view.look_age_s(),
        "every_s": subject.every.as_secs_f64(),
        "buffer": subject.name.to_string(),
        "profile": {
            "name": profile.name, "hours": profile.hold.hours, "events": profile.hold.events,
            "peak": profile.rates.peak, "is_chosen": subject.is_profile_chosen,
        },
        "server": server(view, subject),
        "verdict": verdict(view),
        // What follows is what was seen last; where that is old, since when.
        "old_since_ms": old_since_ms,
        "present": stat.and_then(Stat::is_there),
        "gone_since_ms": view.gone_since_ms(),
        "events": stat.and_then(Stat::events),
        "bytes": stat.and_then(|stat| stat.lanes.iter().map(|lane| lane.bytes).sum::<Option<u64>>()),
        "oldest_age_s": stat.and_then(Stat::oldest_age_ms).map(seconds),
        "ids_ahead_s": stat.and_then(Stat::ids_ahead_ms).map(seconds),
        "low_watermark": stat.and_then(Stat::low_watermark).map(|at| at.cursor),
        "in": view.rates.coming(), "out": view.rates.going(),
        "full": full(view),
        "thresholds": {
            "filling": lines.filling, "almost_full": lines.almost_full, "forgets_s": lines.forgets_s, "missed_s": lines.missed_s,
        },
        "source": stat.map(source),
        "limits": seen.map_or_else(Vec::new, |seen| seen.limits.all.iter().map(limit).collect()),
        "memory": seen.map(|seen| memory(seen.facts())),
        "lanes": stat.map_or_else(Vec::new, |stat| stat.lanes.iter().map(lane).collect()),
        "groups": stat.map_or_else(Vec::new, |stat| {
            let group = |group: &super::view::Group| json!({
                "group": group.name, "lanes": group.lanes, "unread_events": group.unread_events,
                "behind_s": group.behind_ms.map(seconds), "pending_blocks": group.pending_blocks,
                "pending_age_s": group.pending_age_ms.map(seconds), "consumers": group.consumers,
                "commits": group.commits,
            });
            groups(stat).iter().map(group).collect()
        }),
        "drains": stat.map_or_else(Vec::new, |stat| drains(stat).iter().map(Drain::json).collect()),
        "groups_more": stat.map_or(Some(0), |stat| stat.groups_hidden),
        "writers": writers.iter().map(|heard| writer(heard)).collect::<Vec<_>>(),
        "writers_more": view.heard.writers.len() - writers.len(),
        "unknown": unknown(view),
        "warnings": view.warnings.all().map(|warning| json!({
            "at_ms": warning.at_ms, "level": warning.level.name(), "text": warning.text,
            "ended_ms": warning.ended_ms,
        })).collect::<Vec<_>>(),
    })
}

/// The verdict, wherever it is told.
pub fn verdict(view: &View) -> Value {
    let verdict = &view.verdict;
    json!({ "level": verdict.level.name(), "text": verdict.text, "why": verdict.why })
}

/// `/api/history`: a column a figure, oldest first.
pub fn history(view: &View) -> Value {
    let column = |of: &dyn Fn(&Point) -> Value| view.history.points().map(of).collect::<Vec<_>>();
    json!({
        "at_ms": column(&|point| json!(point.seen_ms)),
        "events": column(&|point| json!(point.events)),
        "used_ratio": column(&|point| json!(point.used_ratio)),
        "in": column(&|point| json!(point.coming)),
        "out": column(&|point| json!(point.going)),
        "oldest_age_s": column(&|point| json!(point.oldest_age_ms.map(seconds))),
        "unread": column(&|point| json!(point.unread)),
    })
}

/// What cannot be seen, and why.
pub fn unknown(view: &View) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(why) = &view.heard.why_not {
        unknown.push(format!("writers are not heard: {why}"));
    }
    let Some(seen) = view.seen() else { return unknown };
    unknown.extend(seen.refused().map(|command| format!("the server refuses {command} to this user")));
    for (kind, bound) in &seen.limits.all {
        if let Bound::Unknown(why) = bound {
            unknown.push(format!("{}: {why}", kind.name()));
        }
    }
    if let Some(offset) = seen.clock_offset_s.filter(|offset| offset.abs() > CLOCK_OFFSET_S) {
        let (by, offset) = (if offset > 0.0 { "ahead" } else { "behind" }, offset.abs());
        unknown
            .push(format!("the server's clock is {offset:.0} s {by} of this one; ages are by the server's"));
    }
    unknown
}

/// Writers that an answer has at most; beyond them it says how many there are.
const WRITERS_TOLD: usize = 64;

/// Clocks further apart than that are told.
const CLOCK_OFFSET_S: f64 = 5.0;

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

fn server(view: &View, subject: &Subject) -> Value {
    let facts = view.facts();
    let get = |name: &str| facts.and_then(|facts| facts.get(name));
    json!({
        "up": view.seen().is_some(), "why": view.not_seen().map(|not| &not.why),
        "url": subject.address.to_string(),
        "name": facts.map(Facts::server), "version": facts.map(Facts::version), "role": get("role"),
        "uptime_s": facts.and_then(|facts| facts.number("uptime_in_seconds")),
        "loading": get("loading").map(|loading| loading != "0"),
        "down_s": view.down_since_ms.map(|since| seconds(view.at_ms.saturating_sub(since))),
    })
}

fn memory(facts: &Facts) -> Value {
    json!({
        "used_bytes": facts.number("used_memory"),
        "maxmemory_bytes": facts.number("maxmemory").filter(|bytes| *bytes > 0),
        "rss_bytes": facts.number("used_memory_rss"),
        "fragmentation": facts.get("allocator_frag_ratio").and_then(|ratio| ratio.parse::<f64>().ok()),
        "policy": facts.get("maxmemory_policy"),
    })
}

fn full(view: &View) -> Value {
    let (Some((seen, _)), Some(forecast)) = (view.shown(), &view.forecast) else { return Value::Null };
    let first = seen.limits.first().map(|(kind, _)| kind);
    let policy = seen.facts().get("maxmemory_policy").unwrap_or("unknown");
    let Forecast { net, unread, peak } = forecast;
    let why = [net, unread, peak].into_iter().find_map(|full| match full {
        Full::Unknown(why) => Some(why),
        _ => None,
    });
    json!({
        "utilisation": utilisation(seen), "events_at_limit": seen.limits.events_at_limit(),
        "limit": first.map(LimitKind::name), "then": first.map(|kind| kind.then(policy)),
        "net_s": time(net), "in_s": time(unread), "peak_s": time(peak),
        "bytes_per_event": seen.weight.map(|weight| weight.bytes_per_event),
        "is_weight_assumed": seen.weight.map(|weight| weight.is_assumed()),
        "why": why,
    })
}

fn time(full: &Full) -> Value {
    match full {
        Full::NotFilling => json!("never"),
        full => json!(full.seconds()),
    }
}

fn limit((kind, bound): &(LimitKind, Bound)) -> Value {
    let name = kind.name();
    match bound {
        Bound::At(room) => json!({
            "name": name, "state": "known", "used_bytes": room.used_bytes, "limit_bytes": room.limit_bytes,
            "ratio": room.ratio(), "why": null,
        }),
        Bound::Absent(why) | Bound::Unknown(why) => json!({
            "name": name, "state": if matches!(bound, Bound::Absent(_)) { "absent" } else { "unknown" },
            "used_bytes": null, "limit_bytes": null, "ratio": null, "why": why,
        }),
    }
}

fn lane(lane: &LaneStat) -> Value {
    json!({
        "lane": lane.lane.name(), "events": lane.events, "blocks": lane.blocks, "bytes": lane.bytes,
        "oldest_age_s": lane.oldest_age_ms.map(seconds), "in": lane.events_per_second_in,
        "appended": lane.total, "damaged": lane.damaged.len(), "cursor": lane.cursor.map(|at| at.cursor),
        "low_watermark": lane.low_watermark.map(|at| at.cursor),
    })
}

/// Who the source is, how far what is settled lies behind, and what it no longer had; null where there is none.
fn source(stat: &Stat) -> Value {
    let Some(source) = &stat.source else { return Value::Null };
    let missed = stat.missed.as_ref();
    let newest = missed.map(|missed| missed.newest.iter().rev().take(GAPS_TOLD).map(gap).collect::<Vec<_>>());
    json!({
        "host": source.host, "unit": source.unit, "settled_us": source.settled_us,
        "keeps_hours": (source.keeps_hours > 0).then_some(source.keeps_hours),
        "behind_s": stat.source_behind_ms().map(seconds),
        "forgets_s": stat.source_forgets_in_ms().map(|ms| ms as f64 / 1_000.0),
        "gaps": missed.map(|missed| missed.gaps), "missed_events": missed.map(|missed| missed.events),
        "gap_age_s": stat.source_gap_age_ms().map(seconds), "newest_gaps": newest,
    })
}

fn gap(missed: &MissedStat) -> Value {
    json!({
        "found_ms": missed.found_us / 1_000, "host": missed.host, "from": missed.from, "to": missed.to,
        "unit": missed.unit, "events": missed.events, "text": gap_text(missed),
    })
}

/// Gaps that an answer has at most; their number is beside them.
const GAPS_TOLD: usize = 5;

/// Writers that are told one by one: those heard last, by id.
fn told(writers: &[WriterSnapshot]) -> Vec<&WriterSnapshot> {
    let mut told: Vec<&WriterSnapshot> = writers.iter().collect();
    told.sort_by_key(|writer| writer.heard_ago);
    told.truncate(WRITERS_TOLD);
    told.sort_by(|a, b| a.id.cmp(&b.id));
    told
}

fn writer(writer: &WriterSnapshot) -> Value {
    let state = match writer.state {
        state if !state.is_end() && writer.heard_ago >= GONE => "gone",
        state => state.name(),
    };
    let fates = &writer.totals;
    json!({
        "id": writer.id, "heard_s": writer.heard_ago.as_secs_f64(), "age_s": writer.age.as_secs_f64(),
        "state": state, "why": writer.why, "acknowledged": fates.acknowledged, "spilled": fates.spilled,
        "shed": fates.shed, "trimmed_unread": fates.trimmed, "lost": fates.lost,
    })
}
