//! A connection to one server, on which every answer has a deadline and a size that it may not go beyond.
//!
//! The client library gives each single read a time-out: a server that sends a byte a second is waited for without end, and
//! what it announces is taken into memory. Here a request and its answer have one deadline each, whatever comes in
//! between, TLS included, and an answer has a budget (`answer.rs`). Commands, scripts and pipelines are the library's own.

use std::io::{BufRead, BufReader, Error as IoError, ErrorKind as IoKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use redis::{ConnectionAddr, ConnectionInfo, ConnectionLike, ErrorKind, RedisError, RedisResult, Value};

use super::answer::{self, Budget};
use super::socket::{Pipe, Socket, left};
use super::tls::{self, Secure};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// Whether a signal ends the wait for an answer.
static BREAKS_OFF: AtomicBool = AtomicBool::new(false);

/// From now on a signal ends the wait for an answer, with an error: for a program whose handlers set a flag that it looks at then.
pub fn break_off_on_signals() {
    BREAKS_OFF.store(true, Relaxed);
}

/// A connection to one server.
pub struct NodeConnection {
    stream: BufReader<Stream>,
    /// How long a request may take to be sent, and an answer to come.
    limit: Duration,
    budget: Budget,
    /// Answers that did not begin to come in time, and are passed over when they do.
    late: usize,
    /// What follows on the stream is no beginning of an answer.
    broken: bool,
    database: i64,
}

impl NodeConnection {
    /// Connects and logs in, all of it within `limit`, which each answer then has too.
    pub(super) fn open(info: &ConnectionInfo, limit: Duration) -> RedisResult<Self> {
        let deadline = Instant::now() + limit;
        let stream = BufReader::with_capacity(READ_BYTES, Stream::open(info, deadline)?);
        let login = info.redis_settings();
        let mut connection =
            Self { stream, limit, budget: Budget::QUESTION, late: 0, broken: false, database: login.db() };
        if let Some(password) = login.password() {
            let mut auth = redis::cmd("AUTH");
            login.username().into_iter().for_each(|user| {
                auth.arg(user);
            });
            let answer = connection.ask(&auth.arg(password).get_packed_command())?;
            if let Value::ServerError(error) = answer {
                let why = RedisError::from(error).to_string();
                return Err((ErrorKind::AuthenticationFailed, "the login was refused", why).into());
            }
        }
        if login.db() != 0 {
            redis::cmd("SELECT").arg(login.db()).exec(&mut connection)?;
        }
        Ok(connection)
    }

    /// From now on each request and each answer has this long.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// From now on an answer may take so much.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Sends a request, and reads no answer.
    pub fn send_packed_command(&mut self, request: &[u8]) -> RedisResult<()> {
        self.usable()?;
        let limit = self.limit;
        let stream = self.stream.get_mut();
        stream.socket().deadline = Instant::now() + limit;
        // What was sent in part cannot be followed by something else.
        let sent = stream.write_all(request).and_then(|()| stream.flush());
        self.broken |= sent.is_err();
        Ok(sent?)
    }

    /// Reads the next answer.
    pub fn recv_response(&mut self) -> RedisResult<Value> {
        self.recv_unless(self.limit, || None)
    }

    /// Reads the next answer; while none begins to come, asks every so often why it is not worth waiting for any longer.
    pub fn recv_unless(
        &mut self,
        every: Duration,
        mut is_over: impl FnMut() -> Option<String>,
    ) -> RedisResult<Value> {
        let mut deadline = Instant::now() + self.limit;
        loop {
            let begun = self.receive_within(every.min(left(deadline).unwrap_or_default()));
            match begun.transpose() {
                Some(Ok(_)) if self.late > 0 => {
                    self.late -= 1;
                    deadline = Instant::now() + self.limit;
                }
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(error)) => {
                    self.late += usize::from(!self.broken);
                    return Err(error);
                }
                None if Instant::now() >= deadline => {
                    self.late += 1;
                    return Err(IoError::from(IoKind::TimedOut).into());
                }
                None => {
                    if let Some(why) = is_over() {
                        self.broken = true;
                        return Err(IoError::new(IoKind::NotConnected, why).into());
                    }
                }
            }
        }
    }

    /// Reads the next answer or message; none where none begins to come for so long.
    pub fn receive_within(&mut self, wait: Duration) -> RedisResult<Option<Value>> {
        self.usable()?;
        self.stream.get_mut().socket().deadline = Instant::now() + wait;
        let is_at_end = loop {
            match self.stream.fill_buf() {
                // It may come without a signal that somebody wants to hear of.
                Err(why) if why.kind() == IoKind::Interrupted && !BREAKS_OFF.load(Relaxed) => {}
                come => break come.map(<[u8]>::is_empty),
            }
        };
        match is_at_end {
            Ok(true) => {
                self.broken = true;
                return Err(IoError::from(IoKind::UnexpectedEof).into());
            }
            Ok(false) => {}
            Err(error) if matches!(error.kind(), IoKind::TimedOut | IoKind::WouldBlock) => return Ok(None),
            Err(error) => {
                // A signal breaks off the wait, and nothing else.
                self.broken |= error.kind() != IoKind::Interrupted;
                return Err(error.into());
            }
        }
        self.stream.get_mut().socket().deadline = Instant::now() + self.limit;
        let answer = answer::read(&mut self.stream, self.budget);
        self.broken |= answer.is_err();
        answer.map(Some)
    }

    /// Whether the next answer is that to the next request: the server is there, and has answered all that it was asked.
    pub fn is_in_step(&self) -> bool {
        !self.broken && self.late == 0
    }

    fn ask(&mut self, request: &[u8]) -> RedisResult<Value> {
        self.send_packed_command(request)?;
        self.recv_response()
    }

    fn usable(&self) -> RedisResult<()> {
        if self.broken {
            return Err(IoError::new(IoKind::NotConnected, "the connection was given up").into());
        }
        Ok(())
    }
}

impl ConnectionLike for NodeConnection {
    fn req_packed_command(&mut self, request: &[u8]) -> RedisResult<Value> {
        self.ask(request)
    }

    /// Passes over `offset` answers; an error among these (to MULTI, or to what was queued after it) is the outcome.
    fn req_packed_commands(
        &mut self,
        requests: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        self.send_packed_command(requests)?;
        let (mut answers, mut refused) = (Vec::new(), None);
        for index in 0..offset + count {
            match self.recv_response()? {
                Value::ServerError(error) if index < offset => refused = refused.or(Some(error)),
                answer if index >= offset => answers.push(answer),
                _ => {}
            }
        }
        refused.map_or(Ok(answers), |error| Err(error.into()))
    }

    fn get_db(&self) -> i64 {
        self.database
    }

    fn check_connection(&mut self) -> bool {
        redis::cmd("PING").query::<Value>(self).is_ok()
    }

    fn is_open(&self) -> bool {
        !self.broken
    }
}

/// What bytes come over.
enum Stream {
    Plain(Socket),
    Tls(Box<dyn Secure>),
}

impl Stream {
    fn open(info: &ConnectionInfo, deadline: Instant) -> RedisResult<Self> {
        let tcp = |host: &str, port: u16| -> RedisResult<Socket> {
            let stream = dial((host, port), deadline)?;
            stream.set_nodelay(info.tcp_settings().nodelay())?;
            Ok(Socket { pipe: Pipe::Tcp(stream), deadline })
        };
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => tcp(host, *port).map(Self::Plain),
            ConnectionAddr::Unix(path) => {
                Ok(Self::Plain(Socket { pipe: Pipe::Unix(UnixStream::connect(path)?), deadline }))
            }
            ConnectionAddr::TcpTls { host, port, insecure: false, .. } => {
                let secure = tls::Secured::prepare(host)?;
                Ok(Self::Tls(secure.over(tcp(host, *port)?)))
            }
            _ => Err((
                ErrorKind::InvalidClientConfig,
                "TLS without a look at the certificate is not supported; leave #insecure out",
            )
                .into()),
        }
    }

    fn socket(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
        }
    }
}

/// The first address of a host that takes the connection.
fn dial(at: (&str, u16), deadline: Instant) -> std::io::Result<TcpStream> {
    let mut last = None;
    for address in at.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| IoError::new(IoKind::NotFound, "this host has no address")))
}

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(to),
            Self::Tls(tls) => tls.read(to),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
