//! The buffer at a glance, as text: verdict, figures, limits, lanes, groups.

use comfy_table::{CellAlignment, Table, presets};

use super::figures::{UNKNOWN, WIDTH, bytes, or_unknown};
use super::limits::Standing;
use super::source;
use forebay::buffer::stat::{GroupStat, LaneStat, Stat};
use forebay_proof::printable::printable;
use forebay_watch::Subject;
use forebay_watch::drain::{Drain, drains};
use forebay_watch::figures::{count, percent, rate, span, span_ms};
use forebay_watch::look::WatchSnapshot;
use forebay_watch::view::View;

/// The verdict, its reasons, and the figures behind it; where those are old, since when.
pub(super) fn stat_text(view: &View, subject: &Subject) -> String {
    let verdict = &view.verdict;
    let word = verdict.level.name().to_uppercase();
    let indented = |first: &str, rest: &str, text: &str| {
        let options = wrapped().initial_indent(first).subsequent_indent(rest);
        textwrap::fill(text, options) + "\n"
    };
    let mut text = indented("", "", &format!("{word}  {}", verdict.text));
    for why in &verdict.why {
        text.push_str(&indented("  - ", "    ", why));
    }
    let Some((seen, old_since_ms)) = view.shown() else { return text };
    if seen.stat.lanes.is_empty() {
        return text;
    }
    text.push('\n');
    if let Some(since_ms) = old_since_ms {
        let age = span_ms(view.at_ms.saturating_sub(since_ms));
        text.push_str(&indented("", "", &format!("These figures are {age} old; nothing newer is known.")));
    }
    text.push_str(&as_text(view, seen, subject));
    text
}

fn as_text(view: &View, seen: &WatchSnapshot, subject: &Subject) -> String {
    let (now, standing) = (&seen.stat, Standing::of(view, seen, subject));
    let facts = &now.facts;
    let memory = match (facts.number("used_memory"), now.limit_bytes()) {
        (Some(used), Some(limit)) => {
            let policy = facts.get("maxmemory_policy").unwrap_or(UNKNOWN);
            let share = percent(used as f64 / limit as f64);
            format!("{} of {} ({share}), {policy}{}", bytes(used), bytes(limit), on_node(now))
        }
        (Some(used), None) => format!("{} used, no limit is set{}", bytes(used), on_node(now)),
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
    .chain(source::lines(now))
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
        &drains_table(&drains(now)),
    ]
    .concat()
}

/// Which node of a cluster that is of: the one that is full first.
fn on_node(now: &Stat) -> String {
    match now.nodes.as_slice() {
        [] => String::new(),
        [only] => format!(", on {}, the only node that has lanes of it", only.node),
        [first, ..] => format!(", on {}, the first to be full of {} nodes", first.node, now.nodes.len()),
    }
}

/// Between words: a date is one.
fn wrapped<'a>() -> textwrap::Options<'a> {
    textwrap::Options::new(WIDTH).word_splitter(textwrap::WordSplitter::NoHyphenation)
}

/// Labelled lines, no longer than a terminal: a value that is longer goes on below itself.
fn line(label: &str, value: &str) -> String {
    let first = format!("  {label:<9}");
    let options = wrapped().initial_indent(&first).subsequent_indent("           ");
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

/// What an event weighs, and whether that is more than an assumption.
fn weight(seen: &WatchSnapshot) -> String {
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
            if group.commits.is_some() { "drain".into() } else { group.consumers.to_string() },
        ]);
    }
    right(table)
}

/// What drains have put into files, where there are any.
fn drains_table(drains: &[Drain<'_>]) -> String {
    if drains.is_empty() {
        return String::new();
    }
    let mut table = plain(&["drain", "state", "in files", "files", "size", "waits", "last commit"]);
    for drain in drains {
        let figures = &drain.sink.figures;
        table.add_row(vec![
            short(&printable(&drain.sink.group).replace('\n', "\\n")),
            drain.state().into(),
            count(figures.rows),
            count(figures.files),
            bytes(figures.bytes),
            or_unknown(drain.oldest_ms, span_ms),
            drain.last_ms().map_or("-".into(), |ms| format!("{} ago", span_ms(ms))),
        ]);
    }
    format!("\n{}", right(table))
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
