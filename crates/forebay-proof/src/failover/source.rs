//! A writer on a thread of its own, which pushes as many events as it was granted, and the events that it pushes.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use forebay::buffer::batch::Limits;
use forebay::buffer::error::Error;
use forebay::buffer::writer::{Ack, Monitor, Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse::parse;

use crate::wait::wait;
use crate::workload::Offer;

/// How long a cluster may take no writes: only failures take as long.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Events of a block, at the most: so that each fault meets many.
const BLOCK_EVENTS: u64 = 8;
/// Blocks of a lane under way at once.
const IN_FLIGHT: usize = 8;
/// Between two looks at what was granted.
const LOOK: Duration = Duration::from_millis(1);

/// Events of each lane.
pub(super) type ByLane = [u64; jetstream::ALL.len()];

/// How a writer of a round writes.
pub(super) fn options(ack: Ack, tail_bytes: usize) -> Options {
    let limits = Limits { events_max: BLOCK_EVENTS, bytes_max: 256 << 10, linger: PATIENCE };
    Options { limits, ack, in_flight: IN_FLIGHT, patience: PATIENCE, tail_bytes, ..Options::default() }
}

/// The writer. Dropped, it ends with whatever is under way.
pub(super) struct Source {
    pub monitor: Monitor,
    granted: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    /// The error that it ended with.
    why: Arc<OnceLock<String>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Source {
    /// Pushes the events of the offer in their order; of one lane alone, where one is named.
    pub fn start(writer: Writer, offer: &Arc<Offer>, only: Option<Lane>) -> Self {
        let (granted, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let work = Work {
            writer,
            offer: Arc::clone(offer),
            only,
            granted: Arc::clone(&granted),
            ended: Arc::clone(&ended),
        };
        let monitor = work.writer.monitor();
        let why = Arc::new(OnceLock::new());
        let known = Arc::clone(&why);
        let run = move || {
            work.run().inspect_err(|error| {
                // Nobody else sets it.
                let _ = known.set(error.to_string());
            })
        };
        Self { monitor, granted, ended, why, thread: Some(std::thread::spawn(run)) }
    }

    /// So many more may be pushed.
    pub fn grant(&self, events: u64) {
        self.granted.fetch_add(events, Relaxed);
    }

    /// Those that may have been pushed so far.
    fn granted(&self) -> u64 {
        self.granted.load(Relaxed)
    }

    /// Whether the writer has ended.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until all that was granted is acknowledged.
    pub fn until_acknowledged(&self) -> anyhow::Result<()> {
        self.until_acknowledged_or_over()?;
        let why = || self.why.get().map_or("it was closed", String::as_str);
        anyhow::ensure!(
            self.monitor.counts().acknowledged >= self.granted(),
            "the writer has ended: {}",
            why()
        );
        Ok(())
    }

    /// The same, or until the writer has ended.
    pub fn until_acknowledged_or_over(&self) -> anyhow::Result<()> {
        let granted = self.granted();
        wait(&format!("{granted} events are acknowledged"), || {
            Ok(self.monitor.counts().acknowledged >= granted || self.is_over())
        })
    }

    /// Pushes so many more, until they are acknowledged.
    pub fn more(&self, events: u64) -> anyhow::Result<()> {
        self.grant(events);
        self.until_acknowledged()
    }

    /// Acknowledged events of each lane.
    pub fn acknowledged(&self) -> ByLane {
        jetstream::ALL.map(|lane| self.monitor.lane(lane).acknowledged)
    }

    /// Closes the writer once all that was granted is pushed; how it ended.
    pub fn finish(mut self) -> Result<(), Error> {
        self.ended.store(true, Relaxed);
        self.join()
    }

    fn join(&mut self) -> Result<(), Error> {
        let ended = self.thread.take().map_or(Ok(Ok(())), JoinHandle::join);
        ended.unwrap_or_else(|_| Err(Error::System("the writer's thread panicked".into(), None)))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        self.monitor.give_up();
        // What it says is of a round that has ended already.
        let _ = self.join();
    }
}

/// What its thread has.
struct Work {
    writer: Writer,
    offer: Arc<Offer>,
    only: Option<Lane>,
    granted: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self) -> Result<(), Error> {
        let (mut next, mut pushed, mut bytes) = (0, 0, Vec::new());
        loop {
            // Looked at before the grant, so that nothing granted before the end is left out.
            let is_end = self.ended.load(Relaxed);
            while pushed < self.granted.load(Relaxed) && next < self.offer.count() {
                bytes.clear();
                self.offer.events.write_event(next, &mut bytes);
                next += 1;
                let event = parse(&bytes).map_err(|why| Error::System(why.to_string(), None))?;
                if self.only.is_none_or(|only| only == event.lane) {
                    self.writer.push_at(&event, Duration::ZERO)?;
                    pushed += 1;
                }
            }
            self.writer.flush()?;
            if is_end {
                return self.writer.close().map(drop);
            }
            std::thread::sleep(LOOK);
        }
    }
}
