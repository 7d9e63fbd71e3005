//! A range of a lane's blocks into staged files: blocks are read, opened and checked, and each event goes to the file of its day,
//! and where the layout has them of its record type.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::time::Duration;

use forebay::block::decode::Decoder;
use forebay::block::frame::lines;
use forebay::buffer::reader::Reader;
use forebay::buffer::sink::{Done, Sink};
use forebay::{Damage, Entry, Id, Lane, ReadItem, Stream};

use super::counts::Counts;
use super::destination::Destination;
use super::doubt::Doubt;
use super::footer::Footer;
use super::known::Known;
use super::layout::{FileName, Home};
use super::record::{Fault, FileRecord, Roll, hex};
use super::roll::Rolling;
use super::run::DrainError;
use super::schema::Rows;
use super::staged::Staged;
use super::table::FileWriter;

/// Bytes of memory that open files may say they take together; beyond it the largest ends its row group. What they take is about
/// three times that: with 64 MiB it was 196 of them over nine days, with 24 it is 80.
const MEMORY_MAX: usize = 24 << 20;

/// Rows between two looks at that.
const LOOK_EVERY: u64 = 8_192;

type Writer = FileWriter<BufWriter<File>>;

/// What a range is made for.
pub(super) struct Staging<'a> {
    pub lane: Lane,
    pub stream: Stream,
    pub destination: &'a Destination,
    pub rows: &'a Rows,
    pub rolling: &'a Rolling,
    pub counts: &'a Counts,
    pub buffer: &'a str,
    pub incarnation: &'a str,
    /// Up to where the server has the lane committed.
    pub from: Done,
    /// What files have beyond that.
    pub known: &'a Known,
    /// It ends with this block, whatever else: what was the newest one when it was begun, or what was planned.
    pub end: Done,
    pub is_planned: bool,
    /// From this number on that is known.
    pub fork: Option<u64>,
}

/// How a range ended.
pub(super) enum Ended {
    /// It is staged.
    Whole(Box<Staged>),
    /// The server came back with less while it was read: from the start.
    Again,
    /// A block has a number of a commit, from another writer: what the files have from there on may come again.
    Fork(u64),
}

/// What becomes of a block.
enum Taken {
    Row,
    Had,
    Fork,
    /// A number that the range itself has, from another writer.
    Forked,
}

struct Open<'a> {
    staging: &'a Staging<'a>,
    writers: BTreeMap<Home, Writer>,
    staged: Staged,
    rows: u64,
}

impl Staging<'_> {
    /// Reads from where the reader stands, up to where the range ends.
    pub fn run(
        &self,
        sink: &mut Sink,
        reader: &mut Reader,
        decoder: &mut Decoder,
        mut doubt: Option<&mut Doubt>,
    ) -> Result<Ended, DrainError> {
        let staged = Staged { last: self.from, ..Staged::default() };
        let mut open = Open { staging: self, writers: BTreeMap::new(), staged, rows: 0 };
        'blocks: loop {
            let found = reader.next(Duration::ZERO)?;
            if found.is_empty() {
                break;
            }
            for item in found {
                match item {
                    ReadItem::Block(_, entry) => {
                        if let Some(roll) = open.ends_before(&entry) {
                            open.staged.roll = Some(roll);
                            break 'blocks;
                        }
                        match open.take(sink, &entry, decoder, doubt.as_deref_mut())? {
                            Taken::Row => {}
                            Taken::Had => open.staged.had = Some(entry.id),
                            Taken::Fork => return Ok(open.given_up(Ended::Fork(entry.number))),
                            // What comes is told by what files have then.
                            Taken::Forked => {
                                open.staged.roll = Some(Roll::End);
                                break 'blocks;
                            }
                        }
                        if entry.id >= self.end.id {
                            break 'blocks;
                        }
                    }
                    ReadItem::Damaged { id, why, .. } => {
                        if id > self.end.id {
                            break 'blocks;
                        }
                        open.damaged(sink, id, &why, None)?;
                    }
                    ReadItem::Missing { events, .. } => open.staged.missing(&item.to_string(), events),
                    ReadItem::WentBack { .. } => return Ok(open.given_up(Ended::Again)),
                    // What it says is told with the block that follows.
                    _ => {}
                }
            }
        }
        if self.is_planned {
            open.staged.roll = Some(Roll::Planned);
        }
        open.finish().map(|staged| Ended::Whole(Box::new(staged)))
    }

    fn staged_name(&self, home: Home) -> String {
        format!("{}-{home}.part", self.lane.name())
    }
}

impl Open<'_> {
    fn ends_before(&self, entry: &Entry) -> Option<Roll> {
        let Staging { end, is_planned, rolling, .. } = self.staging;
        if entry.id > end.id {
            return Some(Roll::End);
        }
        // What was planned is made, wherever it would end today.
        let first = self.staged.first.filter(|_| !is_planned)?;
        let bytes = self.writers.values().map(FileWriter::bytes).max().unwrap_or(0);
        rolling.ends_before(entry.id, first.1, bytes, self.writers.len())
    }

    fn take(
        &mut self,
        sink: &mut Sink,
        entry: &Entry,
        decoder: &mut Decoder,
        doubt: Option<&mut Doubt>,
    ) -> Result<Taken, DrainError> {
        // First: where a server has given a number twice, one of the two blocks may be in a file: it is had, wherever it stands.
        if self.staging.known.has(entry.number, entry.epoch) {
            return Ok(Taken::Had);
        }
        if self.staged.first.is_some() && entry.number <= self.staged.last.number {
            // Given again within what was just read: a repeat of the last run's, or another writer gave it. A server that was killed
            // in the middle of a transaction may bring that back when it is started for the second time.
            let is_had = self.staged.epoch_of(entry.number) == Some(entry.epoch);
            return Ok(if is_had { Taken::Had } else { Taken::Forked });
        }
        // The same across two commits: what the files have from there on may come again.
        if entry.number <= self.staging.from.number
            && self.staging.fork.is_none_or(|fork| entry.number < fork)
        {
            return Ok(Taken::Fork);
        }
        self.look_behind(entry);
        let content = match decoder.open(entry.sealed()) {
            Ok(content) => content,
            Err(why) => {
                self.damaged(sink, entry.id, &why, Some(entry))?;
                return Ok(Taken::Row);
            }
        };
        self.staged.note(entry);
        self.push(entry, content, doubt)?;
        Ok(Taken::Row)
    }

    /// Of a server that came back with less nobody knows which number comes next; but what it gives beyond all that files have
    /// shows that something between is gone.
    fn look_behind(&mut self, entry: &Entry) {
        let Some(last) = self.staging.known.last() else { return };
        let before = (entry.number.saturating_sub(1), entry.total.saturating_sub(entry.events));
        if self.staged.first.is_none() && before.0 > last.number {
            let events = before.1.saturating_sub(last.total);
            let (from, lane) = (last.number + 1, self.staging.lane);
            self.staged.missing(&format!("lane {lane}: blocks {from} to {} are not there", before.0), events);
        }
    }

    fn push(
        &mut self,
        entry: &Entry,
        content: &[u8],
        mut doubt: Option<&mut Doubt>,
    ) -> Result<(), DrainError> {
        let lane = self.staging.lane;
        let stream = self.staging.stream;
        for (index, line) in (0_u32..).zip(lines(content)) {
            self.staged.events += 1;
            if let Some(doubt) = doubt.as_deref_mut()
                && doubt.has(line)
            {
                self.staged.repeats += 1;
                continue;
            }
            self.staging.counts.line(line);
            // Of events without a time of their own the block's is all that is known.
            let time_us = if stream.has_times() {
                stream.parse(line).map_or(entry.times.0, |event| event.time_us)
            } else {
                entry.times.0
            };
            let event = forebay::Event { bytes: line, time_us, lane, cursor: 0 };
            let home = self.staging.rows.layout().home(line, time_us);
            if !self.writers.contains_key(&home) {
                let file = self.staging.destination.stage(&self.staging.staged_name(home))?;
                let writer = FileWriter::create(BufWriter::with_capacity(1 << 17, file), self.staging.rows)?;
                self.writers.insert(home, writer);
            }
            if let Some(writer) = self.writers.get_mut(&home) {
                writer.push(entry.number, index, lane.partition(), &event)?;
            }
            self.rows += 1;
            if self.rows.is_multiple_of(LOOK_EVERY) {
                self.bound_memory()?;
                self.staging.counts.staged(self.rows);
            }
        }
        Ok(())
    }

    /// Ends the row group of the file that holds most, while all together hold too much.
    fn bound_memory(&mut self) -> Result<(), DrainError> {
        while self.writers.len() > 1
            && self.writers.values().map(FileWriter::memory).sum::<usize>() > MEMORY_MAX
        {
            let Some(largest) = self.writers.values_mut().max_by_key(|writer| writer.memory()) else { break };
            largest.flush_group()?;
        }
        Ok(())
    }

    fn damaged(
        &mut self,
        sink: &mut Sink,
        id: Id,
        why: &Damage,
        entry: Option<&Entry>,
    ) -> Result<(), DrainError> {
        let lane = self.staging.lane;
        let is_newer = match why {
            Damage::Newer(_) => true,
            Damage::Dictionary(dictionary) => sink.has_dictionary(*dictionary)?,
            _ => false,
        };
        if is_newer {
            return Err(DrainError::Newer { lane: lane.name().into(), id, why: why.clone() });
        }
        let mut kept = None;
        if let Some(entry) = entry {
            self.staged.note(entry);
            let name = format!("{}-{id}.frame", lane.name());
            kept = Some(self.staging.destination.keep_damaged(&name, &entry.frame)?);
        } else {
            self.staged.first.get_or_insert((self.staged.last.number + 1, id));
            self.staged.last.id = id;
        }
        self.staged.damaged(Fault { id: id.to_string(), why: why.to_string(), kept });
        Ok(())
    }

    /// Nothing of it is kept.
    fn given_up(self, ended: Ended) -> Ended {
        for home in self.writers.keys() {
            self.staging.destination.unstage(&self.staging.staged_name(*home));
        }
        ended
    }

    fn finish(mut self) -> Result<Staged, DrainError> {
        let Some((first, _)) = self.staged.first else { return Ok(self.staged) };
        let Staging { lane, destination, buffer, incarnation, .. } = *self.staging;
        let epoch = self.staged.epochs.first().map_or(0, |(_, epoch)| *epoch);
        let name = FileName { lane, first: (first, epoch), incarnation };
        let footer = Footer {
            buffer: buffer.to_owned(),
            incarnation: incarnation.to_owned(),
            lane: lane.name().into(),
            partition: lane.partition(),
            first,
            last: self.staged.last.number,
        };
        for (home, writer) in std::mem::take(&mut self.writers) {
            let (to, written) = writer.finish(&footer)?;
            let path = name.path(home);
            let staged = self.staging.staged_name(home);
            let file = to.into_inner().map_err(|why| DrainError::Staged { why: why.into_error() })?;
            destination.staged_whole(&staged, &file, &path)?;
            self.staged.rows += written.rows;
            self.staged.files.push(FileRecord {
                path,
                bytes: written.bytes,
                sha256: hex(&written.sha256),
                rows: written.rows,
                times: written.times.unwrap_or_default(),
            });
        }
        Ok(self.staged)
    }
}
