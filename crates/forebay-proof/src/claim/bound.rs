//! What a figure counts, and which side of what is required it must be on.

use serde::{Deserialize, Serialize};

/// Which side of `required` the measured figure must be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// measured ≤ required
    AtMost,
    /// measured ≥ required
    AtLeast,
    /// measured = required
    Exactly,
}

impl Bound {
    /// Whether `measured` keeps to the bound. NaN keeps to none.
    pub fn holds(self, measured: f64, required: f64) -> bool {
        match self {
            Self::AtMost => measured <= required,
            Self::AtLeast => measured >= required,
            Self::Exactly => (measured - required).abs() < f64::EPSILON,
        }
    }

    /// The sign for tables.
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "≤",
            Self::AtLeast => "≥",
            Self::Exactly => "=",
        }
    }
}

/// What a figure counts; decides how it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole events.
    Events,
    /// Bytes of memory or disk.
    Bytes,
    /// Bytes held for each event.
    BytesPerEvent,
    /// Events each second.
    EventsPerSecond,
    /// Requests each second.
    RequestsPerSecond,
    /// Share of one hundred.
    Percent,
    /// Hours.
    Hours,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// A plain count or ratio.
    Count,
}
