//! One connection: two sockets, and what goes from each to the other.

use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::direction::Direction;
use super::pipe::Pipe;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: TcpStream,
    /// None as long as nothing is passed on.
    pub(super) server: OnceLock<TcpStream>,
    /// By way.
    pub(super) pipes: [Pipe; 2],
    // Both are set under the state's lock alone.
    is_over: AtomicBool,
    pub(super) is_unanswered: AtomicBool,
}

impl Connection {
    pub(super) fn new(client: TcpStream) -> Self {
        let (is_over, is_unanswered) = Default::default();
        Self { client, server: OnceLock::new(), pipes: Default::default(), is_over, is_unanswered }
    }

    pub(super) fn held_bytes(&self, way: Direction) -> usize {
        self.pipes[way as usize].lock().bytes()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// Under the state's lock: nothing passes from now on. Whether it was not so before.
    pub(super) fn begin_end(&self) -> bool {
        !self.is_over.swap(true, Relaxed)
    }

    pub(super) fn wake(&self) {
        self.pipes.iter().for_each(Pipe::wake);
    }

    /// Drops what is held and ends both sockets, which ends every thread that waits for them.
    pub(super) fn shut(&self) {
        self.close_pipes();
        for socket in [Some(&self.client), self.server.get()].into_iter().flatten() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn close_pipes(&self) {
        for pipe in &self.pipes {
            pipe.lock().close();
            pipe.wake();
        }
    }
}
