//! The buffer's own figures: all lanes, each lane, each group.

use super::sheet::{Labels, Sheet};
use crate::forecast::Rates;
use crate::look::WatchSnapshot;
use crate::monotonic_counters::Counts;
use crate::view::{View, utilisation};
use forebay::buffer::limit::{Bound, Full, LimitKind};
use forebay::buffer::stat::{GroupStat, LaneStat};
use forebay::event::lane::Lane;

pub(super) fn add(sheet: &mut Sheet, view: &View) {
    all(sheet, view);
    limits(sheet, view);
    full(sheet, view);
    lanes(sheet, view);
    groups(sheet, view);
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

fn all(sheet: &mut Sheet, view: &View) {
    let seen = view.seen();
    let stat = seen.map(|seen| &seen.stat);
    let rates = seen.map_or_else(Rates::default, |_| view.rates);
    let held = stat.filter(|stat| !stat.lanes.is_empty());
    let figures = [
        (
            "present",
            "1 where any lane was ever written",
            stat.and_then(|stat| stat.is_there().map(f64::from)),
        ),
        ("events", "Events held", held.and_then(|stat| Some(stat.events()? as f64))),
        (
            "bytes",
            "Memory of the buffer's streams, by the server's own estimate",
            held.and_then(|stat| Some(stat.lanes.iter().map(|lane| lane.bytes).sum::<Option<u64>>()? as f64)),
        ),
        (
            "oldest_age_seconds",
            "Seconds since the oldest block held was stored; absent where none is held, or ids lie in the future",
            held.and_then(|stat| stat.oldest_age_ms().map(seconds)),
        ),
        (
            "ids_ahead_seconds",
            "How far ids of blocks lie in the future, by a server's clock that was ahead; ages are unknown while they do",
            held.and_then(|stat| stat.ids_ahead_ms().map(seconds)),
        ),
        (
            "utilisation_ratio",
            "Events held, of those held when the first limit is met",
            seen.filter(|seen| !seen.stat.lanes.is_empty()).and_then(utilisation),
        ),
        (
            "events_at_limit",
            "Events held when the first limit is met",
            seen.filter(|seen| is_written(seen)).and_then(|seen| Some(seen.limits.events_at_limit()? as f64)),
        ),
        ("in_events_per_second", "Events that came in a second, over the last minute", rates.coming()),
        ("out_events_per_second", "Events that were let go a second, over the last minute", rates.going()),
    ];
    for (name, help, value) in figures {
        let values = vec![(sheet.labels(&[]), value)];
        sheet.gauges(&format!("buffer_{name}"), help, values);
    }
    let values = vec![(sheet.labels(&[]), view.last.as_ref().map(|_| f64::from(view.verdict.level.rank())))];
    sheet.gauges(
        "buffer_verdict",
        "What the page says: 0 good, 1 unknown, 2 somebody should look today, 3 somebody should act now",
        values,
    );
    // From the first scrape on, so that the first setback is growth.
    let values = vec![(sheet.labels(&[]), Some(view.ever.setbacks as f64))];
    sheet.counters(
        "buffer_setbacks_total",
        "Looks that found a lane with fewer events ever written than before, or gone, since the watcher began",
        values,
    );
}

/// The name of a limit as a label.
fn label(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::Maxmemory => "maxmemory",
        LimitKind::Disk => "disk",
        LimitKind::Memory => "ram",
    }
}

fn limits(sheet: &mut Sheet, view: &View) {
    let (mut limit, mut used) = (Vec::new(), Vec::new());
    for (kind, bound) in view.seen().iter().flat_map(|seen| &seen.limits.all) {
        let Bound::At(room) = bound else { continue };
        let labels = sheet.labels(&[("limit", label(*kind))]);
        limit.push((labels.clone(), Some(room.limit_bytes as f64)));
        used.push((labels, Some(room.used_bytes as f64)));
    }
    sheet.gauges("buffer_limit_bytes", "Bytes at which a limit is met", limit);
    sheet.gauges(
        "buffer_limit_used_bytes",
        "Bytes used of a limit; of a disk with a rewrite of the log, of memory with what a fork may copy",
        used,
    );
}

fn full(sheet: &mut Sheet, view: &View) {
    let forecast = view.forecast.iter().filter(|_| view.seen().is_some_and(is_written));
    let values = forecast
        .flat_map(|forecast| [("net", &forecast.net), ("in", &forecast.unread), ("peak", &forecast.peak)]);
    let values = values
        .map(|(rate, full)| {
            let seconds = match full {
                Full::NotFilling => Some(f64::INFINITY),
                full => full.seconds(),
            };
            (sheet.labels(&[("rate", rate)]), seconds)
        })
        .collect();
    sheet.gauges(
        "buffer_full_seconds",
        "Seconds until the first limit is met: as it fills now (net), if nobody reads (in), at the profile's peak with \
         nobody reading (peak); +Inf where it does not fill",
        values,
    );
}

fn is_written(seen: &WatchSnapshot) -> bool {
    !seen.stat.lanes.is_empty()
}

fn lanes(sheet: &mut Sheet, view: &View) {
    type Of = fn(&LaneStat) -> Option<f64>;
    let lanes = view.seen().map_or(&[][..], |seen| &seen.stat.lanes);
    let of_lanes = |sheet: &Sheet, of: Of| -> Vec<(Labels, Option<f64>)> {
        lanes.iter().map(|lane| (sheet.labels(&[("lane", lane.lane.name())]), of(lane))).collect()
    };
    let gauges: [(&str, &'static str, Of); 6] = [
        ("events", "Events held of a lane", |lane| Some(lane.events? as f64)),
        ("blocks", "Blocks held of a lane", |lane| Some(lane.blocks? as f64)),
        ("bytes", "Memory of a lane's stream, by the server's own estimate", |lane| Some(lane.bytes? as f64)),
        ("oldest_age_seconds", "Seconds since a lane's oldest block was stored", |lane| {
            lane.oldest_age_ms.map(seconds)
        }),
        ("damaged_blocks", "Blocks at the ends of a lane that cannot be read", |lane| {
            Some(lane.damaged.len() as f64)
        }),
        ("writer_epoch", "Epoch of a lane's newest writer", |lane| Some(lane.epoch? as f64)),
    ];
    for (name, help, of) in gauges {
        let values = of_lanes(sheet, of);
        sheet.gauges(&format!("lane_{name}"), help, values);
    }
    monotonic_counters(sheet, view);
}

/// Counts of the server's, as the watcher has seen them grow: on the server they go back with its data.
fn monotonic_counters(sheet: &mut Sheet, view: &View) {
    type Of = fn(&Counts) -> Option<u64>;
    let counters: [(&str, &'static str, Of); 2] = [
        (
            "appended_events",
            "Events ever appended to a lane; never falls while the watcher runs",
            Counts::appended,
        ),
        (
            "trimmed_unread_events",
            "Events of a lane ever dropped to make room (trim-oldest); never falls while the watcher runs",
            Counts::trimmed,
        ),
    ];
    let is_seen = view.seen().is_some();
    for (name, help, of) in counters {
        let one = |lane: Lane| {
            let count = of(&view.ever.of(lane)).filter(|_| is_seen);
            (sheet.labels(&[("lane", lane.name())]), count.map(|count| count as f64))
        };
        let values = view.lanes().iter().map(one).collect();
        sheet.counters(&format!("lane_{name}_total"), help, values);
    }
}

fn groups(sheet: &mut Sheet, view: &View) {
    type Of = fn(&GroupStat) -> Option<f64>;
    let groups = view.seen().map_or(&[][..], |seen| &seen.stat.groups);
    let gauges: [(&str, &'static str, Of); 6] = [
        ("unread_events", "Events of a lane that a group was not given yet", |group| {
            Some(group.unread_events? as f64)
        }),
        (
            "behind_seconds",
            "Seconds since the oldest block was stored that a group was not given; 0 where it was given all",
            |group| group.behind_ms.map(seconds),
        ),
        ("pending_blocks", "Blocks given to a group and not acknowledged", |group| {
            Some(group.pending_blocks? as f64)
        }),
        (
            "pending_age_seconds",
            "Seconds since the oldest of those was last given to a consumer; absent where none is",
            |group| group.pending_age_ms.map(seconds),
        ),
        ("consumers", "Consumers of a group", |group| Some(group.consumers as f64)),
        ("commits", "Commits of a group that a drain commits for; absent where the group is read", |group| {
            group.commits.map(|commits| commits as f64)
        }),
    ];
    for (name, help, of) in gauges {
        let values = groups
            .iter()
            .map(|group| (sheet.labels(&[("lane", group.lane.name()), ("group", &group.group)]), of(group)))
            .collect();
        sheet.gauges(&format!("group_{name}"), help, values);
    }
    let names = view.seen().map_or_else(Vec::new, |seen| super::super::view::groups(&seen.stat));
    let still = names
        .iter()
        .map(|group| (sheet.labels(&[("group", &group.name)]), view.still_ms(&group.name).map(seconds)))
        .collect();
    sheet.gauges(
        "group_still_seconds",
        "Seconds since a group was last given a block of any lane, as far as the watcher has seen it",
        still,
    );
    let hidden = view.seen().and_then(|seen| Some(seen.stat.groups_hidden? as f64));
    let values = vec![(sheet.labels(&[]), hidden)];
    sheet.gauges(
        "groups_hidden",
        "Groups of a lane that are left out, because there are more than 100",
        values,
    );
}
