//! A network of our own between client and server: a TCP proxy that can break in every way a network does.
//!
//! It cuts connections in the middle of what passes, leaves questions unanswered, delays, holds everything back, and
//! refuses. What is decided here holds from the moment the call returns: bytes are handed on under the same lock.
//!
//! A connection has a thread for each way in and each way out (`carry.rs`), with a bounded queue between the two
//! (`pipe.rs`), so that what is delayed or held back waits here, as it would in a network, and keeps its order.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use self::state::{Shared, State, Unanswered};

mod connection;
mod direction;
mod forward;
mod listen;
mod pipe;
mod state;

pub use direction::Direction;
pub use listen::CONNECTIONS_MAX;
pub use pipe::HELD_BYTES_MAX;

/// Addresses of a target that are tried.
const TARGETS_MAX: usize = 8;
/// How long the threads may take to end. What takes longest is a connection to a server that gives no answer.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long the listening thread may take to be woken.
const WAKE_LIMIT: Duration = Duration::from_secs(1);

/// Why there is no such proxy.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The target has no address.
    #[error("no proxy before {host}:{port}: {why}. Is the host's name right, and known on this machine?")]
    Target {
        /// The host that was named.
        host: String,
        /// Its port.
        port: u16,
        /// What the system said.
        why: io::Error,
    },
    /// There is no port to listen on.
    #[error(
        "no proxy before {host}:{port}: cannot listen on a port of 127.0.0.1: {why}. Does this program hold too many \
         files open (`ulimit -n`)?"
    )]
    Listen {
        /// The host behind it.
        host: String,
        /// Its port.
        port: u16,
        /// What the system said.
        why: io::Error,
    },
    /// There is no thread to listen with.
    #[error(
        "no proxy before {host}:{port}: cannot start a thread: {why}. Are there too many (`ulimit -u`, pids.max of the \
         container)?"
    )]
    Thread {
        /// The host behind it.
        host: String,
        /// Its port.
        port: u16,
        /// What the system said.
        why: io::Error,
    },
}

/// A proxy before a server. Dropping it closes its port and every connection, and ends its threads.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes on to this host and port, whose name is looked up once, now. The
    /// server need not be there yet: a connection for which there is none is closed.
    pub fn start(host: &str, port: u16) -> Result<Self, NetworkError> {
        let unknown = |why| NetworkError::Target { host: host.into(), port, why };
        let targets: Vec<SocketAddr> =
            (host, port).to_socket_addrs().map_err(unknown)?.take(TARGETS_MAX).collect();
        if targets.is_empty() {
            return Err(unknown(io::Error::new(io::ErrorKind::NotFound, "it has no address")));
        }
        let silent = |why| NetworkError::Listen { host: host.into(), port, why };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(silent)?;
        let address = listener.local_addr().map_err(silent)?;
        let shared = Arc::new(Shared::new(address.port()));
        listen::start(&shared, listener, targets).map_err(|why| NetworkError::Thread {
            host: host.into(),
            port,
            why,
        })?;
        Ok(Self { address, shared })
    }

    /// The port on 127.0.0.1 to connect to instead of the server's.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What to connect to instead of the server.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Lets so many bytes more pass this way, all connections together, then cuts the one that has the next; again for
    /// each further number, counted from the cut before. Instead of what was said of this way before. Whoever
    /// reads them has ten seconds for the last bytes; until then, or until it ends too, what it still sends is dropped.
    pub fn cut_after(&self, way: Direction, bytes: impl Into<VecDeque<u64>>) {
        let bytes = bytes.into();
        self.shared.change(|state| state.cuts_due[way as usize] = bytes);
    }

    /// Cuts every connection now; how many there were. What was held of them is lost.
    pub fn cut_all(&self) -> u64 {
        self.shared.cut_all()
    }

    /// A connection on which a question passes that has these bytes in it is cut as soon as an answer comes, none of which
    /// passes; so many times. Instead of what was said before.
    pub fn leave_unanswered(&self, question: impl Into<Vec<u8>>, times: u64) {
        let question = question.into();
        self.shared.change(|state| state.unanswered = Unanswered { question, times });
    }

    /// From now on what goes this way passes only so long after it came, what is held already included. Zero is none.
    pub fn delay(&self, way: Direction, time: Duration) {
        self.shared.change(|state| state.delays[way as usize] = time);
    }

    /// From now on nothing passes, no end of a connection either. Connections stay open, new ones are accepted and are
    /// not passed on. What comes is held, up to [`HELD_BYTES_MAX`], and passes after [`heal`](Self::heal).
    pub fn black_hole(&self) {
        self.shared.change(|state| state.is_black_hole = true);
    }

    /// From now on new connections are closed at once. Those there are stay.
    pub fn refuse(&self) {
        self.shared.change(|state| state.is_refusing = true);
    }

    /// From now on everything passes: no black hole, no refusal, no delay, and no cut that has not happened yet. What was
    /// held passes first, in its order.
    pub fn heal(&self) {
        self.shared.change(|state| {
            state.cuts_due = Default::default();
            state.unanswered = Unanswered::default();
            state.delays = Default::default();
            state.is_black_hole = false;
            state.is_refusing = false;
        });
    }

    /// Connections that were cut so far, counted before the two ends can know. Those that were refused are not among them.
    pub fn cuts(&self) -> u64 {
        self.shared.lock().cuts
    }

    /// Connections that are open, or whose end has not passed yet.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections.len()
    }

    /// Bytes that came and have not passed this way yet.
    pub fn held_bytes(&self, way: Direction) -> u64 {
        self.shared.all().iter().map(|connection| connection.held_bytes(way) as u64).sum()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.change(State::end);
        self.shared.cut_all();
        // The listening thread waits for a connection and for nothing else.
        let _ = TcpStream::connect_timeout(&self.address, WAKE_LIMIT);
        // A thread that is still there after that connects to a server, which has a limit of its own, and ends then.
        self.shared.wait_until_ended(END_LIMIT);
    }
}
