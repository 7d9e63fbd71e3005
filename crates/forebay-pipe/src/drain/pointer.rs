//! What stands at a place in a line of JSON, for the columns that a configuration names.

use std::borrow::Cow;

use forebay::event::json::Scanner;

/// A JSON pointer (RFC 6901), through objects alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    /// Its names, without its escapes.
    path: Vec<String>,
}

impl Pointer {
    /// One from its text; nothing where it is none, or that of the whole line.
    pub fn new(text: &str) -> Option<Self> {
        let is_pointer =
            text.starts_with('/') && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let path = text.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
        is_pointer.then(|| Self { text: text.into(), path: path.collect() })
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands there: of a text what it says, of anything else its JSON as it is written. Nothing where there is none, or a
    /// null, or the line is no JSON.
    pub fn find<'a>(&self, line: &'a str) -> Option<Cow<'a, str>> {
        let mut scanner = Scanner::new(line.as_bytes());
        let depth = scanner.go_to(&self.path).ok()??;
        let is_text = scanner.peek().ok()? == b'"';
        let start = scanner.offset();
        scanner.skip_value(depth).ok()?;
        let value = line.get(start..scanner.offset())?;
        if !is_text {
            return (value != "null").then_some(Cow::Borrowed(value));
        }
        if value.contains('\\') {
            return serde_json::from_str(value).ok().map(Cow::Owned);
        }
        value.get(1..value.len() - 1).map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_there_is_text_whatever_it_is() {
        for (line, pointer, value) in [
            (r#"{"a":"x"}"#, "/a", Some("x")),
            (r#"{"b":[{"a":1}], "a" : 1.50 }"#, "/a", Some("1.50")),
            (r#"{"b":{"a":2},"c":{"d":{"a":"é\n"}}}"#, "/c/d/a", Some("é\n")),
            (r#"{"a":"x","a":"y"}"#, "/a", Some("x")),
            (r#"{"a/b":{"~":true}}"#, "/a~1b/~0", Some("true")),
            (r#"{"a":{"b":1}}"#, "/a", Some(r#"{"b":1}"#)),
            (r#"{"a":null}"#, "/a", None),
            (r#"{"a":[1]}"#, "/a/0", None),
            (r#"{"a":1}"#, "/b", None),
            ("plain text", "/a", None),
            ("", "/a", None),
        ] {
            assert_eq!(Pointer::new(pointer).unwrap().find(line).as_deref(), value, "{line} {pointer}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_none() {
        for text in ["", "a", "a/b", "/~", "/a~2"] {
            assert_eq!(Pointer::new(text), None, "{text}");
        }
    }
}
