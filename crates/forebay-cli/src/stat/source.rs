//! The source of a buffer, as far as it stands beside it: up to where everything is settled, and what it no longer had.

use forebay::buffer::stat::Stat;
use forebay_watch::figures::{count, span_ms};
use forebay_watch::source::{gap_text, time};

/// Gaps that have a line; `--json` has more.
const MISSED_MAX: usize = 3;

/// Labelled lines.
pub(super) fn lines(now: &Stat) -> Vec<(&'static str, String)> {
    let Some(low) = now.low_watermark() else { return Vec::new() };
    let Some(source) = &now.source else {
        return vec![("source", format!("acknowledged up to cursor {}: resume there", low.cursor))];
    };
    let mut lines = vec![("source", source.host.clone())];
    if let Some(settled) = source.settled_us.map(time) {
        let behind = now.source_behind_ms().map_or(String::new(), |ms| format!(", {} behind", span_ms(ms)));
        let forgets = match now.source_forgets_in_ms() {
            Some(ms @ 1..) => format!("; the source forgets that in {}", span_ms(ms.unsigned_abs())),
            Some(ms) => format!("; the source forgot that {} ago", span_ms(ms.unsigned_abs())),
            None => String::new(),
        };
        lines.push(("settled", format!("everything up to {settled}{behind}{forgets}")));
    } else {
        lines.push(("settled", format!("everything up to cursor {}", low.cursor)));
    }
    let Some(missed) = &now.missed else { return lines };
    let text = |gap| format!("{}, which the source no longer had", gap_text(gap));
    lines.extend(missed.newest.iter().rev().take(MISSED_MAX).map(|gap| ("missed", text(gap))));
    let before = missed.gaps.saturating_sub(MISSED_MAX as u64);
    if before > 0 {
        lines.push(("missed", format!("{} gaps before these (--json)", count(before))));
    }
    lines
}

pub(super) fn json(now: &Stat) -> serde_json::Value {
    let Some(source) = &now.source else { return serde_json::Value::Null };
    serde_json::json!({
        "host": source.host, "unit": source.unit, "keeps_hours": source.keeps_hours,
        "settled_us": source.settled_us,
        "behind_ms": now.source_behind_ms(), "forgets_in_ms": now.source_forgets_in_ms(),
        "gaps": now.missed.as_ref().map(|missed| missed.gaps),
        "missed_events": now.missed.as_ref().map(|missed| missed.events),
    })
}

/// Gaps one by one, oldest first.
pub(super) fn missed(now: &Stat) -> serde_json::Value {
    let missed = now.missed.iter().flat_map(|missed| &missed.newest).map(|missed| {
        serde_json::json!({
            "found_us": missed.found_us, "host": missed.host, "from": missed.from, "to": missed.to,
            "unit": missed.unit, "events": missed.events,
        })
    });
    missed.collect()
}
