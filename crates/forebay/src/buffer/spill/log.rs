//! One lane's spill on disk: blocks are written at its end, read from its front in order, and let go of once they are
//! acknowledged.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::folder::{self, Folder};
use super::record::{self, At, Mark, Missing, Record};
use super::scan;
use crate::block::frame::Block;
use crate::event::lane::Lane;

/// How far each earlier session of a lane is stored.
pub(in crate::buffer) type Stored = HashMap<Arc<str>, u64>;

/// A block, its place in the session, and the events that were pushed before it.
pub(super) type Placed<'a> = (u64, u64, &'a Block);

/// A file of the log.
struct Segment {
    path: PathBuf,
    session: Arc<str>,
    /// Its place in the log, so that it can be named when earlier ones are gone.
    number: u64,
    /// Bytes that are on the disk for certain.
    bytes: u64,
    /// Blocks that were read from it, or written to it and sent, and are not acknowledged.
    owed: u64,
    /// Something in it could not be read: it is kept.
    is_damaged: bool,
    /// It ends before a block does, as a writer leaves it that is cut off while it writes.
    is_torn: bool,
    /// What was in it for certain, until all of it was read.
    mark: Option<Mark>,
}

impl Segment {
    /// A file of which nothing has been read.
    fn new(path: PathBuf, session: Arc<str>, number: u64, bytes: u64) -> Self {
        Self { path, session, number, bytes, owed: 0, is_damaged: false, is_torn: false, mark: None }
    }
}

/// What a read came upon.
pub(super) enum Item {
    /// A block, its session and its file.
    Block(Record, Arc<str>, u64),
    /// Something that is none: where, and what is known of it.
    Damage(String),
}

/// One lane's spill.
pub(super) struct Log {
    folder: Arc<Folder>,
    lane: Lane,
    segments: VecDeque<Segment>,
    next_number: u64,
    /// The last segment, where it is this session's and can be written to.
    writing: Option<File>,
    /// The segment that is read, by its place in `segments`, open, and how far.
    reading: Option<File>,
    at: usize,
    offset: u64,
    /// Events written to this session's files, and the place of the last block.
    written: u64,
    last_place: u64,
    /// Of the session that is read: events in its files up to the last block read.
    expected: Option<(Arc<str>, u64)>,
    /// How far the server has stored earlier sessions, once that is known.
    pub(super) known: Option<Stored>,
    /// Events that could not be read and are not stored.
    pub(super) unreadable: u64,
}

impl Log {
    /// The lane's log: what earlier sessions left.
    pub(super) fn open(folder: Arc<Folder>, lane: Lane) -> Self {
        let left = folder.left(lane).enumerate().map(|(number, found)| {
            Segment::new(found.path.clone(), found.session.clone(), number as u64, found.bytes)
        });
        let segments: VecDeque<Segment> = left.collect();
        Self {
            next_number: segments.len() as u64,
            folder,
            lane,
            segments,
            writing: None,
            reading: None,
            at: 0,
            offset: 0,
            written: 0,
            last_place: 0,
            expected: None,
            known: None,
            unreadable: 0,
        }
    }

    /// Whether everything in it was read.
    pub(super) fn is_read(&self) -> bool {
        self.at + 1 >= self.segments.len()
            && self.segments.get(self.at).is_none_or(|last| self.offset >= last.bytes && last.mark.is_none())
    }

    /// Writes blocks and returns once they are on the disk: all, or none. `sent`
    /// ones need not be read again: they are owed from now on. The file they are in.
    pub(super) fn append(&mut self, blocks: &[Placed<'_>], sent: bool) -> io::Result<u64> {
        let bytes: u64 = blocks.iter().map(|(.., block)| record::len(block)).sum();
        self.folder.reserve(bytes)?;
        let appended = self.write(blocks);
        if appended.is_err() {
            self.folder.release(bytes);
        }
        let number = appended?;
        if sent {
            // Nothing else waits to be read: it would have gone first.
            self.skip_to_end();
            if let Some(segment) = self.segments.back_mut() {
                segment.owed += blocks.len() as u64;
            }
        }
        Ok(number)
    }

    fn write(&mut self, blocks: &[Placed<'_>]) -> io::Result<u64> {
        if self.writing.is_none()
            || self.segments.back().is_none_or(|last| last.bytes >= self.folder.file_bytes())
        {
            self.begin_file()?;
        }
        let (mut bytes, mut written, mut last_place) = (Vec::new(), self.written, self.last_place);
        for (place, first, block) in blocks {
            record::write(*place, *first, written, block, &mut bytes);
            written += block.events;
            last_place = *place;
        }
        let (Some(file), Some(segment)) = (&self.writing, self.segments.back_mut()) else {
            return Err(io::Error::other("no file to write to"));
        };
        let mark = Mark { bytes: segment.bytes, events: self.written, place: self.last_place };
        let mark_at = self.folder.head_bytes() - Mark::BYTES as u64;
        let written_all = file
            .write_all_at(&bytes, segment.bytes)
            .and_then(|()| file.write_all_at(&mark.write(), mark_at))
            .and_then(|()| file.sync_data());
        if let Err(error) = written_all {
            // What an fsync that failed has left of the file's end nobody knows. Nothing after it counts.
            let _ = file.set_len(segment.bytes);
            self.writing = None;
            self.drop_empty();
            return Err(error);
        }
        segment.bytes += bytes.len() as u64;
        (self.written, self.last_place) = (written, last_place);
        Ok(segment.number)
    }

    /// Deletes the last file where nothing was ever written to it, so that a disk that is full is not littered.
    fn drop_empty(&mut self) {
        let is_own = |last: &&Segment| last.session == *self.folder.session();
        let head = self.folder.head_bytes();
        if self.segments.back().filter(is_own).is_none_or(|last| last.bytes > head) {
            return;
        }
        let Some(last) = self.segments.pop_back() else { return };
        // At worst the next writer finds it, and nothing in it.
        let _ = std::fs::remove_file(last.path);
        if self.at == self.segments.len() {
            self.reading = None;
            self.at = self.at.saturating_sub(1);
            self.offset = self.segments.back().map_or(0, |last| last.bytes);
        }
    }

    fn begin_file(&mut self) -> io::Result<()> {
        self.writing = None;
        let path = self.folder.file(self.lane, self.next_number);
        let file = folder::create(&path)?;
        let head = self.folder.head(self.written, self.last_place);
        if let Err(error) =
            file.write_all_at(&head, 0).and_then(|()| file.sync_all()).and_then(|()| self.folder.sync())
        {
            // Its name must not be in the way of the next try.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        let session = self.folder.session().clone();
        let segment = Segment::new(path, session, self.next_number, head.len() as u64);
        self.next_number += 1;
        self.segments.push_back(segment);
        self.writing = Some(file);
        Ok(())
    }

    fn skip_to_end(&mut self) {
        let Some(last) = self.segments.back() else { return };
        self.at = self.segments.len() - 1;
        self.offset = last.bytes;
        self.reading = None;
        self.expected = Some((last.session.clone(), self.written));
    }

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

    /// The place up to which the server has a session's blocks.
    pub(super) fn stored(&self, session: &Arc<str>) -> u64 {
        self.known.as_ref().and_then(|known| known.get(session)).copied().unwrap_or(0)
    }

    /// Bytes of files of earlier sessions that are not let go of.
    pub(super) fn earlier_bytes(&self) -> u64 {
        let earlier = self.segments.iter().filter(|segment| segment.session != *self.folder.session());
        earlier.map(|segment| segment.bytes).sum()
    }

    /// Where a file of the log is.
    pub(super) fn path(&self, number: u64) -> Option<PathBuf> {
        self.segments
            .iter()
            .rev()
            .find(|segment| segment.number == number)
            .map(|segment| segment.path.clone())
    }

    fn place(&self, offset: u64) -> String {
        format!("{} at byte {offset}", self.segments[self.at].path.display())
    }

    /// A block of a file is acknowledged, or was stored before.
    pub(super) fn settle(&mut self, number: u64) {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.number == number) {
            segment.owed = segment.owed.saturating_sub(1);
        }
        self.tidy();
    }

    /// Deletes files of which every block is read and acknowledged.
    pub(super) fn tidy(&mut self) {
        while let Some(first) = self.segments.front() {
            if first.owed > 0 || !(self.at > 0 || self.is_read()) {
                return;
            }
            // The name may come back after a power cut: what is stored is known to the server.
            let gone = if first.is_damaged {
                std::fs::rename(&first.path, first.path.with_extension("damaged"))
            } else {
                std::fs::remove_file(&first.path)
            };
            if let Err(why) = gone {
                tracing::warn!("cannot delete {}: {why}", first.path.display());
            }
            self.folder.release(first.bytes.saturating_sub(self.head_bytes(first)));
            self.segments.pop_front();
            if self.segments.is_empty() {
                (self.writing, self.reading, self.offset) = (None, None, 0);
            } else {
                self.at -= 1;
            }
        }
    }

    /// Heads of this session's files were not taken from what the folder may hold.
    fn head_bytes(&self, segment: &Segment) -> u64 {
        if segment.session == *self.folder.session() { self.folder.head_bytes() } else { 0 }
    }
}
