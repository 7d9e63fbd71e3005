//! How a lane's spill is read: its blocks in their order, and what stands in the place of one.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::log::Log;
use super::record::{At, Missing, Record};
use super::segment::Item;
use super::{folder, scan};

impl Log {
    /// The session of the next block, where there may be one.
    pub(super) fn next_session(&mut self) -> Option<Arc<str>> {
        while let Some(segment) = self.segments.get(self.at) {
            if self.offset < segment.bytes || segment.mark.is_some() {
                return Some(segment.session.clone());
            }
            if self.at + 1 == self.segments.len() {
                break;
            }
            (self.at, self.offset, self.reading) = (self.at + 1, 0, None);
        }
        None
    }

    /// The next block, or what stands in its place; none where everything was read.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
        let error = match self.try_next() {
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound) => error,
            next => return next,
        };
        // Somebody has cut it short or deleted it meanwhile.
        let place = self.place(self.offset);
        let segment = &self.segments[self.at];
        let (session, is_last) = (segment.session.clone(), self.at + 1 == self.segments.len());
        self.offset = segment.bytes;
        if is_last && session == *self.folder.session() {
            self.count_gap(&session, self.written, None);
            self.expected = Some((session, self.written));
        }
        Ok(Some(Item::Damage(format!("{place}: the rest of the file is not there ({error})"))))
    }

    fn try_next(&mut self) -> io::Result<Option<Item>> {
        let Some(session) = self.next_session() else { return Ok(None) };
        if let Some(item) = self.end_of_file(&session) {
            return Ok(Some(item));
        }
        let end = self.segments[self.at].bytes;
        // Taken out, and put back where all went well: a file that could not be read is opened anew.
        let file = match self.reading.take() {
            Some(file) => file,
            None => folder::open(&self.segments[self.at].path)?,
        };
        let at = self.offset;
        if at == 0
            && let Some((before, mark)) = scan::head(&file, self.folder.head_bytes(), end)?
        {
            self.offset = self.folder.head_bytes();
            // Of the files before it whose blocks are stored, nothing is left to go on from.
            if self.expected.as_ref().is_none_or(|(of, _)| *of != session) {
                self.expected = Some((session.clone(), before));
            }
            self.reading = Some(file);
            let segment = &mut self.segments[self.at];
            segment.is_damaged |= mark.is_none();
            segment.mark = mark.filter(|mark| mark.bytes > end);
            return self.try_next();
        }
        let found = match at {
            0 if end < self.folder.head_bytes() => At::Cut,
            0 => At::Nothing,
            _ => scan::record_at(&file, at, end)?,
        };
        let item = match found {
            At::Record(record, bytes) => {
                self.offset += bytes as u64;
                self.found(record, session)
            }
            At::Damaged(Missing { place, before, events }, bytes) => {
                self.offset += bytes as u64;
                self.count_gap(&session, before, Some(place));
                let is_stored = place <= self.stored(&session);
                self.unreadable += if is_stored { 0 } else { events };
                self.expected = Some((session, before + events));
                self.segments[self.at].is_damaged = true;
                Item::Damage(format!("{}: a block of {events} events is damaged (checksum)", self.place(at)))
            }
            At::Cut | At::Nothing => {
                let next = scan::next_record(&file, at + 1, end)?;
                self.offset = next.unwrap_or(end);
                let segment = &mut self.segments[self.at];
                // A head is on the disk before anything is accepted into its file.
                segment.is_damaged |= next.is_some() || found == At::Nothing || at == 0;
                segment.is_torn |= next.is_none();
                Item::Damage(self.no_block(at, next))
            }
        };
        self.reading = Some(file);
        Ok(Some(item))
    }

    /// Where a file is read to its end, and was longer: what is missing of it is counted.
    fn end_of_file(&mut self, session: &Arc<str>) -> Option<Item> {
        let segment = &mut self.segments[self.at];
        if self.offset < segment.bytes {
            return None;
        }
        let mark = segment.mark.take()?;
        segment.is_damaged = true;
        let missing = mark.bytes - segment.bytes;
        self.count_gap(session, mark.events, Some(mark.place.saturating_add(1)));
        self.expected = Some((session.clone(), mark.events));
        Some(Item::Damage(format!("{}: {missing} bytes that were here are missing", self.place(self.offset))))
    }

    fn no_block(&self, at: u64, next: Option<u64>) -> String {
        let place = self.place(at);
        match next {
            Some(next) => format!("{place}: {} bytes are no block", next - at),
            None => format!(
                "{place}: the last {} bytes are no whole block: it was never accepted, or the file was damaged",
                self.segments[self.at].bytes - at
            ),
        }
    }

    fn found(&mut self, record: Record, session: Arc<str>) -> Item {
        self.count_gap(&session, record.before, Some(record.place));
        self.expected = Some((session.clone(), record.before + record.block.events));
        let segment = &mut self.segments[self.at];
        segment.owed += 1;
        Item::Block(record, session, segment.number)
    }

    /// Counts what is missing before a block that has so many events of its session before it, but where all of that is
    /// stored.
    fn count_gap(&mut self, session: &Arc<str>, before: u64, place: Option<u64>) {
        let expected = self.expected.as_ref().filter(|(of, _)| of == session);
        let gap = expected.map_or(0, |(_, expected)| before.saturating_sub(*expected));
        if gap == 0 || place.is_some_and(|place| place <= self.stored(session) + 1) {
            return;
        }
        self.unreadable += gap;
        // What is missing was accepted: its file did not end so when it was written.
        for segment in self.segments.iter_mut().filter(|segment| segment.session == *session) {
            segment.is_damaged |= segment.is_torn;
        }
    }
}
