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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_kept_on_its_side_and_by_what_it_names() {
        let holds = |bound: Bound| [0.5, 1.0, 1.5].map(|measured| bound.holds(measured, 1.0));
        assert_eq!(holds(Bound::AtMost), [true, true, false]);
        assert_eq!(holds(Bound::AtLeast), [false, true, true]);
        assert_eq!(holds(Bound::Exactly), [false, true, false]);
        // The next number that there is.
        assert!(!Bound::Exactly.holds(1.0 + f64::EPSILON, 1.0));
        assert!(
            [Bound::AtMost, Bound::AtLeast, Bound::Exactly].iter().all(|bound| !bound.holds(f64::NAN, 1.0))
        );
    }
}
