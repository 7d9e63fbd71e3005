//! One lane's spill on disk: blocks are written at its end, read from its front in order, and let go of once they are
//! acknowledged.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::folder::{self, Folder};
use super::record::{self, Mark};
use super::segment::Segment;
use crate::block::frame::Block;
use crate::event::lane::Lane;

/// How far each earlier session of a lane is stored.
pub(in crate::buffer) type Stored = HashMap<Arc<str>, u64>;

/// A block, its place in the session, and the events that were pushed before it.
pub(super) type Placed<'a> = (u64, u64, &'a Block);

/// One lane's spill.
pub(super) struct Log {
    pub(super) folder: Arc<Folder>,
    pub(super) lane: Lane,
    pub(super) segments: VecDeque<Segment>,
    pub(super) next_number: u64,
    /// The last segment, where it is this session's and can be written to.
    pub(super) writing: Option<File>,
    /// The segment that is read, by its place in `segments`, open, and how far.
    pub(super) reading: Option<File>,
    pub(super) at: usize,
    pub(super) offset: u64,
    /// Events written to this session's files, and the place of the last block.
    pub(super) written: u64,
    pub(super) last_place: u64,
    /// Of the session that is read: events in its files up to the last block read.
    pub(super) expected: Option<(Arc<str>, u64)>,
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

    pub(super) fn place(&self, offset: u64) -> String {
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
