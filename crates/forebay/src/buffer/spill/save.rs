//! What a lane's stage puts on disk: all that is not acknowledged while the server takes nothing, and what comes behind it.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use super::log::Placed;
use super::{Spiller, Where};
use crate::buffer::compress::PendingBlock;
use crate::buffer::overflow::Fate;

impl Spiller {
    /// Puts on disk what must be there.
    pub(super) fn save(&mut self) {
        if !self.spills() {
            return self.shared.disk(self.lane, None);
        }
        let saved = self.save_passed().and_then(|()| self.save_waiting());
        self.shared.disk(self.lane, saved.err().map(|why| format!("the spill folder takes nothing: {why}")));
    }

    /// What the lane has and the server has not acknowledged.
    fn save_passed(&mut self) -> io::Result<()> {
        let mut waiting: Vec<PendingBlock> = Vec::new();
        for passed in &self.passed {
            if let Where::Memory(pending) = &passed.pending {
                waiting.push(pending.clone());
            }
        }
        waiting
            .extend(self.ready.iter().filter(|(_, file)| file.is_none()).map(|(pending, _)| pending.clone()));
        // Only what was sent while the log was read to its end is in memory alone.
        if waiting.is_empty() || self.stuck_since.is_none() {
            return Ok(());
        }
        let (files, saved) = self.append(&waiting, true);
        let mut files = files.into_iter();
        for at in 0..self.passed.len() {
            let Where::Memory(pending) = &self.passed[at].pending else { continue };
            let Some(file) = files.next() else { break };
            self.keep(self.answered + 1 + at as u64, self.passed[at].before, pending, file);
            self.passed[at].pending = Where::Disk(file);
        }
        if let Some((_, ready @ None)) = &mut self.ready {
            *ready = files.next();
        }
        saved
    }

    fn save_waiting(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let (files, saved) = self.append(&waiting, false);
        self.waiting = waiting;
        self.waiting.drain(..files.len());
        saved
    }

    /// Writes blocks to the log, in as few parts as the disk takes; from here on they are accepted. Of each that it took
    /// the file, and why it took no more.
    fn append(&mut self, waiting: &[PendingBlock], sent: bool) -> (Vec<u64>, io::Result<()>) {
        let (mut files, mut part) = (Vec::new(), waiting.len());
        while files.len() < waiting.len() {
            let rest = &waiting[files.len()..];
            part = part.min(rest.len());
            match self.append_part(&rest[..part], sent) {
                Ok(file) => files.extend(std::iter::repeat_n(file, part)),
                Err(_) if part > 1 => part /= 2,
                Err(why) => return (files, Err(why)),
            }
        }
        (files, Ok(()))
    }

    fn append_part(&mut self, waiting: &[PendingBlock], sent: bool) -> io::Result<u64> {
        let place = |pending: &PendingBlock| pending.mark.as_ref().map_or(0, |(_, place)| *place);
        let placed = |pending| (place(pending), pending.first.unwrap_or_default(), &*pending.block);
        let blocks: Vec<Placed<'_>> = waiting.iter().map(placed).collect();
        let file = self.log.append(&blocks, sent)?;
        let counts = &self.shared.lanes[self.lane.index()];
        for pending in waiting {
            let (first, events) = (pending.first.unwrap_or_default(), pending.block.events);
            counts.spilled.fetch_add(events, Relaxed);
            counts.accepted.fetch_max(first + events, Relaxed);
            counts.settled.fetch_max(first + events, Relaxed);
            self.shared.tell(self.lane, Fate::Spilled, first, events);
        }
        Ok(file)
    }
}
