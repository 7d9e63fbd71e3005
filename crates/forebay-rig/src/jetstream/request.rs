//! The HTTP request that a connection begins with: read within bounds, and taken apart.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::http::decode_query;

/// Ten thousand DIDs in a query are about 400 KB.
const HEAD_BYTES_MAX: usize = 1 << 20;
/// How long a client may take to say what it wants.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// What a client asked for.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) path: String,
    /// Decoded, in the order of the query; a name may be there often.
    pub(super) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The first value of this name in the query.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of this name in the query.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads the head of a request. What a client sent behind it comes back too: it need not wait for the answer.
pub(super) fn read(stream: &mut TcpStream) -> io::Result<(Request, Vec<u8>)> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let until = Instant::now() + HEAD_WITHIN;
    let mut bytes = Vec::new();
    let mut part = [0; 4_096];
    let end = loop {
        if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break at;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() > HEAD_BYTES_MAX {
            return Err(invalid("the request did not come to its end"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&part[..read]),
        }
    };
    let rest = bytes.split_off(end + 4);
    let head = str::from_utf8(&bytes).map_err(|_| invalid("the request is no text"))?;
    let request = parse(head).ok_or_else(|| invalid("the request is not one of HTTP"))?;
    Ok((request, rest))
}

fn parse(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let ("GET", target) = (words.next()?, words.next()?) else { return None };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(':'));
    Some(Request {
        path: path.into(),
        query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (decode_query(key), decode_query(value)))
            .collect(),
        headers: headers.map(|(key, value)| (key.trim().into(), value.trim().into())).collect(),
    })
}
