//! A profile's `[stream]`: what the events are, and which lanes they go to.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use forebay::event::stream::{BadStream, Stream};
use forebay::event::unit::Unit;

/// The table, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamTable {
    preset: Option<String>,
    /// A JSON pointer, or `arrival`.
    time: Option<String>,
    unit: Option<String>,
    /// A JSON pointer.
    lane: Option<String>,
    /// What stands there, and the lane of it.
    #[serde(default)]
    lanes: toml::Table,
    /// The lane of all else.
    default: Option<String>,
    /// A JSON pointer to what decides the partition.
    partition_by: Option<String>,
    /// Lanes that have more than one partition, and how many.
    #[serde(default)]
    partitions: BTreeMap<String, u32>,
}

/// Reads it as a stream.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Stream, D::Error> {
    StreamTable::deserialize(from)?.stream().map_err(D::Error::custom)
}

/// The same of a table that was read already, as another file has it.
pub fn stream_of(table: toml::Table) -> Result<Stream, String> {
    let table: StreamTable = table.try_into().map_err(|why: toml::de::Error| why.message().to_owned())?;
    table.stream()
}

impl StreamTable {
    /// As a stream; what is wrong, where it is none.
    fn stream(&self) -> Result<Stream, String> {
        let stream = self.whole()?;
        match (&self.partition_by, self.partitions.is_empty()) {
            (None, true) => Ok(stream),
            (Some(at), false) => {
                stream.partitioned(at, self.partitions.clone()).map_err(|why| format!("stream: {why}"))
            }
            (None, false) => Err("stream.partition_by is missing: a JSON pointer as \"/did\"".into()),
            (Some(_), true) => Err("stream.partitions names no lane, as { likes = 4 }".into()),
        }
    }

    /// The same before lanes are divided.
    fn whole(&self) -> Result<Stream, String> {
        let is_empty = self.time.is_none() && self.unit.is_none() && self.lane.is_none();
        let is_plain = is_empty && self.lanes.is_empty() && self.default.is_none();
        match self.preset.as_deref() {
            Some("jetstream") | None if is_plain => return Ok(Stream::jetstream()),
            Some("jetstream") => {
                return Err("stream: a preset has everything; leave all but partitions out".into());
            }
            Some(preset) => {
                return Err(format!("stream.preset {preset:?} is not there; there is \"jetstream\""));
            }
            None => {}
        }
        let wrong = |why: BadStream| format!("stream: {why}");
        let default = self.default.as_deref().unwrap_or("events");
        let mut stream = Stream::json().default_lane(default);
        match (self.time.as_deref(), self.unit.as_deref()) {
            (Some("arrival"), None) if self.lane.is_none() && self.lanes.is_empty() => {
                return Stream::lines(default).map_err(wrong);
            }
            (Some("arrival"), None) => {}
            (Some("arrival"), Some(_)) => {
                return Err("stream.unit is of a time that stands in the line".into());
            }
            (Some(at), unit) => {
                let unit = unit.ok_or("stream.unit is missing: \"us\", \"ms\", \"s\" or \"rfc3339\"")?;
                let known = Unit::named(unit);
                let unit =
                    known.ok_or_else(|| format!("stream.unit {unit:?} is none of us, ms, s, rfc3339"))?;
                stream = stream.time(at, unit);
            }
            (None, _) => {
                return Err("stream.time is missing: a JSON pointer as \"/ts\", or \"arrival\"".into());
            }
        }
        if let Some(at) = &self.lane {
            stream = stream.lane(at);
        }
        for (value, lane) in &self.lanes {
            let lane =
                lane.as_str().ok_or_else(|| format!("stream.lanes.{value} is not the name of a lane"))?;
            stream = stream.route(value, lane);
        }
        stream.build().map_err(wrong)
    }
}
