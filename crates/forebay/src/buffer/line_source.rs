//! From a stream of lines to a writer: reads ahead on a thread of its own, parses, pushes, keeps time.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::error::Error;
use super::position::Position;
use super::writer::Writer;
use crate::event::cursor::CursorAt;
use crate::event::jetstream::OTHER;
use crate::event::lines::{Batch, Lines};

/// Batches of lines read ahead: 1 MiB at the usual size.
const AHEAD: usize = 4;

/// How often a silent source is left to look at the clock and at `stop`.
pub const LOOK: Duration = Duration::from_millis(100);

/// How long a source that is told to stop may take to hand on what it has read. Only one that sits in a read takes so long.
const HAND_ON: Duration = Duration::from_secs(2);

/// Where lines come from.
pub struct Input<R> {
    /// May fail with [`ErrorKind::WouldBlock`] where nothing comes for [`LOOK`]. What a source that waits in its
    /// read instead has read when it is told to stop is appended only where it comes within 2 seconds.
    pub reader: R,
    /// The longest line that may be an event.
    pub event_bytes_max: usize,
    /// Lines before this one are passed over.
    pub from_line: u64,
    /// Where each line says where the source stands, if it does.
    pub cursor: Option<CursorAt>,
}

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
#[non_exhaustive]
pub enum LineSourceError {
    /// The buffer's side.
    #[error(transparent)]
    Buffer(#[from] Error),
    /// The source's side.
    #[error("reading the input: {0}")]
    Source(#[from] std::io::Error),
}

/// Hears of lines on the way to a writer.
pub trait LineListener {
    /// Of every line that is no event.
    fn refused(&mut self, line: &Refused<'_>);

    /// Whether no line after that is to be pushed.
    fn is_over(&self) -> bool {
        false
    }

    /// Of every event that has no lane of its own, with the number of its line.
    fn other(&mut self, _line: u64, _event: &[u8]) {}
}

/// Pushes every event of a source until it ends or `stop` is set; `ear` hears of every line that is none. What was
/// read is pushed however it ends, and `position` tells which of it is settled.
/// What was pushed is not yet acknowledged: [`Writer::close`] waits for that.
pub fn append_lines(
    input: Input<impl Read + Send + 'static>,
    writer: &mut Writer,
    position: &mut Position,
    stop: &AtomicBool,
    ear: &mut impl LineListener,
) -> Result<(), LineSourceError> {
    let (send, batches) = bounded(AHEAD);
    let (give_back, spare) = bounded(AHEAD + 1);
    let Input { reader, event_bytes_max, from_line, cursor } = input;
    let lines = Lines::new(reader, event_bytes_max);
    let lines = if writer.events().takes_any_line() { lines.with_blank() } else { lines };
    let halt = Arc::new(AtomicBool::new(false));
    let halted = Arc::clone(&halt);
    // Not joined: it may sit in a read that never ends.
    std::thread::Builder::new()
        .name("forebay-source".into())
        .spawn(move || read_ahead(lines, &send, &spare, &halted))?;
    pump(&batches, writer, (stop, &halt), |batch, writer, now| {
        let result = push_all(&batch, writer, position, (now, from_line, cursor.as_ref()), ear);
        // Full or gone: then the buffer is not wanted back.
        let _ = give_back.try_send(batch.into_buffer());
        result
    })
}

/// The source's thread: hands on every line that it reads. While it reads it holds none that is whole.
fn read_ahead(
    mut lines: Lines<impl Read>,
    send: &Sender<std::io::Result<Batch>>,
    spare: &Receiver<Vec<u8>>,
    halted: &AtomicBool,
) {
    while !halted.load(Relaxed) {
        let batch = match lines.next_batch(spare.try_recv().unwrap_or_default()).transpose() {
            None => return,
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => continue,
            Some(batch) => batch,
        };
        let is_broken = batch.is_err();
        if send.send(batch).is_err() || is_broken {
            return;
        }
    }
}

/// Takes batches as they come, and cuts blocks in time while none comes.
fn pump(
    batches: &Receiver<std::io::Result<Batch>>,
    writer: &mut Writer,
    (stop, halt): (&AtomicBool, &AtomicBool),
    mut take: impl FnMut(Batch, &mut Writer, Duration) -> Result<(), Error>,
) -> Result<(), LineSourceError> {
    let started = Instant::now();
    let mut outcome = Ok(());
    while outcome.is_ok() && !stop.load(Relaxed) {
        let due = writer.next_due().map_or(LOOK, |due| due.saturating_sub(started.elapsed()).min(LOOK));
        outcome = match batches.recv_timeout(due) {
            Ok(batch) => batch
                .map_err(LineSourceError::from)
                .and_then(|batch| Ok(take(batch, writer, started.elapsed())?)),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        // A silent source must not hide that the writer has failed.
        let checked = writer.check().and_then(|()| writer.expire(started.elapsed()));
        outcome = outcome.and(checked.map_err(LineSourceError::from));
    }
    // What was read from the source by then is nobody else's any more: it is appended, or at least counted. No more than
    // that: those in the queue, and the one in the hand of the source's thread.
    halt.store(true, Relaxed);
    while let Ok(batch) = batches.recv_timeout(HAND_ON) {
        let taken = batch
            .map_err(LineSourceError::from)
            .and_then(|batch| Ok(take(batch, writer, started.elapsed())?));
        outcome = outcome.and(taken);
    }
    outcome
}

/// All of it whatever happens, so that every event is counted as taken.
fn push_all(
    batch: &Batch,
    writer: &mut Writer,
    position: &mut Position,
    (now, from_line, cursor): (Duration, u64, Option<&CursorAt>),
    ear: &mut impl LineListener,
) -> Result<(), Error> {
    for oversize in batch.oversize().iter().filter(|oversize| oversize.line >= from_line) {
        let why = format!("{} bytes long, over the limit for one event", oversize.bytes);
        ear.refused(&Refused { line: oversize.line, why, bytes: None });
    }
    if ear.is_over() {
        return Ok(());
    }
    let events = writer.events();
    let of_jetstream = events.is_jetstream();
    let mut outcome = Ok(());
    for (line, bytes) in batch.lines().filter(|(line, _)| *line >= from_line) {
        match events.parse(bytes) {
            Ok(mut event) => {
                event.cursor = cursor.map_or(0, |at| at.of(&event, events));
                position.push(&event, line);
                if of_jetstream && event.lane.lane_name() == OTHER.name() {
                    ear.other(line, bytes);
                }
                let pushed = writer.push_parsed(&event, now, true);
                outcome = outcome.and(pushed);
            }
            Err(why) => ear.refused(&Refused { line, why: why.to_string(), bytes: Some(bytes) }),
        }
        if ear.is_over() {
            return outcome;
        }
    }
    position.read(batch.last_line());
    // So that it holds no more than what is open.
    position.settled(&writer.monitor());
    outcome
}
