//! A bound on the bytes between two threads, where the queue between them counts blocks: events differ in size by a million.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::mutex::lock;

/// So many bytes and no more are let through at once, or one piece that is larger.
#[derive(Debug)]
pub(super) struct Gate {
    bytes_max: usize,
    /// Nothing is held back any more where there are none.
    held: Mutex<Option<usize>>,
    freed: Condvar,
}

/// The other end of the queue: once it is dropped everything is let through.
#[derive(Debug)]
pub(super) struct Exit(Arc<Gate>);

/// Bytes that were let through, until it is dropped.
#[derive(Debug)]
pub(super) struct Passed {
    gate: Arc<Gate>,
    bytes: usize,
}

impl Gate {
    pub fn new(bytes_max: usize) -> (Arc<Self>, Exit) {
        let gate = Arc::new(Self { bytes_max, held: Mutex::new(Some(0)), freed: Condvar::new() });
        (Arc::clone(&gate), Exit(gate))
    }

    /// Waits until there is room, or nobody at the other end.
    pub fn pass(self: &Arc<Self>, bytes: usize) -> Passed {
        let is_full = |held: &mut Option<usize>| self.is_full(*held, bytes);
        let held = self.freed.wait_while(lock(&self.held), is_full).unwrap_or_else(PoisonError::into_inner);
        self.let_through(held, bytes)
    }

    /// The same without waiting; none where there is no room now.
    pub fn try_pass(self: &Arc<Self>, bytes: usize) -> Option<Passed> {
        let held = lock(&self.held);
        (!self.is_full(*held, bytes)).then(|| self.let_through(held, bytes))
    }

    fn is_full(&self, held: Option<usize>, bytes: usize) -> bool {
        held.is_some_and(|held| held > 0 && held + bytes > self.bytes_max)
    }

    fn let_through(self: &Arc<Self>, mut held: MutexGuard<'_, Option<usize>>, bytes: usize) -> Passed {
        *held = held.map(|held| held + bytes);
        Passed { gate: Arc::clone(self), bytes }
    }

    fn set(&self, change: impl FnOnce(usize) -> Option<usize>) {
        let mut held = lock(&self.held);
        *held = held.and_then(change);
        self.freed.notify_all();
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        self.gate.set(|held| Some(held.saturating_sub(self.bytes)));
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        self.0.set(|_| None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_piece_goes_through_whatever_its_size_and_the_next_once_there_is_room() {
        let (gate, exit) = Gate::new(10);
        let large = gate.pass(100);
        assert!(gate.try_pass(1).is_none());
        let (send, receive) = std::sync::mpsc::channel();
        let other = Arc::clone(&gate);
        let waits = std::thread::spawn(move || {
            let small = [other.pass(6), other.pass(4)];
            send.send(()).unwrap();
            drop(small);
        });
        assert!(receive.recv_timeout(Duration::from_millis(50)).is_err(), "there is no room");
        drop(large);
        receive.recv_timeout(Duration::from_secs(60)).unwrap();
        waits.join().unwrap();
        assert_eq!(*lock(&gate.held), Some(0));
        let _large = gate.pass(100);
        drop(exit);
        gate.pass(1);
    }
}
