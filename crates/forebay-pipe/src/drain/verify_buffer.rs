//! Files held against the buffer that they were made of: of each block that a commit covers and the buffer still has, every event
//! must be in the files of that commit, at its place and with its bytes. The buffer is only read.

use std::time::Duration;

use forebay::block::decode::Decoder;
use forebay::block::frame::lines;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{Options, Reader};
use forebay::buffer::sink::{LanePeek, Sink};
use forebay::{Entry, Lane, ReadItem};

use super::archive::Archive;
use super::commit_rows::{CommitRow, CommitRows};
use super::destination::DestinationError;
use super::doubt::Doubt;
use super::record::CommitRecord;
use super::run::DrainError;
use super::verify::Verified;

/// Remarks that are told one by one.
const REMARKS_MAX: usize = 1_000;

/// A buffer that was drained, and as which group.
#[derive(Debug, Clone)]
pub struct BufferSource {
    /// The server.
    pub address: Address,
    /// The buffer.
    pub name: Name,
    /// The group whose position the commits move.
    pub group: String,
    /// How long the server may be away.
    pub patience: Duration,
}

/// What the buffer came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct InBuffer {
    /// Blocks that it has and a commit covers.
    pub blocks: u64,
    /// Events of them that are in the files as they are in the buffer.
    pub events: u64,
    /// Events of them that were in files of an earlier commit already.
    pub repeats: u64,
    /// Blocks of them that cannot be opened.
    pub damaged_blocks: u64,
    /// Events of blocks beyond the last commits.
    pub waiting_events: u64,
    /// What is no fault, and worth knowing, in words.
    pub remarks: Vec<String>,
}

impl InBuffer {
    fn remark(&mut self, what: String) {
        if self.remarks.len() < REMARKS_MAX {
            self.remarks.push(what);
        }
    }
}

/// Looks at every block that the buffer has; what is wrong is added to what was found before. `hear` is told after each answer.
pub fn verify_buffer(
    archive: &Archive,
    source: &BufferSource,
    verified: &mut Verified,
    mut hear: impl FnMut(&InBuffer),
) -> Result<InBuffer, DrainError> {
    if let Some(drained) = archive.drained()?
        && drained.buffer != source.name.to_string()
    {
        let (path, theirs, mine) = (archive.shown_root(), drained.buffer, source.name.to_string());
        return Err(DestinationError::OtherBuffer { path, theirs, mine }.into());
    }
    // Before any record is read: a drain that runs writes a commit there first, and then tells the server.
    let peek = Sink::peek(&source.address, &source.name, &source.group, source.patience)?;
    let mut decoder = Decoder::of(peek.events).map_err(|why| DrainError::Staged { why })?;
    let mut in_buffer = InBuffer::default();
    for of_lane in &peek.lanes {
        let commits = commits(archive, of_lane.lane)?;
        standing(of_lane, &peek.incarnation, &commits, verified, &mut in_buffer);
        let check = LaneCheck { archive, of_lane, commits, verified, in_buffer: &mut in_buffer, open: None };
        check.run(source, &mut decoder, &mut hear)?;
    }
    for lane in archive.lanes()? {
        if !peek.lanes.iter().any(|known| known.lane.name() == lane) {
            in_buffer.remark(format!("lane {lane} has commits here, and the buffer has no such lane"));
        }
    }
    Ok(in_buffer)
}

/// The commits of a lane whose records can be read, without what is said of files: there may be many.
fn commits(archive: &Archive, lane: Lane) -> Result<Vec<CommitRecord>, DrainError> {
    let mut commits = Vec::new();
    for commit in 1..=archive.last_commit(lane.name())? {
        // One that is missing, or cannot be read, is found where records are held against each other.
        if let Ok(Some(record)) = archive.record(lane.name(), commit) {
            commits.push(CommitRecord { files: Vec::new(), missing: Vec::new(), ..record });
        }
    }
    Ok(commits)
}

/// How the server stands to the destination, by the numbers of their last commits.
fn standing(
    of_lane: &LanePeek,
    incarnation: &str,
    commits: &[CommitRecord],
    verified: &mut Verified,
    in_buffer: &mut InBuffer,
) {
    let (lane, server) = (of_lane.lane, of_lane.look.commit);
    let last = commits.last();
    let here = last.map_or(0, |last| last.commit);
    if server > here {
        verified.fault(format!(
            "lane {lane}: the server has commit {server}, and the last one here is {here}: files and records of the commits between \
             are lost, or the group was drained to another place"
        ));
        return;
    }
    // A drain that runs, or was ended there, has yet to tell the server.
    let is_planned = of_lane.look.plan.is_some_and(|plan| plan.commit == here && server + 1 == here);
    let Some(last) = last else { return };
    if last.incarnation != incarnation {
        in_buffer.remark(format!(
            "lane {lane}: the buffer is another one (incarnation {incarnation}) than that of the last commit ({})",
            last.incarnation
        ));
    } else if server < here && !is_planned {
        in_buffer.remark(format!(
            "lane {lane}: the server has commit {server}, and the last one here is {here}: it came back with less, and the next \
             drain leaves out what comes again"
        ));
    }
}

/// One lane's blocks against its commits.
struct LaneCheck<'a> {
    archive: &'a Archive,
    of_lane: &'a LanePeek,
    commits: Vec<CommitRecord>,
    verified: &'a mut Verified,
    in_buffer: &'a mut InBuffer,
    open: Option<Opened>,
}

/// A commit whose files are being read; no rows where they cannot be.
struct Opened {
    commit: u64,
    rows: Option<CommitRows>,
    next: Option<CommitRow>,
    /// The last block that was looked for.
    block: u64,
    /// Events that it may have left out.
    doubt: Option<Doubt>,
}

impl LaneCheck<'_> {
    fn run(
        mut self,
        source: &BufferSource,
        decoder: &mut Decoder,
        hear: &mut impl FnMut(&InBuffer),
    ) -> Result<(), DrainError> {
        // What comes while it is read is not waited for.
        let Some(end) = self.of_lane.newest else { return Ok(()) };
        let options = Options {
            lanes: vec![self.of_lane.lane.name().into()],
            group: None,
            ahead: false,
            claim_idle: source.patience,
            patience: source.patience,
        };
        let mut reader = Reader::open_existing(&source.address, &source.name, options)?;
        loop {
            let found = reader.next(Duration::ZERO)?;
            if found.is_empty() {
                return Ok(());
            }
            for item in found {
                match &item {
                    ReadItem::Block(_, entry) if entry.id > end.id => return Ok(()),
                    ReadItem::Block(_, entry) => self.block(entry, decoder)?,
                    ReadItem::WentBack { .. } => {
                        self.in_buffer.remark(format!("{item}; its blocks were not looked at to their end"));
                        return Ok(());
                    }
                    item => self.in_buffer.remark(item.to_string()),
                }
            }
            hear(self.in_buffer);
        }
    }

    fn block(&mut self, entry: &Entry, decoder: &mut Decoder) -> Result<(), DrainError> {
        let lane = self.of_lane.lane;
        let Some(at) = self.commit_of(entry) else {
            if self.of_lane.look.done.is_some_and(|done| entry.id <= done.id) {
                self.verified.fault(format!(
                    "lane {lane}: block {} ({}) is behind the server's last commit, and no commit here has it",
                    entry.number, entry.id
                ));
            } else {
                self.in_buffer.waiting_events += entry.events;
            }
            return Ok(());
        };
        self.in_buffer.blocks += 1;
        // What could not be opened when it was drained is in no file, by its record.
        let id = entry.id.to_string();
        let content = match decoder.open(entry.sealed()) {
            Ok(content) if self.commits[at].damaged.iter().all(|fault| fault.id != id) => content,
            Ok(_) => return Ok(()),
            Err(why) => {
                self.in_buffer.damaged_blocks += 1;
                self.in_buffer.remark(format!("lane {lane}: block {} is damaged: {why}", entry.id));
                return Ok(());
            }
        };
        if let Err(why) = self.compare(at, entry, content) {
            let DrainError::File { .. } = why else { return Err(why) };
            self.verified.fault(format!("lane {lane}: block {}: {why}", entry.number));
            self.open = Some(Opened { rows: None, ..Opened::of(&self.commits[at]) });
        }
        Ok(())
    }

    /// The commit that covers a block: by its number and its writer's epoch, which no other block has.
    fn commit_of(&self, entry: &Entry) -> Option<usize> {
        let covers = |at: &usize| self.commits[*at].epoch_of(entry.number) == Some(entry.epoch);
        let open = self.open.as_ref().map(|open| open.commit);
        let open = open.and_then(|open| self.commits.iter().position(|record| record.commit == open));
        open.filter(covers).or_else(|| (0..self.commits.len()).rev().find(covers))
    }

    /// Holds each event of a block against the row at its place.
    fn compare(&mut self, at: usize, entry: &Entry, content: &[u8]) -> Result<(), DrainError> {
        let (lane, commit) = (self.of_lane.lane, self.commits[at].commit);
        let mut open = match self.open.take() {
            Some(open) if open.commit == commit && open.block <= entry.number => open,
            _ => Opened::open(self.archive, &self.commits[at])?,
        };
        if open.rows.is_none() {
            self.open = Some(open);
            return Ok(());
        }
        open.block = entry.number;
        let mut count = 0;
        for (index, line) in (0_u32..).zip(lines(content)) {
            count = index + 1;
            let place = format!("lane {lane}: event {index} of block {}", entry.number);
            match open.row_at((entry.number, index))? {
                Some(row) if row.line == line => self.in_buffer.events += 1,
                Some(_) => self.verified.fault(format!(
                    "{place} has other bytes in the buffer than in the files of commit {commit}"
                )),
                None if open.doubt.as_mut().is_some_and(|doubt| doubt.has(line)) => {
                    self.in_buffer.repeats += 1;
                }
                None => self
                    .verified
                    .fault(format!("{place} is in the buffer, and not in the files of commit {commit}")),
            }
        }
        if let Some(row) = open.next.as_ref().filter(|row| row.place.0 == entry.number) {
            self.verified.fault(format!(
                "lane {lane}: block {} has {count} events in the buffer, and event {} in the files of commit {commit}",
                entry.number, row.place.1
            ));
        }
        self.open = Some(open);
        Ok(())
    }
}

impl Opened {
    fn of(record: &CommitRecord) -> Self {
        Self { commit: record.commit, rows: None, next: None, block: 0, doubt: None }
    }

    fn open(archive: &Archive, record: &CommitRecord) -> Result<Self, DrainError> {
        // The record that is held has no files.
        let Some(whole) = archive.record(&record.lane, record.commit)? else {
            return Ok(Self::of(record));
        };
        let mut rows = CommitRows::open(archive, &whole, |_| true)?;
        let next = rows.next()?;
        let under = whole.under.filter(|_| whole.repeats > 0);
        let doubt = under.map(|under| Doubt::open(archive, &whole.lane, under)).transpose()?;
        Ok(Self { rows: Some(rows), next, doubt, ..Self::of(record) })
    }

    /// The row at a place, if there is one. Places are asked for in their order.
    fn row_at(&mut self, place: (u64, u32)) -> Result<Option<CommitRow>, DrainError> {
        let Some(rows) = &mut self.rows else { return Ok(None) };
        while self.next.as_ref().is_some_and(|row| row.place < place) {
            self.next = rows.next()?;
        }
        if self.next.as_ref().is_none_or(|row| row.place != place) {
            return Ok(None);
        }
        Ok(std::mem::replace(&mut self.next, rows.next()?))
    }
}
