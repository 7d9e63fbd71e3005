//! Blocks as `read` writes them: opened, checked, counted; what is wrong is told by its place.

use std::io::{self, Write};

use crate::{block_id, output};
use forebay::block::decode::Decoder;
use forebay::block::frame::lines;
use forebay::buffer::entry::{Entry, Id};
use forebay::buffer::reader::ReadItem;
use forebay::event::lane::Lane;
use forebay::event::stream::Stream;

/// What was read so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) events: u64,
    pub(super) blocks: u64,
    pub(super) faults: u64,
    /// Events that were acknowledged.
    pub(super) acknowledged: u64,
}

/// Writes blocks out.
pub(super) struct Blocks {
    decoder: Decoder,
    /// Events to write at the most.
    count: Option<u64>,
    /// A block is written whole, even where fewer events would do.
    whole: bool,
    /// With a line before each block.
    frames: bool,
}

impl Blocks {
    pub(super) fn new(events: Stream, count: Option<u64>, whole: bool, frames: bool) -> io::Result<Self> {
        Ok(Self { decoder: Decoder::of(events)?, count, whole, frames })
    }

    /// Writes what was found; gives what may be acknowledged once it is safe.
    pub(super) fn write(
        &mut self,
        found: Vec<ReadItem>,
        out: &mut dyn Write,
        tally: &mut Tally,
    ) -> io::Result<Vec<(Lane, Id)>> {
        let mut done = Vec::new();
        for item in found {
            let left = self.count.map_or(u64::MAX, |count| count.saturating_sub(tally.events));
            if left == 0 {
                break;
            }
            let (lane, entry) = match item {
                ReadItem::Block(lane, entry) => (lane, entry),
                fault => {
                    tell(tally, &fault);
                    // There is nothing left of it to read: told of once, it need not hold up trimming.
                    if let ReadItem::Gone { lane, id } = fault {
                        done.push((lane, id));
                    }
                    continue;
                }
            };
            match self.block(lane, &entry, left, out)? {
                Ok(events) => tally.events += events,
                Err(fault) => {
                    tell(tally, &fault);
                    continue;
                }
            }
            tally.blocks += 1;
            done.push((lane, entry.id));
        }
        Ok(done)
    }

    /// Writes a block's events, or so many; how many those were, or what is wrong with it.
    fn block(
        &mut self,
        lane: Lane,
        entry: &Entry,
        left: u64,
        out: &mut dyn Write,
    ) -> io::Result<Result<u64, ReadItem>> {
        let content = match self.decoder.open(entry.sealed()) {
            Ok(content) => content,
            Err(why) => return Ok(Err(ReadItem::Damaged { lane, id: entry.id, why })),
        };
        if self.frames {
            let head = serde_json::json!({ "block": block_id::block_id_text(lane, entry.id), "events": entry.events });
            writeln!(out, "{head}")?;
        }
        if self.whole || left >= entry.events {
            out.write_all(content)?;
            out.write_all(b"\n")?;
            return Ok(Ok(entry.events));
        }
        let mut events = 0;
        for event in lines(content).take(left as usize) {
            out.write_all(event)?;
            out.write_all(b"\n")?;
            events += 1;
        }
        Ok(Ok(events))
    }
}

fn tell(tally: &mut Tally, fault: &ReadItem) {
    tally.faults += 1;
    output::tell(&format!("forebay: {fault}"));
}
