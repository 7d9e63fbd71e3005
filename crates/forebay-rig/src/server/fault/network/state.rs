//! What is to befall the connections, and which there are: one lock, under which every byte is handed on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::direction::Direction;

/// Questions that get no answer.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    pub(super) question: Vec<u8>,
    pub(super) times: u64,
}

/// Where the listening thread stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    #[default]
    Listens,
    /// It is told to end, and every connection with it.
    Ends,
    Ended,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// By way: bytes that may still pass before each cut. Without one, all may.
    pub(super) cuts_due: [VecDeque<u64>; 2],
    pub(super) unanswered: Unanswered,
    /// By way.
    pub(super) delays: [Duration; 2],
    pub(super) is_black_hole: bool,
    pub(super) is_refusing: bool,
    /// Connections cut so far.
    pub(super) cuts: u64,
    pub(super) connections: BTreeMap<u64, Arc<Connection>>,
    /// Connections so far; the number of the next.
    accepted: u64,
    life: Life,
}

impl State {
    /// How many of so many bytes may pass this way; none where the connection that has them is to be cut.
    pub(super) fn allowed(&self, way: Direction, bytes: usize) -> usize {
        let left = self.cuts_due[way as usize].front().copied().unwrap_or(u64::MAX);
        usize::try_from(left).map_or(bytes, |left| left.min(bytes))
    }

    pub(super) fn passed(&mut self, way: Direction, bytes: usize) {
        if let Some(left) = self.cuts_due[way as usize].front_mut() {
            *left = left.saturating_sub(bytes as u64);
        }
    }

    pub(super) fn end(&mut self) {
        self.life = self.life.max(Life::Ends);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.life != Life::Listens
    }

    pub(super) fn add(&mut self, connection: Connection) -> (u64, Arc<Connection>) {
        let (number, connection) = (self.accepted, Arc::new(connection));
        self.accepted += 1;
        self.connections.insert(number, Arc::clone(&connection));
        (number, connection)
    }
}

/// The state, and who waits for it to change.
#[derive(Debug)]
pub(super) struct Shared {
    /// The port, as a name for threads.
    pub(super) port: u16,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(super) fn new(port: u16) -> Self {
        Self { port, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The values behind the lock are valid between any two statements, so a panic elsewhere does not spoil them.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every connection there is. Whoever wants to lock one of its pipes must not hold the state's lock: threads that
    /// pass bytes on take them the other way round.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().connections.values().cloned().collect()
    }

    /// Changes what is to befall the connections, and tells every thread that waits.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
        for connection in self.all() {
            connection.wake();
        }
    }

    /// Cuts every connection; how many had not been cut before.
    pub(super) fn cut_all(&self) -> u64 {
        let mut state = self.lock();
        let all: Vec<_> = state.connections.values().cloned().collect();
        let cut = all.iter().filter(|connection| connection.begin_end()).count() as u64;
        state.cuts += cut;
        drop(state);
        self.changed.notify_all();
        for connection in all {
            connection.shut();
        }
        cut
    }

    /// Waits until something is passed on at all; whether this connection still lives then.
    pub(super) fn wait_until_open(&self, connection: &Connection) -> bool {
        let is_shut = |state: &mut State| state.is_black_hole && !connection.is_over();
        let state = self.changed.wait_while(self.lock(), is_shut).unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !connection.is_over()
    }

    /// Waits so long, or until the end.
    pub(super) fn pause(&self, time: Duration) {
        let goes_on = |state: &mut State| !state.is_ending();
        drop(self.changed.wait_timeout_while(self.lock(), time, goes_on));
    }

    pub(super) fn remove(&self, number: u64) {
        self.lock().connections.remove(&number);
        self.changed.notify_all();
    }

    pub(super) fn end_listening(&self) {
        self.lock().life = Life::Ended;
        self.changed.notify_all();
    }

    /// Waits until no thread is left.
    pub(super) fn wait_until_ended(&self, limit: Duration) {
        let are_left = |state: &mut State| state.life != Life::Ended || !state.connections.is_empty();
        drop(self.changed.wait_timeout_while(self.lock(), limit, are_left));
    }
}
