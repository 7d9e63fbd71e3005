//! The readers of a run: one that follows while the buffer fills, and a group that comes late and drains it.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::watch::Live;
use crate::ledger::Ledger;
use crate::progress::Progress;
use crate::proof_reader::{self, ProofReader};
use crate::wait::go_on;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{ReadItem, Reader};
use forebay_rig::server;

/// Longest wait for new blocks.
const LOOK: Duration = Duration::from_millis(20);

/// How long a reader waits for a server without an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Places that are kept in words.
const TOLD: usize = 20;

/// The group that drains.
const GROUP: &str = "drain";

/// What a reader came upon besides blocks.
#[derive(Debug, Default, Clone)]
pub(super) struct Faults {
    pub count: u64,
    /// The first of them, by place.
    pub told: Vec<String>,
}

impl Faults {
    fn add(&mut self, fault: &ReadItem) {
        // Expected where the policy is to drop the oldest: the ledger holds the count against what is missing.
        if matches!(fault, ReadItem::Missing { is_trimmed: true, .. } | ReadItem::Dropped { .. }) {
            return;
        }
        self.say(fault.to_string());
    }

    fn say(&mut self, fault: String) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(fault);
        }
    }
}

/// What the reader that follows saw.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub events: u64,
    pub faults: Faults,
    /// Events that it was told are missing.
    pub missing: u64,
    /// Events that were acknowledged when the drain was about to begin: so many it must have read, or been told of.
    pub owed: u64,
    /// Answers it got, and the longest that one took.
    pub answers: u64,
    pub longest: Duration,
}

impl Followed {
    /// Events that it neither read nor was told of.
    pub fn short(&self) -> u64 {
        self.owed.saturating_sub(self.events + self.missing)
    }
}

/// A reader without a group, from the first block until the drain begins; where that trims nothing, until all is over.
pub(super) fn follow(address: &Address, name: &Name, live: &Live, is_trimmed: bool) -> Followed {
    let mut followed = Followed::default();
    if let Err(error) = try_to_follow(address, name, live, is_trimmed, &mut followed) {
        followed.faults.say(error.to_string());
    }
    followed
}

fn try_to_follow(
    address: &Address,
    name: &Name,
    live: &Live,
    is_trimmed: bool,
    followed: &mut Followed,
) -> Result<(), Error> {
    let mut reader = proof_reader::open(address, name, None, PATIENCE)?;
    while (live.opened.get().is_none() || !is_trimmed) && !live.over.load(Relaxed) && !server::ending() {
        let asked = Instant::now();
        let found = reader.next(Duration::ZERO)?;
        followed.longest = followed.longest.max(asked.elapsed());
        followed.answers += 1;
        if found.is_empty() {
            std::thread::sleep(LOOK);
        }
        for item in found {
            match item {
                ReadItem::Block(_, entry) => followed.events += entry.events,
                fault => {
                    if let ReadItem::Missing { events, .. } = &fault {
                        followed.missing += events;
                    }
                    followed.faults.add(&fault);
                }
            }
        }
        live.followed.store(followed.events + followed.missing, Relaxed);
    }
    Ok(())
}

/// The group that drains, made before the first event: as one whose reader is away.
pub(super) fn group(address: &Address, name: &Name) -> Result<Reader, Error> {
    proof_reader::open(address, name, Some(GROUP), PATIENCE)
}

/// What the drain came upon.
#[derive(Debug, Default)]
pub(super) struct Drained {
    pub faults: Faults,
    /// From its first block to its last.
    pub seconds: f64,
}

/// Reads and acknowledges everything until no more events come and none are left. Without `acks` it only reads.
pub(super) fn drain(
    mut reader: Reader,
    acks: bool,
    live: &Live,
    ledger: &mut Ledger<'_>,
    progress: &dyn Progress,
) -> anyhow::Result<Drained> {
    let (mut drained, mut reading, started) = (Drained::default(), ProofReader::new()?, Instant::now());
    loop {
        go_on()?;
        // Asked first, so that what is found is no older than the last event.
        let is_written = live.written.load(Relaxed);
        let found = reader.next(LOOK)?;
        if found.is_empty() && is_written {
            break;
        }
        let taken = reading.take(found, ledger);
        taken.others.iter().for_each(|fault| drained.faults.add(fault));
        if acks && !taken.blocks.is_empty() {
            reader.acknowledge(taken.places())?;
            live.freed.store(true, Relaxed);
        }
        progress.at(reading.events);
    }
    drained.seconds = started.elapsed().as_secs_f64();
    Ok(drained)
}
