//! What a line of Jetstream says in the columns of `bluesky-research` (its data `raw_sync`), so that loaders and queries made for
//! that data read these files unchanged.
//!
//! Constraints: every column is a text, and a null where a record has nothing for it. What is nested is the JSON that the record
//! has; languages and tags are joined by commas, as they are there. A row of a record type has all that its readers expect of that
//! type: a like that names no post is none of theirs, and goes to [`RecordType::Other`] as deletes and updates do.
//!
//! All files have the same columns, whatever their record type: a query over several types needs no union by name.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::columns::{Row, Word};
use super::walk::Walk;

/// The columns, in the order in which `bluesky-research` has those of a record type.
pub const COLUMNS: [&str; 16] = [
    "uri",
    "cid",
    "author",
    "py_type",
    "created_at",
    "text",
    "embed",
    "entities",
    "facets",
    "reply",
    "labels",
    "langs",
    "tags",
    "subject",
    "record_type",
    "synctimestamp",
];

/// How a time is written there.
const TIME: &str = "%Y-%m-%d-%H:%M:%S";

/// What kind of record a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordType {
    /// A post that answers none.
    Post,
    /// A post that answers one.
    Reply,
    /// A like.
    Like,
    /// A repost.
    Repost,
    /// A follow.
    Follow,
    /// A block.
    Block,
    /// Everything else: deletes, updates, identities, accounts, other collections.
    Other,
}

impl RecordType {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Post, Self::Reply, Self::Like, Self::Repost, Self::Follow, Self::Block, Self::Other];

    /// The type of an event.
    pub fn of(line: &[u8]) -> Self {
        std::str::from_utf8(line).map_or(Self::Other, |line| typed(&Row::of(line)).0)
    }

    /// That of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|record_type| record_type.name() == name)
    }

    /// Whether it is a post, be it an answer or not.
    fn is_post(self) -> bool {
        matches!(self, Self::Post | Self::Reply)
    }

    /// What its folder is called, and what stands in `record_type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Reply => "reply",
            Self::Like => "like",
            Self::Repost => "repost",
            Self::Follow => "follow",
            Self::Block => "block",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A line in these columns.
pub struct MetRow<'a> {
    row: Row<'a>,
    record_type: RecordType,
    nested: Nested<'a>,
    uri: Option<String>,
    langs: Option<String>,
    tags: Option<String>,
    time: String,
}

impl<'a> MetRow<'a> {
    /// The columns of a line, and of the time that the event was at.
    pub fn of(line: &'a str, time_us: u64) -> Self {
        let row = Row::of(line);
        let (record_type, nested) = typed(&row);
        let uri = match (&row.did, &row.collection, &row.rkey) {
            (Some(did), Some(collection), Some(rkey)) => Some(format!("at://{did}/{collection}/{rkey}")),
            _ => None,
        };
        let langs = row.langs.as_deref().filter(|_| record_type.is_post()).and_then(joined);
        let tags = nested.tags.and_then(|tags| joined(&serde_json::from_str::<Vec<Word<'_>>>(tags).ok()?));
        Self { row, record_type, nested, uri, langs, tags, time: time(time_us) }
    }

    /// Their values, in the order of [`COLUMNS`].
    pub fn values(&self) -> [Option<&str>; COLUMNS.len()] {
        let Self { row, record_type, nested, .. } = self;
        let is_record = *record_type != RecordType::Other;
        let names_account = matches!(record_type, RecordType::Follow | RecordType::Block);
        [
            self.uri.as_deref(),
            row.cid.as_deref(),
            row.did.as_deref(),
            row.collection.as_deref(),
            row.created_at.as_deref().filter(|_| is_record),
            row.text.as_deref().filter(|_| record_type.is_post()),
            nested.embed,
            nested.entities,
            nested.facets,
            nested.reply,
            nested.labels,
            self.langs.as_deref(),
            self.tags.as_deref(),
            // Of a follow or a block the account itself, of a like or a repost the JSON that names the post.
            row.subject_did.as_deref().filter(|_| names_account).or(nested.subject),
            Some(record_type.name()),
            Some(&self.time),
        ]
    }
}

/// What of a record is kept as its JSON, as far as its type has it.
#[derive(Default)]
struct Nested<'a> {
    embed: Option<&'a str>,
    entities: Option<&'a str>,
    facets: Option<&'a str>,
    reply: Option<&'a str>,
    labels: Option<&'a str>,
    tags: Option<&'a str>,
    subject: Option<&'a str>,
}

impl<'a> Nested<'a> {
    /// What stands in a record: of a name that comes twice the last counts.
    fn of(record: &'a str) -> Self {
        let (mut walk, mut nested) = (Walk::new(record), Self::default());
        let read = walk.members(0, |walk, key| {
            let start = walk.start()?;
            walk.scanner.skip_value(1)?;
            let value = Some(walk.since(start)).filter(|value| !["null", "{}", "[]"].contains(value));
            match key {
                b"embed" => nested.embed = value,
                b"entities" => nested.entities = value,
                b"facets" => nested.facets = value,
                b"reply" => nested.reply = value,
                b"labels" => nested.labels = value,
                b"tags" => nested.tags = value,
                b"subject" => nested.subject = value,
                _ => {}
            }
            Ok(())
        });
        // A part of a line that was read whole before.
        read.map_or_else(|_| Self::default(), |()| nested)
    }
}

/// Of which type a row is, and what of its record that type has.
fn typed<'a>(row: &Row<'a>) -> (RecordType, Nested<'a>) {
    let other = || (RecordType::Other, Nested::default());
    let is_created =
        row.operation.as_deref() == Some("create") && row.cid.is_some() && row.created_at.is_some();
    let Some(record) = row.record.filter(|_| is_created) else { return other() };
    let nested = Nested::of(record);
    let subject = Nested { subject: nested.subject, ..Nested::default() };
    match row.collection.as_deref() {
        Some("app.bsky.feed.post") if row.text.is_some() => {
            let nested = Nested { subject: None, ..nested };
            match (nested.reply, &row.reply_parent, &row.reply_root) {
                (None, ..) => (RecordType::Post, nested),
                (Some(_), Some(_), Some(_)) => (RecordType::Reply, nested),
                _ => other(),
            }
        }
        Some("app.bsky.feed.like") if row.subject_uri.is_some() => (RecordType::Like, subject),
        Some("app.bsky.feed.repost") if row.subject_uri.is_some() => (RecordType::Repost, subject),
        Some("app.bsky.graph.follow") if row.subject_did.is_some() => (RecordType::Follow, subject),
        Some("app.bsky.graph.block") if row.subject_did.is_some() => (RecordType::Block, subject),
        _ => other(),
    }
}

fn joined(words: &[Word<'_>]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(","))
}

fn time(time_us: u64) -> String {
    let at = i64::try_from(time_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    // Proof: a time is below 2^53 microseconds, which is the year 2255.
    at.unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC).strftime(TIME).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(operation: &str, collection: &str, record: &str) -> String {
        format!(
            r#"{{"did":"did:plc:a","time_us":1779719009157119,"kind":"commit","commit":{{"rev":"v","operation":"{operation}","collection":"app.bsky.{collection}","rkey":"k","record":{record},"cid":"i"}}}}"#
        )
    }

    fn says(line: &str) -> Vec<(&'static str, String)> {
        let row = MetRow::of(line, 1_779_719_009_157_119);
        let values = COLUMNS.into_iter().zip(row.values());
        values.filter_map(|(name, value)| Some((name, value?.to_owned()))).collect()
    }

    #[test]
    fn a_post_has_texts_and_the_json_of_what_is_nested() {
        let record = r#"{"$type":"app.bsky.feed.post","createdAt":"t","text":"a\nb","langs":["en","de"],"tags":["x"],"embed":{"a":[1, 2]},"facets":[],"labels":null,"subject":"did:plc:b"}"#;
        let expected = [
            ("uri", "at://did:plc:a/app.bsky.feed.post/k"),
            ("cid", "i"),
            ("author", "did:plc:a"),
            ("py_type", "app.bsky.feed.post"),
            ("created_at", "t"),
            ("text", "a\nb"),
            ("embed", r#"{"a":[1, 2]}"#),
            ("langs", "en,de"),
            ("tags", "x"),
            ("record_type", "post"),
            ("synctimestamp", "2026-05-25-14:23:29"),
        ];
        let said = says(&line("create", "feed.post", record));
        assert_eq!(said, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn a_row_of_a_type_has_what_its_readers_expect_and_all_else_is_other() {
        let uri = r#"{"createdAt":"t","subject":{"cid":"c","uri":"at://p"}}"#;
        let did = r#"{"createdAt":"t","subject":"did:plc:b"}"#;
        let reply = r#"{"createdAt":"t","text":"","reply":{"parent":{"uri":"p"},"root":{"uri":"r"}}}"#;
        for (operation, collection, record, name) in [
            ("create", "feed.post", reply, "reply"),
            ("create", "feed.post", r#"{"createdAt":"t","text":"","reply":null}"#, "post"),
            ("create", "feed.post", r#"{"createdAt":"t","text":"","reply":{"parent":{"uri":"p"}}}"#, "other"),
            ("create", "feed.post", r#"{"createdAt":"t"}"#, "other"),
            ("create", "feed.post", r#"{"text":"x"}"#, "other"),
            ("create", "feed.like", uri, "like"),
            ("create", "feed.like", did, "other"),
            ("create", "feed.repost", uri, "repost"),
            ("create", "graph.follow", did, "follow"),
            ("create", "graph.follow", uri, "other"),
            ("create", "graph.block", did, "block"),
            ("update", "feed.post", reply, "other"),
            ("create", "feed.threadgate", uri, "other"),
            ("create", "feed.like", "null", "other"),
        ] {
            let line = line(operation, collection, record);
            assert_eq!(RecordType::of(line.as_bytes()).name(), name, "{line}");
            let said = says(&line);
            let value = |name: &str| said.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value);
            assert_eq!(value("record_type"), Some(name));
            let subject = match name {
                "like" | "repost" => Some(r#"{"cid":"c","uri":"at://p"}"#),
                "follow" | "block" => Some("did:plc:b"),
                _ => None,
            };
            assert_eq!(value("subject"), subject, "{line}");
            assert_eq!(value("reply").is_some(), name == "reply", "{line}");
        }
        for line in ["", "{}", r#"{"did":"d","time_us":1,"kind":"identity","identity":{}}"#] {
            assert_eq!(RecordType::of(line.as_bytes()), RecordType::Other);
        }
        assert!(RecordType::ALL.into_iter().all(|of| RecordType::named(of.name()) == Some(of)));
    }
}
