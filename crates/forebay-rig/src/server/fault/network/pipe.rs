//! What has come on a connection one way and has not passed yet: a bounded queue, in which each piece knows when it came.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is held of one connection one way, each piece counted with its own cost; then no more is read from the sender.
pub const HELD_BYTES_MAX: usize = 64 << 20;

/// What a piece costs beside its bytes, so that many small ones are bounded too.
const PIECE_COST: usize = 64;

/// What can come.
#[derive(Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// The sender has no more to send.
    End,
    /// The sender is gone.
    Broken,
}

/// What is to be done now.
pub(super) enum Next<'a> {
    /// To wait, so long or for a change.
    Wait(Option<Duration>),
    Pass(&'a Content, usize),
}

#[derive(Debug)]
struct Piece {
    came: Instant,
    content: Content,
    /// Bytes of it that have passed.
    passed: usize,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Nothing passes any more.
    is_closed: bool,
    /// The last that passed, as far as a question that is looked for may have begun in it.
    tail: Vec<u8>,
}

impl Queue {
    /// The oldest piece and how much of it has passed, once it has been here for so long.
    pub(super) fn next(&self, delay: Duration) -> Next<'_> {
        let Some(piece) = self.pieces.front() else { return Next::Wait(None) };
        let left = delay.saturating_sub(piece.came.elapsed());
        if left.is_zero() { Next::Pass(&piece.content, piece.passed) } else { Next::Wait(Some(left)) }
    }

    /// So many bytes of the oldest piece have passed.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.bytes -= bytes;
        let Some(piece) = self.pieces.front_mut() else { return };
        piece.passed += bytes;
        if matches!(&piece.content, Content::Bytes(all) if all.len() == piece.passed) {
            self.pieces.pop_front();
        }
    }

    /// Whether a question is in the next so many bytes of the oldest piece, or began in what passed before.
    pub(super) fn has(&mut self, question: &[u8], bytes: usize) -> bool {
        let Some(Piece { content: Content::Bytes(all), passed, .. }) = self.pieces.front() else {
            return false;
        };
        self.tail.extend(&all[*passed..*passed + bytes]);
        let is_there = memchr::memmem::find(&self.tail, question).is_some();
        let kept = question.len().saturating_sub(1);
        self.tail.drain(..self.tail.len().saturating_sub(kept));
        is_there
    }

    /// No question is looked for: what passes now is not before what passes when one is.
    pub(super) fn forget(&mut self) {
        self.tail.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_full(&self) -> bool {
        self.bytes + self.pieces.len() * PIECE_COST >= HELD_BYTES_MAX
    }

    pub(super) fn close(&mut self) {
        *self = Self { is_closed: true, ..Self::default() };
    }
}

#[derive(Debug, Default)]
pub(super) struct Pipe {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Pipe {
    /// Valid between any two statements, as the state is.
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a piece in once there is room; whether anything more will pass.
    pub(super) fn push(&self, content: Content) -> bool {
        let is_full = |queue: &mut Queue| queue.is_full() && !queue.is_closed;
        let mut queue = self.changed.wait_while(self.lock(), is_full).unwrap_or_else(PoisonError::into_inner);
        if queue.is_closed {
            return false;
        }
        if let Content::Bytes(bytes) = &content {
            queue.bytes += bytes.len();
        }
        queue.pieces.push_back(Piece { came: Instant::now(), content, passed: 0 });
        drop(queue);
        self.changed.notify_all();
        true
    }

    /// Waits for a change, or so long.
    pub(super) fn wait<'a>(
        &'a self,
        queue: MutexGuard<'a, Queue>,
        time: Option<Duration>,
    ) -> MutexGuard<'a, Queue> {
        match time {
            Some(time) => self.changed.wait_timeout(queue, time).unwrap_or_else(PoisonError::into_inner).0,
            None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Tells whoever waits that something has changed. The lock is taken so that nobody can be between looking and
    /// waiting.
    pub(super) fn wake(&self) {
        drop(self.lock());
        self.notify();
    }

    /// The same where the lock is held already.
    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }
}
