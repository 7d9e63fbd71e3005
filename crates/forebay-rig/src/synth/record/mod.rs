//! Records of the network that can be written twice: as the JSON its Go server prints, and as the canonical
//! DAG-CBOR that their CIDs are made of.
//!
//! JSON has the keys by alphabet (blobs apart, whose Go struct has an order of its own); DAG-CBOR has them by
//! length first. Every type here therefore writes its fields in two orders, by hand: it is what makes it quick.

pub mod actor;
pub mod feed;
pub mod graph;
pub mod other;
pub mod post;
pub mod wire;

use super::ids::{Cid, Did, Tid};
use wire::{cbor_entry, cbor_link, cbor_map, cbor_text, cbor_uint, json_text, json_uint, raw};

/// A record, in both of its encodings.
pub trait Record {
    /// Appends the JSON.
    fn json(&self, out: &mut Vec<u8>);
    /// Appends the canonical DAG-CBOR.
    fn cbor(&self, out: &mut Vec<u8>);

    /// The CID of the record. The end of `scratch` is used and given back as it was.
    fn cid(&self, scratch: &mut Vec<u8>) -> Cid {
        let start = scratch.len();
        self.cbor(scratch);
        let cid = Cid::of_dag_cbor(&scratch[start..]);
        scratch.truncate(start);
        cid
    }
}

/// The text of a moment, with milliseconds and `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp([u8; 24]);

impl Timestamp {
    /// The text of so many milliseconds since 1970.
    pub fn from_ms(time_ms: u64) -> Self {
        let at = jiff::Timestamp::from_millisecond(time_ms.cast_signed()).unwrap_or_default();
        let at = jiff::tz::Offset::UTC.to_datetime(at);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        // Not by `format!`, which takes twice as long.
        let mut put = |place: usize, digits: usize, mut value: i16| {
            for place in (place..place + digits).rev() {
                text[place] = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, at.year());
        put(5, 2, at.month().into());
        put(8, 2, at.day().into());
        put(11, 2, at.hour().into());
        put(14, 2, at.minute().into());
        put(17, 2, at.second().into());
        put(20, 3, at.millisecond());
        Self(text)
    }

    /// Its text.
    pub fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }
}

/// The AT-URI of a record whose key is a TID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordUri {
    /// Whose record.
    pub did: Did,
    /// Its collection's NSID.
    pub collection: &'static str,
    /// Its key.
    pub rkey: Tid,
}

impl RecordUri {
    /// Appends the text, without quotes: nothing in it is ever escaped.
    pub fn text(&self, out: &mut Vec<u8>) {
        raw(out, b"at://");
        raw(out, self.did.as_bytes());
        out.push(b'/');
        raw(out, self.collection.as_bytes());
        out.push(b'/');
        raw(out, self.rkey.as_bytes());
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        let text_len = 5 + Did::LEN + 1 + self.collection.len() + 1 + Tid::LEN;
        // Longer than 23 and, collections being short, never beyond one byte.
        out.extend_from_slice(&[0x78, text_len as u8]);
        self.text(out);
    }
}

/// A record's address and the CID of what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrongRef {
    /// The CID's text: it is written twice, so it is made once.
    pub cid: [u8; Cid::TEXT_LEN],
    /// The address.
    pub uri: RecordUri,
}

impl StrongRef {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"cid":""#);
        raw(out, &self.cid);
        raw(out, br#"","uri":""#);
        self.uri.text(out);
        raw(out, br#""}"#);
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 2);
        cbor_entry(out, "cid", &self.cid);
        cbor_text(out, b"uri");
        self.uri.cbor(out);
    }
}

/// A file beside the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    /// The CID of its bytes.
    pub cid: Cid,
    /// Its media type.
    pub mime_type: &'static str,
    /// Its bytes.
    pub size: u64,
}

impl Blob {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"blob","ref":{"$link":""#);
        raw(out, &self.cid.text());
        raw(out, br#""},"mimeType":"#);
        json_text(out, self.mime_type.as_bytes());
        raw(out, br#","size":"#);
        json_uint(out, self.size);
        out.push(b'}');
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 4);
        cbor_text(out, b"ref");
        cbor_link(out, &self.cid);
        cbor_text(out, b"size");
        cbor_uint(out, self.size);
        cbor_entry(out, "$type", b"blob");
        cbor_entry(out, "mimeType", self.mime_type.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_is_the_calendar_s() {
        for (time_ms, expected) in [
            (0_u64, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_783_175_888_999, "2026-07-04T14:38:08.999Z"),
            (1_798_761_599_000, "2026-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Timestamp::from_ms(time_ms).as_bytes(), expected.as_bytes());
        }
    }
}
