//! How a stream is described: by a program, step by step, and as the text that stands beside a buffer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::lane::Lanes;
use super::stream::{BadStream, LineFormat, Spec, Stream};
use super::unit::Unit;

/// Longest text that stands beside a buffer, in bytes.
const TEXT_MAX: usize = 64 << 10;

impl Stream {
    /// Lines of JSON, each with its time at a place, in lanes by the word at another: see [`JsonStream`].
    pub fn json() -> JsonStream {
        JsonStream { time: None, lane: None, routes: BTreeMap::new(), twice: None, default: "events".into() }
    }

    /// Read from where it stands beside a buffer.
    pub(crate) fn of_text(text: &str) -> Result<Self, BadStream> {
        let other = |why: &str| BadStream::Other(why.into());
        // What this build does not know of it, it would pass over.
        let newer = || other("this build writes it otherwise: use a newer forebay");
        if text.len() > TEXT_MAX {
            return Err(other("it is longer than 64 KiB"));
        }
        if text == Self::jetstream().text() {
            return Ok(Self::jetstream());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| other(&error.to_string()))?;
        let has = |name: &str| value.get(name).is_some();
        let whole = if value.get("preset").and_then(Value::as_str) == Some("jetstream") {
            Self::jetstream()
        } else if has("preset") {
            return Err(newer());
        } else if !has("default") && !has("lane") {
            let lane = value.pointer("/lanes/0").and_then(Value::as_str);
            Self::lines(lane.ok_or_else(|| other("it names no lane"))?)?
        } else {
            JsonStream::read(&value)?.build()?
        };
        let stream = whole.partitioned_as(&value)?;
        if stream.text() == text { Ok(stream) } else { Err(newer()) }
    }
}

/// Lines of JSON as a stream, put together step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct JsonStream {
    time: Option<(String, Unit)>,
    lane: Option<String>,
    /// What stands there, and the lane of it.
    routes: BTreeMap<String, String>,
    /// What was given two lanes.
    twice: Option<String>,
    default: String,
}

impl JsonStream {
    /// The time stands at this JSON pointer, in this unit; else it is when each line came.
    pub fn time(mut self, pointer: impl Into<String>, unit: Unit) -> Self {
        self.time = Some((pointer.into(), unit));
        self
    }

    /// What stands at this JSON pointer decides the lane; else all go to the default lane.
    pub fn lane(mut self, pointer: impl Into<String>) -> Self {
        self.lane = Some(pointer.into());
        self
    }

    /// Where this stands there, the event goes to this lane. A number is compared as `serde_json` writes it: `1e2` is `100.0`.
    pub fn route(mut self, value: impl Into<String>, lane: impl Into<String>) -> Self {
        let value = value.into();
        if self.routes.insert(value.clone(), lane.into()).is_some() {
            self.twice.get_or_insert(value);
        }
        self
    }

    /// The lane of all other events; else `events`.
    pub fn default_lane(mut self, lane: impl Into<String>) -> Self {
        self.default = lane.into();
        self
    }

    /// The stream. In which order routes were given makes no difference.
    pub fn build(self) -> Result<Stream, BadStream> {
        self.check()?;
        let (lanes, text) = (Lanes::new(self.names())?, self.text());
        let find = |name: &str| lanes.find(name).unwrap_or(lanes.first());
        let routes = self.routes.into_iter().map(|(value, lane)| (value, find(&lane))).collect();
        let how = LineFormat::Json {
            time: self.time,
            lane: self.lane.map(|at| (at, routes)),
            default: find(&self.default),
        };
        Stream::known(Spec { lanes, how, partitions: None, text })
    }

    fn check(&self) -> Result<(), BadStream> {
        let other = |why: String| Err(BadStream::Other(why));
        let mut pointers = self.time.iter().map(|(pointer, _)| pointer).chain(&self.lane);
        if let Some(bad) = pointers.find(|pointer| !is_pointer(pointer)) {
            return Err(BadStream::Pointer(bad.clone()));
        }
        if self.lane.is_none() && !self.routes.is_empty() {
            return other("words have lanes, and where the word stands is not said".into());
        }
        if let Some(twice) = &self.twice {
            return other(format!("{twice:?} is sent to a lane twice"));
        }
        if self.text().len() > TEXT_MAX {
            return other(
                "as it stands beside a buffer it would be longer than 64 KiB: use fewer routes".into(),
            );
        }
        Ok(())
    }

    /// The lanes, in the order of what leads to them; the default one last.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.routes.values().chain([&self.default]) {
            if !names.contains(&&**name) {
                names.push(name);
            }
        }
        names
    }

    /// Names in the order of the alphabet: another build of the JSON library keeps the order that they come in.
    fn text(&self) -> String {
        let mut text = Map::new();
        let mut put = |name: &str, value: Value| drop(text.insert(name.into(), value));
        put("default", json!(self.default));
        if let Some(at) = &self.lane {
            put("lane", json!(at));
        }
        put("lanes", json!(self.names()));
        put("time", json!(self.time.as_ref().map_or("arrival", |(at, _)| at)));
        if let Some((_, unit)) = &self.time {
            put("unit", json!(unit.name()));
        }
        if self.lane.is_some() {
            put("values", json!(self.routes));
        }
        Value::Object(text).to_string()
    }

    fn read(value: &Value) -> Result<Self, BadStream> {
        let missing =
            |name: &str| BadStream::Other(format!("it has no {name:?}, or another kind of value there"));
        let word = |name: &str| value.get(name).and_then(Value::as_str);
        let mut stream = Stream::json().default_lane(word("default").ok_or_else(|| missing("default"))?);
        match word("time").ok_or_else(|| missing("time"))? {
            "arrival" => {}
            at => {
                let unit = word("unit").and_then(Unit::named).ok_or_else(|| missing("unit"))?;
                stream = stream.time(at, unit);
            }
        }
        if let Some(at) = word("lane") {
            stream = stream.lane(at);
            for (value, lane) in value.get("values").and_then(Value::as_object).into_iter().flatten() {
                stream = stream.route(value, lane.as_str().ok_or_else(|| missing("values"))?);
            }
        }
        Ok(stream)
    }
}

/// Whether a text is one by RFC 6901, and not that of the whole line.
pub(super) fn is_pointer(text: &str) -> bool {
    text.starts_with('/') && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> Stream {
        let logs = Stream::json().time("/ts", Unit::Rfc3339).lane("/type");
        logs.route("a", "alpha").route("b", "beta").default_lane("rest").build().unwrap()
    }

    #[test]
    fn a_stream_is_the_same_after_it_stood_beside_a_buffer() {
        let arrival = Stream::json().lane("/k").route("x", "y").build().unwrap();
        let one = Stream::json().time("/t", Unit::S).build().unwrap();
        for stream in [Stream::jetstream(), Stream::lines("log").unwrap(), logs(), arrival, one] {
            assert_eq!(Stream::of_text(stream.text()).unwrap(), stream);
        }
        assert_ne!(logs(), one);
        for text in
            ["", "[]", "{}", r#"{"preset":"x"}"#, r#"{"default":"a","lanes":["a"],"time":"/t","unit":"h"}"#]
        {
            assert!(Stream::of_text(text).is_err(), "{text}");
        }
        let more = logs().text().replacen('{', "{\"more\":1,", 1);
        assert!(Stream::of_text(&more).unwrap_err().to_string().contains("newer"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |stream: JsonStream| stream.build().unwrap_err().to_string();
        assert!(refused(Stream::json().time("ts", Unit::S)).contains("JSON pointer"));
        assert!(refused(Stream::json().route("a", "b")).contains("where the word stands"));
        assert!(refused(Stream::json().lane("/a").route("x", "y").route("x", "z")).contains("twice"));
        assert!(refused(Stream::json().default_lane("a b")).contains("a b"));
    }

    #[test]
    fn a_stream_that_could_not_be_read_back_is_not_built() {
        let routes = (0..4_000).fold(Stream::json().lane("/a"), |stream, number| {
            stream.route(format!("a word of some length {number}"), "x")
        });
        assert!(routes.build().unwrap_err().to_string().contains("64 KiB"));
        for pointer in ["/a~2b", "/a~", "a", ""] {
            assert_eq!(Stream::json().lane(pointer).build(), Err(BadStream::Pointer(pointer.into())));
        }
    }

    #[test]
    fn in_which_order_routes_were_given_makes_no_difference_and_what_does_is_told() {
        let stream = |routes: &[(&str, &str)]| {
            let to = |stream: JsonStream, (value, lane): &(&str, &str)| stream.route(*value, *lane);
            routes.iter().fold(Stream::json().lane("/k"), to).build().unwrap()
        };
        let one = stream(&[("a", "x"), ("b", "y"), ("c", "x")]);
        assert_eq!(one, stream(&[("c", "x"), ("b", "y"), ("a", "x")]));
        assert_eq!(one.lanes().to_string(), "x, y, events");
        let other = stream(&[("a", "x"), ("b", "y"), ("d", "x")]);
        assert!(one != other && one.to_string() != other.to_string(), "{one}");
    }
}
