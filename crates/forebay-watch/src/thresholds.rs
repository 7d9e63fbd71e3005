//! From where on something is wrong: one definition for the verdict, the page, `forebay stat` and the alert rules.

use crate::profile::Profile;

/// What lies beyond a line is for somebody: today, or now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Share of what fits that is held: for somebody today.
    pub filling: f64,
    /// The same for somebody now.
    pub almost_full: f64,
    /// Full within so many seconds, as it fills now: for somebody now.
    pub soon_s: f64,
    /// The same for somebody today.
    pub tonight_s: f64,
    /// An event that is held for longer is older than the buffer is made for.
    pub held_s: f64,
    /// A group that is further behind is too slow.
    pub behind_s: f64,
    /// A group that was given nothing for longer, while events wait, has stopped.
    pub stopped_s: f64,
    /// The same two of a group that a drain commits for which says nothing of itself: it takes blocks as they come, and stands
    /// still between two commits.
    pub drained_s: f64,
    /// A drain that has said nothing for longer, while events wait for it, has stopped: it says something every few seconds.
    pub drain_silent_s: f64,
    /// An event that has waited for its file for so much longer than the drain allows is late.
    pub drain_late_s: f64,
    /// Bytes that a drain's disk has free at the least,
    pub drain_free_bytes: f64,
    /// and hours of events that these must be enough for.
    pub drain_free_hours: f64,
    /// A block that was given to a consumer, and not acknowledged for longer, is held by one that has died.
    pub pending_s: f64,
    /// A buffer to which nothing was appended for longer has lost its writer, or its source.
    pub idle_s: f64,
    /// A lane that has had nothing for longer, while others had, is silent,
    pub lane_idle_s: f64,
    /// if it has had more than so many over a day: then 50 were to be expected in that time, and a night has half of them.
    pub lane_day_events: f64,
    /// A source that forgets within so many seconds what is not settled.
    pub forgets_s: f64,
    /// A gap is told for so long after it was found.
    pub missed_s: f64,
    /// Share of `maxclients`.
    pub connections: f64,
    /// Share of the disk's room that the log and its next rewrite take.
    pub disk: f64,
    /// Seconds that 95 of 100 answers take at most: for somebody today.
    pub slow_s: f64,
    /// The same for somebody now.
    pub too_slow_s: f64,
}

impl Thresholds {
    /// Those of a profile.
    pub fn of(profile: &Profile) -> Self {
        let held_s = in_micros(profile.hold.hours * 3_600.0);
        let too_slow_s = profile.load.p95_max.as_secs_f64();
        Self {
            filling: 0.85,
            almost_full: 0.95,
            // Of 8 hours: 30 minutes, 4 hours, 15 minutes.
            soon_s: held_s / 16.0,
            tonight_s: held_s / 2.0,
            held_s,
            behind_s: held_s / 32.0,
            // Two minutes; never so short that a reader which comes every few seconds would have stopped.
            stopped_s: (held_s / 240.0).max(10.0),
            // Two hours: a drain commits once an hour at the latest, while events come.
            drained_s: held_s / 4.0,
            // Two minutes, as a reader; never less than what is missed by a few of its words.
            drain_silent_s: (held_s / 240.0).max(30.0),
            // A quarter of an hour.
            drain_late_s: held_s / 32.0,
            drain_free_bytes: 1_073_741_824.0,
            drain_free_hours: 24.0,
            pending_s: 120.0,
            idle_s: 120.0,
            lane_idle_s: 900.0,
            lane_day_events: 4_800.0,
            forgets_s: 3_600.0,
            missed_s: 3_600.0,
            connections: 0.8,
            disk: 0.9,
            // 20 ms of 50 ms.
            slow_s: in_micros(too_slow_s * 0.4),
            too_slow_s: in_micros(too_slow_s),
        }
    }
}

/// Whether so long is beyond a line.
pub(super) fn exceeds(ms: u64, line_s: f64) -> bool {
    ms as f64 / 1_000.0 > line_s
}

/// Seconds without what floating point adds to them: 0.05 × 0.4 is 0.020000000000000004.
fn in_micros(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
