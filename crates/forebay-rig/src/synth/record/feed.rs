//! Records of the feed: likes, reposts, and posts with all that hangs on them.

use super::wire::{cbor_entry, cbor_list, cbor_map, cbor_text, cbor_uint, json_text, json_uint, raw};
use super::{Blob, Record, StrongRef, Timestamp};
use crate::synth::ids::Did;

/// `app.bsky.feed.like` or `app.bsky.feed.repost`: the two differ by name alone.
#[derive(Debug, Clone, Copy)]
pub struct Reaction {
    /// The collection.
    pub collection: &'static str,
    /// When, by the client's clock.
    pub created_at: Timestamp,
    /// The post.
    pub subject: StrongRef,
    /// The repost it was seen through.
    pub via: Option<StrongRef>,
}

impl Record for Reaction {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":""#);
        raw(out, self.collection.as_bytes());
        raw(out, br#"","createdAt":""#);
        raw(out, self.created_at.as_bytes());
        raw(out, br#"","subject":"#);
        self.subject.json(out);
        if let Some(via) = &self.via {
            raw(out, br#","via":"#);
            via.json(out);
        }
        out.push(b'}');
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 3 + usize::from(self.via.is_some()));
        if let Some(via) = &self.via {
            cbor_text(out, b"via");
            via.cbor(out);
        }
        cbor_entry(out, "$type", self.collection.as_bytes());
        cbor_text(out, b"subject");
        self.subject.cbor(out);
        cbor_entry(out, "createdAt", self.created_at.as_bytes());
    }
}

/// What a stretch of text points at.
#[derive(Debug, Clone, Copy)]
pub enum Feature<'a> {
    /// A page.
    Link(&'a [u8]),
    /// A hashtag, without the `#`.
    Tag(&'a [u8]),
    /// A person.
    Mention(Did),
}

impl Feature<'_> {
    fn parts(&self) -> (&'static str, &'static str, &[u8]) {
        match self {
            Self::Link(uri) => ("app.bsky.richtext.facet#link", "uri", uri),
            Self::Tag(tag) => ("app.bsky.richtext.facet#tag", "tag", tag),
            Self::Mention(did) => ("app.bsky.richtext.facet#mention", "did", did.as_bytes()),
        }
    }
}

/// A stretch of a post's text, in bytes, and what it points at.
#[derive(Debug, Clone, Copy)]
pub struct Facet<'a> {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// What it points at.
    pub feature: Feature<'a>,
}

impl Facet<'_> {
    pub(super) fn json(&self, out: &mut Vec<u8>) {
        let (kind, key, value) = self.feature.parts();
        raw(out, br#"{"features":[{"$type":""#);
        raw(out, kind.as_bytes());
        raw(out, br#"",""#);
        raw(out, key.as_bytes());
        raw(out, br#"":"#);
        json_text(out, value);
        raw(out, br#"}],"index":{"byteEnd":"#);
        json_uint(out, self.end as u64);
        raw(out, br#","byteStart":"#);
        json_uint(out, self.start as u64);
        raw(out, b"}}");
    }

    pub(super) fn cbor(&self, out: &mut Vec<u8>) {
        let (kind, key, value) = self.feature.parts();
        cbor_map(out, 2);
        cbor_text(out, b"index");
        cbor_map(out, 2);
        cbor_text(out, b"byteEnd");
        cbor_uint(out, self.end as u64);
        cbor_text(out, b"byteStart");
        cbor_uint(out, self.start as u64);
        cbor_text(out, b"features");
        cbor_list(out, 1);
        cbor_map(out, 2);
        cbor_entry(out, key, value);
        cbor_entry(out, "$type", kind.as_bytes());
    }
}

/// Height and width, in pixels or as a ratio.
#[derive(Debug, Clone, Copy)]
pub struct AspectRatio {
    /// Height.
    pub height: u64,
    /// Width.
    pub width: u64,
}

impl AspectRatio {
    pub(super) fn json(self, out: &mut Vec<u8>) {
        raw(out, br#"{"height":"#);
        json_uint(out, self.height);
        raw(out, br#","width":"#);
        json_uint(out, self.width);
        out.push(b'}');
    }

    pub(super) fn cbor(self, out: &mut Vec<u8>) {
        cbor_map(out, 2);
        cbor_text(out, b"width");
        cbor_uint(out, self.width);
        cbor_text(out, b"height");
        cbor_uint(out, self.height);
    }
}

/// One picture of a post.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// What it shows, in words; often nothing.
    pub alt: &'a [u8],
    /// Its shape.
    pub aspect_ratio: AspectRatio,
    /// The file.
    pub image: Blob,
}

/// A page shown as a card.
#[derive(Debug, Clone, Copy)]
pub struct External<'a> {
    /// Whether the card names its own type, as some clients have it.
    pub typed: bool,
    /// The page's description.
    pub description: &'a [u8],
    /// Its picture.
    pub thumb: Option<Blob>,
    /// Its title.
    pub title: &'a [u8],
    /// Its address.
    pub uri: &'a [u8],
}

impl External<'_> {
    const TYPE: &'static str = "app.bsky.embed.external#external";

    /// Appends the embed with this card.
    pub(super) fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"app.bsky.embed.external","external":{"#);
        if self.typed {
            raw(out, br#""$type":"app.bsky.embed.external#external","#);
        }
        raw(out, br#""description":"#);
        json_text(out, self.description);
        if let Some(thumb) = &self.thumb {
            raw(out, br#","thumb":"#);
            thumb.json(out);
        }
        raw(out, br#","title":"#);
        json_text(out, self.title);
        raw(out, br#","uri":"#);
        json_text(out, self.uri);
        raw(out, b"}}");
    }

    /// Appends the embed with this card.
    pub(super) fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 2);
        cbor_entry(out, "$type", b"app.bsky.embed.external");
        cbor_text(out, b"external");
        cbor_map(out, 3 + usize::from(self.typed) + usize::from(self.thumb.is_some()));
        cbor_entry(out, "uri", self.uri);
        if self.typed {
            cbor_entry(out, "$type", Self::TYPE.as_bytes());
        }
        if let Some(thumb) = &self.thumb {
            cbor_text(out, b"thumb");
            thumb.cbor(out);
        }
        cbor_entry(out, "title", self.title);
        cbor_entry(out, "description", self.description);
    }
}
