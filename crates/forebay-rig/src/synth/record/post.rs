//! `app.bsky.feed.post`: the post itself, its reply references and its embeds.

use super::feed::{AspectRatio, External, Facet, Image};
use super::wire::{cbor_entry, cbor_list, cbor_map, cbor_text, json_text, raw};
use super::{Blob, Record, StrongRef, Timestamp};

/// The most pictures a post has.
pub const IMAGES_MAX: usize = 4;
/// The most facets that are kept here.
pub const FACETS_MAX: usize = 4;

/// What a post answers.
#[derive(Debug, Clone, Copy)]
pub struct Reply {
    /// The post just above.
    pub parent: StrongRef,
    /// The post that opened the thread.
    pub root: StrongRef,
}

/// What a post shows below its text.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::large_enum_variant, reason = "made one at a time; a box would be an allocation an event")]
pub enum Embed<'a> {
    /// A card.
    External(External<'a>),
    /// Pictures: the first so many of these.
    Images([Image<'a>; IMAGES_MAX], usize),
    /// A film.
    Video(AspectRatio, Blob),
    /// Another post.
    Quote(StrongRef),
}

impl Embed<'_> {
    fn json(&self, out: &mut Vec<u8>) {
        match self {
            Self::External(external) => external.json(out),
            Self::Images(images, count) => {
                raw(out, br#"{"$type":"app.bsky.embed.images","images":"#);
                for (at, image) in images[..*count].iter().enumerate() {
                    raw(out, if at == 0 { b"[" } else { b"," });
                    raw(out, br#"{"alt":"#);
                    json_text(out, image.alt);
                    raw(out, br#","aspectRatio":"#);
                    image.aspect_ratio.json(out);
                    raw(out, br#","image":"#);
                    image.image.json(out);
                    out.push(b'}');
                }
                raw(out, b"]}");
            }
            Self::Video(aspect_ratio, video) => {
                raw(out, br#"{"$type":"app.bsky.embed.video","aspectRatio":"#);
                aspect_ratio.json(out);
                raw(out, br#","video":"#);
                video.json(out);
                out.push(b'}');
            }
            Self::Quote(post) => {
                raw(out, br#"{"$type":"app.bsky.embed.record","record":"#);
                post.json(out);
                out.push(b'}');
            }
        }
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        match self {
            Self::External(external) => external.cbor(out),
            Self::Images(images, count) => {
                cbor_map(out, 2);
                cbor_entry(out, "$type", b"app.bsky.embed.images");
                cbor_text(out, b"images");
                cbor_list(out, *count);
                for image in &images[..*count] {
                    cbor_map(out, 3);
                    cbor_entry(out, "alt", image.alt);
                    cbor_text(out, b"image");
                    image.image.cbor(out);
                    cbor_text(out, b"aspectRatio");
                    image.aspect_ratio.cbor(out);
                }
            }
            Self::Video(aspect_ratio, video) => {
                cbor_map(out, 3);
                cbor_entry(out, "$type", b"app.bsky.embed.video");
                cbor_text(out, b"video");
                video.cbor(out);
                cbor_text(out, b"aspectRatio");
                aspect_ratio.cbor(out);
            }
            Self::Quote(post) => {
                cbor_map(out, 2);
                cbor_entry(out, "$type", b"app.bsky.embed.record");
                cbor_text(out, b"record");
                post.cbor(out);
            }
        }
    }
}

/// A post.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// When, by the client's clock.
    pub created_at: Timestamp,
    /// What it shows below its text.
    pub embed: Option<Embed<'a>>,
    /// The stretches of its text that point at something: none beyond the first `None`.
    pub facets: [Option<Facet<'a>>; FACETS_MAX],
    /// Its languages, as the client has them.
    pub langs: &'static [&'static str],
    /// What it answers.
    pub reply: Option<Reply>,
    /// Its text.
    pub text: &'a [u8],
}

impl Record for Post<'_> {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"app.bsky.feed.post","createdAt":""#);
        raw(out, self.created_at.as_bytes());
        out.push(b'"');
        if let Some(embed) = &self.embed {
            raw(out, br#","embed":"#);
            embed.json(out);
        }
        for (at, facet) in self.facets.iter().flatten().enumerate() {
            raw(out, if at == 0 { br#","facets":["# } else { b"," });
            facet.json(out);
        }
        if self.facets[0].is_some() {
            out.push(b']');
        }
        for (at, lang) in self.langs.iter().enumerate() {
            raw(out, if at == 0 { br#","langs":["# } else { b"," });
            json_text(out, lang.as_bytes());
        }
        if !self.langs.is_empty() {
            out.push(b']');
        }
        if let Some(reply) = &self.reply {
            raw(out, br#","reply":{"parent":"#);
            reply.parent.json(out);
            raw(out, br#","root":"#);
            reply.root.json(out);
            out.push(b'}');
        }
        raw(out, br#","text":"#);
        json_text(out, self.text);
        out.push(b'}');
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        let facets = self.facets.iter().flatten().count();
        let optional = [self.embed.is_some(), !self.langs.is_empty(), self.reply.is_some(), facets > 0];
        cbor_map(out, 3 + optional.into_iter().filter(|&is_there| is_there).count());
        cbor_entry(out, "text", self.text);
        cbor_entry(out, "$type", b"app.bsky.feed.post");
        if let Some(embed) = &self.embed {
            cbor_text(out, b"embed");
            embed.cbor(out);
        }
        if !self.langs.is_empty() {
            cbor_text(out, b"langs");
            cbor_list(out, self.langs.len());
            for lang in self.langs {
                cbor_text(out, lang.as_bytes());
            }
        }
        if let Some(reply) = &self.reply {
            cbor_text(out, b"reply");
            cbor_map(out, 2);
            cbor_text(out, b"root");
            reply.root.cbor(out);
            cbor_text(out, b"parent");
            reply.parent.cbor(out);
        }
        if facets > 0 {
            cbor_text(out, b"facets");
            cbor_list(out, facets);
            for facet in self.facets.iter().flatten() {
                facet.cbor(out);
            }
        }
        cbor_entry(out, "createdAt", self.created_at.as_bytes());
    }
}
