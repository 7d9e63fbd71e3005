//! The thread that listens, and one for each connection it accepts.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::forward::{builder, forward};
use super::state::Shared;

/// Connections at a time. One more is closed at once.
pub const CONNECTIONS_MAX: usize = 256;
/// How long to wait before the next try where none can be accepted: too many files are open, as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Starts listening.
pub(super) fn start(shared: &Arc<Shared>, listener: TcpListener, targets: Vec<SocketAddr>) -> io::Result<()> {
    let ours = Arc::clone(shared);
    let listen = move || {
        let _ending = Ending(&ours, None);
        accept(&ours, &listener, &targets.into());
        // Closed before the end is told.
        drop(listener);
    };
    builder(shared).spawn(listen).map(drop)
}

/// Tells of a thread's end, also where it panics.
struct Ending<'a>(&'a Shared, Option<u64>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        match self.1 {
            Some(number) => self.0.remove(number),
            None => self.0.end_listening(),
        }
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener, targets: &Arc<[SocketAddr]>) {
    loop {
        let accepted = listener.accept();
        if shared.lock().is_ending() {
            return;
        }
        match accepted {
            Ok((client, _)) => take(shared, client, targets),
            Err(_) => shared.pause(ACCEPT_PAUSE),
        }
    }
}

/// Starts a connection's thread. A client for whom there is none is told by a closed connection, as by a server.
fn take(shared: &Arc<Shared>, client: TcpStream, targets: &Arc<[SocketAddr]>) {
    let mut state = shared.lock();
    if state.is_ending() || state.is_refusing || state.connections.len() >= CONNECTIONS_MAX {
        return;
    }
    let (number, connection) = state.add(Connection::new(client));
    drop(state);
    let (ours, targets) = (Arc::clone(shared), Arc::clone(targets));
    let run = move || {
        let _ending = Ending(&ours, Some(number));
        forward(&ours, &connection, &targets);
        connection.shut();
    };
    if builder(shared).spawn(run).is_err() {
        shared.remove(number);
    }
}
