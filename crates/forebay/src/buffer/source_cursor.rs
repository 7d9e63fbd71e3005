//! A cursor as it is stored: a number of its source, and which numbering that is of.
//!
//! Another host, or another version of one, counts anew. A lower number of a later numbering stands after every number of an
//! earlier one, so that the highest low watermark is the last one whatever the hosts count.

use std::fmt;

/// Where a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SourceCursor {
    /// Which numbering it is of, from 0: [`Writer::begin_numbering`](crate::Writer::begin_numbering) starts the next.
    pub numbering: u32,
    /// The source's own number.
    pub cursor: u64,
}

impl SourceCursor {
    /// As it is stored; nothing where there is no cursor.
    pub(super) fn text(at: Option<Self>) -> String {
        at.map(|at| at.to_string()).unwrap_or_default()
    }

    /// Reads what is stored; none where nothing is, or no cursor.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (numbering, cursor) = text.split_once(':').unwrap_or(("0", text));
        Some(Self { numbering: numbering.parse().ok()?, cursor: cursor.parse().ok()? })
    }
}

impl fmt::Display for SourceCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.numbering {
            0 => write!(f, "{}", self.cursor),
            numbering => write!(f, "{numbering}:{}", self.cursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again_and_a_later_numbering_stands_after_an_earlier_one() {
        let at = |numbering, cursor| Some(SourceCursor { numbering, cursor });
        for (stored, text) in [(at(0, 7), "7"), (at(3, 7), "3:7"), (None, "")] {
            assert_eq!(SourceCursor::text(stored), text);
            assert_eq!(SourceCursor::parse(text), stored, "{text}");
        }
        for text in ["x", "1:", ":1", "1:2:3", "-1"] {
            assert_eq!(SourceCursor::parse(text), None, "{text}");
        }
        assert!(SourceCursor::parse("1:5") > SourceCursor::parse("1764500000000000"));
    }
}
