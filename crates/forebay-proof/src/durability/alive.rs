//! Watches a server while something ends it: when it was last seen alive, and when last without a pending fsync.
//!
//! A command that ends somebody's server takes its time, and the load goes on meanwhile. What counts as acknowledged before
//! the end is told by the server's own answers, asked for all along, not by when the command was given.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::server_state::{has_no_fsync, run_id};
use crate::target::facts_of;
use forebay::buffer::connect::Address;
use forebay::buffer::connection::Connection;

/// How long a server puts writes off while an fsync is pending (`aof.c`, `flushAppendOnlyFile`). What it acknowledged
/// earlier than that before its end, it had written, or tried to.
pub(super) const PUT_OFF: Duration = Duration::from_secs(2);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(1);
/// Between two tries to connect.
const REDIAL: Duration = Duration::from_millis(5);

/// When a server was last seen, as of when it was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastSeen {
    /// It answered.
    alive: Instant,
    /// It answered that no fsync is pending: what it had acknowledged by then, it had written.
    settled: Instant,
}

impl LastSeen {
    /// Asked then, and settled.
    pub fn at(asked: Instant) -> Self {
        Self { alive: asked, settled: asked }
    }

    /// From when on it may have acknowledged what it had not written.
    pub fn owed_until(self) -> Instant {
        self.settled.max(self.alive.checked_sub(PUT_OFF).unwrap_or(self.settled))
    }
}

/// Ends a server, and asks it all the while.
pub(super) fn until_gone<T>(
    address: &Address,
    run: &str,
    mut seen: LastSeen,
    end: impl FnOnce() -> T,
) -> (LastSeen, T) {
    let is_over = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut connection = None;
            while !is_over.load(Relaxed) {
                let Some(open) = &mut connection else {
                    connection = dial(address, run);
                    std::thread::sleep(if connection.is_some() { Duration::ZERO } else { REDIAL });
                    continue;
                };
                let asked = Instant::now();
                match facts_of(open, &["persistence"]) {
                    Ok(facts) => {
                        seen.alive = asked;
                        if has_no_fsync(&facts) {
                            seen.settled = asked;
                        }
                        std::thread::sleep(PAUSE);
                    }
                    Err(_) => connection = None,
                }
            }
        });
        let ended = end();
        is_over.store(true, Relaxed);
        // It holds no lock, and what it waits for has a limit.
        drop(watching.join());
        ended
    });
    (seen, ended)
}

/// A connection to this very process: who is ended by a crash may be started again by a supervisor at once.
fn dial(address: &Address, run: &str) -> Option<Connection> {
    let connection = address.dial().ok()?;
    (run_id(address).ok()? == run).then_some(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is owed until then, where it last answered so many milliseconds after it was last settled.
    fn owed_for(since_settled: u64) -> Duration {
        let settled = Instant::now();
        let alive = settled + Duration::from_millis(since_settled);
        alive - LastSeen { alive, settled }.owed_until()
    }

    #[test]
    fn no_more_is_excused_than_what_came_since_no_fsync_was_pending_and_never_more_than_two_seconds() {
        assert_eq!(owed_for(0), Duration::ZERO);
        assert_eq!(owed_for(300), Duration::from_millis(300));
        assert_eq!(owed_for(30_000), Duration::from_secs(2), "a server that was never seen settled again");
    }
}
