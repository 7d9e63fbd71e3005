//! What a request is answered: an error, the dictionary, or a stream.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::TcpStream;

use tungstenite::handshake::derive_accept_key;

use crate::http::Acts;

use super::cursor::{Host, Refused, Start};
use super::dictionary::Which;
use super::encode::Form;
use super::fault::{Fault, FaultName};
use super::filter::Filter;
use super::request::Request;
use super::settings::{Protocol, Settings};

const SUBPROTOCOL: &str = "xrpc.v1.json";
const STREAM: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";
const DICTIONARY: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";

/// What a stream was agreed to be.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) form: Form,
    pub(super) filter: Filter,
    pub(super) start: Start,
    pub(super) dictionary: Option<Which>,
}

/// An answer that is no stream.
#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Reply {
    fn new(status: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, kind, body: body.into() }
    }

    /// An error, in the shape that the path has for it.
    pub(super) fn error(path: &str, status: u16, name: &str, said: &str) -> Self {
        if path.starts_with("/xrpc/") {
            let body = serde_json::json!({ "error": name, "message": said });
            return Self::new(status, "application/json", body.to_string());
        }
        Self::new(status, "text/plain; charset=utf-8", format!("{said}\n"))
    }

    /// Sends it. The connection ends with it.
    pub(super) fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            _ => "Error",
        };
        let (status, kind, len) = (self.status, self.kind, self.body.len());
        let mut head =
            format!("HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n");
        if status == 429 {
            head += "Retry-After: 1\r\n";
        }
        head += "Connection: close\r\n\r\n";
        // In one piece: a client library may hand on only what came with the head.
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes)
    }
}

/// The dictionary that a V2 host hands out now.
fn current(settings: &Settings) -> Which {
    if settings.faults.contains(&Fault::RotatedDictionary) { Which::Rotated } else { Which::V2 }
}

/// What this request is answered.
pub(super) fn answer(request: &Request, host: &Host<'_>) -> Result<Agreed, Reply> {
    let settings = host.settings;
    match (request.path.as_str(), settings.protocol) {
        ("/subscribe", protocol) => subscribe(request, host, protocol),
        (STREAM, Protocol::V2) => stream(request, host),
        (DICTIONARY, Protocol::V2) => Err(dictionary(request, settings)),
        (path, _) => Err(Reply::error(path, 404, "MethodNotImplemented", "not found")),
    }
}

fn subscribe(request: &Request, host: &Host<'_>, protocol: Protocol) -> Result<Agreed, Reply> {
    let refuse = |said: String| Reply::error(&request.path, 400, "InvalidRequest", &said);
    let filter = Filter::v1(request).map_err(refuse)?;
    let start = host.resolve(request.value("cursor"), false).map_err(|Refused(_, said)| refuse(said))?;
    let form = if protocol == Protocol::V1 { Form::V1 } else { Form::V1WithCursor };
    Ok(Agreed { form, filter, start, dictionary: wants_v1_zstd(request).then_some(Which::V1) })
}

fn wants_v1_zstd(request: &Request) -> bool {
    request.value("compress") == Some("true")
        || request.header("Socket-Encoding").is_some_and(|value| value.contains("zstd"))
}

fn stream(request: &Request, host: &Host<'_>) -> Result<Agreed, Reply> {
    let refuse = |name: &str, said: &str| Reply::error(&request.path, 400, name, said);
    if wants_v1_zstd(request) {
        return Err(refuse("InvalidRequest", "compress=true is for /subscribe; use zstdDictionary=<id>"));
    }
    let mut dictionary = None;
    if let Some(id) = request.value("zstdDictionary") {
        let current = current(host.settings);
        let id: u32 = id.parse().map_err(|_| refuse("InvalidRequest", "zstdDictionary must be an id"))?;
        if id != current.id() {
            count_if(host.acts, "rotated-dictionary", id == Which::V2.id());
            let said = format!("unknown zstd dictionary id {id}; the current id is {}", current.id());
            return Err(refuse("UnknownZstdDictionary", &said));
        }
        dictionary = Some(current);
    }
    let filter = Filter::v2(request).map_err(|said| refuse("InvalidRequest", &said))?;
    let start =
        host.resolve(request.value("cursor"), true).map_err(|Refused(name, said)| refuse(name, &said))?;
    Ok(Agreed { form: Form::V2, filter, start, dictionary })
}

fn count_if(acts: &Acts, name: FaultName, is_so: bool) {
    acts.add(name, u64::from(is_so));
}

fn dictionary(request: &Request, settings: &Settings) -> Reply {
    let current = current(settings);
    if let Some(id) = request.value("id").filter(|id| *id != current.id().to_string()) {
        let said = format!("no dictionary {id}; the current id is {}", current.id());
        return Reply::error(&request.path, 404, "DictionaryNotFound", &said);
    }
    match current.bytes() {
        Ok(bytes) => Reply::new(200, "application/octet-stream", bytes),
        Err(error) => Reply::error(&request.path, 503, "ServiceUnavailable", &error.to_string()),
    }
}

/// Agrees to a stream.
pub(super) fn upgrade(request: &Request, agreed: &Agreed, stream: &mut TcpStream) -> io::Result<()> {
    let key = request.header("Sec-WebSocket-Key").unwrap_or_default();
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
        derive_accept_key(key.as_bytes())
    );
    let offered = request.header("Sec-WebSocket-Protocol").unwrap_or_default();
    if agreed.form == Form::V2 && offered.split(',').any(|one| one.trim() == SUBPROTOCOL) {
        let _ = write!(head, "Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n");
    }
    head += "\r\n";
    stream.write_all(head.as_bytes())
}
