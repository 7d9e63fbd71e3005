//! What a reader hands out: batches of events, and what is wrong, by its place. An acknowledgement says that the events of a
//! batch are the caller's: it is given only when the caller says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::block::decode::Decoder;
use crate::block::frame::lines;
use crate::buffer::entry::Id;
use crate::buffer::error::Error;
use crate::buffer::lock;
use crate::buffer::read_item::ReadItem;
use crate::buffer::reader;
use crate::event::lane::Lane;

/// The buffer's reader, which batches acknowledge through.
pub(super) type Shared = Arc<Mutex<reader::Reader>>;

/// Events of some blocks.
pub struct Batch {
    blocks: Vec<Block>,
    faults: Vec<ReadItem>,
    /// Whose it is.
    reader: Shared,
}

struct Block {
    lane: Lane,
    id: Id,
    content: Vec<u8>,
}

impl Batch {
    /// Opens every block of an answer; one that cannot be opened is damaged.
    fn of(found: Vec<ReadItem>, decoder: &mut Decoder, reader: &Shared) -> Self {
        let mut batch = Self { blocks: Vec::new(), faults: Vec::new(), reader: Shared::clone(reader) };
        for item in found {
            let ReadItem::Block(lane, entry) = item else {
                batch.faults.push(item);
                continue;
            };
            match decoder.open(entry.sealed()) {
                Ok(content) => batch.blocks.push(Block { lane, id: entry.id, content: content.to_vec() }),
                Err(why) => batch.faults.push(ReadItem::Damaged { lane, id: entry.id, why }),
            }
        }
        batch
    }

    /// Its events in the order of their lanes, each with its lane, byte for byte as they were appended.
    pub fn events(&self) -> impl Iterator<Item = (Lane, &[u8])> {
        self.blocks.iter().flat_map(|block| lines(&block.content).map(|event| (block.lane, event)))
    }

    /// What is not as a writer left it, each with its place: damage, gaps, blocks out of place.
    pub fn faults(&self) -> &[ReadItem] {
        &self.faults
    }

    /// Says that its events are safe where they were written: the group is not given its blocks again, and what every group
    /// has acknowledged is let go of. Call it after your own fsync. Damaged blocks are not acknowledged:
    /// [`Groups::skip_damaged`](crate::Groups::skip_damaged) lets go of them. Without a group it does nothing.
    pub fn ack(self) -> Result<(), Error> {
        let done = self.blocks.iter().map(Block::place).chain(self.gone());
        lock(&self.reader).acknowledge(done)
    }

    /// Blocks of which there is nothing left to read: told of once, they need not hold up trimming.
    fn gone(&self) -> impl Iterator<Item = (Lane, Id)> {
        self.faults.iter().filter_map(|fault| match fault {
            ReadItem::Gone { lane, id } => Some((*lane, *id)),
            _ => None,
        })
    }
}

impl Block {
    fn place(&self) -> (Lane, Id) {
        (self.lane, self.id)
    }
}

/// Batches, until nothing more has come for a while.
pub struct Batches {
    reader: Shared,
    wait: Duration,
    /// Made with the first answer.
    decoder: Option<Decoder>,
}

impl Batches {
    pub(super) fn new(reader: Shared, wait: Duration) -> Self {
        Self { reader, wait, decoder: None }
    }

    fn opened(&mut self, found: Vec<ReadItem>) -> Result<Batch, Error> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => {
                let decoder = Decoder::of(lock(&self.reader).events());
                none.insert(decoder.map_err(|error| Error::system("no zstd context", error))?)
            }
        };
        Ok(Batch::of(found, decoder, &self.reader))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = lock(&self.reader).next(self.wait);
        match found {
            Ok(found) if found.is_empty() => None,
            Ok(found) => Some(self.opened(found)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// One thing that a reader comes upon.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// An event, byte for byte as it was appended.
    Event(Lane, Vec<u8>),
    /// What is not as a writer left it, with its place.
    Fault(ReadItem),
}

/// Events one by one, until nothing more has come for a while.
pub struct Events {
    batches: Batches,
    items: VecDeque<Item>,
    /// Blocks, and how many items are left once all of theirs are handed out.
    open: VecDeque<((Lane, Id), usize)>,
    done: Vec<(Lane, Id)>,
}

impl Events {
    pub(super) fn new(batches: Batches) -> Self {
        Self { batches, items: VecDeque::new(), open: VecDeque::new(), done: Vec::new() }
    }

    /// Says that every event that was handed out is safe, see [`Batch::ack`]. Of a block that was handed out in part nothing
    /// is acknowledged yet.
    pub fn ack(&mut self) -> Result<(), Error> {
        let left = self.items.len();
        let whole = self.open.iter().take_while(|(_, after)| left <= *after).count();
        self.done.extend(self.open.drain(..whole).map(|(block, _)| block));
        lock(&self.batches.reader).acknowledge(std::mem::take(&mut self.done))
    }

    /// Takes a batch whose predecessor was handed out in whole.
    fn take(&mut self, batch: Batch) {
        self.done.extend(self.open.drain(..).map(|(block, _)| block));
        self.done.extend(batch.gone());
        self.items.extend(batch.faults.into_iter().map(Item::Fault));
        let mut ends = Vec::new();
        for block in batch.blocks {
            self.items.extend(lines(&block.content).map(|event| Item::Event(block.lane, event.to_vec())));
            ends.push((block.place(), self.items.len()));
        }
        let all = self.items.len();
        self.open.extend(ends.into_iter().map(|(block, end)| (block, all - end)));
    }
}

impl Iterator for Events {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.items.is_empty() {
            match self.batches.next()? {
                Ok(batch) => self.take(batch),
                Err(error) => return Some(Err(error)),
            }
        }
        self.items.pop_front().map(Ok)
    }
}
