//! The CID of a record: its JSON as canonical DAG-CBOR, hashed.
//!
//! Strict on purpose: what one reader of JSON takes and another does not (white space, repeated keys, fractions,
//! lone surrogates, numbers beyond 64 bits) gives no CID, so that every reader computes the same one or is never asked.

use sha2::{Digest, Sha256};

use super::json_text;
use super::lexer::record_before;
use super::plan::Plan;
use super::token::{CID_BYTES, CID_TEXT, cid, cid_text};

/// Records nest less deeply; recursion ends here.
const DEPTH_MAX: u32 = 32;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;

/// The largest record whose CID is computed: what that takes is many times the record.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Computes CIDs; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct RecordHasher {
    out: Vec<u8>,
    /// The entries of all maps that are open.
    entries: Vec<Entry>,
    sorted: Vec<u8>,
}

/// The CIDs that records have by their content.
#[derive(Debug, Default)]
pub struct RecordCids(RecordHasher);

impl RecordCids {
    /// The CID of a record, by its JSON; none where that is not of the strict kind, or larger than 1 MiB.
    pub fn of(&mut self, record: &str) -> Option<String> {
        let hash = Sha256::digest(self.0.convert(record.as_bytes())?);
        String::from_utf8(cid_text(true, &hash.into()).to_vec()).ok()
    }
}

/// An entry of a map in the output: where its key's text starts and ends, and where the entry does.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    key: usize,
    key_end: usize,
    end: usize,
}

impl RecordHasher {
    /// The own CID that stands at `at` of a line, as the line's record gives it; none where that is not of the strict kind.
    pub(super) fn own_cid(&mut self, plan: Option<&Plan>, line: &[u8], at: usize) -> Option<[u8; CID_BYTES]> {
        match plan {
            Some(plan) => self.hash_by_plan(plan, line),
            None => self.convert(record_before(line.get(..at)?)?).map(|cbor| Sha256::digest(cbor).into()),
        }
    }

    /// A record in canonical DAG-CBOR.
    pub(super) fn convert(&mut self, record: &[u8]) -> Option<&[u8]> {
        if record.len() > RECORD_BYTES_MAX {
            return None;
        }
        std::str::from_utf8(record).ok()?;
        self.out.clear();
        self.entries.clear();
        let end = self.value(record, 0, 0)?;
        (end == record.len()).then_some(self.out.as_slice())
    }

    /// The hash of the record that a line has, where its template knows how that looks in DAG-CBOR.
    fn hash_by_plan(&mut self, plan: &Plan, line: &[u8]) -> Option<[u8; CID_BYTES]> {
        self.out.clear();
        self.out.extend_from_slice(&plan.cbor);
        for piece in &plan.pieces {
            let to = self.out.get_mut(piece.cbor..piece.cbor + piece.len)?;
            to.copy_from_slice(line.get(piece.line..piece.line + piece.len)?);
        }
        Some(Sha256::digest(&self.out).into())
    }

    /// Converts the value at `at`; where it ends.
    fn value(&mut self, json: &[u8], at: usize, depth: u32) -> Option<usize> {
        match json.get(at)? {
            b'"' => self.text(json, at),
            b'{' if depth < DEPTH_MAX => self.map(json, at, depth),
            b'[' if depth < DEPTH_MAX => self.list(json, at, depth),
            b'-' | b'0'..=b'9' => self.number(json, at),
            b't' => self.literal(json, at, b"true", 0xF5),
            b'f' => self.literal(json, at, b"false", 0xF4),
            b'n' => self.literal(json, at, b"null", 0xF6),
            _ => None,
        }
    }

    fn literal(&mut self, json: &[u8], at: usize, word: &[u8], byte: u8) -> Option<usize> {
        self.out.push(byte);
        json.get(at..)?.starts_with(word).then_some(at + word.len())
    }

    fn number(&mut self, json: &[u8], at: usize) -> Option<usize> {
        let is_negative = json.get(at) == Some(&b'-');
        let start = at + usize::from(is_negative);
        let digits = json.get(start..)?;
        let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = digits.get(..len)?;
        let has_leading_zero = digits.first()? == &b'0' && (len > 1 || is_negative);
        if has_leading_zero || matches!(json.get(start + len), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        let value = std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?;
        if is_negative {
            // -1 - n, as far as 64 bits with a sign go.
            self.head(NEGATIVE, Some(value - 1).filter(|value| *value <= i64::MAX.cast_unsigned())?);
        } else {
            self.head(UNSIGNED, value);
        }
        Some(start + len)
    }

    fn list(&mut self, json: &[u8], at: usize, depth: u32) -> Option<usize> {
        let start = self.out.len();
        let (mut at, mut items) = (at + 1, 0);
        if json.get(at) == Some(&b']') {
            at += 1;
        } else {
            loop {
                at = self.value(json, at, depth + 1)? + 1;
                items += 1;
                match json.get(at - 1)? {
                    b',' => {}
                    b']' => break,
                    _ => return None,
                }
            }
        }
        self.insert_head(start, LIST, items);
        Some(at)
    }

    fn map(&mut self, json: &[u8], at: usize, depth: u32) -> Option<usize> {
        let rest = json.get(at..)?;
        if rest.starts_with(br#"{"$link":"#) {
            return self.link(json, at);
        }
        if rest.starts_with(br#"{"$bytes":"#) {
            return self.bytes(json, at);
        }
        let (start, first) = (self.out.len(), self.entries.len());
        let mut at = at + 1;
        if json.get(at) == Some(&b'}') {
            at += 1;
        } else {
            loop {
                at = self.entry(json, at, depth)? + 1;
                match json.get(at - 1)? {
                    b',' => {}
                    b'}' => break,
                    _ => return None,
                }
            }
        }
        self.sort(start, first)?;
        self.insert_head(start, MAP, (self.entries.len() - first) as u64);
        self.entries.truncate(first);
        Some(at)
    }

    fn entry(&mut self, json: &[u8], at: usize, depth: u32) -> Option<usize> {
        let start = self.out.len();
        let at = self.text(json, at)?;
        let key_end = self.out.len();
        let key_len = key_end - start;
        // Written otherwise than `link` and `bytes` know them, or beside other keys: other readers might take them for those.
        if self.out.get(start + 1..key_end).is_some_and(|key| key == b"$link" || key == b"$bytes") {
            return None;
        }
        // The head of a text has one byte for 23 bytes of text, two for 255, and so on.
        let head = if key_len <= 24 {
            1
        } else if key_len <= 257 {
            2
        } else {
            return None;
        };
        if json.get(at) != Some(&b':') {
            return None;
        }
        let end = self.value(json, at + 1, depth + 1)?;
        self.entries.push(Entry { start, key: start + head, key_end, end: self.out.len() });
        Some(end)
    }

    /// Puts the entries from `first` on in order: by length of the key, then by its bytes. None where a key repeats.
    fn sort(&mut self, start: usize, first: usize) -> Option<()> {
        let out = &self.out;
        let key = |entry: &Entry| {
            (entry.key_end - entry.key, out.get(entry.key..entry.key_end).unwrap_or_default())
        };
        let entries = self.entries.get_mut(first..)?;
        if entries.is_sorted_by(|a, b| key(a) < key(b)) {
            return Some(());
        }
        entries.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        if !entries.is_sorted_by(|a, b| key(a) < key(b)) {
            return None;
        }
        self.sorted.clear();
        for entry in entries {
            self.sorted.extend_from_slice(out.get(entry.start..entry.end)?);
        }
        self.out.get_mut(start..)?.copy_from_slice(&self.sorted);
        Some(())
    }

    /// `{"$link":"…"}`: tag 42 on a zero and the bytes of the CID.
    fn link(&mut self, json: &[u8], at: usize) -> Option<usize> {
        let at = at + br#"{"$link":""#.len();
        let (is_record, hash) = cid(json.get(at..)?)?;
        self.out.extend_from_slice(&[
            0xD8,
            42,
            0x58,
            37,
            0,
            1,
            if is_record { 0x71 } else { 0x55 },
            0x12,
            0x20,
        ]);
        self.out.extend_from_slice(&hash);
        let end = at + CID_TEXT;
        json.get(end..)?.starts_with(br#""}"#).then_some(end + 2)
    }

    /// `{"$bytes":"…"}`: the bytes of base64 without padding.
    fn bytes(&mut self, json: &[u8], at: usize) -> Option<usize> {
        let at = at + br#"{"$bytes":""#.len();
        let len = memchr::memchr(b'"', json.get(at..)?)?;
        let text = json.get(at..at + len)?;
        let start = self.out.len();
        json_text::base64(text, &mut self.out)?;
        let bytes = (self.out.len() - start) as u64;
        self.insert_head(start, BYTES, bytes);
        let end = at + len;
        json.get(end..)?.starts_with(br#""}"#).then_some(end + 2)
    }

    /// Converts the string whose quote is at `at`; where it ends.
    fn text(&mut self, json: &[u8], at: usize) -> Option<usize> {
        if json.get(at) != Some(&b'"') {
            return None;
        }
        let at = at + 1;
        let rest = json.get(at..)?;
        let len = json_text::plain_len(rest)?;
        if rest.get(len) == Some(&b'"') {
            self.head(TEXT, len as u64);
            self.out.extend_from_slice(rest.get(..len)?);
            return Some(at + len + 1);
        }
        self.escaped_text(json, at)
    }

    #[cold]
    fn escaped_text(&mut self, json: &[u8], at: usize) -> Option<usize> {
        let start = self.out.len();
        let end = json_text::unescape(json, at, &mut self.out)?;
        let bytes = (self.out.len() - start) as u64;
        self.insert_head(start, TEXT, bytes);
        Some(end)
    }

    /// Appends the head of an item in its shortest form.
    fn head(&mut self, major: u8, value: u64) {
        let (head, len) = head_of(major, value);
        self.out.extend(head.iter().take(len));
    }

    /// Inserts the head of what was written from `start` on.
    fn insert_head(&mut self, start: usize, major: u8, value: u64) {
        let (head, len) = head_of(major, value);
        self.out.splice(start..start, head.iter().copied().take(len));
    }
}

/// The head of an item in its shortest form, and how long that is.
fn head_of(major: u8, value: u64) -> ([u8; 9], usize) {
    let mut head = [major << 5; 9];
    let [_, tail @ ..] = &mut head;
    let (info, len) = match value {
        0..=23 => (value as u8, 0),
        24..=0xFF => (24, 1),
        0x100..=0xFFFF => (25, 2),
        0x1_0000..=0xFFFF_FFFF => (26, 4),
        _ => (27, 8),
    };
    for (to, byte) in tail.iter_mut().zip(value.to_be_bytes().iter().skip(8 - len)) {
        *to = *byte;
    }
    head[0] |= info;
    (head, 1 + len)
}

#[cfg(test)]
mod tests;
