//! The writer: events in, acknowledged blocks out.
//!
//! `push` cuts on the caller's thread, one thread compresses, and each lane appends on its own
//! (`lane`). Every queue between them is bounded, in blocks and in bytes, so memory stays at about [`Options::in_flight`]
//! blocks a lane, or a few where they are large.
//! What happens while the server takes nothing is said in [`overflow`](super::overflow).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::claim::LaneStarts;
use super::compress::CompressorThread;
use super::connect::Address;
pub use super::counts::Counts;
use super::cutter::{Cutter, Ended};
use super::error::Error;
use super::gate::Gate;
use super::keys::Name;
pub use super::options::{Ack, Options};
use super::overflow::Overflow;
use super::owner::Owner;
use super::position::{Position, Seq};
pub use super::resume_position::{LanePosition, ResumePosition};
use super::round_failure::BACKOFF_MAX;
pub use super::shared::Monitor;
use super::shared::Shared;
use super::status_publisher::Publisher;
use super::threads::Threads;
use crate::block::encode::Encoder;
use crate::block::frame::EVENT_BYTES_MAX;
use crate::event::parse::{CURSOR_MAX, Event, TIME_US_MAX};
use crate::event::stream::Stream;

/// Drafts that may wait for the compressor, and bytes of theirs: 4 MiB at the default block size.
const DRAFTS_MAX: usize = 16;
const DRAFT_BYTES_MAX: usize = 8 << 20;

/// After how many events it is looked at which are settled: no more numbers are kept than events are open, and the low
/// watermark that goes with each block is not far behind.
const PRUNE_EVERY: u64 = 64;

/// Appends events to a buffer.
///
/// [`Writer::close`] waits for the last acknowledgement; a writer that is dropped instead gives up what is under way. Only one
/// writer may have a buffer.
///
/// **Threads.** One a lane, one that compresses, one that says once a second what became of the events, and from the first
/// [`Writer::push`] on one that keeps time: 9. With [`Overflow::Spill`] one more a lane, and one that finds out what the
/// server's disk has: 16. All of them have ended when [`Writer::close`] returns, or the drop, but for the one that says how
/// it ended: that has a second.
///
/// **Connections.** One a lane, and one of the thread that says what became of the events: 7. With [`Overflow::Spill`] one
/// more. While a writer opens that finds another's traces, one more to listen.
///
/// **Memory.** At most 16 blocks wait for the compressor, and about [`Options::in_flight`] a lane for the server.
pub struct Writer {
    cutter: Arc<Cutter>,
    pub(super) shared: Arc<Shared>,
    threads: Threads,
    publisher: Option<Publisher>,
    keeps_time: bool,
    resumed: ResumePosition,
    /// Events that were pushed, and which of them are settled.
    pushed: u64,
    position: Position,
    /// What the buffer's events are.
    events: Stream,
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
    /// Takes every lane of the buffer, or none; older writers are fenced from here on. One that is still heard is not taken
    /// from, unless [`Options::takes_over`]. With [`Overflow::Spill`] a server that is away or takes no writes is no
    /// reason to fail: its lanes are taken once it does. Nothing is dropped before the lanes are taken.
    #[doc(hidden)]
    pub fn open(address: &Address, name: &Name, options: &Options) -> Result<Self, Error> {
        let shared =
            Arc::new(Shared::new(name.lanes(), Owner::new(options.takes_over), options.listener.clone()));
        let mut lanes = LaneStarts::of(address, name, options, &shared)?;
        let (gate, exit) = Gate::new(DRAFT_BYTES_MAX);
        let (send, receive) = bounded(DRAFTS_MAX);
        let mut writer = Self {
            cutter: Arc::new(Cutter::new(options.limits, name.lanes(), gate, send)),
            shared,
            threads: Threads::default(),
            publisher: None,
            keeps_time: false,
            resumed: lanes.position(),
            pushed: 0,
            position: Position::of(name.lanes()),
            events: name.events(),
        };
        // So that no block says less than those before it.
        writer.monitor().raise_low_watermark(writer.resumed.low_watermark().unwrap_or(0));
        // First of all, so that whoever looks at the lanes hears whose they are.
        writer.publisher = Some(Publisher::start(address, name, &writer.shared)?);
        let senders = name.lanes().map(|lane| lanes.start(lane, &writer.shared, &mut writer.threads));
        let senders = senders.into_iter().collect::<Result<Vec<_>, _>>()?;
        let encoder = Encoder::of(writer.events, options.encoding)
            .map_err(|error| Error::system("no zstd context", error))?;
        let sheds = options.overflow == Overflow::Shed;
        let packer = CompressorThread::new(encoder, senders, Arc::clone(&writer.shared), sheds);
        writer.threads.start("forebay-zstd".into(), move || {
            let _exit = exit;
            packer.run(&receive);
        })?;
        Ok(writer)
    }

    #[doc(hidden)]
    /// Opens as [`Self::open`] does, and waits for a server that is there and takes no writes yet (full, loading), as
    /// long as [`Options::patience`] allows. None where `stop` was set meanwhile.
    pub fn open_patiently(
        address: &Address,
        name: &Name,
        options: &Options,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Error> {
        let started = Instant::now();
        let mut is_told = false;
        while !stop.load(Relaxed) {
            let why = match Self::open(address, name, options) {
                Err(Error::NotNow { why, .. }) => why,
                // A signal breaks off whatever the system was doing.
                Err(error) if error.is_by_signal(stop) => break,
                opened => return opened.map(Some),
            };
            let waited = Duration::from_millis(started.elapsed().as_millis() as u64);
            if waited >= options.patience {
                return Err(Error::Lost { url: address.to_string(), waited, why, unacknowledged: 0 });
            }
            if !is_told {
                tracing::warn!("held back, {address} takes no writes now: {why}");
            }
            is_told = true;
            std::thread::sleep(BACKOFF_MAX.min(options.patience.saturating_sub(waited)));
        }
        Ok(None)
    }

    /// Where the source stood when the writer was opened, by the cursors of its events; and each lane: how many events of it
    /// were ever stored, and the number of its last block. A program whose source gives the same events again in the same order goes on after so many of each lane.
    pub fn resume_position(&self) -> &ResumePosition {
        &self.resumed
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
        self.readable(event).map_err(|why| Error::NoEvent { why })?;
        self.keep_time()?;
        if !self.cutter.has_room().map_err(|Ended| self.ended())? {
            return Err(TryPushError::Full);
        }
        Ok(self.take(event, self.cutter.now(), false)?)
    }

    /// The last event such that it and every one before it is settled: acknowledged as [`Ack`] says; or fsynced in the
    /// spill folder; or dropped by [`Overflow::Shed`] and counted. What was dropped is only known to be settled once a later
    /// block of its lane is acknowledged, or nothing is open any more. Whoever has its source send again
    /// from the event after it loses none. An event that [`Overflow::TrimOldest`] dropped was acknowledged before.
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
        if event.cursor > 0 {
            self.shared.cursor.store(event.cursor, Relaxed);
        }
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

    fn ended(&self) -> Error {
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
    /// [`Overflow::Spill`] it waits no longer than the server takes blocks: the rest is on disk, and
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
