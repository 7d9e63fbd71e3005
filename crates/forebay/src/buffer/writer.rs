//! The writer: events in, acknowledged blocks out.
//!
//! `push` cuts on the caller's thread, one thread compresses, and each lane appends on its own
//! (`lane`). Every queue between them is bounded, in blocks and in bytes, so memory stays at about [`Options::in_flight`]
//! blocks a lane, or a few where they are large.
//! What happens while the server takes nothing is said in [`overflow`](super::overflow).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::connect::Address;
pub use super::counts::Counts;
use super::cutter::{Cutter, Ended};
use super::error::Error;
use super::keys::Name;
pub use super::options::{Ack, Options};
use super::position::{Position, Seq};
pub use super::resume_position::{LanePosition, ResumePosition};
pub use super::shared::Monitor;
use super::shared::Shared;
use super::status_publisher::Publisher;
use super::threads::Threads;
use crate::block::frame::EVENT_BYTES_MAX;
use crate::event::parse::{CURSOR_MAX, Event, TIME_US_MAX};
use crate::event::stream::Stream;

/// After how many events it is looked at which are settled: no more numbers are kept than events are open, and the low
/// watermark that goes with each block is not far behind.
const PRUNE_EVERY: u64 = 64;

/// Appends events to a buffer.
///
/// [`Writer::close`] waits for the last acknowledgement; a writer that is dropped instead gives up what is under way. Only one
/// writer may have a buffer.
///
/// **Threads.** One a lane, one that compresses, one that says once a second what became of the events, and from the first
/// [`Writer::push`] on one that keeps time: 9. With [`Overflow::Spill`](crate::Overflow::Spill) one more a lane, and one that finds
/// out what the
/// server's disk has: 16. All of them have ended when [`Writer::close`] returns, or the drop, but for the one that says how
/// it ended: that has a second.
///
/// **Connections.** One a lane, and one of the thread that says what became of the events: 7. With [`Overflow::Spill`](crate::Overflow::Spill) one
/// more. While a writer opens that finds another's traces, one more to listen.
///
/// **Memory.** At most 16 blocks wait for the compressor, and about [`Options::in_flight`] a lane for the server.
pub struct Writer {
    pub(super) cutter: Arc<Cutter>,
    pub(super) shared: Arc<Shared>,
    pub(super) threads: Threads,
    pub(super) publisher: Option<Publisher>,
    pub(super) keeps_time: bool,
    pub(super) resumed: ResumePosition,
    /// Events that were pushed, and which of them are settled.
    pub(super) pushed: u64,
    pub(super) position: Position,
    /// What the buffer's events are.
    pub(super) events: Stream,
    pub(super) address: Address,
    pub(super) name: Name,
    pub(super) patience: Duration,
    /// Who counts, as it was named.
    pub(super) source: Option<String>,
}

/// Why an event was not taken at once.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TryPushError {
    /// The queues are full: the server takes fewer events than come. The event was not taken.
    #[error("the writer's queues are full")]
    Full,
    /// The event, or the writer.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Writer {
    /// Where the source stood when the writer was opened, by the cursors of its events; and each lane: how many events of it
    /// were ever stored, and the number of its last block. A program whose source gives the same events again in the same order goes on after so many of each lane.
    pub fn resume_position(&self) -> &ResumePosition {
        &self.resumed
    }

    /// Whether [`Self::try_push`] would take an event now.
    pub fn has_room(&self) -> Result<bool, Error> {
        self.cutter.has_room().map_err(|Ended| self.ended())
    }

    /// Takes an event, and gives its number in this run. Waits while the queues are full. One that would make its block
    /// unreadable (a line end, a time that is not the event's) is refused, and has no number. What waits for others is sent
    /// when it has waited for as long as `linger` allows, whether another event comes or not.
    pub fn push(&mut self, event: &Event<'_>) -> Result<Seq, Error> {
        self.keep_time()?;
        self.push_at(event, self.cutter.now())
    }

    /// The same without waiting: [`TryPushError::Full`] where the queues are full.
    pub fn try_push(&mut self, event: &Event<'_>) -> Result<Seq, TryPushError> {
        self.keep_time()?;
        self.try_push_at(event, self.cutter.now())
    }

    /// The last event such that it and every one before it is settled: acknowledged as [`Ack`] says; or fsynced in the
    /// spill folder; or dropped by [`Overflow::Shed`](crate::Overflow::Shed) and counted. What was dropped is only known to be settled once a later
    /// block of its lane is acknowledged, or nothing is open any more. Whoever has its source send again
    /// from the event after it loses none. An event that [`Overflow::TrimOldest`](crate::Overflow::TrimOldest) dropped was acknowledged before.
    pub fn acked_through(&mut self) -> Seq {
        Seq::new(self.position.settled(&self.monitor()))
    }

    /// Takes an event that came at `now`, on a clock of the caller's, who then calls [`Self::expire`] too. Either this or
    /// [`Self::push`] is used with a writer.
    #[doc(hidden)]
    pub fn push_at(&mut self, event: &Event<'_>, now: Duration) -> Result<Seq, Error> {
        self.readable(event).map_err(|why| Error::NoEvent { why })?;
        self.take(event, now, true)
    }

    /// The same without waiting, as [`Self::try_push`].
    #[doc(hidden)]
    pub fn try_push_at(&mut self, event: &Event<'_>, now: Duration) -> Result<Seq, TryPushError> {
        self.readable(event).map_err(|why| Error::NoEvent { why })?;
        if !self.has_room()? {
            return Err(TryPushError::Full);
        }
        Ok(self.take(event, now, false)?)
    }

    /// Whether readers will take the event for what it is: a block is opened as lines, each of them parsed, and their times
    /// compared with the block's.
    fn readable(&self, event: &Event<'_>) -> Result<(), String> {
        let Event { bytes, time_us, lane, cursor } = event;
        if bytes.len() > EVENT_BYTES_MAX {
            return Err(format!("it has {} bytes, and the most is {EVENT_BYTES_MAX}", bytes.len()));
        }
        if let Some(at) = memchr::memchr(b'\n', bytes) {
            return Err(format!("there is a line end at byte {at}, and an event is one line"));
        }
        let lanes = self.events.lanes();
        if !lanes.has(*lane) {
            return Err(format!("it is of lane {lane}, and the buffer's lanes are {lanes}"));
        }
        if !self.events.takes_any_line() {
            let parsed = self.events.parse(bytes).map_err(|why| why.to_string())?;
            if self.events.has_times() && parsed.time_us != *time_us {
                return Err(format!("its time is given as {time_us} where it says {}", parsed.time_us));
            }
        }
        if *time_us > TIME_US_MAX {
            return Err(format!("its time is {time_us}, and the latest is {TIME_US_MAX}"));
        }
        if *cursor > CURSOR_MAX {
            return Err(format!("its cursor is {cursor}, and the highest is {CURSOR_MAX}"));
        }
        Ok(())
    }

    fn take(&mut self, event: &Event<'_>, now: Duration, waits: bool) -> Result<Seq, Error> {
        // Before this event is one of them: it is not counted as open before it is handed on.
        if self.pushed.is_multiple_of(PRUNE_EVERY) {
            self.position.settled(&self.monitor());
        }
        self.pushed += 1;
        self.position.push(event, self.pushed);
        self.position.read(self.pushed);
        self.push_parsed(event, now, waits).map(|()| Seq::new(self.pushed))
    }

    /// Takes what [`Self::events`] has just made of a line.
    pub(crate) fn push_parsed(&mut self, event: &Event<'_>, now: Duration, waits: bool) -> Result<(), Error> {
        self.shared.lanes[event.lane.index()].pushed.fetch_add(1, Relaxed);
        self.shared.source.pushed(event.cursor);
        self.cutter.push(event, now, waits).map_err(|Ended| self.ended())
    }

    /// From now on blocks are cut in time by a thread of the writer's own.
    fn keep_time(&mut self) -> Result<(), Error> {
        if !self.keeps_time {
            let cutter = Arc::clone(&self.cutter);
            self.threads.start("forebay-timer".into(), move || cutter.keep_time())?;
            self.keeps_time = true;
        }
        Ok(())
    }

    /// Cuts the blocks that have waited long enough at `now`.
    #[doc(hidden)]
    pub fn expire(&mut self, now: Duration) -> Result<(), Error> {
        self.cutter.expire(now).map_err(|Ended| self.ended())
    }

    /// When [`Self::expire`] should be called next, on the clock of `now`.
    #[doc(hidden)]
    pub fn next_due(&self) -> Option<Duration> {
        self.cutter.next_due()
    }

    /// Sends what is there, whatever its age. It does not wait for acknowledgements: [`Self::acked_through`] tells of them.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.cutter.flush().map_err(|Ended| self.ended())
    }

    pub(super) fn ended(&self) -> Error {
        let without = || Error::System("a writer thread ended without a word".into(), None);
        self.shared.failure().unwrap_or_else(without)
    }

    /// The error that ended the writer, where there is one.
    pub fn check(&self) -> Result<(), Error> {
        self.shared.failure().map_or(Ok(()), Err)
    }

    /// What the buffer's events are: how a line becomes one.
    pub fn events(&self) -> Stream {
        self.events
    }

    /// A look at the counts that outlives the writer.
    pub fn monitor(&self) -> Monitor {
        Monitor::of(&self.shared)
    }

    /// Cuts what is left, waits until everything is acknowledged, and says what became of it. With
    /// [`Overflow::Spill`](crate::Overflow::Spill) it waits no longer than the server takes blocks: the rest is on disk, and
    /// [`Counts::accepted`] covers it.
    pub fn close(mut self) -> Result<Counts, Error> {
        let closed = self.finish();
        if let Some(publisher) = self.publisher.take() {
            publisher.end(closed.as_ref().map(drop));
        }
        closed
    }

    fn finish(&mut self) -> Result<Counts, Error> {
        let flushed = self.flush();
        self.cutter.end();
        self.shared.close();
        let panicked = self.threads.join();
        if let Some(error) = self.shared.failure() {
            return Err(error);
        }
        flushed?;
        let counts = self.monitor().counts();
        if panicked || counts.open() > 0 {
            return Err(self.ended());
        }
        Ok(counts)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Relaxed);
        self.cutter.end();
        // So that the counts are final. At worst a thread sits out the connection's time-out.
        self.threads.join();
        if let Some(publisher) = self.publisher.take() {
            let given_up = || Error::System("the writer was given up without being closed".into(), None);
            publisher.end(Err(&self.shared.failure().unwrap_or_else(given_up)));
        }
    }
}
