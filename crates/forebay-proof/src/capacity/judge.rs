//! From what was measured to claims. The controls are judged by the same function.

use super::measured::Measured;
use super::readback::ReadBack;
use super::sample::Layout;
use crate::claim::{Axes, Bound, Evidence, Judged, Series, Unit};
use crate::report::units::{bytes, thousands};
use forebay_watch::profile::Profile;

/// The step of the brief that capacity answers.
const STEP: u8 = 3;

/// How far the prediction may be off, in percent.
pub(super) const PREDICTION_PERCENT_MAX: f64 = 5.0;

/// Every claim of the proof, controls still to come.
pub(super) fn claims(measured: &Measured<'_>) -> Vec<Judged> {
    let predicted = predicted(measured.weight.per_event, measured.bytes_per_event(), measured.sample);
    vec![events(measured), memory(measured), identical(&measured.read_back), predicted, hours(measured)]
}

fn events(measured: &Measured<'_>) -> Judged {
    let hold = &measured.profile.hold;
    let counts = &measured.filled.counts;
    let acknowledged = thousands(counts.acknowledged as f64, 0);
    let taken = match &measured.filled.ended {
        None => format!(
            "{acknowledged} events in {} blocks were acknowledged in {:.1} s ({} events/s)",
            thousands(counts.blocks as f64, 0),
            measured.filled.seconds,
            thousands(counts.acknowledged as f64 / measured.filled.seconds, 0)
        ),
        Some(why) => format!("after {acknowledged} acknowledged events it ended: {why}"),
    };
    let why = format!("{taken}; then {} were still there to be read", thousands(measured.held() as f64, 0));
    let mut claim = Judged::of(
        "capacity.events",
        STEP,
        format!(
            "{} events, cut into blocks as at {:.0} events/s, are held at once",
            thousands(hold.events as f64, 0),
            measured.profile.rate()
        ),
        (Bound::AtLeast, hold.events as f64, Unit::Events),
        measured.held() as f64,
        why,
    );
    claim.evidence.push(curve(measured));
    claim.evidence.push(encoded(measured));
    claim
}

fn memory(measured: &Measured<'_>) -> Judged {
    let hold = &measured.profile.hold;
    let used = measured.filled.curve.iter().map(|point| point.used_bytes).max().unwrap_or(0);
    let rss = measured.filled.curve.iter().map(|point| point.rss_bytes).max().unwrap_or(0);
    let fragmentation = measured.fragmentation.map_or("unknown".into(), |ratio| format!("{ratio:.2}"));
    let Some(limit) = measured.limit_bytes else {
        let judged_by = (Bound::AtMost, hold.memory_percent_max, Unit::Percent);
        return Judged::blank(
            "capacity.memory",
            STEP,
            "used memory stays under the profile's line",
            judged_by,
        )
        .untested("the server has no maxmemory, so there is no limit to keep under")
        .test_with("redis-cli CONFIG SET maxmemory BYTES, then forebay capacity");
    };
    let claim = Judged::of(
        "capacity.memory",
        STEP,
        format!(
            "used memory stays under {} % of maxmemory, which is {}",
            hold.memory_percent_max,
            bytes(limit as f64)
        ),
        (Bound::AtMost, hold.memory_percent_max, Unit::Percent),
        used as f64 * 100.0 / limit as f64,
        format!(
            "at most {} used and {} resident, fragmentation {fragmentation}, allocator {}",
            bytes(used as f64),
            bytes(rss as f64),
            measured.allocator
        ),
    );
    // What was never in, or was evicted, takes no memory.
    if claim.holds() && measured.held() < hold.events {
        return claim.untested(format!(
            "{} of {} events were there at the end: what all of them take was not seen",
            thousands(measured.held() as f64, 0),
            thousands(hold.events as f64, 0)
        ));
    }
    claim
}

/// Of what came back.
pub(super) fn identical(back: &ReadBack) -> Judged {
    let mut claim = Judged::of(
        "capacity.identical",
        STEP,
        "every acknowledged event is read back once, byte for byte, in its lane's order",
        (Bound::Exactly, 0.0, Unit::Events),
        (back.findings.faults() + back.faults.len() as u64) as f64,
        format!("{} ({:.1} s)", back.findings.sentence(), back.seconds),
    );
    if back.findings.acknowledged == 0 {
        claim = claim.untested("no event was acknowledged, so none could be read back");
    }
    for fault in back.faults.iter().take(10) {
        claim.evidence.push(Evidence::Note { text: fault.clone() });
    }
    claim
}

/// Of the bytes an event that were predicted from a sample of so many, and those found.
pub(super) fn predicted(said: f64, found: Option<f64>, sample: u64) -> Judged {
    let statement = "what an event will weigh can be told beforehand from a sample";
    let judged_by = (Bound::AtMost, PREDICTION_PERCENT_MAX, Unit::Percent);
    let Some(found) = found else {
        return Judged::blank("capacity.predicted", STEP, statement, judged_by).untested("no event went in");
    };
    Judged::of(
        "capacity.predicted",
        STEP,
        statement,
        judged_by,
        (said - found).abs() * 100.0 / found,
        format!(
            "{said:.1} bytes an event predicted from {} events, {found:.1} found",
            thousands(sample as f64, 0)
        ),
    )
}

fn hours(measured: &Measured<'_>) -> Judged {
    let profile = measured.profile;
    let statement = format!(
        "forecast: at {:.0} events/s the memory line is met no sooner than after {} hours",
        profile.rate(),
        profile.hold.hours
    );
    let judged_by = (Bound::AtLeast, profile.hold.hours, Unit::Hours);
    let (Some(line), Some(weight)) = (measured.line_bytes(), measured.bytes_per_event()) else {
        return Judged::blank("capacity.hours", STEP, &statement, judged_by)
            .untested("no maxmemory, or no event was held");
    };
    let room = line - measured.weight.empty_bytes as f64;
    let mut claim = Judged::of(
        "capacity.hours",
        STEP,
        statement,
        judged_by,
        room / (weight * profile.rate()) / 3_600.0,
        format!(
            "calculated, not waited for: {weight:.1} bytes for each event that was held, {} of room",
            bytes(room)
        ),
    );
    claim.evidence.push(layouts(measured, room));
    claim
}

/// Blocks by the encoding they got, and why.
fn encoded(measured: &Measured<'_>) -> Evidence {
    let meaning = |why: &str| match why {
        "dense" => "2: decoded and compared",
        "plain" => "1: the events are not Jetstream's",
        "busy" => "1: full blocks beyond encoding 2's share of the processor",
        "larger" => "1: encoding 2 is no smaller than the events",
        _ => "1: encoding 2 did not come back the same",
    };
    let row = |(why, blocks): (&str, u64)| vec![meaning(why).to_owned(), thousands(blocks as f64, 0)];
    Evidence::Table {
        title: "Blocks by encoding, and why".into(),
        columns: vec!["encoding".into(), "blocks".into()],
        rows: measured.filled.counts.encoded().map(row).collect(),
    }
}

/// Memory as it fills, beside the prediction and the limits.
fn curve(measured: &Measured<'_>) -> Evidence {
    let points = &measured.filled.curve;
    let end = measured.profile.hold.events as f64;
    let empty = points.first().map_or(0, |point| point.used_bytes) as f64;
    let line = |name: &str, points| Series { name: name.into(), dashed: true, points };
    let mut used: Vec<(f64, f64)> =
        points.iter().map(|point| (point.events as f64, point.used_bytes as f64)).collect();
    used.dedup_by(|a, b| (a.0 - b.0).abs() < f64::EPSILON);
    let mut series = vec![
        Series { name: "used memory".into(), dashed: false, points: used },
        line("predicted", vec![(0.0, empty), (end, empty + end * measured.weight.per_event)]),
    ];
    if let Some(limit) = measured.line_bytes() {
        series.push(line("memory line", vec![(0.0, limit), (end, limit)]));
    }
    Evidence::Chart {
        title: "Memory as the buffer fills".into(),
        x: "events".into(),
        y: "bytes".into(),
        axes: Axes::Plain,
        series,
    }
}

/// Events a second that layouts are weighed at, each once.
pub(super) fn rates(profile: &Profile) -> Vec<f64> {
    let mut rates = vec![profile.rate(), profile.rates.network, profile.rates.peak];
    rates.dedup();
    rates
}

/// What each layout weighs, and how long the room lasts at each rate.
fn layouts(measured: &Measured<'_>, room: f64) -> Evidence {
    let profile = measured.profile;
    let rates = rates(profile);
    let mut columns = vec!["layout".to_owned(), "bytes/event".into(), "events that fit".into()];
    columns.extend(rates.iter().map(|rate| format!("hours at {rate:.0}/s")));
    let rows = measured
        .weights
        .iter()
        .map(|(layout, weight)| {
            let mut row = vec![
                layout.name(),
                format!("{:.1}", weight.per_event),
                thousands((room / weight.per_event).floor(), 0),
            ];
            row.extend(rates.iter().map(|&rate| {
                // Blocks weigh what they do only at the rate they are cut at.
                if matches!(layout, Layout::Blocks(cut_at) | Layout::PlainBlocks(cut_at) if (cut_at - rate).abs() > f64::EPSILON) {
                    return "-".into();
                }
                format!("{:.1}", room / (weight.per_event * rate) / 3_600.0)
            }));
            row
        })
        .collect();
    Evidence::Table {
        title: format!(
            "What an event weighs, by layout ({} events each, a server of its own)",
            thousands(measured.sample as f64, 0)
        ),
        columns,
        rows,
    }
}

#[cfg(test)]
mod tests;
