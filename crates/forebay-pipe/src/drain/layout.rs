//! Where a row goes: which file of the tree, by its lane or its record type, and the day of its time.

use std::fmt;
use std::str::FromStr;

use forebay::Lane;
use jiff::{Timestamp, tz::TimeZone};

use super::met::RecordType;

const DAY_US: u64 = 86_400_000_000;

/// What the folder of a day is called, before the date.
const DATE: &str = "date=";
const PARTITION_DATE: &str = "partition_date=";

/// A day, counted from 1970 in UTC.
pub type Day = u64;

/// The day of a time in microseconds since 1970.
pub fn day_of(time_us: u64) -> Day {
    time_us / DAY_US
}

/// How the tree is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// `lane=likes/date=2026-11-28/`, with columns of our own.
    #[default]
    Hive,
    /// `like/partition_date=2026-11-28/`, with the columns of `bluesky-research`: of Jetstream's events alone.
    Met,
}

impl Layout {
    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hive => "hive",
            Self::Met => "met",
        }
    }

    /// Which file of a commit an event goes to.
    pub fn home(self, line: &[u8], time_us: u64) -> Home {
        let record_type = (self == Self::Met).then(|| RecordType::of(line));
        Home { record_type, day: day_of(time_us) }
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hive" => Ok(Self::Hive),
            "met" => Ok(Self::Met),
            _ => Err("layouts are hive and met".into()),
        }
    }
}

/// Which file of a commit: that of a day, and where the layout has them, of a record type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Home {
    /// Of layout met.
    pub record_type: Option<RecordType>,
    /// The day.
    pub day: Day,
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.record_type {
            Some(record_type) => write!(f, "{record_type}-{}", self.day),
            None => write!(f, "{}", self.day),
        }
    }
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
    pub fn path(&self, home: Home) -> String {
        let Self { lane, first: (number, epoch), incarnation } = self;
        let (name, partition, date) = (lane.lane_name(), lane.partition(), date_of(home.day));
        let short = &incarnation[..incarnation.len().min(8)];
        let folder = match home.record_type {
            Some(record_type) => format!("{record_type}/{PARTITION_DATE}{date}"),
            None => format!("lane={name}/{DATE}{date}"),
        };
        format!("{folder}/{name}.{partition}-{number:012}-{epoch:x}-{short}.parquet")
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
    let date =
        |part: &'_ str| part.strip_prefix(DATE).or(part.strip_prefix(PARTITION_DATE)).map(str::to_owned);
    let date: jiff::civil::Date = path.split('/').find_map(date)?.parse().ok()?;
    let seconds = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    u64::try_from(seconds).ok().map(|seconds| day_of(seconds * 1_000_000))
}

/// The record type that a path's folder says, where it is one of layout met.
pub fn type_in_path(path: &str) -> Option<RecordType> {
    let (name, rest) = path.split_once('/')?;
    rest.starts_with(PARTITION_DATE).then(|| RecordType::named(name)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use forebay::event::jetstream::LIKES;

    #[test]
    fn a_file_lies_with_its_lane_and_day_and_has_a_name_of_its_own() {
        let name = FileName { lane: LIKES, first: (123, 0xa1), incarnation: "0123456789abcdef" };
        let of = |time_us| Layout::Hive.home(b"", time_us);
        let path = name.path(of(1_796_031_999_999_999));
        assert_eq!(path, "lane=likes/date=2026-11-30/likes.0-000000000123-a1-01234567.parquet");
        assert_eq!(name.path(of(0)).split('/').nth(1), Some("date=1970-01-01"));
        assert_eq!(name.path(of(1 << 53)).split('/').nth(1), Some("date=2255-06-05"));
        assert_eq!(day_in_path(&path), Some(day_of(1_796_031_999_999_999)));
        assert_eq!((day_in_path("lane=x/y.parquet"), day_in_path("date=no")), (None, None));
        assert_eq!(type_in_path(&path), None);
        let home = Home { record_type: Some(RecordType::Like), day: day_of(1_796_031_999_999_999) };
        let met = name.path(home);
        assert_eq!(met, "like/partition_date=2026-11-30/likes.0-000000000123-a1-01234567.parquet");
        assert_eq!((day_in_path(&met), type_in_path(&met)), (Some(home.day), home.record_type));
        let other = FileName { first: (123, 0xa2), ..name };
        assert_ne!(
            other.path(of(5)),
            FileName { lane: LIKES, first: (123, 0xa1), incarnation: "01234567" }.path(of(5))
        );
    }
}
