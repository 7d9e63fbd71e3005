//! What a proof's reader does with what it is given: events go into the ledger, and all that is no sound block is a finding.

use std::time::Duration;

use crate::ledger::Ledger;
use forebay::block::decode::Decoder;
use forebay::block::frame::lines;
use forebay::buffer::connect::Address;
use forebay::buffer::entry::{Entry, Id};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{Options, ReadItem, Reader};
use forebay::event::lane::Lane;

/// Longer than any run: what another consumer holds is never taken over.
const LONG: Duration = Duration::from_secs(3_600);

/// A reader of all lanes: of a group, which has this consumer alone and is made where it is not there; or of none, which leaves
/// no trace.
pub(crate) fn open(
    address: &Address,
    name: &Name,
    group: Option<&str>,
    patience: Duration,
) -> Result<Reader, Error> {
    Reader::open(address, name, Options { ahead: true, ..options(&[], group, patience) })
}

/// The same of these lanes, without asking ahead: nothing is pending in its group but what it was given.
pub(crate) fn open_lanes(
    address: &Address,
    name: &Name,
    lanes: &[Lane],
    group: Option<&str>,
    patience: Duration,
) -> Result<Reader, Error> {
    Reader::open(address, name, options(lanes, group, patience))
}

fn options(lanes: &[Lane], group: Option<&str>, patience: Duration) -> Options {
    let lanes = lanes.iter().map(ToString::to_string).collect();
    let group = group.map(|group| (group.to_owned(), group.to_owned()));
    Options { lanes, ahead: false, group, claim_idle: LONG, patience }
}

/// The blocks of an answer; an error where there is anything else in it.
pub(crate) fn blocks(found: Vec<ReadItem>) -> anyhow::Result<Vec<(Lane, Entry)>> {
    let block = |item| match item {
        ReadItem::Block(lane, entry) => Ok((lane, entry)),
        other => Err(anyhow::anyhow!("while reading: {other}")),
    };
    found.into_iter().map(block).collect()
}

/// Blocks that were read so far.
pub(crate) struct ProofReader {
    decoder: Decoder,
    /// Events of all blocks that could be opened.
    pub events: u64,
}

/// A block whose events are in the ledger.
pub(crate) struct Block {
    pub lane: Lane,
    pub id: Id,
    /// Events of its lane before it.
    pub first: u64,
}

/// What came of an answer.
#[derive(Default)]
pub(crate) struct RecordedBlocks {
    pub blocks: Vec<Block>,
    /// Everything else, in its order; a block that cannot be opened is a damaged one.
    pub others: Vec<ReadItem>,
}

impl ProofReader {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { decoder: Decoder::new()?, events: 0 })
    }

    /// Takes an answer into the ledger.
    pub fn take(&mut self, found: Vec<ReadItem>, ledger: &mut Ledger<'_>) -> RecordedBlocks {
        let mut taken = RecordedBlocks::default();
        for item in found {
            let ReadItem::Block(lane, entry) = item else {
                taken.others.push(item);
                continue;
            };
            match self.decoder.open(entry.sealed()) {
                Ok(content) => {
                    let first = entry.total - entry.events.min(entry.total);
                    ledger.hint(lane, first);
                    lines(content).for_each(|event| ledger.read(lane, event));
                    self.events += entry.events;
                    taken.blocks.push(Block { lane, id: entry.id, first });
                }
                Err(why) => taken.others.push(ReadItem::Damaged { lane, id: entry.id, why }),
            }
        }
        taken
    }
}

impl RecordedBlocks {
    /// Where its blocks stand, for an acknowledgement.
    pub fn places(&self) -> impl Iterator<Item = (Lane, Id)> {
        self.blocks.iter().map(|block| (block.lane, block.id))
    }
}
