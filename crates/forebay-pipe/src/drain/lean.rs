//! Lean files: of a row, what follows from its other columns is left out, and made again where it is read.
//!
//! A record's JSON says again what stands in columns, and its hash follows from it. So a lean row has neither, where both come out
//! as they were: what the record has besides is in `rest`, its hashes of other records are columns of their own.

use forebay::block::atproto::RecordCids;

use super::columns::{Row, Word};
use super::record_text::{RecordParts, write_record};

/// Takes out of rows what follows, and makes it again; keeps its memory from one row to the next.
#[derive(Debug, Default)]
pub(super) struct Lean {
    cids: RecordCids,
    record: String,
}

impl Lean {
    /// Leaves out of a row what follows from the rest of it; whether [`fill`](Self::fill) will make what it was.
    fn leave_out(&mut self, row: &mut Row<'_>) -> bool {
        row.created = None;
        if !has_record(row.operation.as_deref()) {
            only_full(row);
            return true;
        }
        let Some(record) = row.record else {
            only_full(row);
            return false;
        };
        self.record.clear();
        let is_written = write_record(&parts(row), &mut self.record).is_some();
        if is_written && self.record == record {
            row.record = None;
        } else {
            only_full(row);
        }
        let follows = self.cids.of(record);
        if row.cid.is_none() {
            return follows.is_none();
        }
        if follows.as_deref() == row.cid.as_deref() {
            row.cid = None;
        }
        true
    }

    /// The record and its hash of a row, as they stand or as they follow.
    pub fn fill<'m>(
        &'m mut self,
        operation: Option<&str>,
        (record, cid): (Option<&'m str>, Option<&str>),
        parts: &RecordParts<'_>,
    ) -> (Option<&'m str>, Option<String>) {
        if !has_record(operation) {
            return (record, cid.map(str::to_owned));
        }
        self.record.clear();
        let made = if record.is_none() { write_record(parts, &mut self.record) } else { None };
        let record = record.or_else(|| made.map(|()| self.record.as_str()));
        let cid = cid.map(str::to_owned).or_else(|| self.cids.of(record?));
        (record, cid)
    }
}

/// Leaves out of a row what its file does not have, a lean one or a full one; whether a reader makes the line again as it was.
pub(super) fn leave_out(row: &mut Row<'_>, lean: Option<&mut Lean>) -> bool {
    let Some(lean) = lean else {
        only_full(row);
        return true;
    };
    lean.leave_out(row)
}

/// A row of a full file: what only lean files have is in its record.
fn only_full(row: &mut Row<'_>) {
    (row.subject_cid, row.reply_parent_cid, row.reply_root_cid, row.rest) = (None, None, None, None);
}

fn has_record(operation: Option<&str>) -> bool {
    matches!(operation, Some("create" | "update"))
}

/// Those of a row.
pub(super) fn parts<'r>(row: &'r Row<'_>) -> RecordParts<'r> {
    RecordParts {
        collection: row.collection.as_deref(),
        created_at: row.created_at.as_deref(),
        subject_uri: row.subject_uri.as_deref(),
        subject_cid: row.subject_cid.as_deref(),
        subject_did: row.subject_did.as_deref(),
        text: row.text.as_deref(),
        reply_parent: row.reply_parent.as_deref(),
        reply_parent_cid: row.reply_parent_cid.as_deref(),
        reply_root: row.reply_root.as_deref(),
        reply_root_cid: row.reply_root_cid.as_deref(),
        langs: row.langs.as_deref().map(|langs| langs.iter().map(Word::as_ref).collect()),
        rest: row.rest.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = include_str!("../../../forebay/tests/vectors/recorded.ndjson");
    const ONE_OF_EACH: &str = include_str!("../../../forebay/tests/vectors/one-of-each.ndjson");

    #[test]
    fn of_every_recorded_event_record_and_hash_follow() {
        let mut lean = Lean::default();
        for line in RECORDED.lines().chain(ONE_OF_EACH.lines()) {
            let whole = Row::of(line);
            let mut row = whole.clone();
            assert!(lean.leave_out(&mut row), "{line}");
            if has_record(row.operation.as_deref()) {
                assert_eq!((row.record, &row.cid, row.created), (None, &None, None), "{line}");
            }
            let filled = lean.fill(row.operation.as_deref(), (row.record, row.cid.as_deref()), &parts(&row));
            assert_eq!(filled, (whole.record, whole.cid.map(Word::into_owned)), "{line}");
        }
    }

    #[test]
    fn a_record_of_another_form_stays_and_a_hash_of_another_record_too() {
        let mut lean = Lean::default();
        let commit = |operation: &str, record: &str, cid: &str| {
            format!(
                r#"{{"did":"d","time_us":1,"kind":"commit","commit":{{"rev":"r","operation":"{operation}","collection":"c","rkey":"k","record":{record},"cid":"{cid}"}}}}"#
            )
        };
        for record in [
            r#"{"$type":"d"}"#,
            r#"{"text":"a","$type":"c"}"#,
            r#"{"$type":"c", "text":"a"}"#,
            r#"{"$type":"c","text":"a","text":"a"}"#,
            r#"{"$type":"c","text":"\u0061"}"#,
            r#"{"$type":"c","subject":{"uri":"u","cid":"x"}}"#,
            r#"{"$type":"c","subject":{"cid":"x","uri":"u","x":1}}"#,
            r#"{"$type":"c","reply":{"parent":{"cid":"x","uri":"u"}}}"#,
            r#"{"$type":"c","langs":["a",1]}"#,
            r#"{"$type":"c","createdAt":5}"#,
            r"[]",
            r#""text""#,
        ] {
            let line = commit("create", record, "bafyother");
            let mut row = Row::of(&line);
            lean.leave_out(&mut row);
            assert_eq!((row.record, row.cid.as_deref()), (Some(record), Some("bafyother")), "{line}");
            let only = [&row.subject_cid, &row.reply_parent_cid, &row.reply_root_cid];
            assert!(only.into_iter().all(Option::is_none) && row.rest.is_none(), "{line}");
        }
        let line = commit("delete", r#"{"$type":"c"}"#, "x");
        let mut row = Row::of(&line);
        lean.leave_out(&mut row);
        assert_eq!((row.record, row.cid.as_deref()), (Some(r#"{"$type":"c"}"#), Some("x")));
    }
}
