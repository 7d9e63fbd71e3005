//! When a buffer is full, in text and in JSON.

use serde_json::{Value, json};

use super::figures::{UNKNOWN, WIDTH, bytes, or_unknown};
use forebay::buffer::limit::{Bound, Full, LimitKind, Limits};
use forebay::buffer::stat::Stat as Look;
use forebay_watch::Subject;
use forebay_watch::figures::{count, percent, rate, span, span_ms};
use forebay_watch::forecast::{Forecast, Rates};
use forebay_watch::look::WatchSnapshot;
use forebay_watch::view::View;

/// What is said where no limit is known.
const NO_LIMIT: &str = "unknown: see the limits below";

/// What is said of a buffer's limits.
pub(super) struct Standing<'a> {
    now: &'a Look,
    limits: &'a Limits,
    rates: Rates,
    forecast: Option<&'a Forecast>,
    peak: f64,
}

impl<'a> Standing<'a> {
    pub(super) fn of(view: &'a View, seen: &'a WatchSnapshot, subject: &Subject) -> Self {
        let (rates, forecast) = (view.rates, view.forecast.as_ref());
        Self { now: &seen.stat, limits: &seen.limits, rates, forecast, peak: subject.profile.rates.peak }
    }

    /// What happens where a limit is met.
    fn then(&self, kind: LimitKind) -> String {
        kind.then(self.now.facts.get("maxmemory_policy").unwrap_or(UNKNOWN))
    }

    /// Milliseconds of events held, and those that there is room for at the rate of the moment.
    fn hours_ms(&self) -> (Option<u64>, Option<u64>) {
        let held = self.now.oldest_age_ms();
        let possible = held.zip(self.forecast.and_then(|forecast| forecast.unread.seconds()));
        (held, possible.map(|(held, seconds)| held.saturating_add((seconds * 1_000.0) as u64)))
    }

    /// Labels and values of the lines that say when it is full.
    pub(super) fn lines(&self) -> [(&'static str, String); 5] {
        let (at, filled) = match (self.limits.first(), self.limits.events_at_limit()) {
            (Some((kind, room)), Some(events)) => {
                let held = or_unknown(share(self.now.events(), Some(events)), percent);
                let memory = format!("{} of {}", bytes(room.used_bytes), bytes(room.limit_bytes));
                let hours = match self.hours_ms() {
                    (Some(held), Some(possible)) => format!(", {} of {}", span_ms(held), span_ms(possible)),
                    _ => String::new(),
                };
                (
                    format!("{} events, by {}: {}", count(events), kind.name(), self.then(kind)),
                    format!("{held} of events, {memory}{hours}"),
                )
            }
            (Some((kind, _)), None) => {
                (format!("unknown: a damaged block hides the count; by {}", kind.name()), UNKNOWN.into())
            }
            (None, _) => (NO_LIMIT.into(), UNKNOWN.into()),
        };
        let at_rate = |rate_of: Option<f64>| {
            rate_of.map_or(String::new(), |per_second| format!(" at {} events/s", rate(per_second)))
        };
        let net = self.rates.coming().zip(self.rates.going()).map(|(coming, going)| coming - going);
        let time = |of: fn(&Forecast) -> &Full, at: &str, never: &str| {
            self.forecast.map_or_else(|| UNKNOWN.into(), |forecast| self.time(of(forecast), at, never))
        };
        let unread = format!("{}, if nobody reads", at_rate(self.rates.coming()));
        let peak = format!(" at {} events/s, if nobody reads", rate(self.peak));
        [
            ("full at", at),
            ("filled", filled),
            ("full in", time(|of| &of.unread, &unread, "never: nothing comes in")),
            ("as now", time(|of| &of.net, &format!("{}, in less out", at_rate(net)), "not filling")),
            ("at peak", time(|of| &of.peak, &peak, "never")),
        ]
    }

    fn time(&self, full: &Full, at: &str, never: &str) -> String {
        match full {
            Full::In(seconds) => format!("{}{at}", span(*seconds)),
            Full::Now => "now: the limit is met".into(),
            Full::NotFilling => never.into(),
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
                LimitKind::Maxmemory => "",
                LimitKind::Disk => " with a rewrite",
                LimitKind::Memory => " with a fork's copy",
            };
            let told = match bound {
                Bound::At(room) => format!(
                    "{} of {}{with}, room for {} events",
                    bytes(room.used_bytes),
                    bytes(room.limit_bytes),
                    count(room.events)
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
        let unknown = Full::Unknown("there was no look".into());
        let of = |of: fn(&Forecast) -> &Full| self.forecast.map_or(&unknown, of);
        let (unread, net, peak) = (of(|of| &of.unread), of(|of| &of.net), of(|of| &of.peak));
        let (held_ms, possible_ms) = self.hours_ms();
        let hours = |ms: Option<u64>| ms.map(|ms| ms as f64 / 3_600_000.0);
        vec![
            ("oldest_age_ms", json!(held_ms)),
            ("seconds_to_full", json!(unread.seconds())),
            ("seconds_to_full_why", json!(unread.why_not())),
            ("seconds_to_full_net", json!(net.seconds())),
            ("seconds_to_full_net_why", json!(net.why_not())),
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
fn one((kind, bound): &(LimitKind, Bound)) -> Value {
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
