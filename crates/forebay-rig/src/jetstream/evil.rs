//! What breaks careless parsers. A frame of this kind is a function of its number and of the event before it, so every
//! connection gets the same at the same place.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::encode::Form;

/// How deep the deep one is.
const DEPTH: usize = 10_000;
/// How long the long one is.
const LENGTH: usize = 1 << 20;
/// Lines that are kept for whoever checks; all further ones are counted only.
const KEPT_BYTES_MAX: usize = 64 << 20;
const DID: &str = "did:plc:evilevilevilevilevilevil";

/// What is wrong with a frame, in the order in which they take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evil {
    /// A record with ten thousand arrays in each other.
    Deep,
    /// A record with a string of a megabyte.
    Long,
    /// A record whose text has `\u0000` in it.
    Nul,
    /// Keys that are there twice.
    DuplicateKeys,
    /// An event without its time (and, in the second protocol, without its seq).
    NoTime,
    /// A kind that nobody has heard of.
    UnknownKind,
    /// Bytes that are no text, in a frame that says it is.
    Garbage,
    /// Nothing at all.
    Empty,
}

/// What a reader may do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is an event like any other: it must come out as it went in.
    Event,
    /// Kept or refused, but counted.
    Either,
    /// It is no event; it must be refused, and the next one read.
    NoEvent,
}

impl Evil {
    /// All of them, in turn.
    pub const ALL: [Self; 8] = [
        Self::Deep,
        Self::Long,
        Self::Nul,
        Self::DuplicateKeys,
        Self::NoTime,
        Self::UnknownKind,
        Self::Garbage,
        Self::Empty,
    ];

    /// The one whose turn it is.
    pub(super) fn of(number: u64) -> Self {
        Self::ALL[(number % Self::ALL.len() as u64) as usize]
    }

    /// What a reader may do with it.
    pub fn standing(self) -> Standing {
        match self {
            Self::Long | Self::Nul => Standing::Event,
            Self::Deep | Self::DuplicateKeys | Self::UnknownKind => Standing::Either,
            Self::NoTime | Self::Garbage | Self::Empty => Standing::NoEvent,
        }
    }

    /// Its bytes. `number` makes its keys its own.
    pub(super) fn frame(self, number: u64, form: Form, seq: u64, time_us: u64) -> Vec<u8> {
        let text = match self {
            Self::Garbage => return b"\xFF\xFE\x80{\"did\":\x00\xC3\x28".to_vec(),
            Self::Empty => return Vec::new(),
            Self::Deep => format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH)),
            Self::Long => format!("\"{}\"", "a".repeat(LENGTH)),
            Self::Nul => r#""before\u0000after""#.into(),
            _ => r#""evil""#.into(),
        };
        let key = tid(number);
        let twice = if self == Self::DuplicateKeys {
            r#","text":"once more","$type":"app.bsky.feed.post""#
        } else {
            ""
        };
        let commit = format!(
            r#""rev":"{key}","operation":"create","collection":"app.bsky.feed.post","rkey":"{key}","record":{{"$type":"app.bsky.feed.post","createdAt":"2026-07-04T14:38:08.085Z","text":{text}{twice}}},"cid":"bafyreidwaivazkwu67xztlmuobx35hs2lnfh3kolmgfmucldvhd3sgzcqi""#
        );
        let kind = if self == Self::UnknownKind { "unheard" } else { "commit" };
        let place = match (form, self) {
            (Form::V2, Self::NoTime) => format!(r#""did":"{DID}""#),
            (Form::V2, _) => {
                format!(r#""seq":{seq},"did":"{DID}","time":"{}""#, super::encode::time_text(time_us))
            }
            (_, Self::NoTime) => format!(r#""did":"{DID}""#),
            (Form::V1, _) => format!(r#""did":"{DID}","time_us":{time_us}"#),
            (Form::V1WithCursor, _) => format!(r#""did":"{DID}","time_us":{time_us},"cursor":{seq}"#),
        };
        let line = if form == Form::V2 {
            let name = "network.bsky.jetstream.subscribeEvents";
            format!(r#"{{"$type":"message","payload":{{"$type":"{name}#{kind}",{place},{commit}}}}}"#)
        } else {
            format!(r#"{{{place},"kind":"{kind}","{kind}":{{{commit}}}}}"#)
        };
        line.into_bytes()
    }
}

/// A key of the network's form.
fn tid(number: u64) -> String {
    const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    let digit = |at: u32| char::from(DIGITS[(number >> (5 * at) & 31) as usize]);
    format!("3l{}", (0..11).rev().map(digit).collect::<String>())
}

/// What was sent of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What was wrong with it.
    pub evil: Evil,
    /// What a reader may do with it.
    pub standing: Standing,
    /// How often one was sent, on all connections together.
    pub times: u64,
    /// The different ones that were sent, uncompressed. Beyond 64 MB of all kinds they are counted only.
    pub frames: Vec<Vec<u8>>,
}

/// All that was sent.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<(BTreeMap<Evil, Sent>, usize)>);

impl Ledger {
    pub(super) fn add(&self, evil: Evil, frame: Vec<u8>) {
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sent, kept_bytes) = &mut *ledger;
        let standing = evil.standing();
        let sent = sent.entry(evil).or_insert_with(|| Sent { evil, standing, times: 0, frames: Vec::new() });
        sent.times += 1;
        if *kept_bytes + frame.len() <= KEPT_BYTES_MAX && !sent.frames.contains(&frame) {
            *kept_bytes += frame.len();
            sent.frames.push(frame);
        }
    }

    pub(super) fn list(&self) -> Vec<Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.values().cloned().collect()
    }
}
