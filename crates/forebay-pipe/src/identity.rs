//! Which event a line is: what stays the same when a source, or another host of it, sends it again.
//!
//! A commit is (did, rev, collection, rkey, operation); an identity or an account (did, kind, the relay's own number). A line that
//! says none of that is itself.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use serde::Deserialize;

/// An event's identity: 128 bits that differ where the identities do, by keys of this process alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity(u64, u64);

/// What a line says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identified {
    pub(crate) identity: Identity,
    /// The source's number of it, where the source gives events numbers.
    pub(super) cursor: Option<u64>,
    pub(super) time_us: Option<u64>,
}

/// Makes identities.
#[derive(Clone, Default)]
pub(crate) struct Identifier(RandomState, RandomState);

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    did: Option<Cow<'a, str>>,
    time_us: Option<u64>,
    cursor: Option<u64>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    commit: Option<Commit<'a>>,
    identity: Option<Numbered>,
    account: Option<Numbered>,
    sync: Option<Numbered>,
}

#[derive(Deserialize)]
struct Commit<'a> {
    #[serde(borrow)]
    rev: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    collection: Cow<'a, str>,
    #[serde(borrow)]
    rkey: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

impl Identifier {
    /// Which event a line is.
    pub(crate) fn of(&self, line: &[u8]) -> Identified {
        let Ok(read) = serde_json::from_slice::<Line<'_>>(line) else {
            return Identified { identity: self.hash(line), cursor: None, time_us: None };
        };
        let Line { did, time_us, cursor, kind, commit, identity, account, sync } = read;
        let numbered = identity.or(account).or(sync);
        let identity = match (did, kind.as_deref(), commit, numbered) {
            (Some(did), Some("commit"), Some(commit), _) => {
                let Commit { rev, operation, collection, rkey } = commit;
                self.hash((did, rev, collection, rkey, operation))
            }
            (Some(did), Some(kind), None, Some(Numbered { seq })) => self.hash((did, kind, seq)),
            _ => self.hash(line),
        };
        Identified { identity, cursor, time_us }
    }

    fn hash(&self, of: impl std::hash::Hash) -> Identity {
        Identity(self.0.hash_one(&of), self.1.hash_one(&of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_the_same_whichever_host_sends_it_and_when() {
        let identifier = Identifier::default();
        let of = |line: &str| identifier.of(line.as_bytes());
        let commit = |time: u64, cursor: &str, rev: &str, operation: &str| {
            of(&format!(
                r#"{{"did":"did:plc:a","time_us":{time},{cursor}"kind":"commit","commit":{{"rev":"{rev}","operation":"{operation}","collection":"c","rkey":"r"}}}}"#
            ))
        };
        let one = commit(5, "", "x", "create");
        assert_eq!((one.time_us, one.cursor), (Some(5), None));
        let same = commit(6, r#""cursor":77,"#, "x", "create");
        assert_eq!((same.identity, same.cursor), (one.identity, Some(77)));
        assert_ne!(commit(5, "", "y", "create").identity, one.identity);
        assert_ne!(commit(5, "", "x", "delete").identity, one.identity);

        let account = |time: u64, seq: u64| {
            of(&format!(
                r#"{{"did":"d","time_us":{time},"kind":"account","account":{{"active":true,"seq":{seq}}}}}"#
            ))
            .identity
        };
        assert_eq!(account(1, 9), account(2, 9));
        assert_ne!(account(1, 9), account(1, 10), "a relay that was set back sends it under another number");
    }

    #[test]
    fn a_line_that_does_not_say_what_it_is_is_itself() {
        let identifier = Identifier::default();
        let of = |line: &str| identifier.of(line.as_bytes()).identity;
        for line in [
            "",
            "no JSON",
            "{}",
            r#"{"did":"d","did":"e","kind":"commit"}"#,
            r#"{"kind":"commit","commit":{}}"#,
        ] {
            assert_eq!(of(line), of(line), "{line}");
            assert_ne!(of(line), of(&format!("{line} ")), "{line}");
        }
    }
}
