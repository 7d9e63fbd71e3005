//! A client of the simulated Jetstream for its own tests: tungstenite, with deadlines.

use std::net::TcpStream;
use std::time::Duration;

use forebay_rig::jetstream::{Protocol, Settings, Simulator};
use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response;
use tungstenite::http::Response as HttpResponse;
use tungstenite::{Error, Message, WebSocket};
use zstd::bulk::Decompressor;

/// Longer than anything that is waited for here takes, also on a machine that is busy.
pub const WITHIN: Duration = Duration::from_secs(20);
pub const STREAM: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";
pub const DICTIONARY: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";
/// Times before this are sequence numbers.
pub const TIME_FROM: u64 = 1_000_000_000_000_000;

/// A source with so many events, of which none comes later.
pub fn still(protocol: Protocol, events: u64) -> Settings {
    Settings { protocol, history: events, last: Some(events - 1), ..Settings::default() }
}

pub fn start(settings: Settings) -> Simulator {
    Simulator::start(settings).unwrap()
}

pub struct Client {
    socket: WebSocket<TcpStream>,
    pub response: Response,
    decompressor: Option<Decompressor<'static>>,
}

impl Client {
    /// A stream, or the error that the host answered with.
    pub fn try_connect(
        simulator: &Simulator,
        path: &str,
    ) -> Result<Self, Box<HttpResponse<Option<Vec<u8>>>>> {
        Self::try_with(simulator, path, |_| {})
    }

    pub fn try_with(
        simulator: &Simulator,
        path: &str,
        tune: impl FnOnce(&TcpStream),
    ) -> Result<Self, Box<HttpResponse<Option<Vec<u8>>>>> {
        let stream = TcpStream::connect(simulator.address()).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        tune(&stream);
        let mut request = format!("{}{path}", simulator.url()).into_client_request().unwrap();
        if path.starts_with("/xrpc/") {
            request.headers_mut().insert("Sec-WebSocket-Protocol", "xrpc.v1.json".parse().unwrap());
        }
        match tungstenite::client::client(request, stream) {
            Ok((socket, response)) => Ok(Self { socket, response, decompressor: None }),
            Err(tungstenite::HandshakeError::Failure(Error::Http(answer))) => Err(answer),
            Err(other) => panic!("no stream: {other}"),
        }
    }

    pub fn connect(simulator: &Simulator, path: &str) -> Self {
        Self::try_connect(simulator, path).unwrap_or_else(|answer| panic!("refused: {answer:?}"))
    }

    /// The same, and frames are decompressed with this dictionary.
    pub fn connect_zstd(simulator: &Simulator, path: &str, dictionary: &[u8]) -> Self {
        let mut client = Self::connect(simulator, path);
        client.decompressor = Some(Decompressor::with_dictionary(dictionary).unwrap());
        client
    }

    /// The next frame with data, decompressed.
    pub fn try_next(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            match self.socket.read()? {
                Message::Text(text) => return Ok(text.as_bytes().to_vec()),
                Message::Binary(bytes) => {
                    let decompressor = self.decompressor.as_mut().expect("a compressed frame, unasked for");
                    return Ok(decompressor.decompress(&bytes, 4 << 20).unwrap());
                }
                _ => {}
            }
        }
    }

    pub fn next(&mut self) -> Vec<u8> {
        self.try_next().unwrap()
    }

    pub fn json(&mut self) -> Value {
        serde_json::from_slice(&self.next()).unwrap()
    }

    pub fn take(&mut self, count: u64) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.next()).collect()
    }

    /// All that comes until the connection ends, and how it ends.
    pub fn rest(&mut self) -> (Vec<Vec<u8>>, Error) {
        let mut frames = Vec::new();
        loop {
            match self.try_next() {
                Ok(frame) => frames.push(frame),
                Err(error) => return (frames, error),
            }
        }
    }

    pub fn send(&mut self, message: Message) {
        self.socket.send(message).unwrap();
    }

    pub fn raw(&mut self) -> &mut WebSocket<TcpStream> {
        &mut self.socket
    }

    pub fn set_read_timeout(&self, timeout: Duration) {
        self.socket.get_ref().set_read_timeout(Some(timeout)).unwrap();
    }
}

/// What a plain HTTP request is answered.
pub fn get(simulator: &Simulator, path: &str) -> (u16, Vec<u8>) {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(simulator.address()).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = memchr::memmem::find(&answer, b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer[end + 4..].to_vec())
}
