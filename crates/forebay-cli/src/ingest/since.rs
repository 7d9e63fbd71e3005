//! Where a buffer begins that has nothing of its source yet, as people say it.

use std::time::Duration;

/// `oldest`, as a time: before anything that a source has, and late enough that a host of the second version takes it for a
/// time and not for one of its numbers.
const OLDEST_US: u64 = 1_000_000_000_000_000;

/// Microseconds since 1970 of `2h` (ago), an RFC 3339 time, or `oldest`.
pub(super) fn since_us(text: &str, now_us: u64) -> Result<u64, String> {
    let us = if text == "oldest" {
        OLDEST_US
    } else if let Ok(ago) = humantime::parse_duration(text) {
        now_us.saturating_sub(ago.as_micros() as u64)
    } else {
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            format!(
                "{text:?} is no beginning: give a time ago (2h), a time (2026-11-30T12:00:00Z), or oldest"
            )
        })?;
        let us = u64::try_from(time.as_microsecond()).unwrap_or(0);
        if us > now_us + Duration::from_secs(60).as_micros() as u64 {
            return Err(format!(
                "{text} lies in the future; without --since it begins with what comes from now on"
            ));
        }
        us
    };
    Ok(us.max(OLDEST_US))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_time_ago_a_time_or_all_there_is() {
        const NOW: u64 = 1_796_032_800_000_000;
        assert_eq!(since_us("2h", NOW), Ok(NOW - 7_200_000_000));
        assert_eq!(since_us("2026-11-30T09:00:00Z", NOW), Ok(1_796_029_200_000_000));
        assert_eq!(since_us("oldest", NOW), Ok(OLDEST_US));
        assert_eq!(since_us("1970-01-01T00:00:00Z", NOW), Ok(OLDEST_US));
        for text in ["", "soon", "2026-11-30", "-2h", "yesterday"] {
            assert!(since_us(text, NOW).unwrap_err().contains("oldest"), "{text}");
        }
        assert!(since_us("2030-01-01T00:00:00Z", NOW).unwrap_err().contains("future"));
    }
}
