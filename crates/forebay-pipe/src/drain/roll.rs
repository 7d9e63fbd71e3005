//! When files of a lane are made, and where they end.

use std::time::Duration;

use forebay::Id;
use forebay::buffer::sink::Head;

use super::record::Roll;

/// Bytes of a file, at the most, but for the block that it ends with: one upload takes 128 MiB.
pub const FILE_BYTES_MAX: u64 = 112 << 20;

/// Days that may be open at once: each holds about a row group.
pub const DAYS_MAX: usize = 24;

/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;

/// When to make files.
#[derive(Debug, Clone, Copy)]
pub struct Rolling {
    /// Bytes of a file.
    pub file_bytes: u64,
    /// How old the oldest event may become that is in no file.
    pub age: Duration,
}

impl Default for Rolling {
    fn default() -> Self {
        Self { file_bytes: FILE_BYTES_MAX, age: Duration::from_secs(3_600) }
    }
}

/// What a lane has that is in no file.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// The oldest block.
    pub oldest: Head,
    /// Events.
    pub events: u64,
    /// The server's time, in milliseconds since 1970.
    pub now_ms: u64,
}

impl Rolling {
    /// Whether files are to be made now, and why; `bytes_per_event` is what a row takes in a file.
    pub fn is_due(&self, waiting: &Waiting, bytes_per_event: f64, is_end: bool) -> Option<Roll> {
        let Waiting { oldest, events, now_ms } = waiting;
        if is_end {
            Some(Roll::End)
        } else if hour(oldest.id) < now_ms / HOUR_MS {
            Some(Roll::Hour)
        } else if *events as f64 * bytes_per_event >= self.file_bytes as f64 {
            Some(Roll::Size)
        } else if u128::from(now_ms.saturating_sub(oldest.id.ms)) >= self.age.as_millis() {
            Some(Roll::Age)
        } else {
            None
        }
    }

    /// Whether a file ends before a block, and why: by what is in the buffer alone, so that a range that is read again ends there
    /// again.
    pub fn ends_before(&self, block: Id, first: Id, bytes: u64, days: usize) -> Option<Roll> {
        if hour(block) != hour(first) {
            Some(Roll::Hour)
        } else if bytes >= self.file_bytes {
            Some(Roll::Size)
        } else if days > DAYS_MAX {
            Some(Roll::Days)
        } else {
            None
        }
    }
}

/// The hour in which a block came.
fn hour(id: Id) -> u64 {
    id.ms / HOUR_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(ms: u64) -> Head {
        let id = Id { ms, seq: 0 };
        Head { id, number: 1, events: 1, total: 1, times: (0, 0), epoch: 1 }
    }

    #[test]
    fn a_file_is_due_by_hour_size_age_or_end_and_else_not() {
        let rolling = Rolling { file_bytes: 1_000, age: Duration::from_secs(300) };
        let of = |ms: u64, events: u64, now_ms: u64, is_end: bool| {
            rolling.is_due(&Waiting { oldest: head(ms), events, now_ms }, 10.0, is_end)
        };
        let base = HOUR_MS * 10;
        assert_eq!(of(base, 99, base + 299_999, false), None);
        assert_eq!(of(base, 99, base + 300_000, false), Some(Roll::Age));
        assert_eq!(of(base, 100, base, false), Some(Roll::Size));
        assert_eq!(of(base - 1, 1, base, false), Some(Roll::Hour));
        assert_eq!(of(base, 1, base, true), Some(Roll::End));
        // A clock that was set back makes nothing due.
        assert_eq!(of(base, 1, 0, false), None);
    }

    #[test]
    fn a_file_ends_with_the_hour_in_which_its_first_block_came() {
        let rolling = Rolling { file_bytes: 1_000, ..Rolling::default() };
        let at = |ms: u64| Id { ms, seq: 0 };
        let base = HOUR_MS * 10;
        assert_eq!(rolling.ends_before(at(base + HOUR_MS - 1), at(base), 999, DAYS_MAX), None);
        assert_eq!(rolling.ends_before(at(base + HOUR_MS), at(base), 0, 1), Some(Roll::Hour));
        assert_eq!(rolling.ends_before(at(base), at(base), 1_000, 1), Some(Roll::Size));
        assert_eq!(rolling.ends_before(at(base), at(base), 0, DAYS_MAX + 1), Some(Roll::Days));
    }
}
