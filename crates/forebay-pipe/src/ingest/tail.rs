//! The live end, read on a thread of its own while a replay comes to it: what waits is bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::socket::{Came, Ended, Socket};

/// Batches that wait, and bytes of a batch: 64 MiB together. A batch is what came within some hundredths of a second. Messages may
/// be as large as all that: so much waits at the most, and one more.
const WAITING_BYTES_MAX: usize = 64 << 20;
const BATCHES: usize = 256;
const BATCH_BYTES: usize = 256 << 10;

/// How long a message may wait for others.
const BATCH_AGE: Duration = Duration::from_millis(10);

/// How long the thread may find no room before the host is let go: hosts end a connection that takes nothing for 5 s.
const ROOM_MAX: Duration = Duration::from_secs(2);

/// Among how many messages the first event is looked for.
const FIRST_MAX: usize = 1_000;

/// How long a look for the next batch takes.
const LOOK: Duration = Duration::from_millis(50);

/// Messages as they came.
enum Item {
    Message(Vec<u8>),
    Odd(String),
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(bytes) => bytes.len(),
            Self::Odd(why) => why.len(),
        }
    }
}

/// The live end.
pub(super) struct Tail {
    batches: Receiver<Result<Vec<Item>, Ended>>,
    ready: VecDeque<Item>,
    now: Vec<u8>,
    /// How many were looked at for the first.
    looked: usize,
    ended: Option<Ended>,
    /// Bytes that were read, and not taken.
    waiting: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tail {
    pub(super) fn open(socket: Socket) -> Self {
        let (send, batches) = sync_channel(BATCHES);
        let stop = Arc::new(AtomicBool::new(false));
        let waiting = Arc::new(AtomicUsize::new(0));
        let to = To { send, waiting: Arc::clone(&waiting), stop: Arc::clone(&stop) };
        let run = move || read(socket, &to);
        let thread = std::thread::Builder::new().name("forebay-live".into()).spawn(run).ok();
        Self {
            batches,
            ready: VecDeque::new(),
            now: Vec::new(),
            looked: 0,
            ended: None,
            waiting,
            stop,
            thread,
        }
    }

    /// The first message of which something can be said, and what; it stays. None where none has come within that time, or not
    /// among the first.
    pub(super) fn first<T>(&mut self, wait: Duration, mut of: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        let since = Instant::now();
        loop {
            while let Some(item) = self.ready.get(self.looked).filter(|_| self.looked < FIRST_MAX) {
                self.looked += 1;
                if let Item::Message(bytes) = item
                    && let Some(found) = of(bytes)
                {
                    return Some(found);
                }
            }
            if self.looked >= FIRST_MAX || self.ended.is_some() {
                return None;
            }
            match self.batches.recv_timeout(wait.saturating_sub(since.elapsed())) {
                Ok(Ok(items)) => self.ready.extend(items),
                Ok(Err(ended)) => self.ended = Some(ended),
                Err(RecvTimeoutError::Disconnected) => self.ended = Some(has_ended()),
                Err(RecvTimeoutError::Timeout) => return None,
            }
        }
    }

    /// Why it ended, where that was found while its first message was looked for.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        self.ended.take()
    }

    pub(super) fn next(&mut self) -> Result<Came<'_>, Ended> {
        if self.ready.is_empty() {
            match self.batches.recv_timeout(LOOK) {
                Ok(items) => self.ready.extend(items?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(has_ended()),
            }
        }
        let item = self.ready.pop_front();
        self.waiting.fetch_sub(item.as_ref().map_or(0, Item::bytes), Relaxed);
        match item {
            Some(Item::Message(bytes)) => {
                self.now = bytes;
                Ok(Came::Message(&self.now))
            }
            Some(Item::Odd(why)) => Ok(Came::Odd(why)),
            None => Ok(Came::Nothing),
        }
    }

    pub(super) fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Relaxed);
        // Where it waits for room, there is some now.
        while self.batches.try_recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.end();
    }
}

fn has_ended() -> Ended {
    Ended::Lost("its thread ended".into())
}

/// Where the thread hands on what it reads.
struct To {
    send: SyncSender<Result<Vec<Item>, Ended>>,
    waiting: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// The thread: reads until it is told to stop, nobody takes what it reads, or the host ends.
fn read(mut socket: Socket, to: &To) {
    let mut batch = Vec::new();
    let (mut bytes, mut since) = (0, Instant::now());
    while !to.stop.load(Relaxed) {
        let is_due = match socket.next() {
            Ok(Came::Message(message)) => {
                if batch.is_empty() {
                    since = Instant::now();
                }
                bytes += message.len();
                batch.push(Item::Message(message.to_vec()));
                bytes >= BATCH_BYTES || since.elapsed() >= BATCH_AGE
            }
            Ok(Came::Odd(why)) => {
                batch.push(Item::Odd(why));
                false
            }
            Ok(Came::Nothing) => true,
            Err(ended) => {
                let _ = to.hand_on(Ok(std::mem::take(&mut batch)));
                let _ = to.hand_on(Err(ended));
                return;
            }
        };
        if is_due && !batch.is_empty() {
            bytes = 0;
            if !to.hand_on(Ok(std::mem::take(&mut batch))) {
                break;
            }
        }
    }
    socket.close();
}

impl To {
    /// Hands on what was read; false where nobody has taken anything for so long that the host would end it.
    fn hand_on(&self, mut item: Result<Vec<Item>, Ended>) -> bool {
        let since = Instant::now();
        let bytes = item.iter().flatten().map(Item::bytes).sum();
        loop {
            let waits = || since.elapsed() < ROOM_MAX && !self.stop.load(Relaxed);
            if self.waiting.load(Relaxed) < WAITING_BYTES_MAX {
                self.waiting.fetch_add(bytes, Relaxed);
                match self.send.try_send(item) {
                    Ok(()) => return true,
                    Err(TrySendError::Full(back)) if waits() => item = back,
                    Err(_) => return false,
                }
                self.waiting.fetch_sub(bytes, Relaxed);
            } else if !waits() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_large_messages_are_what_waits_is_bounded() {
        let (send, batches) = sync_channel(BATCHES);
        let to = To { send, waiting: Arc::default(), stop: Arc::default() };
        let large = || Ok(vec![Item::Message(vec![0; WAITING_BYTES_MAX / 2])]);
        assert!(to.hand_on(large()) && to.hand_on(large()));
        let (since, waiting) = (Instant::now(), Arc::clone(&to.waiting));
        assert!(!to.hand_on(large()) && since.elapsed() >= ROOM_MAX);
        let mut tail = Tail {
            batches,
            ready: VecDeque::new(),
            now: Vec::new(),
            looked: 0,
            ended: None,
            waiting,
            stop: Arc::default(),
            thread: None,
        };
        assert!(matches!(tail.next(), Ok(Came::Message(_))));
        assert!(to.hand_on(large()));
    }
}
