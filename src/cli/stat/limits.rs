//! When a buffer is full, in text and in JSON.

use serde_json::{Value, json};

use super::{UNKNOWN, age, bytes, or_unknown, span};
use crate::buffer::connect::Address;
use crate::buffer::limit::{Bound, Full, Kind, Limits};
use crate::buffer::stat::Stat as Look;
use crate::host;

/// Columns of a terminal that nobody is surprised by.
pub(super) const WIDTH: usize = 80;

/// What is said where no limit is known.
const NO_LIMIT: &str = "unknown: see the limits below";

/// How fast a buffer fills, and from how far back that is told.
pub(super) struct Rate {
    pub(super) per_second: f64,
    pub(super) span_ms: u64,
}

/// What is said of a buffer's limits.
pub(super) struct Standing<'a> {
    now: &'a Look,
    limits: Limits,
    today: Option<Rate>,
    peak: f64,
}

impl<'a> Standing<'a> {
    pub(super) fn of(address: &Address, now: &'a Look, today: Option<Rate>, peak: f64) -> Self {
        Self::with(now, Limits::of(&now.measured(host::machine_of(address, now))), today, peak)
    }

    /// The same with limits that are known already.
    pub(super) fn with(now: &'a Look, limits: Limits, today: Option<Rate>, peak: f64) -> Self {
        Self { now, limits, today, peak }
    }

    fn full_today(&self) -> Full {
        match &self.today {
            Some(rate) => self.limits.full(rate.per_second),
            None => Full::Unknown("how fast it fills is unknown".into()),
        }
    }

    /// What happens where a limit is met.
    fn then(&self, kind: Kind) -> String {
        kind.then(self.now.facts.get("maxmemory_policy").unwrap_or(UNKNOWN))
    }

    /// Milliseconds of events held, and those that there is room for at today's rate.
    fn hours_ms(&self) -> (Option<u64>, Option<u64>) {
        let held = self.now.oldest_age_ms();
        let possible = held.zip(self.full_today().seconds());
        (held, possible.map(|(held, seconds)| held.saturating_add((seconds * 1_000.0) as u64)))
    }

    /// Labels and values of the lines that say when it is full.
    pub(super) fn lines(&self) -> [(&'static str, String); 4] {
        let (at, filled) = match (self.limits.first(), self.limits.events_at_limit()) {
            (Some((kind, room)), Some(events)) => (
                format!("{events} events, by {}: {}", kind.name(), self.then(kind)),
                format!(
                    "{} of events, {} of {}, {} of {}",
                    percent(share(self.now.events(), Some(events))),
                    bytes(room.used_bytes),
                    bytes(room.limit_bytes),
                    or_unknown(self.hours_ms().0, age),
                    or_unknown(self.hours_ms().1, |ms| span(ms as f64 / 1_000.0)),
                ),
            ),
            (Some((kind, _)), None) => {
                (format!("unknown: a damaged block hides the count; by {}", kind.name()), UNKNOWN.into())
            }
            (None, _) => (NO_LIMIT.into(), UNKNOWN.into()),
        };
        let from = self.today.as_ref().map_or(String::new(), |rate| {
            format!(" at {:.0} events/s (mean of {})", rate.per_second, age(rate.span_ms))
        });
        [
            ("full at", at),
            ("filled", filled),
            ("full in", self.time(&self.full_today(), &from)),
            ("at peak", self.time(&self.limits.full(self.peak), &format!(" at {} events/s", self.peak))),
        ]
    }

    fn time(&self, full: &Full, at: &str) -> String {
        match full {
            Full::In(seconds) => format!("{}{at}, if nothing is read", span(*seconds)),
            Full::Now => "now: the limit is met".into(),
            Full::NotFilling => "never, as long as nothing comes in".into(),
            // Why each is unknown is told limit by limit.
            Full::Unknown(_) if self.limits.first().is_none() => NO_LIMIT.into(),
            Full::Unknown(why) => format!("unknown: {why}"),
        }
    }

    /// Every limit, by name.
    pub(super) fn table(&self) -> String {
        let mut text = String::from("limits; the first to be met counts\n");
        for (kind, bound) in &self.limits.all {
            let with = match kind {
                Kind::Maxmemory => "",
                Kind::Disk => " with a rewrite",
                Kind::Memory => " with a fork's copy",
            };
            let told = match bound {
                Bound::At(room) => format!(
                    "{} of {}{with}, room for {} events",
                    bytes(room.used_bytes),
                    bytes(room.limit_bytes),
                    room.events
                ),
                Bound::Absent(why) => format!("none: {why}"),
                Bound::Unknown(why) => format!("unknown: {why}"),
            };
            let first = format!("  {:<11}", kind.name());
            let options =
                textwrap::Options::new(WIDTH).initial_indent(&first).subsequent_indent("             ");
            text.push_str(&textwrap::fill(&told, options));
            text.push('\n');
        }
        text
    }

    /// The same for programs: what is unknown is null, with a reason beside it.
    pub(super) fn json(&self) -> Vec<(&'static str, Value)> {
        let (first, at) = (self.limits.first(), self.limits.events_at_limit());
        let room = first.map(|(_, room)| room);
        let (today, peak) = (self.full_today(), self.limits.full(self.peak));
        let (held_ms, possible_ms) = self.hours_ms();
        let hours = |ms: Option<u64>| ms.map(|ms| ms as f64 / 3_600_000.0);
        vec![
            ("oldest_age_ms", json!(held_ms)),
            ("events_per_second_today", json!(self.today.as_ref().map(|rate| rate.per_second))),
            ("today_span_ms", json!(self.today.as_ref().map(|rate| rate.span_ms))),
            ("seconds_to_full", json!(today.seconds())),
            ("seconds_to_full_why", json!(today.why_not())),
            ("seconds_to_full_at_peak", json!(peak.seconds())),
            ("seconds_to_full_at_peak_why", json!(peak.why_not())),
            ("limit", json!(first.map(|(kind, _)| kind.name()))),
            ("limit_then", json!(first.map(|(kind, _)| self.then(kind)))),
            ("limit_events", json!(at)),
            (
                "utilisation",
                json!({
                    "events": share(self.now.events(), at),
                    "bytes": share(room.map(|room| room.used_bytes), room.map(|room| room.limit_bytes)),
                    "hours": hours(held_ms), "hours_possible": hours(possible_ms),
                }),
            ),
            ("limits", Value::Array(self.limits.all.iter().map(one).collect())),
        ]
    }
}

/// One limit for programs.
fn one((kind, bound): &(Kind, Bound)) -> Value {
    let name = kind.name();
    match bound {
        Bound::At(room) => json!({
            "name": name, "state": "known", "used_bytes": room.used_bytes,
            "limit_bytes": room.limit_bytes, "events_more": room.events, "why": null,
        }),
        Bound::Absent(why) | Bound::Unknown(why) => json!({
            "name": name, "state": if matches!(bound, Bound::Absent(_)) { "absent" } else { UNKNOWN },
            "used_bytes": null, "limit_bytes": null, "events_more": null, "why": why,
        }),
    }
}

fn share(part: Option<u64>, whole: Option<u64>) -> Option<f64> {
    part.zip(whole.filter(|whole| *whole > 0)).map(|(part, whole)| part as f64 / whole as f64)
}

fn percent(share: Option<f64>) -> String {
    or_unknown(share, |share| format!("{:.1} %", share * 100.0))
}
