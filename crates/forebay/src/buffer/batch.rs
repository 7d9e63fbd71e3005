//! Cuts each lane's events into blocks: by count, by size, by age. No I/O and no clock of its own: the caller
//! says what time it is, so that a proof can cut 8 hours of blocks in seconds exactly as they would be cut.

use std::time::Duration;

use crate::block::frame::{CONTENT_BYTES_MAX, Draft};
use crate::event::lane::{Lane, Lanes};
use crate::event::parse::Event;

/// A linger for consumers that wait for each event.
pub const LOW_LATENCY: Duration = Duration::from_millis(5);

/// When a block is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events in a block, at the most.
    pub events_max: u64,
    /// Bytes of events in a block, at the most; one larger event has a block to itself.
    pub bytes_max: usize,
    /// How long the first event of a block may wait for others.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events_max: 512, bytes_max: 256 << 10, linger: Duration::from_millis(200) }
    }
}

/// A lane's block in the making.
#[derive(Default)]
struct Open {
    draft: Draft,
    due: Duration,
}

/// The blocks in the making, one a lane.
pub struct Batcher {
    limits: Limits,
    of: Lanes,
    lanes: Vec<Open>,
    /// The earliest `due` of a lane that holds events, or later than that: kept so that a push need not look
    /// at every lane.
    next_due: Duration,
}

impl Batcher {
    /// Nothing in the making.
    pub fn new(limits: Limits, of: Lanes) -> Self {
        // A larger block could not be read again.
        let limits = Limits { bytes_max: limits.bytes_max.min(CONTENT_BYTES_MAX), ..limits };
        Self { limits, of, lanes: of.defaults(), next_due: Duration::MAX }
    }

    /// Adds an event that came at `now`; `cut` receives each block that is complete, oldest first.
    pub fn push(&mut self, event: &Event<'_>, now: Duration, cut: &mut dyn FnMut(Lane, Draft)) {
        self.expire(now, cut);
        let (limits, lane) = (self.limits, event.lane);
        let open = &mut self.lanes[lane.index()];
        if !open.draft.is_empty() && open.draft.len() + 1 + event.bytes.len() > limits.bytes_max {
            open.draft.fill_up();
            cut(lane, std::mem::take(&mut open.draft));
        }
        if open.draft.is_empty() {
            open.due = now.saturating_add(limits.linger);
            self.next_due = self.next_due.min(open.due);
        }
        open.draft.push(event);
        if open.draft.events() >= limits.events_max || open.draft.len() >= limits.bytes_max {
            open.draft.fill_up();
            cut(lane, std::mem::take(&mut open.draft));
        }
    }

    /// Cuts every block that has waited for as long as `linger` allows.
    pub fn expire(&mut self, now: Duration, cut: &mut dyn FnMut(Lane, Draft)) {
        if now < self.next_due {
            return;
        }
        self.next_due = Duration::MAX;
        for lane in self.of {
            let open = &mut self.lanes[lane.index()];
            if open.draft.is_empty() {
                continue;
            }
            if open.due <= now {
                cut(lane, std::mem::take(&mut open.draft));
            } else {
                self.next_due = self.next_due.min(open.due);
            }
        }
    }

    /// Cuts whatever is there.
    pub fn flush(&mut self, cut: &mut dyn FnMut(Lane, Draft)) {
        self.expire(Duration::MAX, cut);
    }

    /// When [`Self::expire`] should next be called; none where nothing waits.
    pub fn next_due(&self) -> Option<Duration> {
        (self.next_due != Duration::MAX).then_some(self.next_due)
    }
}
