//! What needs a server each, several at a time: most of their time they wait.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::printable::error_chain;
use crate::progress::Progress;
use forebay::buffer::lock;

/// How many at a time.
pub(super) const AT_A_TIME: usize = 3;

/// What came of each, in their order. After the first error no further one begins.
pub(super) fn by_side<J: Sync, T: Send>(
    jobs: &[J],
    progress: &dyn Progress,
    play: impl Fn(&J) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    by_side_of(AT_A_TIME, jobs, progress, play)
}

/// The same with so many at a time: for what hardly does anything but wait.
pub(super) fn by_side_of<J: Sync, T: Send>(
    at_a_time: usize,
    jobs: &[J],
    progress: &dyn Progress,
    play: impl Fn(&J) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    in_parts_of(at_a_time, jobs, progress, || Ok(()), |(), job| play(job))
}

/// The same, where each of those that work at a time has something of its own.
pub(super) fn in_parts<J: Sync, T: Send, O>(
    jobs: &[J],
    progress: &dyn Progress,
    own: impl Fn() -> anyhow::Result<O> + Sync,
    play: impl Fn(&mut O, &J) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    in_parts_of(AT_A_TIME, jobs, progress, own, play)
}

fn in_parts_of<J: Sync, T: Send, O>(
    at_a_time: usize,
    jobs: &[J],
    progress: &dyn Progress,
    own: impl Fn() -> anyhow::Result<O> + Sync,
    play: impl Fn(&mut O, &J) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let played: Mutex<Vec<(usize, anyhow::Result<T>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                let mut mine = own();
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some(job) = jobs.get(at) else { return };
                    let outcome = match &mut mine {
                        Ok(own) => play(own, job),
                        Err(error) => Err(anyhow::anyhow!("{}", error_chain(error))),
                    };
                    if outcome.is_err() {
                        next.store(jobs.len(), Relaxed);
                    }
                    lock(&played).push((at, outcome));
                    progress.at(done.fetch_add(1, Relaxed) as u64 + 1);
                }
            });
        }
    });
    let mut played = std::mem::take(&mut *lock(&played));
    played.sort_by_key(|(at, _)| *at);
    played.into_iter().map(|(_, outcome)| outcome).collect()
}
