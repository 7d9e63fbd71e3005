//! Which partition of its lane an event goes to: that of the CRC-32 of what stands at a place in it. Events with the same
//! value there stay in order.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::json::Scanner;
use super::json_stream::is_pointer;
use super::lane::{BadLanes, Lane, Lanes};
use super::stream::{BadStream, Spec, Stream};

/// How lanes are divided.
pub(super) struct Partitions {
    pointer: String,
    /// The pointer's names, without its escapes.
    path: Vec<String>,
    /// The partitions of each lane, by its place among the lanes.
    of_lane: Vec<Vec<Lane>>,
}

impl Stream {
    /// The same events, with some lanes in several partitions: `partitions` has names of lanes, and how many each has. What
    /// stands at the JSON pointer, through objects alone, decides: events with the same value there go to the same partition,
    /// those without one to the first.
    pub fn partitioned<N: AsRef<str>>(
        self,
        pointer: &str,
        partitions: impl IntoIterator<Item = (N, u32)>,
    ) -> Result<Self, BadStream> {
        let wanted: Vec<(N, u32)> = partitions.into_iter().collect();
        let wanted: BTreeMap<&str, u32> =
            wanted.iter().map(|(name, count)| (name.as_ref(), *count)).collect();
        let spec = self.spec();
        if self.takes_any_line() || spec.partitions.is_some() {
            let why = "only lines of JSON have a place to divide them by, and they are divided once";
            return Err(BadStream::Other(why.into()));
        }
        if !is_pointer(pointer) {
            return Err(BadStream::Pointer(pointer.into()));
        }
        if let Some(missing) = wanted.keys().find(|name| spec.lanes.find(name).is_none()) {
            return Err(BadLanes::Missing((*missing).into()).into());
        }
        let count = |lane: Lane| wanted.get(lane.name()).copied().unwrap_or(1);
        let lanes = Lanes::partitioned(spec.lanes.iter().map(|lane| (lane.name(), count(lane))))?;
        let mut text: BTreeMap<String, Value> = serde_json::from_str(&spec.text)
            .map_err(|error| BadStream::Other(format!("it cannot be written down: {error}")))?;
        text.insert("partition_by".into(), json!(pointer));
        text.insert("partitions".into(), json!(wanted));
        let partitions = Partitions {
            pointer: pointer.into(),
            path: pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect(),
            of_lane: spec.lanes.map(|lane| lanes.all_of(lane.name()).collect()),
        };
        let text = json!(text).to_string();
        Self::known(Spec { lanes, how: spec.how.clone(), partitions: Some(partitions), text })
    }

    /// The same from what stands beside a buffer.
    pub(super) fn partitioned_as(self, text: &Value) -> Result<Self, BadStream> {
        let wrong = |name: &str| BadStream::Other(format!("its {name:?} is none"));
        let Some(pointer) = text.get("partition_by") else { return Ok(self) };
        let pointer = pointer.as_str().ok_or_else(|| wrong("partition_by"))?;
        let counts = text.get("partitions").and_then(Value::as_object).ok_or_else(|| wrong("partitions"))?;
        let count = |(name, count): (_, &Value)| {
            Some((name, count.as_u64().and_then(|count| u32::try_from(count).ok())?))
        };
        let counts: Option<Vec<(&String, u32)>> = counts.iter().map(count).collect();
        self.partitioned(pointer, counts.ok_or_else(|| wrong("partitions"))?)
    }
}

impl Partitions {
    /// Whether the same place in a line decides.
    pub(super) fn are_by_the_same(&self, other: &Self) -> bool {
        self.pointer == other.pointer
    }

    /// The partition for a line whose lane is known.
    pub(super) fn of(&self, lane: Lane, line: &[u8]) -> Lane {
        let partitions = &self.of_lane[lane.index()];
        if partitions.len() == 1 {
            return partitions[0];
        }
        let value = value_at(line, &self.path).unwrap_or_default();
        partitions[crc32fast::hash(value) as usize % partitions.len()]
    }
}

/// In a sentence, as `; likes in 4 partitions by "/did"`.
impl fmt::Display for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, partitions) in self.of_lane.iter().filter(|partitions| partitions.len() > 1).enumerate() {
            let lane = partitions[0].lane_name();
            write!(f, "{}{lane} in {}", if index == 0 { "; " } else { ", " }, partitions.len())?;
        }
        write!(f, " partitions by {:?}", self.pointer)
    }
}

/// What stands there, as it is written, without the quotes of a text. Of a name that comes twice the first counts.
fn value_at<'a>(line: &'a [u8], path: &[String]) -> Option<&'a [u8]> {
    let mut scanner = Scanner::new(line);
    let depth = scanner.go_to(path).ok()??;
    scanner.peek().ok()?;
    let start = scanner.offset();
    scanner.skip_value(depth).ok()?;
    let value = scanner.since(start);
    Some(value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::super::unit::Unit;
    use super::*;

    fn likes_in(count: u32) -> Stream {
        Stream::jetstream().partitioned("/did", [("likes", count)]).unwrap()
    }

    fn like(did: &str) -> String {
        format!(
            r#"{{"did":"{did}","time_us":5,"kind":"commit","commit":{{"collection":"app.bsky.feed.like"}}}}"#
        )
    }

    #[test]
    fn an_event_goes_to_the_partition_that_the_crc_of_its_value_says_and_other_lanes_stay_whole() {
        let stream = likes_in(4);
        assert_eq!(
            stream.lanes().to_string(),
            "posts, likes.0, likes.1, likes.2, likes.3, reposts, follows, blocks, other"
        );
        for did in ["did:plc:a", "did:plc:b", "", "did:web:x.org"] {
            let lane = stream.parse(like(did).as_bytes()).unwrap().lane;
            assert_eq!(lane.partition(), crc32fast::hash(did.as_bytes()) % 4, "{did}");
            assert_eq!((lane.lane_name(), lane.name()), ("likes", &*format!("likes.{}", lane.partition())));
            assert!(stream.lanes().has(lane));
        }
        let post = br#"{"did":"did:plc:b","time_us":5,"kind":"commit","commit":{"collection":"app.bsky.feed.post"}}"#;
        assert_eq!(stream.parse(post).unwrap().lane.name(), "posts");
        // Written down by hand: another language finds the same.
        assert_eq!(stream.parse(like("did:plc:b").as_bytes()).unwrap().lane.name(), "likes.3");
    }

    #[test]
    fn the_value_is_found_as_it_is_written() {
        let at = |line: &'static str, pointer: &str| {
            let path: Vec<String> = pointer.split('/').skip(1).map(String::from).collect();
            value_at(line.as_bytes(), &path).map(|value| std::str::from_utf8(value).unwrap())
        };
        for (line, pointer, value) in [
            (r#"{"a":"x"}"#, "/a", Some("x")),
            (r#"{"b":[{"a":1}], "a" : 1.50 }"#, "/a", Some("1.50")),
            (r#"{"b":{"a":2},"c":{"d":{"a":"é\n"}}}"#, "/c/d/a", Some("é\\n")),
            (r#"{"a":"x","a":"y"}"#, "/a", Some("x")),
            (r#"{"a":"y"}"#, "/a", Some("y")),
            (r#"{"a":{"b":1}}"#, "/a", Some(r#"{"b":1}"#)),
            (r#"{"a":[1]}"#, "/a/0", None),
            (r#"{"a":1}"#, "/b", None),
            (r#"[{"a":1}]"#, "/a", None),
            ("{}", "/a", None),
        ] {
            assert_eq!(at(line, pointer), value, "{line} {pointer}");
        }
        assert!(crc32fast::hash(b"") == 0, "without a value it is the first partition");
    }

    #[test]
    fn partitions_are_the_same_after_they_stood_beside_a_buffer_and_bad_ones_are_refused() {
        let logs = Stream::json().time("/ts", Unit::Ms).lane("/type").route("a", "alpha").build().unwrap();
        let divided = logs.partitioned("/user/id", [("alpha", 2), ("events", 3)]).unwrap();
        for stream in [likes_in(2), likes_in(64 - 5), divided] {
            assert_eq!(Stream::of_text(stream.text()).unwrap(), stream);
        }
        assert!(
            divided.to_string().contains("alpha in 2, events in 3 partitions by \"/user/id\""),
            "{divided}"
        );
        assert_ne!(likes_in(2), likes_in(3));
        assert_ne!(likes_in(2), Stream::jetstream());
        let refused = |stream: Result<Stream, BadStream>| stream.unwrap_err().to_string();
        assert!(refused(logs.partitioned("user", [("alpha", 2)])).contains("no JSON pointer"));
        assert!(refused(logs.partitioned("/user", [("gamma", 2)])).contains("no such lane"));
        assert!(refused(logs.partitioned("/user", [("alpha", 0)])).contains("1 at least"));
        assert!(refused(logs.partitioned("/user", [("alpha", 64)])).contains("65 lanes, partitions counted"));
        assert!(refused(divided.partitioned("/user", [("alpha", 2)])).contains("divided once"));
        let lines = Stream::lines("log").unwrap();
        assert!(refused(lines.partitioned("/a", [("log", 2)])).contains("lines of JSON"));
        let text = likes_in(2).text().replace("\"likes\":2", "\"likes\":\"2\"");
        assert!(refused(Stream::of_text(&text)).contains("partitions"));
    }
}
