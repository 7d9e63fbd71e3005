//! Records of the social graph: follows, blocks and the members of lists.

use super::wire::{cbor_entry, cbor_map, cbor_text, raw};
use super::{Record, RecordUri, Timestamp};
use crate::synth::ids::Did;

/// `app.bsky.graph.follow` or `app.bsky.graph.block`: the two differ by name alone.
#[derive(Debug, Clone, Copy)]
pub struct Relation {
    /// The collection.
    pub collection: &'static str,
    /// When, by the client's clock.
    pub created_at: Timestamp,
    /// Who is followed or blocked.
    pub subject: Did,
}

impl Record for Relation {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":""#);
        raw(out, self.collection.as_bytes());
        raw(out, br#"","createdAt":""#);
        raw(out, self.created_at.as_bytes());
        raw(out, br#"","subject":""#);
        raw(out, self.subject.as_bytes());
        raw(out, br#""}"#);
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 3);
        cbor_entry(out, "$type", self.collection.as_bytes());
        cbor_entry(out, "subject", self.subject.as_bytes());
        cbor_entry(out, "createdAt", self.created_at.as_bytes());
    }
}

/// `app.bsky.graph.listitem`.
#[derive(Debug, Clone, Copy)]
pub struct ListItem {
    /// When, by the client's clock.
    pub created_at: Timestamp,
    /// The list.
    pub list: RecordUri,
    /// Who is on it.
    pub subject: Did,
}

impl Record for ListItem {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"app.bsky.graph.listitem","createdAt":""#);
        raw(out, self.created_at.as_bytes());
        raw(out, br#"","list":""#);
        self.list.text(out);
        raw(out, br#"","subject":""#);
        raw(out, self.subject.as_bytes());
        raw(out, br#""}"#);
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 4);
        cbor_text(out, b"list");
        self.list.cbor(out);
        cbor_entry(out, "$type", b"app.bsky.graph.listitem");
        cbor_entry(out, "subject", self.subject.as_bytes());
        cbor_entry(out, "createdAt", self.created_at.as_bytes());
    }
}
