//! How the time of an event is written in JSON, and read from there.

use serde_json::Value;

use super::parse::{Reject, TIME_US_MAX};
use super::rfc3339;

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A number of microseconds since 1970.
    Us,
    /// A number of milliseconds since 1970.
    Ms,
    /// A number of seconds since 1970.
    S,
    /// A text such as `2026-11-28T10:00:00Z`.
    Rfc3339,
}

impl Unit {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Us, "us"), (Self::Ms, "ms"), (Self::S, "s"), (Self::Rfc3339, "rfc3339")];

    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The unit of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(unit, _)| unit)
    }

    /// The time that stands at a place.
    pub(super) fn time_us(self, value: &Value, at: &'static str) -> Result<u64, Reject> {
        let found = value.pointer(at).ok_or(Reject::NoTimeAt(at))?;
        let bad = Reject::NotATime { at, unit: self.name() };
        let factor = match self {
            Unit::Rfc3339 => return found.as_str().and_then(rfc3339::micros).and_then(fits).ok_or(bad),
            Unit::Us => 1,
            Unit::Ms => 1_000,
            Unit::S => 1_000_000,
        };
        let whole = found.as_u64().and_then(|number| number.checked_mul(factor));
        let part =
            || found.as_f64().filter(|number| *number >= 0.0).map(|number| (number * factor as f64).round());
        whole.or_else(|| part().map(|micros| micros as u64)).and_then(fits).ok_or(bad)
    }
}

fn fits(time_us: u64) -> Option<u64> {
    (time_us <= TIME_US_MAX).then_some(time_us)
}
