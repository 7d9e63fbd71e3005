//! One lane: what the destination has of it, what the server says, and the next range of it into files.
//!
//! A range is staged, planned on the server, prepared, published and recorded at the destination, and then the server is told. At
//! a start, and after any doubt, the destination decides: what it has recorded is had, whatever the server says.

use forebay::block::decode::Decoder;
use forebay::buffer::reader::{Options, Reader};
use forebay::buffer::sink::{Done, Head, LaneLook, Planned};
use forebay::{Id, Lane};

use super::doubt::Doubt;
use super::folder::Folder;
use super::record::{CommitRecord, DoubtRange, Roll, VERSION};
use super::roll::Waiting;
use super::run::{DrainError, Means, now_us};
use super::stage::{Ended, Staged, Staging};
use super::step::Step;

/// Bytes that a row takes in a file where nothing is known yet.
const ROW_BYTES: f64 = 110.0;

/// One lane of a drain.
pub(super) struct LaneDrain {
    lane: Lane,
    /// The last commit at the destination.
    last: Option<CommitRecord>,
    /// One that was being published.
    pending: Option<CommitRecord>,
    /// After which block to read on; none until that is looked up.
    stands: Option<Id>,
    /// The numbers go on from the last commit.
    is_continued: bool,
    /// The oldest block that is in no file.
    oldest: Option<Head>,
    doubt: Option<Doubt>,
    /// From here on numbers were given again.
    fork: Option<u64>,
}

/// What a lane has that is in no file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Left {
    pub events: u64,
    pub oldest_ms: Option<u64>,
}

/// The next range.
struct Range {
    roll: Roll,
    end: Done,
    is_planned: bool,
}

/// What became of a range.
enum Made {
    Committed,
    /// To be looked at anew.
    Again,
    /// There is nothing of it.
    Nothing,
}

impl LaneDrain {
    pub fn new(lane: Lane, folder: &Folder) -> Result<Self, DrainError> {
        let (last, pending) = (folder.last(lane.name())?, folder.pending(lane.name())?);
        let (stands, oldest, doubt, fork) = (None, None, None, None);
        Ok(Self { lane, last, pending, stands, is_continued: true, oldest, doubt, fork })
    }

    pub fn lane(&self) -> Lane {
        self.lane
    }

    pub fn pending(&self) -> Option<&CommitRecord> {
        self.pending.as_ref()
    }

    /// After any doubt: what is known is looked up anew.
    pub fn look_again(&mut self) {
        self.stands = None;
    }

    /// Makes files of what is due.
    pub fn drain(&mut self, means: &mut Means<'_>, is_end: bool) -> Result<Left, DrainError> {
        let target = if is_end { means.sink.newest(self.lane)? } else { None };
        loop {
            if self.stands.is_none() && !self.begin(means)? {
                return Ok(Left::default());
            }
            let look = means.sink.look(self.lane)?;
            let (range, left) = self.due(means, &look, is_end, target)?;
            let Some(range) = range else { return Ok(left) };
            match self.make(means, &look, &range)? {
                Made::Committed => {}
                Made::Again => self.look_again(),
                Made::Nothing => return Ok(left),
            }
        }
    }

    /// Finds out where the lane stands, and ends what was begun. False where the server has nothing of it by now.
    fn begin(&mut self, means: &mut Means<'_>) -> Result<bool, DrainError> {
        *self = Self { fork: self.fork, ..Self::new(self.lane, means.folder)? };
        self.publish_pending(means)?;
        let Some(last) = &self.last else {
            let look = means.sink.look(self.lane)?;
            if look.commit > 0 {
                // An error, which says what is missing here.
                means.sink.commit(self.lane, Done::default(), 0)?;
            }
            self.stands = Some(look.after);
            return Ok(true);
        };
        let done = last.done().unwrap_or_default();
        if last.incarnation != means.sink.incarnation() {
            let Some(head) = means.sink.oldest_after(self.lane, Id::default())? else { return Ok(false) };
            self.is_continued = head.number > done.number;
            if !self.is_continued {
                tracing::warn!(
                    "lane {}: the buffer was made anew (incarnation {}): its blocks count from 1 again",
                    self.lane,
                    means.sink.incarnation()
                );
            }
        }
        let known = if self.is_continued { done } else { Done::default() };
        means.sink.look(self.lane)?;
        let committed = means.sink.commit(self.lane, known, last.commit)?;
        self.stands = Some(committed.at.unwrap_or_default());
        Ok(true)
    }

    /// A commit that was being published: its files come into the tree, where they are there.
    fn publish_pending(&mut self, means: &Means<'_>) -> Result<(), DrainError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        if pending.commit <= self.commit() {
            return Ok(means.folder.forget_pending(self.lane.name())?);
        }
        if means.folder.can_publish(&pending)? {
            means.folder.publish(&pending)?;
            means.folder.commit(&pending)?;
            means.counts.committed(&pending, now_us());
            self.last = Some(pending);
        } else {
            // Made again, from the buffer.
            self.pending = Some(pending);
        }
        Ok(())
    }

    /// The number of the last commit.
    fn commit(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.commit)
    }

    /// The last commit, where the lane's numbers go on from it.
    fn before(&self) -> Option<&CommitRecord> {
        self.last.as_ref().filter(|_| self.is_continued)
    }

    fn done(&self) -> Done {
        self.before().and_then(CommitRecord::done).unwrap_or_default()
    }

    /// What is to be made now, if anything, and what is left. At the end it is all that was there when that came.
    fn due(
        &mut self,
        means: &mut Means<'_>,
        look: &LaneLook,
        is_end: bool,
        target: Option<Head>,
    ) -> Result<(Option<Range>, Left), DrainError> {
        let planned = self.pending.as_ref().and_then(CommitRecord::done).or(look.plan);
        if let Some(end) = planned {
            return Ok((Some(Range { roll: Roll::Planned, end, is_planned: true }), Left::default()));
        }
        let stands = self.stands.unwrap_or_default();
        if self.oldest.is_none_or(|oldest| oldest.id <= stands) {
            // Not by the newest number: a server that came back with less may have given it again.
            self.oldest = means.sink.oldest_after(self.lane, stands)?;
        }
        let Some(oldest) = self.oldest else { return Ok((None, Left::default())) };
        let before = oldest.total - oldest.events.min(oldest.total);
        let events = look.newest.map_or(oldest.events, |(_, total)| total.saturating_sub(before));
        let left = Left { events, oldest_ms: Some(oldest.id.ms) };
        let waiting = Waiting { oldest, events, now_ms: now_us() / 1_000 };
        let Some(roll) = means.config.rolling.is_due(&waiting, self.row_bytes(), is_end) else {
            return Ok((None, left));
        };
        let newest = if is_end { target } else { means.sink.newest(self.lane)? };
        let Some(newest) = newest.filter(|newest| newest.id > stands) else { return Ok((None, left)) };
        let end = Done { number: newest.number, id: newest.id, total: newest.total };
        Ok((Some(Range { roll, end, is_planned: false }), left))
    }

    fn row_bytes(&self) -> f64 {
        let files = self.last.iter().flat_map(|last| &last.files);
        let (bytes, rows) = files.fold((0, 0), |(bytes, rows), file| (bytes + file.bytes, rows + file.rows));
        if rows > 0 { bytes as f64 / rows as f64 } else { ROW_BYTES }
    }

    /// Stages a range and commits it.
    fn make(&mut self, means: &mut Means<'_>, look: &LaneLook, range: &Range) -> Result<Made, DrainError> {
        self.doubt_what_may_come_again(means, look)?;
        let staged = match self.stage(means, range)? {
            Ended::Whole(staged) => *staged,
            Ended::Again => return Ok(Made::Again),
            Ended::Fork(number) => {
                self.fork = Some(number);
                return Ok(Made::Again);
            }
        };
        let after = means.sink.look(self.lane)?;
        let is_known = |loss: &(u64, u64)| look.lost.contains(loss);
        if after.lost.iter().any(|loss| !is_known(loss) && loss.0 <= staged.last.number) {
            return Ok(Made::Again);
        }
        if range.is_planned && staged.last.number < range.end.number {
            return self.planned_in_vain(means);
        }
        if staged.first.is_none() {
            return self.had_all(means, &staged);
        }
        means.config.steps.before(Step::Plan)?;
        match means.sink.plan(self.lane, staged.last, self.commit() + 1)? {
            Planned::Made => {}
            Planned::Standing(_) | Planned::OutOfStep => return Ok(Made::Again),
        }
        let record = self.record(means, look, range, staged);
        self.publish(means, record)?;
        Ok(Made::Committed)
    }

    fn publish(&mut self, means: &mut Means<'_>, record: CommitRecord) -> Result<(), DrainError> {
        means.folder.prepare(&record)?;
        means.folder.publish(&record)?;
        means.folder.commit(&record)?;
        means.config.steps.before(Step::Commit)?;
        let done = record.done().unwrap_or_default();
        let commit = record.commit;
        means.counts.committed(&record, now_us());
        (self.last, self.pending, self.is_continued, self.fork) = (Some(record), None, true, None);
        let committed = means.sink.commit(self.lane, done, commit)?;
        self.stands = Some(committed.at.unwrap_or_default());
        means.config.steps.before(Step::Done)?;
        Ok(())
    }

    /// Of a planned range not all is there any more: the server came back with less.
    fn planned_in_vain(&mut self, means: &mut Means<'_>) -> Result<Made, DrainError> {
        if means.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(Made::Nothing);
        }
        if let Some(pending) = self.pending.take() {
            if means.folder.is_begun(&pending)? {
                let (lane, commit) = (self.lane.name().into(), pending.commit);
                return Err(DrainError::Unfinished { lane, commit });
            }
            means.folder.forget_pending(self.lane.name())?;
        }
        means.sink.withdraw(self.lane, self.commit() + 1)?;
        Ok(Made::Again)
    }

    /// Blocks that were read and are all in files: the server lets go of them.
    fn had_all(&mut self, means: &mut Means<'_>, staged: &Staged) -> Result<Made, DrainError> {
        let Some(id) = staged.had else { return Ok(Made::Nothing) };
        let committed = means.sink.commit(self.lane, Done { id, ..self.done() }, self.commit())?;
        let at = committed.at.unwrap_or_default();
        let has_moved = self.stands.is_none_or(|stands| stands < at);
        self.stands = Some(at.max(id));
        Ok(if has_moved { Made::Committed } else { Made::Nothing })
    }

    fn stage(&mut self, means: &mut Means<'_>, range: &Range) -> Result<Ended, DrainError> {
        let options = Options {
            lanes: vec![self.lane.name().into()],
            group: None,
            ahead: true,
            claim_idle: means.config.patience,
            patience: means.config.patience,
        };
        let mut reader = Reader::open_existing(&means.config.address, &means.config.name, options)?;
        reader.stop_on(means.stop);
        let (done, stands) = (self.done(), self.stands.unwrap_or_default());
        // After a fork nobody knows what comes next.
        let number = if self.fork.is_some() { 0 } else { done.number };
        if stands > Id::default() || number > 0 {
            reader.go_on_after(self.lane, stands, number, done.total)?;
        }
        let stream = reader.events();
        let mut decoder = Decoder::of(stream).map_err(|why| DrainError::Staged { why })?;
        let staging = Staging {
            lane: self.lane,
            stream,
            folder: means.folder,
            rows: means.rows,
            rolling: &means.config.rolling,
            counts: means.counts,
            buffer: &means.config.name.to_string(),
            incarnation: means.sink.incarnation(),
            last: self.last.as_ref().filter(|_| self.is_continued),
            end: range.end,
            is_planned: range.is_planned,
            fork: self.fork,
        };
        staging.run(&mut reader, &mut decoder, self.doubt.as_mut())
    }

    /// Where the server came back without blocks that are in files, their events may come again under other numbers.
    fn doubt_what_may_come_again(&mut self, means: &Means<'_>, look: &LaneLook) -> Result<(), DrainError> {
        let Some(last) = self.before() else { return Ok(()) };
        let done = last.last.number;
        let lost =
            look.lost.iter().filter(|(first, last_lost)| *first <= done && !last.losses.contains(last_lost));
        let went_back = look.newest.map(|(number, _)| number + 1).filter(|from| *from <= done);
        let from = lost.map(|(first, _)| *first).chain(went_back).chain(self.fork).min();
        let standing = self.doubt.as_ref().and_then(|doubt| doubt.range(0)).or(last.doubt);
        let range = match (from, standing) {
            (None, None) => None,
            (None, standing) if self.doubt.is_some() || standing.is_none() => return Ok(()),
            (None, standing) => standing,
            (Some(from), standing) => Some(DoubtRange {
                from: standing.map_or(from, |standing| standing.from.min(from)),
                to: done,
                commit: last.commit,
                until_us: standing.map_or(0, |standing| standing.until_us),
            }),
        };
        // Events of other streams have no identity: of two lines that are the same, both may be meant.
        self.doubt = match range.filter(|_| means.sink.events().is_jetstream()) {
            Some(range) => Some(Doubt::open(means.folder, self.lane.name(), range)?),
            None => None,
        };
        Ok(())
    }

    fn record(&self, means: &Means<'_>, look: &LaneLook, range: &Range, staged: Staged) -> CommitRecord {
        let earliest = staged.earliest_us.unwrap_or(0);
        CommitRecord {
            version: VERSION,
            commit: self.commit() + 1,
            previous: self.last.as_ref().map(CommitRecord::hash),
            buffer: means.config.name.to_string(),
            incarnation: means.sink.incarnation().into(),
            lane: self.lane.name().into(),
            first: staged.first.map_or(staged.last.number, |(number, _)| number),
            last: staged.last.into(),
            epochs: staged.epochs,
            events: staged.events,
            rows: staged.rows,
            repeats: staged.repeats,
            cursor: staged.cursor,
            roll: staged.roll.unwrap_or(range.roll),
            at_us: now_us(),
            files: staged.files,
            damaged: staged.damaged,
            damaged_blocks: staged.damaged_blocks,
            missing: staged.missing,
            missing_events: staged.missing_events,
            losses: look.lost.iter().map(|(_, last)| *last).collect(),
            under: self.doubt.as_ref().map(Doubt::about),
            doubt: self.doubt.as_ref().and_then(|doubt| doubt.range(earliest)),
        }
    }
}
