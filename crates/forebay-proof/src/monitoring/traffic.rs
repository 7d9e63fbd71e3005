//! Who writes to a rig's buffer and who reads from it, each on a thread that can be ended and begun again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::push::Pusher;
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::overflow::Overflow;
use forebay::buffer::reader::{self, ReadItem, Reader};
use forebay::buffer::writer::{Options, Writer};
use forebay::event::lane::Lane;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::counts::Counts;
use forebay_pipe::drain::layout::Layout;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::roll::Rolling;
use forebay_pipe::drain::run;
use forebay_pipe::drain::step::Steps;
use forebay_rig::server;
use forebay_rig::synth::{Mix, Synth};

/// How long a client goes on without an answer: longer than any cause lasts.
const PATIENCE: Duration = Duration::from_secs(300);
/// Longest wait for new blocks.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than any cause.
const LONG: Duration = Duration::from_secs(7_200);
/// More events than a run of that length has.
const EVENTS: u64 = u64::MAX / 4;

/// The group that reads.
pub(super) const GROUP: &str = "parquet";

/// The group that is drained.
const DRAINED: &str = "files";

/// A thread that goes on until it is told to end.
pub(super) struct Client {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Client {
    fn start(
        run: impl FnOnce(Arc<AtomicBool>) -> Result<(), Error> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("station".into()).spawn(move || run(flag))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Tells it to end, waits for that, and says how it ended.
    pub fn end(&mut self) -> Result<(), Error> {
        self.stop.store(true, Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(Error::System("a client panicked".into(), None)))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It has been asked how it ended by whoever wants to know.
        let _ = self.end();
    }
}

/// How a writer writes.
#[derive(Clone)]
pub(super) struct Writes {
    pub address: Address,
    pub name: Name,
    pub seed: u64,
    /// Which events, and how many of each.
    pub mix: Mix,
    pub rate: f64,
    pub limits: Limits,
    pub overflow: Overflow,
}

/// Writes until it is ended; what is under way then is given up, as by one that is killed. Takes the buffer from whoever has
/// it: that a second writer comes is one of the causes.
pub(super) fn write(writes: &Writes) -> anyhow::Result<Client> {
    let options = Options {
        limits: writes.limits,
        overflow: writes.overflow.clone(),
        patience: PATIENCE,
        takes_over: true,
        ..Options::default()
    };
    let writer = Writer::open(&writes.address, &writes.name, &options)?;
    let (seed, mix, rate) = (writes.seed, writes.mix, writes.rate);
    Client::start(move |stop| {
        let events = Synth::new(seed, mix).with_rate(rate);
        let mut pusher = Pusher::new(writer, &events, EVENTS, rate);
        let is_over = || stop.load(Relaxed) || server::ending();
        while !is_over() {
            drop(pusher.paced(rate, LONG, is_over)?);
        }
        pusher.writer.close().map(drop)
    })
}

/// Reads and acknowledges until it is ended, each block no sooner than `late` after it was found.
pub(super) fn read(address: &Address, name: &Name, late: Duration) -> anyhow::Result<Client> {
    let options = reader::Options {
        lanes: Vec::new(),
        group: Some((GROUP.into(), GROUP.into())),
        ahead: false,
        claim_idle: LONG,
        patience: PATIENCE,
    };
    let mut reader = Reader::open(address, name, options)?;
    Client::start(move |stop| {
        reader.stop_on(&stop);
        while !stop.load(Relaxed) && !server::ending() {
            if !late.is_zero() {
                // What is late on purpose: the time between two looks is the lateness, not a wait for something.
                let then = Instant::now() + late;
                while Instant::now() < then && !stop.load(Relaxed) {
                    std::thread::sleep(LOOK);
                }
            }
            let mut found = reader.next(LOOK)?;
            while !found.is_empty() {
                let done: Vec<_> = found.iter().filter_map(place).collect();
                reader.acknowledge(done)?;
                found = if late.is_zero() || stop.load(Relaxed) {
                    Vec::new()
                } else {
                    reader.next(Duration::ZERO)?
                };
            }
        }
        Ok(())
    })
}

/// Drains into files until it is ended; no event waits for its file for longer than `age`.
pub(super) fn drain(url: &str, name: &Name, to: PathBuf, age: Duration) -> anyhow::Result<Client> {
    let config = Config {
        address: Address::parse(url)?,
        name: name.clone(),
        group: DRAINED.into(),
        to: Target::Folder(to),
        staging: None,
        layout: Layout::default(),
        columns: Vec::new(),
        is_lean: false,
        rolling: Rolling { age, ..Rolling::default() },
        once: false,
        patience: PATIENCE,
        steps: Steps::default(),
    };
    Client::start(move |stop| {
        let ended = run::drain(&config, &Counts::default(), &stop);
        ended.map_err(|error| Error::System(error.to_string(), None))
    })
}

/// What may be acknowledged: a block, or one that was given before and is gone.
fn place(found: &ReadItem) -> Option<(Lane, forebay::buffer::entry::Id)> {
    match found {
        ReadItem::Block(lane, entry) => Some((*lane, entry.id)),
        ReadItem::Gone { lane, id } | ReadItem::Damaged { lane, id, .. } => Some((*lane, *id)),
        _ => None,
    }
}
