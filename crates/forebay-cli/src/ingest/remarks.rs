//! Remarks while a source is brought in: a host that goes away again and again says the same each time, and once is enough.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a kind of remark is not said again.
const APART: Duration = Duration::from_secs(10);

/// Kinds that are told apart, and characters of one. Remarks have text from outside in them.
const KINDS_MAX: usize = 64;
const KIND_CHARS_MAX: usize = 100;

/// What was said when.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    kinds: HashMap<String, Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    /// How often it was not said since.
    unsaid: u64,
}

impl Remarks {
    /// What to say, if anything.
    pub(super) fn take(&mut self, text: &str, now: Instant) -> Option<String> {
        let kind = self.kind(text, now);
        let said = self.kinds.entry(kind);
        let mut is_new = false;
        let said = said.or_insert_with(|| {
            is_new = true;
            Said { at: now, unsaid: 0 }
        });
        if !is_new && now.duration_since(said.at) < APART {
            said.unsaid += 1;
            return None;
        }
        said.at = now;
        Some(match std::mem::take(&mut said.unsaid) {
            0 => text.into(),
            unsaid => format!("{text} (and {unsaid} times before, not shown)"),
        })
    }

    /// How many were never said.
    pub(super) fn unsaid(&self) -> u64 {
        self.kinds.values().map(|said| said.unsaid).sum()
    }

    /// Remarks that differ in numbers alone are of one kind.
    fn kind(&mut self, text: &str, now: Instant) -> String {
        let kind: String = text.chars().filter(|c| !c.is_ascii_digit()).take(KIND_CHARS_MAX).collect();
        if self.kinds.len() < KINDS_MAX || self.kinds.contains_key(&kind) {
            return kind;
        }
        self.kinds.retain(|_, said| said.unsaid > 0 || now.duration_since(said.at) < APART);
        if self.kinds.len() < KINDS_MAX { kind } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_said_once_in_ten_seconds_with_how_often_it_was_not() {
        let (mut remarks, start) = (Remarks::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(remarks.take("h: closed, 1001", at(0)).as_deref(), Some("h: closed, 1001"));
        assert_eq!(remarks.take("h: closed, 1002", at(1)), None);
        assert_eq!(remarks.take("h: no route", at(2)).as_deref(), Some("h: no route"));
        assert_eq!(remarks.take("h: closed, 1003", at(9)), None);
        assert_eq!(remarks.unsaid(), 2);
        let again = remarks.take("h: closed, 1004", at(10)).unwrap();
        assert_eq!(again, "h: closed, 1004 (and 2 times before, not shown)");
        assert_eq!((remarks.take("h: closed, 1005", at(11)), remarks.unsaid()), (None, 1));
    }

    #[test]
    fn whoever_sends_ever_new_texts_fills_nothing() {
        let (mut remarks, now) = (Remarks::default(), Instant::now());
        let letters = |n: u32| n.to_string().chars().map(|c| char::from(c as u8 + 50)).collect::<String>();
        let said = (0..1_000).filter(|n| remarks.take(&letters(*n), now).is_some()).count();
        assert_eq!((said, remarks.kinds.len()), (KINDS_MAX + 1, KINDS_MAX + 1));
        assert_eq!(remarks.unsaid(), 1_000 - said as u64);
    }
}
