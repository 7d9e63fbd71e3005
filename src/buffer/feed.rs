//! From a stream of lines to a writer: reads ahead on a thread of its own, parses, pushes, keeps time.

use std::io::Read;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::error::Error;
use super::writer::Writer;
use crate::event::lines::{Batch, Lines};
use crate::event::parse;

/// Batches of lines read ahead: 1 MiB at the usual size.
const AHEAD: usize = 4;

/// How often a silent source is left to look at the clock and at `stop`.
const LOOK: Duration = Duration::from_millis(100);

/// A line that is no event.
#[derive(Debug)]
pub struct Refused<'a> {
    /// Its number in the input, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
    /// Its bytes; none where it was too long to keep.
    pub bytes: Option<&'a [u8]>,
}

/// Why feeding ended early.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The buffer's side.
    #[error(transparent)]
    Buffer(#[from] Error),
    /// The source's side.
    #[error("reading the input: {0}")]
    Source(#[from] std::io::Error),
}

/// Pushes every event of `source` until it ends or `stop` is set; `refused` hears of every line that is none.
/// What was pushed is not yet acknowledged: [`Writer::close`] waits for that.
pub fn feed(
    source: impl Read + Send + 'static,
    event_bytes_max: usize,
    writer: &mut Writer,
    stop: &AtomicBool,
    refused: &mut dyn FnMut(Refused<'_>),
) -> Result<(), FeedError> {
    let (send, batches) = bounded(AHEAD);
    let (give_back, spare) = bounded(AHEAD + 1);
    let mut lines = Lines::new(source, event_bytes_max);
    // Not joined: it may sit in a read that never ends, and it holds nothing that is owed.
    std::thread::Builder::new().name("forebay-source".into()).spawn(move || {
        loop {
            let buffer = spare.try_recv().unwrap_or_default();
            match lines.next_batch(buffer).transpose() {
                None => return,
                Some(batch) => {
                    if send.send(batch).is_err() {
                        return;
                    }
                }
            }
        }
    })?;
    pump(&batches, writer, stop, |batch, writer, now| {
        let result = push_all(&batch, writer, now, refused);
        // Full or gone: then the buffer is not wanted back.
        let _ = give_back.try_send(batch.into_buffer());
        result
    })
}

/// Takes batches as they come, and cuts blocks in time while none comes.
fn pump(
    batches: &Receiver<std::io::Result<Batch>>,
    writer: &mut Writer,
    stop: &AtomicBool,
    mut take: impl FnMut(Batch, &mut Writer, Duration) -> Result<(), Error>,
) -> Result<(), FeedError> {
    let started = Instant::now();
    let mut outcome = Ok(());
    while outcome.is_ok() && !stop.load(Relaxed) {
        let due = writer.next_due().map_or(LOOK, |due| due.saturating_sub(started.elapsed()).min(LOOK));
        outcome = match batches.recv_timeout(due) {
            Ok(batch) => {
                batch.map_err(FeedError::from).and_then(|batch| Ok(take(batch, writer, started.elapsed())?))
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        // A silent source must not hide that the writer has failed.
        let checked = writer.check().and_then(|()| writer.expire(started.elapsed()));
        outcome = outcome.and(checked.map_err(FeedError::from));
    }
    // What was read from the source by then is nobody else's any more: it is appended, or at least counted. No more than
    // that: the source may never end.
    for batch in batches.try_iter().take(AHEAD + 1) {
        let taken =
            batch.map_err(FeedError::from).and_then(|batch| Ok(take(batch, writer, started.elapsed())?));
        outcome = outcome.and(taken);
    }
    outcome
}

/// All of it whatever happens, so that every event is counted as taken.
fn push_all(
    batch: &Batch,
    writer: &mut Writer,
    now: Duration,
    refused: &mut dyn FnMut(Refused<'_>),
) -> Result<(), Error> {
    for oversize in batch.oversize() {
        let why = format!("{} bytes long, over the limit for one event", oversize.bytes);
        refused(Refused { line: oversize.line, why, bytes: None });
    }
    let mut outcome = Ok(());
    for (line, bytes) in batch.lines() {
        match parse::parse(bytes) {
            Ok(event) => {
                let pushed = writer.push(&event, now);
                outcome = outcome.and(pushed);
            }
            Err(why) => refused(Refused { line, why: why.to_string(), bytes: Some(bytes) }),
        }
    }
    outcome
}
