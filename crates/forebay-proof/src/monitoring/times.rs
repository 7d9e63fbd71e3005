//! Times that every part of the proof keeps to.

use std::time::Duration;

/// How much faster the rules' clock goes than for people: their durations, and the profile's hours, are divided by it.
pub(super) const PACE: f64 = 240.0;

/// How late the healthy rig's reader is on purpose: so that there is something to see in the buffer.
pub(super) const HEALTHY_LATE: Duration = Duration::from_secs(1);

/// How long a watch, a writer and a reader may take until Prometheus knows of them.
pub(super) const STEADY: Duration = Duration::from_secs(60);
