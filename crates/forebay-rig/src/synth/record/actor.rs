//! Records about a person: the profile, and "live now".

use super::feed::External;
use super::wire::{cbor_entry, cbor_map, cbor_text, cbor_uint, json_text, json_uint, raw};
use super::{Blob, Record, StrongRef, Timestamp};

/// `app.bsky.actor.profile`.
#[derive(Debug, Clone, Copy)]
pub struct Profile<'a> {
    /// The small picture.
    pub avatar: Blob,
    /// The wide picture.
    pub banner: Option<Blob>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Who they are, in their words.
    pub description: &'a [u8],
    /// Their name.
    pub display_name: &'a [u8],
    /// The post they keep on top.
    pub pinned_post: Option<StrongRef>,
}

impl Record for Profile<'_> {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"app.bsky.actor.profile","avatar":"#);
        self.avatar.json(out);
        if let Some(banner) = &self.banner {
            raw(out, br#","banner":"#);
            banner.json(out);
        }
        raw(out, br#","createdAt":""#);
        raw(out, self.created_at.as_bytes());
        raw(out, br#"","description":"#);
        json_text(out, self.description);
        raw(out, br#","displayName":"#);
        json_text(out, self.display_name);
        if let Some(pinned_post) = &self.pinned_post {
            raw(out, br#","pinnedPost":"#);
            pinned_post.json(out);
        }
        out.push(b'}');
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        let optional = usize::from(self.banner.is_some()) + usize::from(self.pinned_post.is_some());
        cbor_map(out, 5 + optional);
        cbor_entry(out, "$type", b"app.bsky.actor.profile");
        cbor_text(out, b"avatar");
        self.avatar.cbor(out);
        if let Some(banner) = &self.banner {
            cbor_text(out, b"banner");
            banner.cbor(out);
        }
        cbor_entry(out, "createdAt", self.created_at.as_bytes());
        if let Some(pinned_post) = &self.pinned_post {
            cbor_text(out, b"pinnedPost");
            pinned_post.cbor(out);
        }
        cbor_entry(out, "description", self.description);
        cbor_entry(out, "displayName", self.display_name);
    }
}

/// `app.bsky.actor.status`: live on a streaming site.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    /// Since when.
    pub created_at: Timestamp,
    /// For how long.
    pub duration_minutes: u64,
    /// Where.
    pub embed: External<'a>,
}

impl Record for Live<'_> {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"app.bsky.actor.status","createdAt":""#);
        raw(out, self.created_at.as_bytes());
        raw(out, br#"","durationMinutes":"#);
        json_uint(out, self.duration_minutes);
        raw(out, br#","embed":"#);
        self.embed.json(out);
        raw(out, br#","status":"app.bsky.actor.status#live"}"#);
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 5);
        cbor_entry(out, "$type", b"app.bsky.actor.status");
        cbor_text(out, b"embed");
        self.embed.cbor(out);
        cbor_entry(out, "status", b"app.bsky.actor.status#live");
        cbor_entry(out, "createdAt", self.created_at.as_bytes());
        cbor_text(out, b"durationMinutes");
        cbor_uint(out, self.duration_minutes);
    }
}
