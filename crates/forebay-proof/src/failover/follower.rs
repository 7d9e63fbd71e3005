//! A group that reads what a writer writes, on a thread of its own, with a ledger of what it was handed.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use forebay::buffer::connect::Address;
use forebay::buffer::entry::Id;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::event::jetstream;
use forebay::event::lane::Lane;

use super::source::{ByLane, PATIENCE};
use crate::findings::Findings;
use crate::ledger::Ledger;
use crate::proof_reader::{self, ProofReader};
use crate::wait::{go_on, wait};
use crate::workload::Offer;

/// The group, and its only consumer.
const GROUP: &str = "reading";
/// A group that reads nothing, so that nothing is trimmed.
const KEEPS: &str = "keeping";
/// Longest wait for new blocks.
const LOOK: Duration = Duration::from_millis(100);
/// How long what is acknowledged may take to come once nothing more is written. Only failures take as long.
const LAST: Duration = Duration::from_secs(20);

/// What the group was handed, or what a look at the whole buffer found.
#[derive(Debug, Clone, Default)]
pub(super) struct Handed {
    pub findings: Findings,
    /// What was read that is no block.
    pub others: u64,
    /// The first of it, in words.
    pub example: String,
}

#[derive(Default)]
struct Signals {
    /// Blocks are to be kept, and not acknowledged.
    holds: AtomicBool,
    /// Blocks that are kept so.
    held: AtomicU64,
    /// The reader is to be opened anew.
    is_to_open: AtomicBool,
    /// Events of each lane up to the last block that was handed out.
    upto: [AtomicU64; jetstream::ALL.len()],
    /// Nothing more is written, and so many events of each lane are acknowledged.
    written: OnceLock<ByLane>,
    stopped: AtomicBool,
}

/// The group's reader. Dropped, it ends.
pub(super) struct Follower {
    signals: Arc<Signals>,
    thread: Option<JoinHandle<anyhow::Result<Handed>>>,
}

impl Follower {
    /// Begins before the first block.
    pub fn start(address: &Address, name: &Name, offer: &Arc<Offer>) -> anyhow::Result<Self> {
        drop(proof_reader::open(address, name, Some(KEEPS), PATIENCE)?);
        let reader = open(address, name)?;
        let signals = Arc::new(Signals::default());
        let work = Work {
            address: address.clone(),
            name: name.clone(),
            offer: Arc::clone(offer),
            signals: Arc::clone(&signals),
        };
        Ok(Self { signals, thread: Some(std::thread::spawn(move || work.run(reader))) })
    }

    /// From now on it acknowledges nothing.
    pub fn hold(&self) {
        self.signals.holds.store(true, Relaxed);
    }

    /// Has it acknowledge what it holds, and waits until it has; how many blocks that were.
    pub fn release(&self) -> anyhow::Result<u64> {
        let held = self.signals.held.load(Relaxed);
        self.signals.holds.store(false, Relaxed);
        wait("a group acknowledges what it holds", || {
            Ok(self.signals.held.load(Relaxed) == 0 || self.is_over())
        })?;
        Ok(held)
    }

    /// Has it end, and begin again without a memory of what it was handed.
    pub fn begin_again(&self) -> anyhow::Result<()> {
        self.signals.is_to_open.store(true, Relaxed);
        wait("a reader has begun again", || Ok(!self.signals.is_to_open.load(Relaxed) || self.is_over()))
    }

    /// Events of each lane up to the last block that was handed out.
    pub fn upto(&self) -> ByLane {
        std::array::from_fn(|lane| self.signals.upto[lane].load(Relaxed))
    }

    /// Waits until it was handed so many events of each lane.
    pub fn until_handed(&self, events: ByLane) -> anyhow::Result<()> {
        wait("a group is handed what was acknowledged", || {
            Ok(self.upto().iter().zip(events).all(|(upto, events)| *upto >= events) || self.is_over())
        })
    }

    fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What it was handed once it has all that is acknowledged.
    pub fn finish(mut self, acknowledged: ByLane) -> anyhow::Result<Handed> {
        // Nobody else sets it.
        let _ = self.signals.written.set(acknowledged);
        let ended = self.thread.take().map_or(Ok(Ok(Handed::default())), JoinHandle::join);
        ended.unwrap_or_else(|_| Err(anyhow::anyhow!("the reader's thread panicked")))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.signals.stopped.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it says is of a round that has ended already.
            let _ = thread.join();
        }
    }
}

fn open(address: &Address, name: &Name) -> anyhow::Result<Reader> {
    Ok(proof_reader::open_lanes(address, name, &[], Some(GROUP), PATIENCE)?)
}

/// What its thread has.
struct Work {
    address: Address,
    name: Name,
    offer: Arc<Offer>,
    signals: Arc<Signals>,
}

impl Work {
    fn run(self, mut reader: Reader) -> anyhow::Result<Handed> {
        let make = |index: u64, out: &mut Vec<u8>| self.offer.events.write_event(index, out);
        let (mut ledger, signals) = (self.offer.ledger(&make), &self.signals);
        let (mut book, mut held, mut written_at) = (Book::new()?, Vec::new(), None);
        loop {
            go_on()?;
            if signals.stopped.load(Relaxed) {
                return Ok(Handed::default());
            }
            if signals.is_to_open.load(Relaxed) {
                reader = open(&self.address, &self.name)?;
                signals.is_to_open.store(false, Relaxed);
            }
            // Asked first, so that what is found is no older than the last event.
            let written = signals.written.get();
            let found = reader.next(LOOK)?;
            if let (true, Some(written)) = (found.is_empty(), written) {
                let since = *written_at.get_or_insert_with(Instant::now);
                let handed = book.handed(&mut ledger, *written);
                if handed.findings.lost() == 0 || since.elapsed() >= LAST {
                    return Ok(handed);
                }
            }
            held.extend(book.take(found, &mut ledger, &signals.upto));
            signals.held.store(held.len() as u64, Relaxed);
            if !signals.holds.load(Relaxed) && !held.is_empty() {
                reader.acknowledge(std::mem::take(&mut held))?;
                signals.held.store(0, Relaxed);
            }
        }
    }
}

/// Reads all that the buffer has, without leaving a trace.
pub(super) fn stored(
    address: &Address,
    name: &Name,
    offer: &Offer,
    acknowledged: ByLane,
) -> anyhow::Result<Handed> {
    let make = |index: u64, out: &mut Vec<u8>| offer.events.write_event(index, out);
    let (mut ledger, mut book, upto) = (offer.ledger(&make), Book::new()?, Default::default());
    let mut reader = proof_reader::open_lanes(address, name, &[], None, PATIENCE)?;
    loop {
        go_on()?;
        let found = reader.next(Duration::ZERO)?;
        if found.is_empty() {
            return Ok(book.handed(&mut ledger, acknowledged));
        }
        book.take(found, &mut ledger, &upto);
    }
}

/// What was read, beside the ledger.
struct Book {
    reading: ProofReader,
    others: u64,
    example: String,
}

impl Book {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { reading: ProofReader::new()?, others: 0, example: String::new() })
    }

    /// Takes an answer into the ledger; what may be acknowledged.
    fn take(
        &mut self,
        found: Vec<ReadItem>,
        ledger: &mut Ledger<'_>,
        upto: &[AtomicU64; jetstream::ALL.len()],
    ) -> Vec<(Lane, Id)> {
        let lasts: Vec<(Lane, u64)> = found
            .iter()
            .filter_map(|item| match item {
                ReadItem::Block(lane, entry) => Some((*lane, entry.total)),
                _ => None,
            })
            .collect();
        let taken = self.reading.take(found, ledger);
        self.others += taken.others.len() as u64;
        if let (true, Some(other)) = (self.example.is_empty(), taken.others.first()) {
            self.example = other.to_string();
        }
        for (lane, total) in lasts {
            upto[lane.index()].fetch_max(total, Relaxed);
        }
        taken.places().collect()
    }

    fn handed(&self, ledger: &mut Ledger<'_>, acknowledged: ByLane) -> Handed {
        for lane in jetstream::ALL {
            ledger.acknowledged(lane, acknowledged[lane.index()]);
        }
        Handed { findings: ledger.findings(), others: self.others, example: self.example.clone() }
    }
}
