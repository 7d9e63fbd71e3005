//! Where a row goes: which file of the tree, by its lane and the day of its time.

use forebay::Lane;
use jiff::{Timestamp, tz::TimeZone};

const DAY_US: u64 = 86_400_000_000;

/// A day, counted from 1970 in UTC.
pub type Day = u64;

/// The day of a time in microseconds since 1970.
pub fn day_of(time_us: u64) -> Day {
    time_us / DAY_US
}

/// What names a file of a commit, beside its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName<'a> {
    /// Its lane, or partition of one.
    pub lane: Lane,
    /// The first block that it covers, and the epoch of who wrote it.
    pub first: (u64, u64),
    /// Which buffer.
    pub incarnation: &'a str,
}

impl FileName<'_> {
    /// `lane=likes/date=2026-11-28/likes.0-000000000123-….parquet`: a path from the tree's root that no other commit has.
    pub fn path(&self, day: Day) -> String {
        let Self { lane, first: (number, epoch), incarnation } = self;
        let (name, partition) = (lane.lane_name(), lane.partition());
        let short = &incarnation[..incarnation.len().min(8)];
        format!("lane={name}/date={}/{name}.{partition}-{number:012}-{epoch:x}-{short}.parquet", date_of(day))
    }
}

/// `2026-11-28`.
fn date_of(day: Day) -> String {
    let at = i64::try_from(day.saturating_mul(DAY_US / 1_000_000)).ok();
    let at = at.and_then(|seconds| Timestamp::from_second(seconds).ok());
    // Proof: a time is below 2^53 microseconds, which is the year 2255.
    let at = at.unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC);
    at.date().to_string()
}

/// The day that a path's folder says.
pub fn day_in_path(path: &str) -> Option<Day> {
    let date: jiff::civil::Date =
        path.split('/').find_map(|part| part.strip_prefix("date="))?.parse().ok()?;
    let seconds = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    u64::try_from(seconds).ok().map(|seconds| day_of(seconds * 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use forebay::event::jetstream::LIKES;

    #[test]
    fn a_file_lies_with_its_lane_and_day_and_has_a_name_of_its_own() {
        let name = FileName { lane: LIKES, first: (123, 0xa1), incarnation: "0123456789abcdef" };
        let path = name.path(day_of(1_796_031_999_999_999));
        assert_eq!(path, "lane=likes/date=2026-11-30/likes.0-000000000123-a1-01234567.parquet");
        assert_eq!(name.path(day_of(0)).split('/').nth(1), Some("date=1970-01-01"));
        assert_eq!(name.path(day_of(1 << 53)).split('/').nth(1), Some("date=2255-06-05"));
        assert_eq!(day_in_path(&path), Some(day_of(1_796_031_999_999_999)));
        assert_eq!((day_in_path("lane=x/y.parquet"), day_in_path("date=no")), (None, None));
        let other = FileName { first: (123, 0xa2), ..name };
        assert_ne!(
            other.path(5),
            FileName { lane: LIKES, first: (123, 0xa1), incarnation: "01234567" }.path(5)
        );
    }
}
