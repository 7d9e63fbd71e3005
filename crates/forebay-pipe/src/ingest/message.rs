//! What a host sends, as the line that the first version would send: the buffer holds one form, whichever protocol it came by.
//!
//! A message of the second version's stream is put into the form in which the same host sends that event at `/subscribe`. The
//! record and other objects are kept byte for byte.

use std::borrow::Cow;
use std::io::Write;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::host::Endpoint;

/// What a message is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'a> {
    /// An event's line.
    Line(&'a [u8]),
    /// The host says that it no longer has everything that was asked for.
    Outdated(String),
    /// The host ends the stream.
    Error { name: String, message: String },
    /// Nothing of an event.
    Aside,
    /// A message that is not what the protocol says.
    Odd(String),
}

/// Reads a message; a line that has to be made is made in `to`.
pub(super) fn read<'a>(endpoint: Endpoint, message: &'a [u8], to: &'a mut Vec<u8>) -> Read<'a> {
    match endpoint {
        Endpoint::Subscribe => Read::Line(message),
        Endpoint::Events => read_event(message, to),
    }
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "$type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "$type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
    seq: Option<u64>,
    #[serde(borrow)]
    did: Option<&'a RawValue>,
    time: Option<String>,
    #[serde(borrow)]
    rev: Option<&'a RawValue>,
    #[serde(borrow)]
    operation: Option<&'a RawValue>,
    #[serde(borrow)]
    collection: Option<&'a RawValue>,
    #[serde(borrow)]
    rkey: Option<&'a RawValue>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    #[serde(borrow)]
    cid: Option<&'a RawValue>,
    #[serde(borrow)]
    identity: Option<&'a RawValue>,
    #[serde(borrow)]
    account: Option<&'a RawValue>,
    #[serde(borrow)]
    sync: Option<&'a RawValue>,
}

fn read_event<'a>(message: &[u8], to: &'a mut Vec<u8>) -> Read<'a> {
    let odd = |why: &dyn std::fmt::Display| Read::Odd(format!("a message of another form: {why}"));
    let frame: Frame<'_> = match serde_json::from_slice(message) {
        Ok(frame) => frame,
        Err(why) => return odd(&why),
    };
    let payload = match (&*frame.kind, frame.payload) {
        ("error", _) => return Read::Error { name: frame.error, message: frame.message },
        ("message", Some(payload)) => payload,
        _ => return Read::Aside,
    };
    let payload: Payload<'_> = match serde_json::from_str(payload.get()) {
        Ok(payload) => payload,
        Err(why) => return odd(&why),
    };
    let kind = payload.kind.rsplit_once('#').map_or(&*payload.kind, |(_, kind)| kind);
    if kind == "info" {
        let text = format!("{} {}", payload.name, payload.message);
        return if payload.name == "OutdatedCursor" { Read::Outdated(text) } else { Read::Aside };
    }
    match write_line(kind, &payload, to) {
        Some(()) => Read::Line(to),
        None => odd(&format_args!("a {kind} without all of its members")),
    }
}

/// Writes the line; nothing where a member is missing.
fn write_line(kind: &str, payload: &Payload<'_>, to: &mut Vec<u8>) -> Option<()> {
    let time = payload.time.as_deref()?.parse::<Timestamp>().ok()?.as_microsecond();
    let time = u64::try_from(time).ok()?;
    to.clear();
    let mut head = |kind: &str| {
        write!(to, r#"{{"did":{},"time_us":{time},"cursor":{},"kind":"{kind}","#, payload.did?, payload.seq?)
            .ok()
    };
    match kind {
        "commit" => {
            head(kind)?;
            let members = [
                ("rev", Some(payload.rev?)),
                ("operation", Some(payload.operation?)),
                ("collection", Some(payload.collection?)),
                ("rkey", Some(payload.rkey?)),
                ("record", payload.record),
                ("cid", payload.cid),
            ];
            to.extend_from_slice(br#""commit":"#);
            let mut begin = '{';
            for (name, value) in members.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                write!(to, r#"{begin}"{name}":{value}"#).ok()?;
                begin = ',';
            }
            to.extend_from_slice(b"}}");
        }
        "identity" | "account" | "sync" => {
            head(kind)?;
            let object = match kind {
                "identity" => payload.identity,
                "account" => payload.account,
                _ => payload.sync,
            };
            write!(to, r#""{kind}":{}}}"#, object?).ok()?;
        }
        // A kind to come: kept whole, so that nothing of it is lost.
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> String {
        let mut to = Vec::new();
        match read(Endpoint::Events, message.as_bytes(), &mut to) {
            Read::Line(line) => String::from_utf8(line.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_of_the_second_version_becomes_the_line_of_the_first() {
        let payload = r#"{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":7,"did":"did:plc:a","time":"2026-11-30T10:00:00.000001Z","rev":"3l","operation":"create","collection":"c","rkey":"r","cid":"b","record":{"a":[1, 2]}}"#;
        let message = format!(r#"{{"$type":"message","payload":{payload}}}"#);
        assert_eq!(
            line(&message),
            r#"{"did":"did:plc:a","time_us":1796032800000001,"cursor":7,"kind":"commit","commit":{"rev":"3l","operation":"create","collection":"c","rkey":"r","record":{"a":[1, 2]},"cid":"b"}}"#
        );
        // Any character of JSON may be written by its number.
        let account = r#"{"$type":"x\u0023account","seq":8,"did":"d","time":"2026-11-30T10:00:00.000001Z","account":{"active":true,"seq":9}}"#;
        assert_eq!(
            line(&format!(r#"{{"$type":"message","payload":{account}}}"#)),
            r#"{"did":"d","time_us":1796032800000001,"cursor":8,"kind":"account","account":{"active":true,"seq":9}}"#
        );
    }

    #[test]
    fn what_is_no_event_is_told_by_what_it_is() {
        let mut to = Vec::new();
        let mut of = |message: &str| format!("{:?}", read(Endpoint::Events, message.as_bytes(), &mut to));
        assert!(
            of(r#"{"$type":"error","error":"ConsumerTooSlow","message":"m"}"#).contains("ConsumerTooSlow")
        );
        assert!(
            of(r#"{"$type":"message","payload":{"$type":"x#info","name":"OutdatedCursor"}}"#)
                .starts_with("Outdated")
        );
        assert_eq!(of(r#"{"$type":"message","payload":{"$type":"x#info","name":"Other"}}"#), "Aside");
        assert_eq!(of(r#"{"$type":"later"}"#), "Aside");
        for odd in ["", "{", "[]", r#"{"$type":"message","payload":{"$type":"x#commit","seq":1}}"#] {
            assert!(of(odd).starts_with("Odd"), "{odd}");
        }
    }
}
