//! Where a connection begins: what a cursor means to a host of either protocol.

use crate::http::Acts;

use super::clock::{Clock, now_us};
use super::fault::{CLAMPED, FUTURE, Fault};
use super::log::Log;
use super::settings::{Protocol, Settings};

/// From here on a cursor of the second protocol is a time. A seq gets there in centuries.
const TIME_FROM: u64 = 1_000_000_000_000_000;

/// Where a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// The first place.
    pub(super) place: u64,
    /// Is this a replay, rather than the live tail?
    pub(super) is_replay: bool,
    /// Was a time older than what is kept? The second protocol's stream says so first.
    pub(super) is_outdated: bool,
}

/// Why there is no beginning: the name of the error, and what is said of it.
#[derive(Debug)]
pub(super) struct Refused(pub(super) &'static str, pub(super) String);

/// What a cursor is resolved against.
pub(super) struct Host<'a> {
    pub(super) settings: &'a Settings,
    pub(super) clock: &'a Clock,
    pub(super) log: &'a Log,
    pub(super) acts: &'a Acts,
    /// How many events exist.
    pub(super) tip: u64,
}

impl Host<'_> {
    /// Where to begin. `is_stream` is the second protocol's own, which refuses a seq that is too old.
    pub(super) fn resolve(&self, cursor: Option<&str>, is_stream: bool) -> Result<Start, Refused> {
        let end = self.log.len(self.tip);
        let live = Start { place: end, is_replay: false, is_outdated: false };
        let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(live) };
        let asked: u64 =
            cursor.parse().map_err(|_| Refused("InvalidRequest", format!("invalid cursor: {cursor:?}")))?;
        let oldest = self.log.place(self.tip.saturating_sub(self.settings.retention));
        if self.settings.protocol == Protocol::V2 && asked < TIME_FROM {
            return self.resolve_seq(asked, oldest, end, is_stream);
        }
        if asked > now_us() {
            self.acts.count(FUTURE);
            return Ok(live);
        }
        let first = self.clock.first_from(asked);
        let mut place = self.log.place(first);
        let is_outdated = place < oldest;
        if is_outdated {
            self.acts.count(CLAMPED);
            place = oldest;
        }
        place = self.at_segment(place).max(oldest).min(end);
        Ok(Start { place, is_replay: true, is_outdated })
    }

    fn resolve_seq(&self, asked: u64, oldest: u64, end: u64, is_stream: bool) -> Result<Start, Refused> {
        let first_seq = self.settings.first_seq;
        let floor = first_seq + oldest;
        if asked >= first_seq + end {
            self.acts.count(FUTURE);
            return Ok(Start { place: end, is_replay: false, is_outdated: false });
        }
        // 0 is "all there is", which is not too old while nothing was forgotten.
        if asked < floor && (asked != 0 || oldest > 0) {
            self.acts.count(CLAMPED);
            if is_stream {
                let said =
                    format!("cursor {asked} is below the oldest seq {floor}; begin again from your last seq");
                return Err(Refused("CursorTooOld", said));
            }
        }
        Ok(Start { place: asked.max(floor) - first_seq, is_replay: true, is_outdated: false })
    }

    /// The begin of the segment that a time leads into, where this host has that bug.
    fn at_segment(&self, place: u64) -> u64 {
        let mut begin = place;
        for fault in &self.settings.faults {
            if let Fault::SegmentStart { events } = *fault
                && self.settings.protocol == Protocol::V2
            {
                begin = place - place % events.max(1);
                if begin < place {
                    self.acts.count(fault.name());
                }
            }
        }
        begin
    }
}
