//! Cuts a line into skeleton and tokens.
//!
//! Nothing here knows JSON: a token is what looks like one at a place where one may start. What looks like none stays
//! in the skeleton, so every line can be cut, whatever it holds.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::marks;
use super::{time, token};

/// TIDs outside of these microseconds (2001 to 2096) are words that look like one.
const TID_MICROS: Range<u64> = 1_000_000_000_000_000..4_000_000_000_000_000;
/// Longer numbers stay in the skeleton.
const INT_DIGITS_MAX: usize = 18;
/// The most tokens of a line: what follows stays in the skeleton, so that memory stays within bounds.
const TOKENS_MAX: usize = 4_096;
/// How far before a record key the operation is looked for, and how far into a line the collection.
const OPERATION_WITHIN: usize = 256;
const COLLECTION_WITHIN: usize = 512;
/// What stands between a record and its CID.
const BEFORE_OWN_CID: &[u8] = br#","cid":""#;
/// What stands behind it: the end of the event.
const BEHIND_OWN_CID: &[u8] = br#""}}"#;
/// Keys whose strings are people's words.
const TEXT_KEYS: [&[u8]; 8] =
    [b"text", b"alt", b"description", b"title", b"displayName", b"name", b"tag", b"shortDescription"];

static RECORD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""record":"#));
static DELETES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""operation":"delete""#));

/// A value of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// The bytes of a DID.
    Did([u8; token::DID_BYTES]),
    /// The hash of a CID.
    Cid([u8; token::CID_BYTES]),
    /// The hash of an event's own CID, and where in the line it stands.
    OwnCid([u8; token::CID_BYTES], usize),
    /// Where in the line a text is.
    Text(Range<usize>),
    /// Anything else.
    Number(u64),
}

/// A mark and what it stands for.
pub(super) type Token = (u8, Value);

/// The record whose CID follows `before`, the line up to that CID: from behind the first `"record":` on.
#[inline]
pub(super) fn record_before(before: &[u8]) -> Option<&[u8]> {
    let before = before.strip_suffix(BEFORE_OWN_CID)?;
    before.get(RECORD.find(before)? + RECORD.needle().len()..)
}

/// The value for a mark at a place of a line, and where it ends.
#[inline]
pub(super) fn value_at(mark: u8, line: &[u8], at: usize) -> Option<(Value, usize)> {
    let rest = line.get(at..)?;
    Some(match mark {
        marks::DID => (Value::Did(token::did(rest)?), at + token::DID_TEXT),
        marks::RECORD_CID | marks::BLOB_CID => {
            let (is_record, value) = token::cid(rest)?;
            if is_record != (mark == marks::RECORD_CID) {
                return None;
            }
            (Value::Cid(value), at + token::CID_TEXT)
        }
        marks::OWN_CID => {
            let (is_record, value) = token::cid(rest)?;
            if !is_record {
                return None;
            }
            (Value::OwnCid(value, at), at + token::CID_TEXT)
        }
        marks::REV | marks::RKEY | marks::KEY | marks::TID => {
            let value = token::tid(rest).filter(|value| TID_MICROS.contains(&(value >> 10)))?;
            (Value::Number(value), at + token::TID_TEXT)
        }
        marks::TIME_US => (Value::Number(time::time_us(rest)?), at + time::TIME_US_TEXT),
        marks::CREATED | marks::CREATED_WITH_KEY => {
            (Value::Number(time::time_ms(rest)?), at + time::TIME_TEXT)
        }
        marks::TEXT => {
            let end = at + text_len(rest)?;
            (Value::Text(at..end), end)
        }
        marks::INT => {
            let (value, len) = int(rest)?;
            (Value::Number(value), at + len)
        }
        _ => return None,
    })
}

/// How long a string is, up to its quote.
#[inline]
fn text_len(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', rest.get(at..)?)?;
        if rest.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// A whole number as JSON prints it, and its digits.
#[inline]
fn int(rest: &[u8]) -> Option<(u64, usize)> {
    let len = rest.iter().take(INT_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let digits = rest.get(..len)?;
    if len == 0 || len > INT_DIGITS_MAX || (len > 1 && digits.first() == Some(&b'0')) {
        return None;
    }
    Some((digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')), len))
}

/// Cuts a line into `skeleton` and `tokens`, which are appended to.
pub(super) fn cut(line: &[u8], skeleton: &mut Vec<u8>, tokens: &mut Vec<Token>) {
    let mut at = 0;
    while let Some(skip) = memchr::memchr2(b'"', b'/', line.get(at..).unwrap_or_default()) {
        let start = at + skip + 1;
        plain(line.get(at..start).unwrap_or_default(), skeleton);
        at = start;
        if tokens.len() >= TOKENS_MAX {
            break;
        }
        let Some((mark, from)) = mark_at(line, start) else { continue };
        if let Some((value, end)) = value_at(mark, line, from) {
            plain(line.get(start..from).unwrap_or_default(), skeleton);
            skeleton.push(mark);
            tokens.push((mark, value));
            at = end;
        }
    }
    plain(line.get(at..).unwrap_or_default(), skeleton);
}

/// Appends bytes that stand for themselves.
fn plain(bytes: &[u8], skeleton: &mut Vec<u8>) {
    if bytes.iter().any(|byte| marks::is_mark(*byte)) {
        for &byte in bytes {
            if marks::is_mark(byte) {
                skeleton.push(marks::PLAIN);
            }
            skeleton.push(byte);
        }
    } else {
        skeleton.extend_from_slice(bytes);
    }
}

/// What may stand behind the quote or slash before `at`: its mark, and where it starts.
fn mark_at(line: &[u8], at: usize) -> Option<(u8, usize)> {
    let (before, rest) = line.split_at_checked(at)?;
    if before.ends_with(b"\"") && is_text(before, rest) {
        return Some((marks::TEXT, at));
    }
    if let [b':', first, ..] = rest {
        // A number behind its key.
        let is_time = before.ends_with(br#""time_us""#) && time::time_us(rest.get(1..)?).is_some();
        return first
            .is_ascii_digit()
            .then_some((if is_time { marks::TIME_US } else { marks::INT }, at + 1))
            .filter(|_| is_time || number_ends_well(rest));
    }
    let mark = match rest.first()? {
        b'd' => marks::DID,
        b'b' => cid_mark(before, rest),
        b'1' | b'2' if rest.get(4) == Some(&b'-') => created_mark(line),
        b'2'..=b'7' | b'a'..=b'j' if rest.get(token::TID_TEXT) == Some(&b'"') => tid_mark(before),
        _ => return None,
    };
    Some((mark, at))
}

/// Whether the number behind the colon is a whole one.
fn number_ends_well(rest: &[u8]) -> bool {
    rest.get(1..)
        .and_then(|digits| digits.iter().find(|byte| !byte.is_ascii_digit()))
        .is_some_and(|end| matches!(end, b',' | b'}'))
}

/// Whether a string is words rather than a name or an address.
fn is_text(before: &[u8], rest: &[u8]) -> bool {
    if before.ends_with(br#""langs":[""#) {
        return true;
    }
    let Some(key) = before.strip_suffix(br#"":""#) else { return false };
    if key.ends_with(br#""uri"#) {
        return rest.starts_with(b"http");
    }
    TEXT_KEYS.iter().any(|name| key.strip_suffix(*name).is_some_and(|before| before.ends_with(b"\"")))
}

fn cid_mark(before: &[u8], rest: &[u8]) -> u8 {
    if rest.starts_with(b"bafk") {
        marks::BLOB_CID
    } else if rest.get(token::CID_TEXT..) == Some(BEHIND_OWN_CID) && record_before(before).is_some() {
        marks::OWN_CID
    } else {
        marks::RECORD_CID
    }
}

fn tid_mark(before: &[u8]) -> u8 {
    if before.ends_with(br#""rev":""#) {
        marks::REV
    } else if !before.ends_with(br#""rkey":""#) || is_delete(before) {
        marks::TID
    } else if before.ends_with(br#""collection":"app.bsky.feed.post","rkey":""#) {
        marks::KEY
    } else {
        marks::RKEY
    }
}

fn is_delete(before: &[u8]) -> bool {
    let near = before.get(before.len().saturating_sub(OPERATION_WITHIN)..).unwrap_or_default();
    DELETES.find(near).is_some()
}

fn created_mark(line: &[u8]) -> u8 {
    static POST: LazyLock<Finder<'static>> =
        LazyLock::new(|| Finder::new(br#""collection":"app.bsky.feed.post""#));
    if POST.find(line.get(..COLLECTION_WITHIN).unwrap_or(line)).is_some() {
        marks::CREATED_WITH_KEY
    } else {
        marks::CREATED
    }
}
