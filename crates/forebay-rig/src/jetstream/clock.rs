//! When an event exists: a function of its index, and of when the simulator was started.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fault::Fault;

/// More events a second would share a microsecond.
pub(super) const RATE_MAX: f64 = 1e6;
/// Fewer would be a source that is silent; `Settings::last` says so better.
const RATE_MIN: f64 = 0.001;

/// The moments of all events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started_us: u64,
    history: u64,
    rate: f64,
}

/// Microseconds since 1970.
pub(super) fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_micros() as u64
}

impl Clock {
    /// A clock that starts now, when `history` events exist.
    pub(super) fn start(history: u64, rate: f64) -> Self {
        let rate = if rate.is_nan() { RATE_MAX } else { rate.clamp(RATE_MIN, RATE_MAX) };
        Self { started_us: now_us(), history, rate }
    }

    /// When this event came or comes to exist, in microseconds since 1970.
    pub(super) fn time_us(&self, index: u64) -> u64 {
        let since = index as f64 - self.history as f64;
        self.started_us.saturating_add_signed((since * 1e6 / self.rate).floor() as i64)
    }

    /// How many events exist at this moment: those whose moment is not after it.
    pub(super) fn count_at(&self, us: u64) -> u64 {
        let since_us = us as f64 - self.started_us as f64;
        let about = self.history as f64 + since_us * self.rate / 1e6;
        // The division may be off by one either way.
        let mut count = (about.floor() as i64 - 1).max(0) as u64;
        while self.time_us(count) <= us {
            count += 1;
        }
        count
    }

    /// The first event whose moment is not before this one.
    pub(super) fn first_from(&self, us: u64) -> u64 {
        if us == 0 { 0 } else { self.count_at(us - 1) }
    }

    /// How long until this event exists.
    pub(super) fn until(&self, index: u64) -> Duration {
        Duration::from_micros(self.time_us(index).saturating_sub(now_us()))
    }

    /// The time that an event shows, which some faults set back.
    pub(super) fn shown_us(&self, index: u64, faults: &[Fault]) -> u64 {
        let mut us = self.time_us(index);
        for fault in faults {
            us = us.saturating_sub(fault.set_back_us(index, self.history));
        }
        us
    }
}
