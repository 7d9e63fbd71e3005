//! The source of a buffer as it stands beside it: what is wrong with that, and what was missed as a sentence. The figures are those
//! of [`Stat`]: the page, the terminal, metrics and rules show the same.

use super::figures::{count, span_ms};
use super::thresholds::{Thresholds, exceeds};
use forebay::buffer::stat::{MissedStat, Stat};

/// Whether the source forgets before long what is not settled.
pub(super) fn forgets(stat: &Stat, lines: &Thresholds) -> Option<String> {
    let left_ms = stat.source_forgets_in_ms()?;
    let span = span_ms(left_ms.unsigned_abs());
    if left_ms as f64 / 1_000.0 >= lines.forgets_s {
        None
    } else if left_ms > 0 {
        Some(format!("the source forgets in {span} what is not settled: then it is lost"))
    } else {
        Some(format!(
            "the source forgot {span} ago what comes after the last settled event: each minute more is lost"
        ))
    }
}

/// Whether a gap was found not long ago.
pub(super) fn missed(stat: &Stat, lines: &Thresholds) -> Option<String> {
    let age_ms = stat.source_gap_age_ms().filter(|age_ms| !exceeds(*age_ms, lines.missed_s))?;
    let newest = stat.missed.as_ref()?.newest.last()?;
    Some(format!("the source no longer had {}; found {} ago", gap_text(newest), span_ms(age_ms)))
}

/// A gap: how many events, from when to when, or between which numbers of the source's own.
pub fn gap_text(missed: &MissedStat) -> String {
    let (from, to) = if missed.unit == "us" {
        let (from, to) = (time(missed.from), time(missed.to));
        // The day is said once.
        let day = from.split_once(' ').map_or("", |(day, _)| day);
        let within = to.strip_prefix(day).map(|rest| rest.trim_start().to_owned());
        (from, within.unwrap_or(to))
    } else {
        (missed.from.to_string(), missed.to.to_string())
    };
    let events = missed.events.map_or("an unknown number of".into(), count);
    format!("{events} events from {from} to {to}")
}

/// A moment in microseconds since 1970, in UTC: a source may be anywhere.
pub fn time(us: u64) -> String {
    let time = i64::try_from(us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    time.map_or_else(|| us.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told_by_time_or_by_the_sources_own_numbers() {
        let missed = |unit: &str, events| MissedStat {
            found_us: 0,
            host: "h".into(),
            from: 1_764_500_000_000_000,
            to: 1_764_500_060_000_000,
            unit: unit.into(),
            events,
        };
        assert_eq!(
            gap_text(&missed("us", Some(56_280))),
            "56,280 events from 2025-11-30 10:53:20Z to 10:54:20Z"
        );
        let days = MissedStat { to: 1_764_600_000_000_000, ..missed("us", None) };
        assert!(gap_text(&days).ends_with("from 2025-11-30 10:53:20Z to 2025-12-01 14:40:00Z"));
        // What is no time has no day.
        let odd = MissedStat { from: u64::MAX, to: u64::MAX, ..missed("us", None) };
        assert!(gap_text(&odd).ends_with(&format!("from {0} to {0}", u64::MAX)));
        assert_eq!(
            gap_text(&missed("seq", None)),
            "an unknown number of events from 1764500000000000 to 1764500060000000"
        );
        assert_eq!(time(u64::MAX), u64::MAX.to_string());
    }
}
