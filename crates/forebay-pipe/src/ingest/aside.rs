//! What may wait for long, and cannot be told to stop: a name is looked up, a host is dialled. It is done on a thread of its own,
//! and left to itself where nobody waits for it any more; each part of it has its own deadline.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// How often it is looked whether it is to go on.
const LOOK: Duration = Duration::from_millis(50);

/// Does it; none where it was over first.
pub(super) fn aside<T: Send + 'static>(
    is_over: impl Fn() -> bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (send, done) = sync_channel(1);
    let run = move || {
        let _ = send.send(work());
    };
    thread::Builder::new().name("forebay-dial".into()).spawn(run).ok()?;
    loop {
        match done.recv_timeout(LOOK) {
            Ok(done) => return Some(done),
            Err(RecvTimeoutError::Timeout) if !is_over() => {}
            Err(_) => return None,
        }
    }
}
