//! A line of Jetstream, made again from the columns of its row.
//!
//! Jetstream writes an event in one form, a fixed frame around a few values. All of them are columns, and of what has no form
//! of its own, the record, the bytes are. So the line need not be stored beside its columns: it is made from them, here, by the
//! writer too, which compares, and stores the whole line of a row where this is not it.

use std::io::Write;

/// The columns that a line is made of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are those of `Row`")]
pub struct Parts<'a> {
    pub cursor: Option<i64>,
    pub did: Option<&'a str>,
    pub kind: Option<&'a str>,
    pub operation: Option<&'a str>,
    pub collection: Option<&'a str>,
    pub rkey: Option<&'a str>,
    pub rev: Option<&'a str>,
    pub cid: Option<&'a str>,
    pub record: Option<&'a str>,
}

/// Appends the line to `to`; nothing where a value is missing that every line of its kind has.
pub fn line(time_us: i64, parts: &Parts<'_>, to: &mut Vec<u8>) -> Option<()> {
    let kind = parts.kind?;
    put(to, [r#"{"did":""#, parts.did?, r#"","time_us":"#]);
    write!(to, "{time_us}").ok()?;
    if let Some(cursor) = parts.cursor {
        write!(to, r#","cursor":{cursor}"#).ok()?;
    }
    if kind == "commit" {
        put(
            to,
            [r#","kind":"commit","commit":{"rev":""#, parts.rev?, r#"","operation":""#, parts.operation?],
        );
        put(to, [r#"","collection":""#, parts.collection?, r#"","rkey":""#, parts.rkey?, r#"""#]);
        if let Some(record) = parts.record {
            put(to, [r#","record":"#, record]);
        }
        if let Some(cid) = parts.cid {
            put(to, [r#","cid":""#, cid, r#"""#]);
        }
        put(to, ["}}"]);
    } else {
        put(to, [r#","kind":""#, kind, r#"",""#, kind, r#"":"#, parts.record?, "}"]);
    }
    Some(())
}

fn put<const N: usize>(to: &mut Vec<u8>, texts: [&str; N]) {
    for text in texts {
        to.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::Row;
    use super::*;

    /// Whether a line is made again from its columns.
    fn is_rebuilt(text: &str) -> bool {
        let mut made = Vec::new();
        let time_us = forebay::event::parse::parse(text.as_bytes()).unwrap().time_us;
        line(time_us.cast_signed(), &Row::of(text).parts(), &mut made).is_some() && made == text.as_bytes()
    }

    #[test]
    fn every_recorded_event_is_made_again_with_and_without_the_cursor_of_the_second_version() {
        let recorded = [
            include_str!("../../../forebay/tests/vectors/recorded.ndjson"),
            include_str!("../../../forebay/tests/vectors/one-of-each.ndjson"),
        ];
        for line in recorded.iter().flat_map(|text| text.lines()) {
            assert!(is_rebuilt(line), "{line}");
            let second = line.replacen(r#","kind":"#, r#","cursor":30340180350,"kind":"#, 1);
            assert!(is_rebuilt(&second), "{second}");
        }
    }

    #[test]
    fn a_kind_to_come_and_an_update_without_a_hash_are_made_again() {
        for line in [
            r#"{"did":"d","time_us":0,"kind":"sync","sync":{"seq":9,"rev":"x"}}"#,
            r#"{"did":"d","time_us":9007199254740992,"cursor":-5,"kind":"later","later":[1,{"a":2}]}"#,
            r#"{"did":"é","time_us":1,"kind":"commit","commit":{"rev":"","operation":"update","collection":"","rkey":"","record":"x"}}"#,
        ] {
            assert!(is_rebuilt(line), "{line}");
        }
    }

    #[test]
    fn a_line_of_another_form_is_not() {
        for line in [
            r#"{"time_us":1}"#,
            r#"{"did":"d","time_us":1}"#,
            r#"{"did":"d", "time_us":1,"kind":"sync","sync":{}}"#,
            r#"{"did":"\u0064","time_us":1,"kind":"sync","sync":{}}"#,
            r#"{"did":"d","time_us":1,"kind":"sync","sync":{},"more":1}"#,
            r#"{"did":"d","time_us":1,"kind":"sync","sync":{},"sync":{}}"#,
            r#"{"did":"d","time_us":1,"cursor":18446744073709551615,"kind":"sync","sync":{}}"#,
            r#"{"did":"d","time_us":1,"cursor":1e3,"kind":"sync","sync":{}}"#,
        ] {
            assert!(!is_rebuilt(line), "{line}");
        }
    }
}
