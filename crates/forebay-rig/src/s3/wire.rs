//! The socket of a connection: heads and bytes in, answers out, each within its deadline.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a connection may be idle between requests.
const IDLE_WITHIN: Duration = Duration::from_secs(300);
/// How long a client may take to send the rest of a head, or of a line of a body.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a body or an answer may make no progress.
const PROGRESS_WITHIN: Duration = Duration::from_secs(60);
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Names and values, in the order in which they came.
pub(super) type Headers = Vec<(String, String)>;

/// The head of a request.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: Headers,
    /// The client wants the connection closed after the answer.
    pub(super) is_last: bool,
}

impl Head {
    /// The value of a header, whose name is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The socket of a connection.
#[derive(Debug)]
pub(super) struct Wire {
    reader: BufReader<TcpStream>,
}

pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(PROGRESS_WITHIN))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(64 << 10, stream) })
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.reader.into_inner()
    }

    /// The next head; none where the client has closed the connection.
    pub(super) fn head(&mut self) -> io::Result<Option<Head>> {
        if self.fill(Instant::now() + IDLE_WITHIN)?.is_empty() {
            return Ok(None);
        }
        let mut left = HEAD_BYTES_MAX;
        let first = self.line(&mut left)?;
        let mut words = first.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(invalid("the request line is not one of HTTP"));
        };
        let is_first_version = version == "HTTP/1.0";
        if !is_first_version && version != "HTTP/1.1" {
            return Err(invalid("the version of HTTP is neither 1.0 nor 1.1"));
        }
        let mut head = Head { method: method.into(), target: target.into(), ..Head::default() };
        head.headers = self.headers(&mut left)?;
        head.is_last = is_first_version
            || head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(Some(head))
    }

    /// Headers, or what comes behind the last chunk of a body, up to the empty line.
    pub(super) fn headers(&mut self, left: &mut usize) -> io::Result<Headers> {
        let mut headers = Vec::new();
        loop {
            let line = self.line(left)?;
            if line.is_empty() {
                return Ok(headers);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header has no colon"))?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next line, without its end. `left` is how many bytes may still come.
    pub(super) fn line(&mut self, left: &mut usize) -> io::Result<String> {
        let until = Instant::now() + HEAD_WITHIN;
        let mut line = Vec::new();
        loop {
            let part = self.fill(until)?;
            if part.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let end = memchr::memchr(b'\n', part);
            let len = end.map_or(part.len(), |at| at + 1);
            line.extend_from_slice(&part[..len]);
            self.reader.consume(len);
            *left = left.checked_sub(len).ok_or_else(|| invalid("a head is longer than 64 KiB"))?;
            if end.is_some() {
                break;
            }
        }
        let line = String::from_utf8(line).map_err(|_| invalid("a line is not UTF-8"))?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Reads some bytes of a body.
    pub(super) fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let mut buffered = self.fill(Instant::now() + PROGRESS_WITHIN)?;
        let came = buffered.read(part)?;
        if came == 0 && !part.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.reader.consume(came);
        Ok(came)
    }

    /// What has come and was not read yet; it waits for something, until this moment at most. Empty at the end.
    fn fill(&mut self, until: Instant) -> io::Result<&[u8]> {
        while self.reader.buffer().is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.reader.get_ref().set_read_timeout(Some(left))?;
            match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        Ok(self.reader.buffer())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }
}
