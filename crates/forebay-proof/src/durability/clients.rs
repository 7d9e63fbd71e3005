//! The clients of a cell: two writers at the profile's rate, one that goes flat out, and a group that reads and
//! acknowledges what the first of them writes. They work on through whatever happens, until they are told that it is over.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::proof_reader::{self, Block, ProofReader};
use crate::push::Pusher;
use crate::wait::go_on;
use crate::workload::Offer;
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::Address;
use forebay::buffer::entry::Id;
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::lock;
use forebay::buffer::overflow::{Fate, FateReport, Listener};
use forebay::buffer::reader::{ReadItem, Reader};
use forebay::buffer::writer::{Ack, Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server;

/// How long a client waits for a server that is away.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for new blocks.
const LOOK: Duration = Duration::from_millis(20);
/// Longer than any cell.
const LONG: Duration = Duration::from_secs(3_600);
/// The group that reads, and its only consumer.
const GROUP: &str = "reading";

/// Writers of a cell, each with a buffer of its own.
pub(super) const WRITERS: usize = 3;
/// Which of them a group reads: what the pipeline got. Nobody reads the others until the end: what the server kept.
pub(super) const THROUGH: usize = 0;
/// Which of them goes flat out.
pub(super) const FLAT: usize = 2;

/// What clients and the fault tell each other.
#[derive(Default)]
pub(super) struct Signals {
    /// The last writer may go flat out.
    pub flat: AtomicBool,
    /// The fault has happened, and what it ended is back.
    pub injected: AtomicBool,
    /// Writers close what they have.
    pub over: AtomicBool,
    /// No more events come.
    pub written: AtomicBool,
    /// How often each writer, or the reader, shall end in the middle and begin again.
    pub end_writers: AtomicU64,
    pub end_reader: AtomicU64,
    /// How often one of them did.
    pub ended: AtomicU64,
    /// What those that ended had in hand: events that a writer had pushed and not been told of, blocks that the reader had
    /// been given and had not acknowledged.
    pub in_hand: AtomicU64,
    /// Events acknowledged, by each writer.
    pub acknowledged: [AtomicU64; WRITERS],
}

impl Signals {
    /// Events acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.iter().map(|events| events.load(Relaxed)).sum()
    }
}

/// What writers were told, and when.
pub(super) type FateReports = Mutex<Vec<(FateReport, Instant)>>;

/// A writer of a cell.
pub(super) struct Writing<'a> {
    /// Which of them, by its place in [`Signals::acknowledged`].
    pub place: usize,
    pub address: &'a Address,
    pub name: &'a Name,
    pub offer: &'a Offer,
    pub limits: Limits,
    pub ack: Ack,
    /// Events a second; none for flat out.
    pub rate: Option<f64>,
    pub signals: &'a Arc<Signals>,
    pub heard: &'a Arc<FateReports>,
}

impl Writing<'_> {
    /// Writes until it is over; how many events were pushed.
    pub fn write(&self, writer: Writer) -> Result<u64, Error> {
        let (signals, mut pushed) = (self.signals, [0; jetstream::ALL.len()]);
        let mut pusher = Pusher::new(writer, &self.offer.events, self.offer.count(), self.offer.rate);
        loop {
            let before = signals.end_writers.load(Relaxed);
            let is_over = || {
                signals.over.load(Relaxed) || server::ending() || signals.end_writers.load(Relaxed) > before
            };
            if let Some(rate) = self.rate {
                drop(pusher.paced(rate, LONG, is_over)?);
            } else {
                let is_held = || self.is_held();
                while !is_over() {
                    if is_held() || pusher.next == pusher.count {
                        std::thread::sleep(Duration::from_millis(1));
                    } else {
                        pusher.bulk(None, || is_over() || is_held())?;
                    }
                }
            }
            if signals.end_writers.load(Relaxed) == before {
                pusher.writer.close()?;
                return Ok(pusher.next);
            }
            pushed = std::array::from_fn(|lane| pushed[lane] + pusher.pushed[lane]);
            let next = pusher.next;
            let known = signals.acknowledged[self.place].load(Relaxed);
            signals.in_hand.fetch_add(next.saturating_sub(known), Relaxed);
            // Ends without a word: what is under way may be stored or not.
            drop(pusher);
            let writer = self.open(pushed)?;
            pusher = Pusher::new(writer, &self.offer.events, self.offer.count(), self.offer.rate);
            pusher.next = next;
            signals.ended.fetch_add(1, Relaxed);
        }
    }

    /// Whether the writer that goes flat out waits: until it may, and with enough left for what comes after the fault.
    fn is_held(&self) -> bool {
        let acknowledged = self.signals.acknowledged[self.place].load(Relaxed);
        let has_enough = acknowledged >= self.offer.count() / 3 * 2;
        !self.signals.flat.load(Relaxed) || has_enough && !self.signals.injected.load(Relaxed)
    }

    /// A writer that comes after so many events of each lane.
    pub fn open(&self, before: [u64; jetstream::ALL.len()]) -> Result<Writer, Error> {
        let (heard, signals, place) = (Arc::clone(self.heard), Arc::clone(self.signals), self.place);
        let hear = move |told: FateReport| {
            if told.fate == Fate::Acknowledged {
                signals.acknowledged[place].fetch_add(told.events, Relaxed);
            }
            lock(&heard)
                .push((FateReport { from: told.from + before[told.lane.index()], ..told }, Instant::now()));
        };
        let options = Options {
            limits: self.limits,
            ack: self.ack,
            patience: PATIENCE,
            listener: Some(Listener(Arc::new(hear))),
            ..Options::default()
        };
        Writer::open(self.address, self.name, &options)
    }
}

/// What a reader came upon.
#[derive(Debug, Default, Clone)]
pub(super) struct Read {
    /// Events it was told are missing.
    pub missing: u64,
    /// The same by place: a lane, and how many of its events came before.
    pub gaps: Vec<(Lane, Range<u64>)>,
    /// Whatever else is wrong, by place.
    pub faults: Vec<String>,
    /// Where a lane went back: the server had given out what it then lost, and the writer wrote it again.
    pub back: Vec<String>,
}

impl Read {
    /// Whether a reader told of anything.
    pub fn is_told(&self) -> bool {
        self.missing > 0 || !self.faults.is_empty() || !self.back.is_empty()
    }

    /// Takes what was found into the ledger; what may be acknowledged.
    fn take(
        &mut self,
        found: Vec<ReadItem>,
        reading: &mut ProofReader,
        ledger: &mut Ledger<'_>,
    ) -> Vec<(Lane, Id)> {
        let taken = reading.take(found, ledger);
        let mut done: Vec<(Lane, Id)> = taken.places().collect();
        for item in taken.others {
            match item {
                ReadItem::Missing { lane, before, events, .. } => {
                    self.missing += events;
                    let block = taken.blocks.iter().find(|block| (block.lane, block.id) == (lane, before));
                    if let Some(Block { first, .. }) = block {
                        self.gaps.push((lane, first - first.min(&events)..*first));
                    }
                }
                ReadItem::Dropped { .. } => self.faults.push(item.to_string()),
                // Given before and gone with what the server lost, or trimmed: it was read.
                ReadItem::Gone { lane, id } => done.push((lane, id)),
                ReadItem::OutOfPlace { says, due, .. } if says.0 < due.0 => self.back.push(item.to_string()),
                fault => self.faults.push(fault.to_string()),
            }
        }
        done
    }
}

/// A reader of a cell: with a group from the first block on, or without one.
pub(super) fn open(address: &Address, name: &Name, has_group: bool) -> Result<Reader, Error> {
    proof_reader::open(address, name, has_group.then_some(GROUP), PATIENCE)
}

/// Reads and acknowledges with a group until nothing more comes.
pub(super) fn follow(
    address: &Address,
    name: &Name,
    mut reader: Reader,
    signals: &Signals,
    ledger: &mut Ledger<'_>,
) -> anyhow::Result<Read> {
    let (mut read, mut reading, mut ends) = (Read::default(), ProofReader::new()?, 0);
    loop {
        go_on()?;
        // Asked first, so that what is found is no older than the last event.
        let is_written = signals.written.load(Relaxed);
        let found = reader.next(LOOK)?;
        if found.is_empty() && is_written {
            return Ok(read);
        }
        let done = read.take(found, &mut reading, ledger);
        if !done.is_empty() && signals.end_reader.load(Relaxed) > ends {
            ends += 1;
            signals.in_hand.fetch_add(done.len() as u64, Relaxed);
            reader = open(address, name, true)?;
            signals.ended.fetch_add(1, Relaxed);
        } else if !done.is_empty() {
            reader.acknowledge(done)?;
        }
    }
}

/// Reads all there is, without a trace.
pub(super) fn read_all(address: &Address, name: &Name, ledger: &mut Ledger<'_>) -> anyhow::Result<Read> {
    let (mut read, mut reading, mut reader) =
        (Read::default(), ProofReader::new()?, open(address, name, false)?);
    loop {
        go_on()?;
        let found = reader.next(Duration::ZERO)?;
        if found.is_empty() {
            return Ok(read);
        }
        read.take(found, &mut reading, ledger);
    }
}
