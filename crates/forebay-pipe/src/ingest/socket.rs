//! One subscription: messages as they come, decompressed, in bounded memory and with an end to every silence.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use tungstenite::client::IntoClientRequest;
use tungstenite::http::header::{HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL, USER_AGENT};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error as WsError, HandshakeError, Message, WebSocket};
use zstd::zstd_safe;

use super::dial::{NoConnection, Wire, dial};
use super::filter::{Compression, Filter};
use super::host::{Endpoint, Host};
use super::untext::Untext;

/// The largest message that is taken whole; larger events than a buffer takes are told of one by one, up to here.
const MESSAGE_BYTES_MAX: usize = 68 << 20;

/// The most that a frame may become: what hosts themselves send at the most.
const DECODED_BYTES_MAX: usize = 32 << 20;

/// What a compressed frame begins with; no event does.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How long a host may take to answer the handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// How often a read looks up, and how long a pong may take to be sent.
const READ_LOOK: Duration = Duration::from_millis(50);
const WRITE_MAX: Duration = Duration::from_secs(4);

/// A dictionary, at the most.
const DICTIONARY_BYTES_MAX: u64 = 1 << 20;

/// What a connection is asked for.
pub(super) struct Ask<'a> {
    pub(super) filter: &'a Filter,
    pub(super) cursor: Option<u64>,
    /// The dictionary that frames may come compressed with.
    pub(super) dictionary: Option<&'a [u8]>,
    /// How long it may say nothing.
    pub(super) silence: Duration,
}

/// Why there is no subscription.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody was reached.
    #[error(transparent)]
    Unreached(#[from] NoConnection),
    /// The host answered, and not with a subscription.
    #[error("it answered {status}{}", said(.name, .message))]
    Status {
        /// The HTTP status.
        status: u16,
        /// The error's name, where it has one.
        name: String,
        /// What it said of it.
        message: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The handshake did not come to an end.
    #[error("the WebSocket handshake failed: {0}")]
    Handshake(String),
}

fn said(name: &str, message: &str) -> String {
    [name, message]
        .into_iter()
        .filter(|text| !text.is_empty())
        .fold(String::new(), |all, text| all + ", " + text)
}

/// Why a subscription ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the connection ended: {0}")]
    Lost(String),
    #[error("the host sent nothing for {:.0?}, not even an answer to a ping", .0)]
    Silent(Duration),
    /// Frames that the dictionary does not open: without one they come as text.
    #[error("its frames do not open with the dictionary ({0})")]
    Dictionary(String),
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came<'a> {
    Message(&'a [u8]),
    /// A message that is none, and why.
    Odd(String),
    /// Nothing by now.
    Nothing,
}

/// One subscription.
pub(super) struct Socket {
    web: WebSocket<Untext<Wire>>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    decoded: Vec<u8>,
    message: Option<Message>,
    heard: Instant,
    has_asked: bool,
    silence: Duration,
}

impl Socket {
    /// Subscribes.
    pub(super) fn open(host: &Host, ask: &Ask<'_>) -> Result<Self, Refused> {
        let failed = |why: &dyn std::fmt::Display| Refused::Handshake(why.to_string());
        let compression = match (ask.dictionary, host.endpoint) {
            (None, _) => Compression::None,
            (Some(_), Endpoint::Subscribe) => Compression::Legacy,
            (Some(bytes), Endpoint::Events) => match zstd_safe::get_dict_id_from_dict(bytes) {
                Some(id) => Compression::Dictionary(id.get()),
                None => Compression::None,
            },
        };
        let zstd = match compression {
            Compression::None => None,
            _ => Some(
                zstd::bulk::Decompressor::with_dictionary(ask.dictionary.unwrap_or_default())
                    .map_err(|why| failed(&why))?,
            ),
        };
        let target = ask.filter.target(host, ask.cursor, compression);
        let scheme = if host.is_tls { "wss" } else { "ws" };
        let mut request = format!("{scheme}://{}{target}", host.authority())
            .into_client_request()
            .map_err(|why| failed(&why))?;
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(concat!("forebay/", env!("CARGO_PKG_VERSION"))));
        if host.endpoint == Endpoint::Events {
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("xrpc.v1.json"));
        }
        let wire = dial(host)?;
        wire.within(HANDSHAKE_MAX);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX))
            .read_buffer_size(256 << 10);
        let (web, _) = tungstenite::client::client_with_config(request, Untext::new(wire), Some(config))
            .map_err(refused)?;
        web.get_ref().get_ref().limit(READ_LOOK, WRITE_MAX).map_err(|why| failed(&why))?;
        let heard = Instant::now();
        Ok(Self {
            web,
            zstd,
            decoded: Vec::new(),
            message: None,
            heard,
            has_asked: false,
            silence: ask.silence,
        })
    }

    /// The next message; nothing where none comes within some hundredths of a second.
    pub(super) fn next(&mut self) -> Result<Came<'_>, Ended> {
        self.message = None;
        match self.web.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                (self.heard, self.has_asked) = (Instant::now(), false);
                self.take(message)
            }
            Ok(Message::Close(frame)) => Err(Ended::Lost(
                frame.map_or("closed".into(), |frame| format!("closed, {}", plain(&frame.to_string()))),
            )),
            Ok(_) => {
                (self.heard, self.has_asked) = (Instant::now(), false);
                Ok(Came::Nothing)
            }
            Err(WsError::Io(error)) if is_wait(&error) => self.nothing(),
            Err(error) => Err(Ended::Lost(error.to_string())),
        }
    }

    fn take(&mut self, message: Message) -> Result<Came<'_>, Ended> {
        let bytes: &[u8] = match self.message.insert(message) {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
            _ => return Ok(Came::Nothing),
        };
        let Some(zstd) = self.zstd.as_mut().filter(|_| bytes.starts_with(&ZSTD_MAGIC)) else {
            return Ok(Came::Message(bytes));
        };
        match open(bytes, zstd, &mut self.decoded) {
            Ok(()) => Ok(Came::Message(&self.decoded)),
            Err(Unopened::TooLarge(size)) => Ok(Came::Odd(format!(
                "a frame of {} bytes that becomes {size}: the most is {DECODED_BYTES_MAX}",
                bytes.len()
            ))),
            Err(Unopened::Other(why)) => Err(Ended::Dictionary(why)),
        }
    }

    /// Asks a silent host whether it is there, in time, and says when it is not.
    fn nothing(&mut self) -> Result<Came<'_>, Ended> {
        let silent = self.heard.elapsed();
        if silent >= self.silence {
            return Err(Ended::Silent(self.silence));
        }
        if silent >= self.silence / 2 && !self.has_asked {
            self.has_asked = true;
            self.web.send(Message::Ping(Vec::new().into())).map_err(|why| Ended::Lost(why.to_string()))?;
        }
        Ok(Came::Nothing)
    }

    /// Says goodbye, as far as the host listens.
    pub(super) fn close(mut self) {
        let _ = self.web.close(None);
        let _ = self.web.flush();
    }
}

/// Whether a read only has nothing by now.
fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// An error as hosts of the second version send it.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Envelope {
    error: String,
    message: String,
}

fn refused(error: HandshakeError<tungstenite::ClientHandshake<Untext<Wire>>>) -> Refused {
    let HandshakeError::Failure(error) = error else {
        return Refused::Handshake(format!("no answer within {} s", HANDSHAKE_MAX.as_secs()));
    };
    let WsError::Http(answer) = error else { return Refused::Handshake(plain(&error.to_string())) };
    let body = answer.body().as_deref().unwrap_or_default();
    let envelope: Envelope = serde_json::from_slice(body).unwrap_or_else(|_| Envelope {
        message: String::from_utf8_lossy(&body[..body.len().min(200)]).trim().into(),
        ..Envelope::default()
    });
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Refused::Status {
        status: answer.status().as_u16(),
        name: plain(&envelope.error),
        message: plain(&envelope.message),
        retry_after: seconds.map(Duration::from_secs),
    }
}

/// Text from outside, without what steers a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().take(300).map(|char| if char.is_control() { '?' } else { char }).collect()
}

enum Unopened {
    TooLarge(u64),
    Other(String),
}

/// Opens a frame, no further than it may become.
fn open(frame: &[u8], zstd: &mut zstd::bulk::Decompressor<'_>, to: &mut Vec<u8>) -> Result<(), Unopened> {
    let says =
        zstd_safe::get_frame_content_size(frame).map_err(|_| Unopened::Other("no zstd frame".into()))?;
    let size = says.unwrap_or(DECODED_BYTES_MAX as u64);
    if size > DECODED_BYTES_MAX as u64 {
        return Err(Unopened::TooLarge(size));
    }
    to.clear();
    to.reserve(size as usize);
    zstd.decompress_to_buffer(frame, to).map(drop).map_err(|why| match says {
        None if why.to_string().contains("too small") => Unopened::TooLarge(size + 1),
        _ => Unopened::Other(why.to_string()),
    })
}

/// The dictionary that a host of the second version compresses with now.
pub(super) fn fetch_dictionary(host: &Host) -> Result<Vec<u8>, String> {
    let mut wire = dial(host).map_err(|why| why.to_string())?;
    let ask = |wire: &mut Wire| -> io::Result<Vec<u8>> {
        wire.within(HANDSHAKE_MAX);
        // In HTTP/1.0 an answer ends where the connection does.
        write!(
            wire,
            "GET /xrpc/network.bsky.jetstream.getZstdDictionary HTTP/1.0\r\nHost: {}\r\n\r\n",
            host.authority()
        )?;
        wire.flush()?;
        let mut answer = Vec::new();
        wire.take(DICTIONARY_BYTES_MAX).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = ask(&mut wire).map_err(|why| why.to_string())?;
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("an answer that is not HTTP")?;
    let head = String::from_utf8_lossy(&answer[..at]);
    let line = head.lines().next().unwrap_or_default();
    if line.split(' ').nth(1) != Some("200") {
        return Err(format!("it answered {:?}", plain(line)));
    }
    let bytes = answer[at + 4..].to_vec();
    zstd_safe::get_dict_id_from_dict(&bytes)
        .map(|_| bytes)
        .ok_or_else(|| "what it gave is no dictionary".into())
}
