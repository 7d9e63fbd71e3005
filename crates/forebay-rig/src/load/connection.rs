//! One connection of the load generator: a socket that never blocks, with what was asked and is not answered.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketType};

use super::expected_state::{Asked, OwnKeys};
use super::resp;
use forebay::buffer::connect::{Address, Endpoint};

/// Room for answers at first, a thousand times with as many connections, and at the most: the longest answer that is waited
/// for, and its frame.
const INPUT: (usize, usize) = (16 << 10, 65 << 20);

/// Wait before a lost connection is made again, in nanoseconds; doubles from the first to the second.
const BACKOFF: (u64, u64) = (50_000_000, 1_000_000_000);

/// How long a connection may take to come about, in nanoseconds.
const CONNECT_LIMIT: u64 = 5_000_000_000;

/// Where to connect, resolved once, and what is said first.
pub(super) struct Door {
    place: Resolved,
    greeting: Vec<u8>,
    greetings: usize,
}

enum Resolved {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Door {
    /// Looks the address up.
    pub fn of(address: &Address) -> Result<Self, String> {
        let plain = address.plain().ok_or_else(|| {
            format!("{address}: the load generator speaks no TLS; give a redis:// or unix:// address of the same server")
        })?;
        let (greeting, greetings) = resp::greeting(&plain);
        let place = match plain.place {
            Endpoint::Unix(path) => Resolved::Unix(path.into()),
            Endpoint::Tcp(host, port) => {
                let found = (host, port).to_socket_addrs().map_err(|why| format!("{address}: {why}"))?.next();
                Resolved::Tcp(found.ok_or_else(|| format!("{address}: the name has no address"))?)
            }
        };
        Ok(Self { place, greeting, greetings })
    }

    /// Begins to connect.
    fn knock(&self) -> io::Result<OwnedFd> {
        match &self.place {
            Resolved::Tcp(address) => {
                let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
                let stream = TcpStream::from(socket(family)?);
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                match rustix::net::connect(&stream, address) {
                    Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(stream.into()),
                    Err(error) => Err(error.into()),
                }
            }
            Resolved::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                stream.set_nonblocking(true)?;
                Ok(stream.into())
            }
        }
    }
}

/// A socket that servers started meanwhile do not inherit: through them it would stay open when it is closed here.
#[cfg(not(target_vendor = "apple"))]
fn socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = rustix::net::SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

/// The same where that takes two steps.
#[cfg(target_vendor = "apple")]
fn socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    Ok(socket)
}

/// A request under way. Times are nanoseconds since the start of the run.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub asked: Asked,
    pub due: u64,
    pub at: u64,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is none; one is made at this time.
    Down(u64),
    /// It comes about, or fails by this time.
    Connecting(u64),
    /// It takes requests.
    Up,
}

/// A connection and what goes over it.
pub(super) struct Link {
    pub state: State,
    socket: Option<OwnedFd>,
    output: Vec<u8>,
    written: usize,
    /// What was read, and how much of it was parsed.
    pub input: Vec<u8>,
    pub parsed: usize,
    /// Answers still to come to what was said first.
    pub greetings: usize,
    /// Under way, in the order in which answers come.
    pub under_way: VecDeque<Sent>,
    pub own: OwnKeys,
    backoff: u64,
    /// How often it failed since an answer was right.
    pub failures: u32,
    /// Whether it stands in the driver's row of those that take requests.
    pub is_in_row: bool,
    pub is_watched: bool,
}

impl Link {
    pub fn new(own: OwnKeys) -> Self {
        Self {
            state: State::Down(0),
            socket: None,
            output: Vec::new(),
            written: 0,
            input: Vec::new(),
            parsed: 0,
            greetings: 0,
            under_way: VecDeque::new(),
            own,
            backoff: BACKOFF.0,
            failures: 0,
            is_in_row: false,
            is_watched: false,
        }
    }

    /// The clock starts: what was tried before is tried again at once.
    pub fn clock_starts(&mut self) {
        self.state = match self.state {
            State::Down(_) => State::Down(0),
            State::Connecting(_) => State::Connecting(CONNECT_LIMIT),
            State::Up => State::Up,
        };
    }

    /// The socket, where there is one.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Begins to connect.
    pub fn connect(&mut self, door: &Door, now: u64) -> io::Result<()> {
        self.socket = Some(door.knock()?);
        self.state = State::Connecting(now + CONNECT_LIMIT);
        self.output.clear();
        self.output.extend_from_slice(&door.greeting);
        self.greetings = door.greetings;
        (self.written, self.parsed) = (0, 0);
        self.input.clear();
        self.is_watched = true;
        Ok(())
    }

    /// Whether the connection came about.
    pub fn connected(&mut self) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        // A socket in a file is connected from the start, and knows no such error.
        rustix::net::sockopt::socket_error(socket)??;
        self.state = State::Up;
        Ok(())
    }

    /// The buffer that requests are written into.
    pub fn output(&mut self) -> (&mut OwnKeys, &mut Vec<u8>) {
        (&mut self.own, &mut self.output)
    }

    /// Hands to the socket what it takes; whether all of it went.
    pub fn flush(&mut self) -> io::Result<bool> {
        let Some(socket) = &self.socket else { return Ok(true) };
        while self.written < self.output.len() {
            match rustix::io::write(socket, &self.output[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes,
                Err(rustix::io::Errno::AGAIN) => return Ok(false),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(true)
    }

    /// Whether something written into the buffer is not handed over.
    pub fn has_output(&self) -> bool {
        self.written < self.output.len()
    }

    /// Reads what has come, once; an error where the connection ended.
    pub fn fill(&mut self) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Err(io::ErrorKind::NotConnected.into()) };
        self.input.drain(..self.parsed);
        self.parsed = 0;
        if self.input.capacity() - self.input.len() < INPUT.0 / 4 {
            if self.input.len() > INPUT.1 {
                return Err(io::Error::other("an answer without end"));
            }
            self.input.reserve(self.input.len().max(INPUT.0));
        }
        match rustix::io::read(socket, rustix::buffer::spare_capacity(&mut self.input)) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// An answer was right: the server is there.
    pub fn answered(&mut self) {
        self.backoff = BACKOFF.0;
        self.failures = 0;
    }

    /// Closes, to try again later; gives what was under way.
    pub fn close(&mut self, now: u64) -> VecDeque<Sent> {
        self.socket = None;
        self.state = State::Down(now + self.backoff);
        self.backoff = (self.backoff * 2).min(BACKOFF.1);
        self.failures = self.failures.saturating_add(1);
        self.output.clear();
        self.written = 0;
        std::mem::take(&mut self.under_way)
    }
}
