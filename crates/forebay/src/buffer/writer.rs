//! The writer: events in, acknowledged blocks out.
//!
//! `push` cuts on the caller's thread, one thread compresses, and each lane appends on its own
//! (`lane`). Every queue between them is bounded, in blocks and in bytes, so memory stays at about [`Options::in_flight`]
//! blocks a lane, or a few where they are large.
//! What happens while the server takes nothing is said in [`overflow`](super::overflow).

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::batch::{Batcher, Limits};
use super::connect::Address;
use super::counts::Shared;
pub use super::counts::{Counts, Monitor};
use super::error::Error;
use super::gate::{Gate, Passed};
use super::keys::Name;
use super::open::LaneStarts;
use super::overflow::{Listener, Overflow};
use super::owner::Owner;
use super::pack::Packer;
use super::publish::Publisher;
use crate::block::frame::{Draft, EVENT_BYTES_MAX, Encoder};
use crate::event::lane::Lane;
use crate::event::parse::{self, Event};

/// Drafts that may wait for the compressor, and bytes of theirs: 4 MiB at the default block size.
const DRAFTS_MAX: usize = 16;
const DRAFT_BYTES_MAX: usize = 8 << 20;

/// When a block counts as acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// The server answered.
    Reply,
    /// The server answered and the block is on its disk.
    Fsync,
}

impl FromStr for Ack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "reply" => Ok(Self::Reply),
            "fsync" => Ok(Self::Fsync),
            _ => Err("reply or fsync".into()),
        }
    }
}

/// How to write.
#[derive(Debug, Clone)]
pub struct Options {
    /// When a block is cut.
    pub limits: Limits,
    /// When it counts.
    pub ack: Ack,
    /// Blocks of a lane under way at once.
    pub in_flight: usize,
    /// How long to go on without an acknowledgement before giving up. Where the policy lets the source go on, only the
    /// time counts in which it is held back all the same.
    pub patience: Duration,
    /// What becomes of events while the server takes none.
    pub overflow: Overflow,
    /// Hears of every event's fate.
    pub listener: Option<Listener>,
    /// Whether to take the buffer from a writer that is there; that one is fenced. Else opening fails where a writer is
    /// heard, and waits [`SILENCE`](super::owner::SILENCE) where one did not say that it ended.
    pub takes_over: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            ack: Ack::Reply,
            in_flight: 16,
            patience: Duration::from_secs(600),
            overflow: Overflow::Wait,
            listener: None,
            takes_over: false,
        }
    }
}

/// Appends events to a buffer. [`Writer::close`] waits for the last acknowledgement; a writer that is dropped
/// instead gives up what is under way.
pub struct Writer {
    batcher: Batcher,
    drafts: Option<Sender<(Lane, Draft, Passed)>>,
    gate: Arc<Gate>,
    pub(super) shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    publisher: Option<Publisher>,
}

impl Writer {
    /// Takes every lane of the buffer, or none; older writers are fenced from here on. One that is still heard is not taken
    /// from, unless [`Options::takes_over`]. With [`Overflow::Spill`] a server that is away or takes no writes is no
    /// reason to fail: its lanes are taken once it does. Nothing is dropped before the lanes are taken.
    pub fn open(address: &Address, name: &Name, options: &Options) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new(Owner::new(options.takes_over), options.listener.clone()));
        let mut lanes = LaneStarts::of(address, name, options, &shared)?;
        let batcher = Batcher::new(options.limits);
        let (gate, exit) = Gate::new(DRAFT_BYTES_MAX);
        let mut writer = Self { batcher, drafts: None, gate, shared, threads: Vec::new(), publisher: None };
        // First of all, so that whoever looks at the lanes hears whose they are.
        writer.publisher = Some(Publisher::start(address, name, &writer.shared)?);
        let senders = Lane::ALL.map(|lane| lanes.start(lane, &mut writer));
        let senders = senders.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (send, receive) = bounded(DRAFTS_MAX);
        let encoder = Encoder::new().map_err(|error| Error::system("no zstd context", error))?;
        let sheds = options.overflow == Overflow::Shed;
        let packer = Packer::new(encoder, senders, Arc::clone(&writer.shared), sheds);
        writer.spawn("forebay-zstd".into(), move || {
            let _exit = exit;
            packer.run(&receive);
        })?;
        writer.drafts = Some(send);
        Ok(writer)
    }

    pub(super) fn spawn(&mut self, name: String, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = Builder::new()
            .name(name)
            .spawn(work)
            .map_err(|error| Error::system("no thread could be started", error))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Takes an event that came at `now` (since any fixed moment). Waits while the queues are full. One that would make its
    /// block unreadable is refused, and is not among the events that were pushed.
    pub fn push(&mut self, event: &Event<'_>, now: Duration) -> Result<(), Error> {
        readable(event).map_err(|why| Error::NoEvent { why })?;
        self.push_parsed(event, now)
    }

    /// The same for what [`parse::parse`] has just made of a line.
    pub(crate) fn push_parsed(&mut self, event: &Event<'_>, now: Duration) -> Result<(), Error> {
        self.shared.lanes[event.lane.index()].pushed.fetch_add(1, Relaxed);
        self.cut(|batcher, cut| batcher.push(event.lane, event.bytes, event.time_us, now, cut))
    }

    /// Cuts the blocks that have waited long enough at `now`.
    pub fn expire(&mut self, now: Duration) -> Result<(), Error> {
        self.cut(|batcher, cut| batcher.expire(now, cut))
    }

    /// When [`Self::expire`] should be called next, on the clock of `now`.
    pub fn next_due(&self) -> Option<Duration> {
        self.batcher.next_due()
    }

    /// Cuts what is there, whatever its age.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.cut(|batcher, cut| batcher.flush(cut))
    }

    fn cut(&mut self, work: impl FnOnce(&mut Batcher, &mut dyn FnMut(Lane, Draft))) -> Result<(), Error> {
        let mut open = true;
        work(&mut self.batcher, &mut |lane, draft| {
            let passed = self.gate.pass(draft.len());
            open &= self.drafts.as_ref().is_some_and(|drafts| drafts.send((lane, draft, passed)).is_ok());
        });
        if open { Ok(()) } else { Err(self.ended()) }
    }

    fn ended(&self) -> Error {
        self.shared
            .failure()
            .unwrap_or_else(|| Error::System("a writer thread ended without a word".into(), None))
    }

    /// The error that ended the writer, where there is one.
    pub fn check(&self) -> Result<(), Error> {
        self.shared.failure().map_or(Ok(()), Err)
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
        self.drafts = None;
        self.shared.close();
        let mut panicked = false;
        for thread in std::mem::take(&mut self.threads) {
            panicked |= thread.join().is_err();
        }
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

/// Whether readers will take the event for what it is: a block is opened as lines, each of them parsed, and their times
/// compared with the block's.
fn readable(event: &Event<'_>) -> Result<(), String> {
    if event.bytes.len() > EVENT_BYTES_MAX {
        return Err(format!("it has {} bytes, and the most is {EVENT_BYTES_MAX}", event.bytes.len()));
    }
    if let Some(at) = memchr::memchr(b'\n', event.bytes) {
        return Err(format!("there is a line end at byte {at}, and an event is one line"));
    }
    let parsed = parse::parse(event.bytes).map_err(|why| why.to_string())?;
    if parsed.time_us != event.time_us {
        return Err(format!("its time is given as {} where it says {}", event.time_us, parsed.time_us));
    }
    Ok(())
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Relaxed);
        self.drafts = None;
        for thread in std::mem::take(&mut self.threads) {
            // So that the counts are final. At worst a thread sits out the connection's time-out.
            let _ = thread.join();
        }
        if let Some(publisher) = self.publisher.take() {
            let given_up = || Error::System("the writer was given up without being closed".into(), None);
            publisher.end(Err(&self.shared.failure().unwrap_or_else(given_up)));
        }
    }
}
