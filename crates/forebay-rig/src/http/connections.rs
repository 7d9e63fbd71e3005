//! The thread that listens and one for each connection: counted, bounded, ended together, and waited for.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Connections at a time. One more is closed at once.
const CONNECTIONS_MAX: usize = 256;
/// How long to wait before the next try where none can be accepted: too many files are open, as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the threads may take to end.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long the listening thread may take to be woken.
const WAKE_LIMIT: Duration = Duration::from_secs(1);

/// The threads of a server and the connections that they serve.
#[derive(Debug)]
pub(crate) struct Connections {
    /// What its threads are named.
    name: &'static str,
    state: Mutex<State>,
    /// A thread has ended, or all are to.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, TcpStream>,
    /// The number of the next connection.
    next: u64,
    threads: usize,
    is_ending: bool,
}

/// Tells of a thread's end, also where it panics.
struct Ending(Arc<Connections>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
        self.0.changed.notify_all();
    }
}

impl Connections {
    pub(crate) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Starts listening. Each connection gets a number and a thread, which runs `serve`; that must [`remove`](Self::remove) it
    /// before it closes the socket.
    pub(crate) fn listen(
        self: &Arc<Self>,
        listener: TcpListener,
        serve: impl Fn(u64, TcpStream) + Send + Sync + 'static,
    ) -> io::Result<()> {
        let serve = Arc::new(serve);
        self.spawn(move |connections| {
            for accepted in listener.incoming() {
                if connections.lock().is_ending {
                    return;
                }
                let Ok(stream) = accepted else {
                    std::thread::sleep(ACCEPT_PAUSE);
                    continue;
                };
                let serve = Arc::clone(&serve);
                // A client for whom there is no thread sees its connection closed.
                let _ = connections.spawn(move |connections| {
                    if let Some(number) = connections.add(&stream) {
                        serve(number, stream);
                    }
                });
            }
        })
    }

    fn spawn(self: &Arc<Self>, run: impl FnOnce(&Arc<Self>) + Send + 'static) -> io::Result<()> {
        self.lock().threads += 1;
        let ending = Ending(Arc::clone(self));
        Builder::new().name(self.name.into()).spawn(move || run(&ending.0)).map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection, which gets a number; none where the server ends, or has too many.
    fn add(&self, stream: &TcpStream) -> Option<u64> {
        let copy = stream.try_clone().ok()?;
        let mut state = self.lock();
        if state.is_ending || state.open.len() >= CONNECTIONS_MAX {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.open.insert(number, copy);
        Some(number)
    }

    /// A connection is done with. Before its own socket is closed, so that closing closes it.
    pub(crate) fn remove(&self, number: u64) {
        self.lock().open.remove(&number);
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// Ends every connection now; how many there were.
    pub(crate) fn cut(&self) -> usize {
        let state = self.lock();
        for stream in state.open.values() {
            // One that is closed already needs no end.
            let _ = stream.shutdown(Shutdown::Both);
        }
        state.open.len()
    }

    /// Waits so long, or until the server ends; does it?
    pub(crate) fn sleep(&self, wait: Duration) -> bool {
        self.wait_until(Instant::now() + wait, |state| state.is_ending)
    }

    /// Ends every connection, takes no more, and waits for the threads. `address` is where it listens.
    pub(crate) fn end(&self, address: SocketAddr) {
        {
            let mut state = self.lock();
            state.is_ending = true;
            for stream in state.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.changed.notify_all();
        // Wakes the thread that listens, which ends then.
        let _ = TcpStream::connect_timeout(&address, WAKE_LIMIT);
        if !self.wait_until(Instant::now() + END_LIMIT, |state| state.threads == 0) {
            tracing::warn!(port = address.port(), server = self.name, "threads of a server have not ended");
        }
    }

    /// Waits until it is so, until this moment at most; is it?
    fn wait_until(&self, until: Instant, is_so: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        while !is_so(&state) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
