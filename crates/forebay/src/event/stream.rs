//! What the events of a buffer are: which lines are one, at what time each was, and which lane it goes to.
//!
//! Of JSON a pointer (RFC 6901) says where the time stands, and another where the word is that decides the lane. Where lines
//! have no time of their own, it is when each came. Every writer of a buffer has the same, and readers find it beside the
//! buffer: a text of JSON, in the field `lanes` of its own hash.

use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::lane::{BadLanes, Lane, Lanes};
use super::parse::{Event, Reject};
use super::partition::Partitions;
use super::unit::Unit;
use super::{jetstream, parse};
use crate::block::atproto;

/// The field that has it.
pub(crate) const FIELD: &str = "lanes";

/// Streams that one process may come to know: they are kept for as long as it runs.
const KNOWN_MAX: usize = 1_024;

/// Routes that a sentence has.
const ROUTES_TOLD: usize = 16;

/// Why something is no description of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadStream {
    /// Its lanes.
    #[error(transparent)]
    Lanes(#[from] BadLanes),
    /// No JSON pointer.
    #[error("{0:?} is no JSON pointer: one begins with a slash, as /time")]
    Pointer(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
    /// The process has come to know too many.
    #[error("this process knows {KNOWN_MAX} streams, and keeps no more")]
    Known,
}

/// What the events of a buffer are.
#[derive(Clone, Copy)]
pub struct Stream(&'static Spec);

pub(super) struct Spec {
    /// Partitions counted.
    pub lanes: Lanes,
    /// Its lanes are those before they were divided.
    pub how: LineFormat,
    pub partitions: Option<Partitions>,
    /// The same as JSON, always written the same way: two streams are the same where their texts are.
    pub text: String,
}

#[derive(Clone)]
pub(super) enum LineFormat {
    Jetstream,
    /// Any line, in the only lane.
    Lines,
    Json {
        time: Option<(String, Unit)>,
        /// The words in their order.
        lane: Option<(String, Vec<(String, Lane)>)>,
        default: Lane,
    },
}

static JETSTREAM: LazyLock<Spec> = LazyLock::new(|| {
    let lanes = jetstream::LANES;
    let text = json!({ "lanes": lanes.map(Lane::name), "preset": "jetstream" }).to_string();
    Spec { lanes, how: LineFormat::Jetstream, partitions: None, text }
});

static KNOWN: Mutex<Vec<Stream>> = Mutex::new(Vec::new());

impl Stream {
    /// The Bluesky network's Jetstream: JSON whose `time_us` is its time, in six lanes by the collection of a commit.
    pub fn jetstream() -> Self {
        Self(&JETSTREAM)
    }

    /// Any lines at all, in one lane; the time of each is when it came.
    pub fn lines(lane: &str) -> Result<Self, BadStream> {
        let lanes = Lanes::new([lane])?;
        Self::known(Spec { lanes, how: LineFormat::Lines, partitions: None, text: text_of_lines(lane) })
    }

    /// Whether its events are Jetstream's, however its lanes are divided.
    #[doc(hidden)]
    pub fn is_jetstream(self) -> bool {
        matches!(self.0.how, LineFormat::Jetstream)
    }

    /// Its lanes, or where one has several partitions, those.
    pub fn lanes(self) -> Lanes {
        self.0.lanes
    }

    /// A line, without its line end, as an event. Where the line has no time of its own, it is now.
    pub fn parse(self, line: &[u8]) -> Result<Event<'_>, Reject> {
        let event = self.parse_whole(line)?;
        match &self.0.partitions {
            Some(partitions) => Ok(Event { lane: partitions.of(event.lane, line), ..event }),
            None => Ok(event),
        }
    }

    /// The event with its lane before lanes were divided.
    fn parse_whole(self, line: &[u8]) -> Result<Event<'_>, Reject> {
        match &self.0.how {
            LineFormat::Jetstream => parse::parse(line),
            LineFormat::Lines => {
                Ok(Event { bytes: line, time_us: now_us(), lane: self.0.lanes.first(), cursor: 0 })
            }
            LineFormat::Json { time, lane, default } => {
                let value: Value = serde_json::from_slice(line).map_err(|error| not_json(line, &error))?;
                let time_us = match time {
                    Some((at, unit)) => unit.time_us(&value, at)?,
                    None => now_us(),
                };
                let routed = lane.as_ref().and_then(|(at, lanes)| routed(value.pointer(at)?, lanes));
                Ok(Event { bytes: line, time_us, lane: routed.unwrap_or(*default), cursor: 0 })
            }
        }
    }

    /// Whether any line at all is an event, an empty one too.
    pub(crate) fn takes_any_line(self) -> bool {
        matches!(self.0.how, LineFormat::Lines)
    }

    /// Whether an event's time stands in its bytes.
    #[doc(hidden)]
    pub fn has_times(self) -> bool {
        match &self.0.how {
            LineFormat::Jetstream => true,
            LineFormat::Lines => false,
            LineFormat::Json { time, .. } => time.is_some(),
        }
    }

    /// The dictionary that frames of its events need, where their encoding has one: its id and its bytes.
    pub(crate) fn dictionary(self) -> Option<(u32, &'static [u8])> {
        self.is_jetstream().then_some((atproto::BUILT_IN_ID, atproto::BUILT_IN))
    }

    /// As it stands beside a buffer.
    pub(crate) fn text(self) -> &'static str {
        &self.0.text
    }

    /// What it is made of.
    pub(super) fn spec(self) -> &'static Spec {
        self.0
    }

    pub(super) fn known(spec: Spec) -> Result<Self, BadStream> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = known.iter().find(|stream| stream.0.text == spec.text) {
            return Ok(*stream);
        }
        if known.len() >= KNOWN_MAX {
            return Err(BadStream::Known);
        }
        let stream = Self(Box::leak(Box::new(spec)));
        known.push(stream);
        Ok(stream)
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Stream {}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// In a sentence, as `lanes alpha, rest by "/type" ("a" to alpha); the time at "/ts" (rfc3339)`.
impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lanes {}", self.0.lanes)?;
        match &self.0.how {
            LineFormat::Jetstream => f.write_str(" (preset jetstream)")?,
            LineFormat::Lines => f.write_str("; any line, at the time when it came")?,
            LineFormat::Json { time, lane, .. } => {
                if let Some((at, routes)) = lane {
                    write!(f, " by {at:?}")?;
                    fmt_routes(routes, f)?;
                }
                match time {
                    Some((at, unit)) => write!(f, "; the time at {at:?} ({})", unit.name())?,
                    None => f.write_str("; JSON, at the time when it came")?,
                }
            }
        }
        self.0.partitions.as_ref().map_or(Ok(()), |partitions| partitions.fmt(f))
    }
}

fn fmt_routes(routes: &[(String, Lane)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, (value, lane)) in routes.iter().take(ROUTES_TOLD).enumerate() {
        write!(f, "{}{value:?} to {lane}", if index == 0 { " (" } else { ", " })?;
    }
    match routes.len().saturating_sub(ROUTES_TOLD) {
        _ if routes.is_empty() => Ok(()),
        0 => f.write_str(")"),
        more => write!(f, " and {more} more)"),
    }
}

/// How lines of any kind are written down.
fn text_of_lines(lane: &str) -> String {
    json!({ "lanes": [lane], "time": "arrival" }).to_string()
}

/// The lane that what stands at a place is sent to.
fn routed(found: &Value, lanes: &[(String, Lane)]) -> Option<Lane> {
    let at = |word: &str| lanes.binary_search_by(|(value, _)| (**value).cmp(word)).ok();
    let of = |word: &str| at(word).map(|at| lanes[at].1);
    match found {
        Value::String(word) => of(word),
        Value::Number(_) | Value::Bool(_) | Value::Null => of(&found.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

#[cold]
fn not_json(line: &[u8], error: &serde_json::Error) -> Reject {
    if let Err(error) = std::str::from_utf8(line) {
        return Reject::NotUtf8 { offset: error.valid_up_to() };
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Reject::Empty;
    }
    // One line: its column is the place, from 1.
    Reject::NotJsonFrom { offset: error.column().saturating_sub(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> Stream {
        let logs = Stream::json().time("/ts", Unit::Rfc3339).lane("/type");
        logs.route("a", "alpha").route("b", "beta").route("3", "beta").default_lane("rest").build().unwrap()
    }

    #[test]
    fn an_event_has_the_time_and_the_lane_that_its_stream_says() {
        for (line, lane) in [
            (r#"{"ts":"2026-11-28T10:00:00Z","type":"a"}"#, "alpha"),
            (r#"{"ts":"2026-11-28T10:00:00Z","type":"b","x":{"type":"a"}}"#, "beta"),
            (r#"{"ts":"2026-11-28T10:00:00Z","type":3}"#, "beta"),
            (r#"{"ts":"2026-11-28T10:00:00Z","type":"c"}"#, "rest"),
            (r#"{"ts":"2026-11-28T10:00:00Z"}"#, "rest"),
        ] {
            let event = logs().parse(line.as_bytes()).unwrap();
            assert_eq!((event.lane.name(), event.time_us), (lane, 1_795_860_000_000_000), "{line}");
            assert_eq!(event.bytes, line.as_bytes());
        }
        let at = |unit| Stream::json().time("/meta/at", unit).build().unwrap();
        for (unit, text, expected) in [
            (Unit::Us, "5", 5),
            (Unit::Ms, "5", 5_000),
            (Unit::S, "5", 5_000_000),
            (Unit::S, "1795860000.25", 1_795_860_000_250_000),
            (Unit::Ms, "0.0004", 0),
        ] {
            let line = format!(r#"{{"meta":{{"at":{text}}}}}"#);
            assert_eq!(at(unit).parse(line.as_bytes()).unwrap().time_us, expected, "{unit:?} {text}");
        }
    }

    #[test]
    fn a_line_without_its_time_is_refused_and_told_why() {
        for (line, why) in [
            (&b""[..], "empty"),
            (b"{", "not JSON from byte"),
            (b"{\"ts\":\"\xff\"}", "not UTF-8 from byte 7"),
            (b"{}", "nothing at /ts"),
            (br#"{"ts":"yesterday"}"#, "no time (rfc3339)"),
            (br#"{"ts":1795860000}"#, "no time (rfc3339)"),
        ] {
            let refused = logs().parse(line).unwrap_err().to_string();
            assert!(refused.contains(why), "{why}: {refused}");
        }
        let micros = Stream::json().time("/t", Unit::Us).build().unwrap();
        for text in ["-1", "\"1\"", "null", "1e300", "9007199254740993"] {
            let line = format!(r#"{{"t":{text}}}"#);
            assert!(
                matches!(micros.parse(line.as_bytes()), Err(Reject::NotATime { at: "/t", unit: "us" })),
                "{text}"
            );
        }
    }

    #[test]
    fn any_line_is_an_event_at_the_time_when_it_came() {
        let before = now_us();
        for line in [&b"plain text"[..], b"", b"\xff\x00", b"{"] {
            let event = Stream::lines("log").unwrap().parse(line).unwrap();
            assert_eq!((event.bytes, event.lane.name()), (line, "log"));
            assert!((before..=now_us()).contains(&event.time_us));
        }
    }
}
