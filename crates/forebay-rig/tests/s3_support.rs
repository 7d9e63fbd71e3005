//! A raw client of the rig's bucket for its own tests, with deadlines.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use forebay_rig::s3::{S3Server, Settings};

/// Longer than anything that is waited for here takes, also on a machine that is busy.
pub const WITHIN: Duration = Duration::from_secs(30);

pub fn start() -> S3Server {
    S3Server::start(Settings::default()).unwrap()
}

/// The `Authorization` of a request that is signed with this access key; nobody looks at the signature.
pub fn signed_with(access_key: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    )
}

#[derive(Debug, Default)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    /// Status and code of an error.
    pub fn error(&self) -> (u16, &str) {
        (self.status, element(self.text(), "Code").unwrap_or_default())
    }
}

/// The contents of the first element of this name.
pub fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn new(server: &S3Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        stream.set_write_timeout(Some(WITHIN)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends these bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Sends the head of a request, signed with the key of the default settings.
    pub fn send_head(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> io::Result<()> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: bucket\r\n");
        if !headers.iter().any(|(name, _)| *name == "Authorization") {
            let authorization = signed_with(&Settings::default().access_key);
            write!(head, "Authorization: {authorization}\r\n").unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        self.send_raw((head + "\r\n").as_bytes())
    }

    pub fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Reads an answer; that to a HEAD has no content.
    pub fn receive(&mut self, method: &str) -> io::Result<Response> {
        let first = self.read_line()?;
        let mut response = Response { status: first[9..12].parse().unwrap(), ..Response::default() };
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            response.headers.push((name.to_owned(), value.to_owned()));
        }
        if method != "HEAD" {
            let len = response.header("Content-Length").map_or(0, |length| length.parse().unwrap());
            response.body = vec![0; len];
            self.0.read_exact(&mut response.body)?;
        }
        Ok(response)
    }

    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let length = body.len().to_string();
        let mut headers = headers.to_vec();
        if method == "PUT" || method == "POST" {
            headers.push(("Content-Length", &length));
        }
        self.send_head(method, target, &headers)?;
        self.send_raw(body)?;
        self.receive(method)
    }

    /// Is the connection at its end, with nothing more to read?
    pub fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0)) || self.is_reset()
    }

    fn is_reset(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::ConnectionReset)
    }
}

/// Asks on a connection of its own.
pub fn ask(
    server: &S3Server,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    Client::new(server).ask(method, target, headers, body)
}

/// Asks on a connection of its own, without further headers, for what is answered.
pub fn answer(server: &S3Server, method: &str, target: &str, body: &[u8]) -> Response {
    ask(server, method, target, &[], body).unwrap()
}

/// Waits until it is so.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + WITHIN;
    while !is_so() {
        assert!(Instant::now() < until, "not within {WITHIN:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
