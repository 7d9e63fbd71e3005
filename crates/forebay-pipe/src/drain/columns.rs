//! What a line of Jetstream says, column by column: one walk over its JSON, and nothing copied but texts with escapes.
//!
//! Keys may come in any order; of one that comes twice the last counts, as it does for `JSON.parse` and Go. What is not there, or
//! is of another type, is a null. Whether the columns have everything of a line is not known here: the writer makes the line again
//! from them and compares (see [`rebuild`](super::rebuild)).

use std::borrow::Cow;

use forebay::event::parse::Fault;

use super::moment;
use super::rebuild::Parts;
use super::record_text::put_member;
use super::walk::Walk;

/// A text of a line.
pub type Word<'a> = Cow<'a, str>;

/// The columns of a line, but for those that say where and when it was.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// The source's number of the event, at the top level.
    pub cursor: Option<i64>,
    /// The relay's number of an identity, an account or a sync.
    pub seq: Option<i64>,
    /// Whose event it is.
    pub did: Option<Word<'a>>,
    /// What it is: a commit, an identity, an account, a sync.
    pub kind: Option<Word<'a>>,
    /// Of a commit: create, update or delete.
    pub operation: Option<Word<'a>>,
    /// Of a commit: which kind of record.
    pub collection: Option<Word<'a>>,
    /// Of a commit: the record's key in its collection.
    pub rkey: Option<Word<'a>>,
    /// Of a commit: the repository's revision.
    pub rev: Option<Word<'a>>,
    /// Of a commit: the record's hash.
    pub cid: Option<Word<'a>>,
    /// When the author's program says that it was made, as it is written.
    pub created_at: Option<Word<'a>>,
    /// The same as a time, in microseconds since 1970, where it is one.
    pub created: Option<i64>,
    /// What a like or a repost names: `subject.uri`.
    pub subject_uri: Option<Word<'a>>,
    /// Its hash: `subject.cid`.
    pub subject_cid: Option<Word<'a>>,
    /// Whom a follow or a block names: `subject`, where it is a DID.
    pub subject_did: Option<Word<'a>>,
    /// What a post says.
    pub text: Option<Word<'a>>,
    /// The post that a reply answers.
    pub reply_parent: Option<Word<'a>>,
    /// The post that a reply's thread begins with.
    pub reply_root: Option<Word<'a>>,
    /// The hash of the post that a reply answers.
    pub reply_parent_cid: Option<Word<'a>>,
    /// The hash of the post that its thread begins with.
    pub reply_root_cid: Option<Word<'a>>,
    /// The languages that a post says it is in.
    pub langs: Option<Vec<Word<'a>>>,
    /// The bytes of the commit's record, or of the object of an identity, an account or a sync.
    pub record: Option<&'a str>,
    /// What a commit's record has that no other column has: an object, its members as they are.
    pub rest: Option<String>,
}

impl<'a> Row<'a> {
    /// The columns of a line; all of them null where it is no JSON object.
    pub fn of(line: &'a str) -> Self {
        let mut row = read(line).unwrap_or_default();
        row.created = row.created_at.as_deref().and_then(moment::micros);
        if let Some(rest) = &mut row.rest {
            rest.push('}');
        }
        row
    }

    /// The columns that a line is made of again.
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            cursor: self.cursor,
            did: self.did.as_deref(),
            kind: self.kind.as_deref(),
            operation: self.operation.as_deref(),
            collection: self.collection.as_deref(),
            rkey: self.rkey.as_deref(),
            rev: self.rev.as_deref(),
            cid: self.cid.as_deref(),
            record: self.record,
        }
    }

    /// The same without what a commit said.
    fn without_commit(self) -> Self {
        Self { cursor: self.cursor, did: self.did, kind: self.kind, ..Self::default() }
    }

    /// The same without what a record said.
    fn without_record(self) -> Self {
        Self {
            operation: self.operation.clone(),
            collection: self.collection.clone(),
            rkey: self.rkey.clone(),
            rev: self.rev.clone(),
            cid: self.cid.clone(),
            ..self.without_commit()
        }
    }
}

fn read(line: &str) -> Result<Row<'_>, Fault> {
    let (mut walk, mut row) = (Walk::new(line), Row::default());
    walk.members(0, |walk, key| {
        match key {
            b"did" => row.did = walk.word(1)?,
            b"cursor" => row.cursor = walk.number(1)?,
            b"kind" => row.kind = walk.word(1)?,
            b"commit" => {
                row = std::mem::take(&mut row).without_commit();
                read_commit(walk, &mut row)?;
            }
            _ => walk.scanner.skip_value(1)?,
        }
        Ok(())
    })?;
    walk.scanner.end()?;
    match row.kind.as_deref() {
        Some("commit") => Ok(row),
        _ => read_other(line, row.without_commit()),
    }
}

fn read_commit<'a>(walk: &mut Walk<'a>, row: &mut Row<'a>) -> Result<(), Fault> {
    walk.members(1, |walk, key| {
        match key {
            b"rev" => row.rev = walk.word(2)?,
            b"operation" => row.operation = walk.word(2)?,
            b"collection" => row.collection = walk.word(2)?,
            b"rkey" => row.rkey = walk.word(2)?,
            b"cid" => row.cid = walk.word(2)?,
            b"record" => {
                if row.record.is_some() {
                    *row = std::mem::take(row).without_record();
                }
                let start = walk.start()?;
                read_record(walk, row)?;
                row.record = Some(walk.since(start));
            }
            _ => walk.scanner.skip_value(2)?,
        }
        Ok(())
    })
}

fn read_record<'a>(walk: &mut Walk<'a>, row: &mut Row<'a>) -> Result<(), Fault> {
    walk.members(2, |walk, key| {
        match key {
            b"createdAt" => row.created_at = walk.word(3)?,
            b"text" => row.text = walk.word(3)?,
            b"langs" => row.langs = read_langs(walk)?,
            b"subject" => {
                (row.subject_uri, row.subject_cid, row.subject_did) = (None, None, None);
                if walk.scanner.peek()? == b'"' {
                    row.subject_did = walk.word(3)?.filter(|subject| subject.starts_with("did:"));
                } else {
                    (row.subject_uri, row.subject_cid) = read_reference(walk, 3)?;
                }
            }
            b"reply" => {
                (row.reply_parent, row.reply_root) = (None, None);
                (row.reply_parent_cid, row.reply_root_cid) = (None, None);
                walk.members(3, |walk, key| {
                    match key {
                        b"parent" => (row.reply_parent, row.reply_parent_cid) = read_reference(walk, 4)?,
                        b"root" => (row.reply_root, row.reply_root_cid) = read_reference(walk, 4)?,
                        _ => walk.scanner.skip_value(4)?,
                    }
                    Ok(())
                })?;
            }
            b"$type" => walk.scanner.skip_value(3)?,
            _ => {
                let start = walk.start()?;
                walk.scanner.skip_value(3)?;
                put_member(row.rest.get_or_insert_default(), key, walk.since(start));
            }
        }
        Ok(())
    })
}

/// The `uri` and the `cid` of a reference to a record.
fn read_reference<'a>(walk: &mut Walk<'a>, open: u32) -> Result<(Option<Word<'a>>, Option<Word<'a>>), Fault> {
    let (mut uri, mut cid) = (None, None);
    walk.members(open, |walk, key| {
        match key {
            b"uri" => uri = walk.word(open + 1)?,
            b"cid" => cid = walk.word(open + 1)?,
            _ => walk.scanner.skip_value(open + 1)?,
        }
        Ok(())
    })?;
    Ok((uri, cid))
}

/// A list of texts; nothing where any of it is something else.
fn read_langs<'a>(walk: &mut Walk<'a>) -> Result<Option<Vec<Word<'a>>>, Fault> {
    let start = walk.start()?;
    walk.scanner.skip_value(3)?;
    Ok(serde_json::from_str(walk.since(start)).ok())
}

/// An identity, an account, a sync, or what else may come: its object has the name of its kind.
fn read_other<'a>(line: &'a str, mut row: Row<'a>) -> Result<Row<'a>, Fault> {
    let Some(kind) = row.kind.clone() else { return Ok(row) };
    let mut walk = Walk::new(line);
    walk.members(0, |walk, key| {
        if key != kind.as_bytes() {
            return walk.scanner.skip_value(1);
        }
        row.seq = None;
        let start = walk.start()?;
        walk.members(1, |walk, key| {
            match key {
                b"seq" => row.seq = walk.number(2)?,
                _ => walk.scanner.skip_value(2)?,
            }
            Ok(())
        })?;
        row.record = Some(walk.since(start));
        Ok(())
    })?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_columns() {
        let line = r#"{"did":"did:plc:a","time_us":5,"cursor":7,"kind":"commit","commit":{"rev":"v","operation":"create","collection":"c","rkey":"k","record":{"createdAt":"t","langs":["en","de"],"reply":{"parent":{"cid":"x","uri":"p"},"root":{"uri":"r"}},"text":"a\n\u00e9é","subject":{"uri":"at://s"}},"cid":"i"}}"#;
        let row = Row::of(line);
        let word = |text: &'static str| Some(Cow::Borrowed(text));
        assert_eq!((row.cursor, row.seq), (Some(7), None));
        assert_eq!([row.did, row.kind, row.rev], [word("did:plc:a"), word("commit"), word("v")]);
        assert_eq!([row.operation, row.collection], [word("create"), word("c")]);
        assert_eq!([row.rkey, row.cid, row.created_at], [word("k"), word("i"), word("t")]);
        assert_eq!([row.reply_parent, row.reply_root], [word("p"), word("r")]);
        assert_eq!([row.text, row.subject_uri, row.subject_did], [word("a\néé"), word("at://s"), None]);
        assert_eq!(row.langs, Some(vec!["en".into(), "de".into()]));
        assert!(
            row.record.is_some_and(|record| record.starts_with(r#"{"createdAt"#) && record.ends_with("}}"))
        );
    }

    #[test]
    fn of_a_name_that_comes_twice_the_last_counts_in_any_order() {
        let row = Row::of(
            r#"{"commit":{"rev":"x","record":{"text":"x"}},"account":{"seq":5},"commit":{"rkey":"k","record":{"text":"a"},"record":{"createdAt":"b"}},"kind":"x","kind":"commit"}"#,
        );
        assert_eq!((row.rev, row.rkey.as_deref(), row.text), (None, Some("k"), None));
        assert_eq!((row.created_at.as_deref(), row.record), (Some("b"), Some(r#"{"createdAt":"b"}"#)));
        let row = Row::of(
            r#" {"account":{"seq":5} ,"\u006bind":"account","commit":{"rev":"x"},"account" : {"a":[1],"seq":6} }"#,
        );
        assert_eq!((row.rev, row.seq, row.record), (None, Some(6), Some(r#"{"a":[1],"seq":6}"#)));
    }

    #[test]
    fn what_is_of_another_type_is_null_and_what_is_no_object_is_all_null() {
        let row = Row::of(
            r#"{"did":1,"kind":"commit","cursor":"1","commit":{"rkey":{},"record":{"subject":"x","langs":["a",1],"text":null,"reply":[]}}}"#,
        );
        let empty = Row { kind: row.kind.clone(), record: row.record, ..Row::default() };
        assert_eq!(row, empty);
        for line in ["", "x", "[]", "{", r#"{"did":"a"} x"#, r#"{"did":"a""#] {
            assert_eq!(Row::of(line), Row::default(), "{line}");
        }
        let follow = Row::of(r#"{"kind":"commit","commit":{"record":{"subject":"did:plc:b"}}}"#);
        assert_eq!(follow.subject_did.as_deref(), Some("did:plc:b"));
        for (number, cursor) in
            [("9223372036854775807", Some(i64::MAX)), ("9223372036854775808", None), ("1.0", None)]
        {
            assert_eq!(Row::of(&format!(r#"{{"cursor":{number}}}"#)).cursor, cursor);
        }
    }
}
