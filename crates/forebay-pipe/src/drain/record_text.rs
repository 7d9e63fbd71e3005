//! A record's JSON, written from its columns as Jetstream writes it: without white space, members in the order of their names,
//! texts escaped as Go does.

use std::fmt::Write as _;

use super::walk::Walk;

/// The columns that a record is made of again.
#[derive(Debug, Default)]
pub(super) struct RecordParts<'a> {
    pub collection: Option<&'a str>,
    pub created_at: Option<&'a str>,
    pub subject_uri: Option<&'a str>,
    pub subject_cid: Option<&'a str>,
    pub subject_did: Option<&'a str>,
    pub text: Option<&'a str>,
    pub reply_parent: Option<&'a str>,
    pub reply_parent_cid: Option<&'a str>,
    pub reply_root: Option<&'a str>,
    pub reply_root_cid: Option<&'a str>,
    pub langs: Option<Vec<&'a str>>,
    pub rest: Option<&'a str>,
}

/// Appends a member to an object that is not closed yet.
pub(super) fn put_member(object: &mut String, key: &[u8], value: &str) {
    // Of a key that is no text the record does not come out as it was, and is stored.
    put_key(object, &String::from_utf8_lossy(key));
    object.push_str(value);
}

fn put_key(object: &mut String, key: &str) {
    object.push(if object.is_empty() { '{' } else { ',' });
    put_text(object, key);
    object.push(':');
}

/// Members of a record that are columns, in the order of their names.
const MEMBERS: [&str; 6] = ["$type", "createdAt", "langs", "reply", "subject", "text"];

/// Writes a record as Jetstream does: without white space, members in the order of their names. Nothing where `rest` is no object.
pub(super) fn write_record(parts: &RecordParts<'_>, to: &mut String) -> Option<()> {
    let mut left = MEMBERS.iter().peekable();
    if let Some(rest) = parts.rest {
        let mut walk = Walk::new(rest);
        let walked = walk.members(0, |walk, key| {
            while let Some(member) = left.next_if(|member| member.as_bytes() < key) {
                write_member(parts, member, to);
            }
            let start = walk.start()?;
            walk.scanner.skip_value(1)?;
            put_member(to, key, walk.since(start));
            Ok(())
        });
        walked.and_then(|()| walk.scanner.end()).ok()?;
    }
    for member in left {
        write_member(parts, member, to);
    }
    to.push_str(if to.is_empty() { "{}" } else { "}" });
    Some(())
}

/// Writes a member, where the columns have it.
fn write_member(parts: &RecordParts<'_>, name: &str, to: &mut String) -> Option<()> {
    match name {
        "$type" => put_word(to, name, parts.collection?),
        "createdAt" => put_word(to, name, parts.created_at?),
        "text" => put_word(to, name, parts.text?),
        "langs" => {
            let langs = parts.langs.as_ref()?;
            put_key(to, name);
            to.push('[');
            for (number, lang) in langs.iter().enumerate() {
                to.push_str(if number > 0 { "," } else { "" });
                put_text(to, lang);
            }
            to.push(']');
        }
        "reply" => {
            let parent = (parts.reply_parent_cid?, parts.reply_parent?);
            let root = (parts.reply_root_cid?, parts.reply_root?);
            put_key(to, name);
            to.push_str(r#"{"parent":"#);
            put_reference(to, parent);
            to.push_str(r#","root":"#);
            put_reference(to, root);
            to.push('}');
        }
        _ => {
            if let Some(did) = parts.subject_did {
                put_word(to, name, did);
            } else {
                let subject = (parts.subject_cid?, parts.subject_uri?);
                put_key(to, name);
                put_reference(to, subject);
            }
        }
    }
    Some(())
}

fn put_word(to: &mut String, key: &str, text: &str) {
    put_key(to, key);
    put_text(to, text);
}

fn put_reference(to: &mut String, (cid, uri): (&str, &str)) {
    to.push_str(r#"{"cid":"#);
    put_text(to, cid);
    to.push_str(r#","uri":"#);
    put_text(to, uri);
    to.push('}');
}

/// Writes a text as Go does, in which Jetstream is written.
fn put_text(to: &mut String, text: &str) {
    to.push('"');
    let mut plain = 0;
    let bytes = text.bytes().enumerate();
    // 0xE2: the first of the three bytes of U+2028 and U+2029.
    let looked_at =
        bytes.filter(|(_, byte)| *byte < b' ' || matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | 0xE2));
    for (at, byte) in looked_at {
        let rest = text.get(at..).unwrap_or_default();
        let separator = ["\u{2028}", "\u{2029}"].iter().find(|separator| rest.starts_with(**separator));
        if byte == 0xE2 && separator.is_none() {
            continue;
        }
        to.push_str(text.get(plain..at).unwrap_or_default());
        plain = at + separator.map_or(1, |separator| separator.len());
        match byte {
            b'"' => to.push_str("\\\""),
            b'\\' => to.push_str("\\\\"),
            b'\n' => to.push_str("\\n"),
            b'\r' => to.push_str("\\r"),
            b'\t' => to.push_str("\\t"),
            0x08 => to.push_str("\\b"),
            0x0C => to.push_str("\\f"),
            0xE2 => to.push_str(if rest.starts_with('\u{2028}') { "\\u2028" } else { "\\u2029" }),
            // It cannot fail: what it writes to is memory.
            other => drop(write!(to, "\\u{other:04x}")),
        }
    }
    to.push_str(text.get(plain..).unwrap_or_default());
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_as_go_writes_it() {
        let mut written = String::new();
        put_text(&mut written, "a\"\\\n\r\t\u{1}\u{8}\u{c}\u{1f}\u{7f}<&>é\u{2028}😀");
        assert_eq!(
            written,
            r#""a\"\\\n\r\t\u0001\b\f\u001f"#.to_owned() + "\u{7f}" + r#"\u003c\u0026\u003eé\u2028😀""#
        );
    }
}
