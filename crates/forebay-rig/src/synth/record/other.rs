//! Records that the buffer files under "other": a thread's gate, and two from outside Bluesky.

use super::wire::{cbor_entry, cbor_list, cbor_map, cbor_null, cbor_text, json_text, raw};
use super::{Record, RecordUri, Timestamp};
use crate::synth::ids::Did;

/// `app.bsky.feed.threadgate`: who may answer a post.
#[derive(Debug, Clone, Copy)]
pub struct Threadgate {
    /// When, by the client's clock.
    pub created_at: Timestamp,
    /// The post; its author's own.
    pub post: RecordUri,
}

const MENTION_RULE: &str = "app.bsky.feed.threadgate#mentionRule";

impl Record for Threadgate {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"app.bsky.feed.threadgate","allow":[{"$type":""#);
        raw(out, MENTION_RULE.as_bytes());
        raw(out, br#""}],"createdAt":""#);
        raw(out, self.created_at.as_bytes());
        raw(out, br#"","post":""#);
        self.post.text(out);
        raw(out, br#""}"#);
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 4);
        cbor_text(out, b"post");
        self.post.cbor(out);
        cbor_entry(out, "$type", b"app.bsky.feed.threadgate");
        cbor_text(out, b"allow");
        cbor_list(out, 1);
        cbor_map(out, 1);
        cbor_entry(out, "$type", MENTION_RULE.as_bytes());
        cbor_entry(out, "createdAt", self.created_at.as_bytes());
    }
}

/// `fm.teal.alpha.actor.status`: what someone listens to.
#[derive(Debug, Clone, Copy)]
pub struct Listening<'a> {
    /// Until when it counts.
    pub expiry: Timestamp,
    /// Who plays.
    pub artist: &'a [u8],
    /// When it was played.
    pub played: Timestamp,
    /// The record it is from.
    pub release: &'a [u8],
    /// The piece.
    pub track: &'a [u8],
    /// When this was written.
    pub time: Timestamp,
}

const PLAYER: &str = "multi-scrobbler/0.14.1";

impl Record for Listening<'_> {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"fm.teal.alpha.actor.status","expiry":""#);
        raw(out, self.expiry.as_bytes());
        raw(out, br#"","item":{"artists":[{"artistName":"#);
        json_text(out, self.artist);
        raw(out, br#"}],"duration":null,"playedTime":""#);
        raw(out, self.played.as_bytes());
        raw(out, br#"","releaseName":"#);
        json_text(out, self.release);
        raw(out, br#","submissionClientAgent":""#);
        raw(out, PLAYER.as_bytes());
        raw(out, br#"","trackName":"#);
        json_text(out, self.track);
        raw(out, br#"},"time":""#);
        raw(out, self.time.as_bytes());
        raw(out, br#""}"#);
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 4);
        cbor_text(out, b"item");
        cbor_map(out, 6);
        cbor_text(out, b"artists");
        cbor_list(out, 1);
        cbor_map(out, 1);
        cbor_entry(out, "artistName", self.artist);
        cbor_text(out, b"duration");
        cbor_null(out);
        cbor_entry(out, "trackName", self.track);
        cbor_entry(out, "playedTime", self.played.as_bytes());
        cbor_entry(out, "releaseName", self.release);
        cbor_entry(out, "submissionClientAgent", PLAYER.as_bytes());
        cbor_entry(out, "time", self.time.as_bytes());
        cbor_entry(out, "$type", b"fm.teal.alpha.actor.status");
        cbor_entry(out, "expiry", self.expiry.as_bytes());
    }
}

/// `place.stream.broadcast.origin`: which server sends someone's stream.
#[derive(Debug, Clone, Copy)]
pub struct Broadcast {
    /// Whose stream.
    pub streamer: Did,
    /// When this was written.
    pub updated_at: Timestamp,
}

const SERVER: &str = "did:web:prod-sea0.stream.place";
const BROADCASTER: &str = "did:web:stream.place";
const SOCKET: &str =
    "wss://prod-sea0.stream.place/xrpc/place.stream.live.subscribeSegments?streamer=did%3Aplc%3A";

impl Broadcast {
    fn plain_name(&self) -> &[u8] {
        &self.streamer.as_bytes()[8..]
    }

    /// Appends the record's key: it names streamer and server.
    pub fn rkey(&self, out: &mut Vec<u8>) {
        raw(out, self.streamer.as_bytes());
        raw(out, b"::");
        raw(out, SERVER.as_bytes());
    }
}

impl Record for Broadcast {
    fn json(&self, out: &mut Vec<u8>) {
        raw(out, br#"{"$type":"place.stream.broadcast.origin","broadcaster":""#);
        raw(out, BROADCASTER.as_bytes());
        raw(out, br#"","server":""#);
        raw(out, SERVER.as_bytes());
        raw(out, br#"","streamer":""#);
        raw(out, self.streamer.as_bytes());
        raw(out, br#"","updatedAt":""#);
        raw(out, self.updated_at.as_bytes());
        raw(out, br#"","websocketURL":""#);
        raw(out, SOCKET.as_bytes());
        raw(out, self.plain_name());
        raw(out, br#""}"#);
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        cbor_map(out, 6);
        cbor_entry(out, "$type", b"place.stream.broadcast.origin");
        cbor_entry(out, "server", SERVER.as_bytes());
        cbor_entry(out, "streamer", self.streamer.as_bytes());
        cbor_entry(out, "updatedAt", self.updated_at.as_bytes());
        cbor_entry(out, "broadcaster", BROADCASTER.as_bytes());
        cbor_text(out, b"websocketURL");
        let name = self.plain_name();
        out.extend_from_slice(&[0x78, (SOCKET.len() + name.len()) as u8]);
        raw(out, SOCKET.as_bytes());
        raw(out, name);
    }
}
