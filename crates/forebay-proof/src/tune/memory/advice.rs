//! What to do with a memory setting, by what was measured: the rules, in words and as functions.

use crate::server_setting::Advice;

/// Share of memory, in percent, that a change must save, and that counts as a difference.
const SAVED_PERCENT_MIN: f64 = 5.0;

/// How much more of the server's time, in percent, an append may take for that.
const SLOWER_PERCENT_MAX: f64 = 10.0;

/// Milliseconds by which a stall must be shorter: less nobody notices.
const STALL_MS_MIN: f64 = 1.0;

/// The part of the default's stall that may be left.
const STALL_PART_MAX: f64 = 0.5;

/// The rules in words, for whoever reads the table.
pub const RULES: &str = "How the last column follows from the figures. Memory (activedefrag, stream-node-*): change where the value \
     saves 5 % or more of the bytes, full or drained, and loses less than 5 % in the other state, for no more than 10 % \
     more of the server's time an append; no difference seen where bytes differ by less than 5 % and time by no more than \
     10 %; else keep. Stalls (lazyfree-*): change where the longest PING is at most half of the default's and at least \
     1 ms shorter, and memory came back; no difference seen where they are within 1 ms or a factor of 2; else keep.";

/// What a buffer costs with a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Bytes held when full, of whatever kind both sides count.
    pub full: f64,
    /// The same once drained, in part or wholly.
    pub drained: f64,
    /// Microseconds of the server's time that an appended event takes.
    pub micros: f64,
}

/// Whether a value's cost is worth a change.
pub fn by_memory(default: Cost, tried: Cost) -> Advice {
    let percent = |default: f64, tried: f64| (default - tried) * 100.0 / default;
    let saved = [percent(default.full, tried.full), percent(default.drained, tried.drained)];
    let slower = -percent(default.micros, tried.micros);
    if saved.iter().chain([&slower]).any(|percent| !percent.is_finite()) {
        return Advice::Untested("there is nothing to compare".into());
    }
    let (best, worst) = (saved[0].max(saved[1]), saved[0].min(saved[1]));
    if best >= SAVED_PERCENT_MIN && worst > -SAVED_PERCENT_MIN && slower <= SLOWER_PERCENT_MAX {
        Advice::Change
    } else if saved.iter().all(|saved| saved.abs() < SAVED_PERCENT_MIN) && slower.abs() <= SLOWER_PERCENT_MAX
    {
        Advice::NoDifference
    } else {
        Advice::Keep
    }
}

/// Whether a shorter stall is worth a change; milliseconds, and whether memory came back with the value tried.
pub fn by_stall(default_ms: f64, tried_ms: f64, is_back: bool) -> Advice {
    let is_shorter = |a: f64, b: f64| a <= b * STALL_PART_MAX && b - a >= STALL_MS_MIN;
    if is_shorter(tried_ms, default_ms) && is_back {
        Advice::Change
    } else if !is_shorter(tried_ms, default_ms) && !is_shorter(default_ms, tried_ms) && is_back {
        Advice::NoDifference
    } else {
        Advice::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(full: f64, drained: f64, micros: f64) -> Cost {
        Cost { full, drained, micros }
    }

    #[test]
    fn memory_is_saved_or_not_at_a_price_or_not() {
        let default = cost(100.0, 100.0, 10.0);
        for (tried, advice) in [
            (cost(95.0, 100.0, 11.0), Advice::Change),
            (cost(100.0, 94.0, 10.0), Advice::Change),
            (cost(95.1, 100.0, 10.0), Advice::NoDifference),
            (cost(90.0, 90.0, 11.1), Advice::Keep),
            (cost(90.0, 105.0, 10.0), Advice::Keep),
            (cost(106.0, 106.0, 5.0), Advice::Keep),
            (cost(100.0, 100.0, 12.0), Advice::Keep),
        ] {
            assert_eq!(by_memory(default, tried), advice, "{tried:?}");
        }
        let nothing = by_memory(cost(0.0, 0.0, 0.0), default);
        assert!(matches!(nothing, Advice::Untested(_)), "{nothing:?}");
    }

    #[test]
    fn a_stall_must_be_shorter_by_what_somebody_notices() {
        assert_eq!(by_stall(10.0, 5.0, true), Advice::Change);
        assert_eq!(by_stall(10.0, 5.0, false), Advice::Keep);
        assert_eq!(by_stall(10.0, 5.1, true), Advice::NoDifference);
        assert_eq!(by_stall(1.0, 0.1, true), Advice::NoDifference);
        assert_eq!(by_stall(5.0, 10.0, true), Advice::Keep);
    }
}
