//! Where a line says where its source stands: a JSON pointer to a whole number.

use serde_json::Value;

use super::json_stream::is_pointer;
use super::parse::{CURSOR_MAX, Event};
use super::stream::Stream;

/// A JSON pointer (RFC 6901) to the cursor of each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorAt {
    pointer: String,
}

impl CursorAt {
    /// The cursor stands at this pointer, as `/time_us`; none where that is no pointer.
    pub fn new(pointer: &str) -> Option<Self> {
        is_pointer(pointer).then(|| Self { pointer: pointer.into() })
    }

    /// The cursor of a line that was read as an event of the stream; 0 where none stands there.
    pub fn of(&self, event: &Event<'_>, events: Stream) -> u64 {
        // It was read already.
        if self.pointer == "/time_us" && events.is_jetstream() {
            return event.time_us;
        }
        let value: Option<Value> = serde_json::from_slice(event.bytes).ok();
        let cursor = value.as_ref().and_then(|value| value.pointer(&self.pointer)?.as_u64());
        cursor.filter(|cursor| *cursor <= CURSOR_MAX).unwrap_or(0)
    }
}

impl std::fmt::Display for CursorAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_the_number_at_the_pointer_and_nothing_else() {
        let logs = Stream::lines("log").unwrap();
        let at = |pointer: &str, line: &str| {
            CursorAt::new(pointer).unwrap().of(&logs.parse(line.as_bytes()).unwrap(), logs)
        };
        assert_eq!(at("/seq", r#"{"seq":7}"#), 7);
        assert_eq!(at("/a/seq", r#"{"a":{"seq":7}}"#), 7);
        for line in [
            r#"{"seq":"7"}"#,
            r#"{"seq":-7}"#,
            r#"{"seq":7.5}"#,
            "{}",
            "no JSON",
            r#"{"seq":9007199254740993}"#,
        ] {
            assert_eq!(at("/seq", line), 0, "{line}");
        }
        let line = br#"{"time_us":5,"kind":"identity"}"#;
        let event = Stream::jetstream().parse(line).unwrap();
        assert_eq!(CursorAt::new("/time_us").unwrap().of(&event, Stream::jetstream()), 5);
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for pointer in ["", "seq", "/a~2", "/a~"] {
            assert_eq!(CursorAt::new(pointer), None, "{pointer}");
        }
    }
}
