//! One lane: what the destination has of it, what the server says, and the next range of it into files.
//!
//! A range is staged, planned on the server, prepared, published and recorded at the destination, and then the server is told. At
//! a start, and after any doubt, the destination decides: what it has recorded is had, whatever the server says. Both count
//! commits: a server whose last one is not the destination's came back with less, and may give again what it had of the later ones.

use forebay::block::decode::Decoder;
use forebay::buffer::sink::{Done, Head, LaneLook, Plan, Planned};
use forebay::{Id, Lane};

use super::behind::{Standing, in_doubt, standing};
use super::destination::Destination;
use super::doubt::Doubt;
use super::known::Known;
use super::open_reader::open_reader;
use super::record::{CommitRecord, DoubtRange, Roll, VERSION};
use super::roll::Waiting;
use super::run::{DrainError, Means, now_us};
use super::stage::{Ended, Staging};
use super::staged::Staged;
use super::step::Step;

/// Bytes that a row takes in a file where nothing is known yet.
const ROW_BYTES: f64 = 110.0;

/// How often a range is looked at anew without any commit: a server that comes back with less takes a few.
const AGAIN_MAX: u32 = 100;

/// One lane of a drain.
pub(super) struct LaneDrain {
    lane: Lane,
    /// The last commit at the destination.
    last: Option<CommitRecord>,
    /// One that was being published.
    pending: Option<CommitRecord>,
    /// Both were looked up since anything was in doubt.
    is_looked_up: bool,
    /// The oldest block that is in no file.
    oldest: Option<Head>,
    doubt: Option<Doubt>,
    /// From this number on another writer gave numbers again, and files have them from the one before.
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
    pub fn new(lane: Lane, destination: &Destination) -> Result<Self, DrainError> {
        let archive = destination.archive();
        let (last, pending) = (archive.last(lane.name())?, archive.pending(lane.name())?);
        Ok(Self { lane, last, pending, is_looked_up: false, oldest: None, doubt: None, fork: None })
    }

    pub fn lane(&self) -> Lane {
        self.lane
    }

    pub fn pending(&self) -> Option<&CommitRecord> {
        self.pending.as_ref()
    }

    /// After any doubt: what is known is looked up anew.
    pub fn look_again(&mut self) {
        self.is_looked_up = false;
    }

    /// Makes files of what is due.
    pub fn drain(&mut self, means: &mut Means<'_>, is_end: bool) -> Result<Left, DrainError> {
        let target = if is_end { means.sink.newest(self.lane)? } else { None };
        let mut again = 0;
        loop {
            if !self.is_looked_up {
                *self = Self { fork: self.fork, ..Self::new(self.lane, means.destination)? };
                self.publish_pending(means)?;
                self.is_looked_up = true;
            }
            let look = means.sink.look(self.lane)?;
            if let Some(plan) = look.plan.filter(|plan| self.has(*plan)) {
                // It was published, and the server was not told.
                means.sink.commit(self.lane, plan)?;
                continue;
            }
            let Some(standing) = standing(means, self.lane, self.last.as_ref(), &look)? else {
                return Ok(Left::default());
            };
            let (range, left) = self.due(means, &look, is_end, target)?;
            let Some(range) = range else { return Ok(left) };
            match self.make(means, (&look, standing), &range)? {
                Made::Committed => again = 0,
                Made::Again if again == AGAIN_MAX => {
                    return Err(DrainError::Unsettled { lane: self.lane.name().into(), times: again });
                }
                Made::Again => {
                    again += 1;
                    self.look_again();
                }
                Made::Nothing => return Ok(left),
            }
        }
    }

    /// A commit that was being published: its files come into the tree, where they are there.
    fn publish_pending(&mut self, means: &Means<'_>) -> Result<(), DrainError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        if pending.commit <= self.commit() {
            return Ok(means.destination.forget_pending(self.lane.name())?);
        }
        if means.destination.can_publish(&pending)? {
            means.destination.publish(&pending)?;
            means.destination.commit(&pending)?;
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

    /// Whether that is the last commit here.
    fn has(&self, plan: Plan) -> bool {
        self.last.as_ref().is_some_and(|last| last.commit == plan.commit && last.done() == Some(plan.last))
    }

    /// What is to be made now, if anything, and what is left. At the end it is all that was there when that came.
    fn due(
        &mut self,
        means: &mut Means<'_>,
        look: &LaneLook,
        is_end: bool,
        target: Option<Head>,
    ) -> Result<(Option<Range>, Left), DrainError> {
        let planned = look.plan.filter(|plan| plan.commit == self.commit() + 1).map(|plan| plan.last);
        if let Some(end) = self.pending.as_ref().and_then(CommitRecord::done).or(planned) {
            return Ok((Some(Range { roll: Roll::Planned, end, is_planned: true }), Left::default()));
        }
        if self.oldest.is_none_or(|oldest| oldest.id <= look.after) {
            // Not by the newest number: a server that came back with less may have given it again.
            self.oldest = means.sink.oldest_after(self.lane, look.after)?;
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
        let Some(newest) = newest.filter(|newest| newest.id > look.after) else { return Ok((None, left)) };
        let end = Done { number: newest.number, id: newest.id, total: newest.total };
        Ok((Some(Range { roll, end, is_planned: false }), left))
    }

    fn row_bytes(&self) -> f64 {
        let files = self.last.iter().flat_map(|last| &last.files);
        let (bytes, rows) = files.fold((0, 0), |(bytes, rows), file| (bytes + file.bytes, rows + file.rows));
        if rows > 0 { bytes as f64 / rows as f64 } else { ROW_BYTES }
    }

    /// Stages a range and commits it.
    fn make(
        &mut self,
        means: &mut Means<'_>,
        (look, standing): (&LaneLook, Standing),
        range: &Range,
    ) -> Result<Made, DrainError> {
        means.counts.begins();
        let known = match &self.last {
            Some(last) if standing == Standing::Behind => {
                Known::after(means.destination.archive(), last, look.commit)?
            }
            _ => Known::default(),
        };
        let doubted = self.last.as_ref().map(|last| {
            let held = self.doubt.as_ref().map(Doubt::about).or(last.doubt);
            in_doubt(means, last, (look, standing), held, self.fork)
        });
        self.doubt_again(means, doubted.transpose()?.flatten())?;
        let staged = match self.stage(means, (look, standing), &known, range)? {
            Ended::Whole(staged) => *staged,
            Ended::Again => return Ok(Made::Again),
            Ended::Fork(number) => {
                self.fork = Some(number);
                return Ok(Made::Again);
            }
        };
        if range.is_planned && !self.is_as_planned(&staged, range) {
            return self.planned_in_vain(means, look);
        }
        if staged.first.is_none() {
            return self.had_all(means, look, &staged);
        }
        means.config.steps.before(Step::Plan)?;
        let plan = Plan { commit: self.commit() + 1, last: staged.last };
        match means.sink.plan(self.lane, plan, look.commit)? {
            Planned::Made => {}
            Planned::Standing(_) | Planned::OutOfStep => return Ok(Made::Again),
        }
        let record = self.record(means, range, staged);
        self.publish(means, record, plan)?;
        Ok(Made::Committed)
    }

    fn publish(&mut self, means: &mut Means<'_>, record: CommitRecord, plan: Plan) -> Result<(), DrainError> {
        means.destination.prepare(&record)?;
        means.destination.publish(&record)?;
        means.destination.commit(&record)?;
        means.config.steps.before(Step::Commit)?;
        means.counts.committed(&record, now_us());
        if self.last.as_ref().is_some_and(|last| last.incarnation != record.incarnation) {
            tracing::warn!(
                "lane {}: the buffer is another one since (incarnation {})",
                self.lane,
                record.incarnation
            );
        }
        if record.doubt.is_none() {
            self.doubt = None;
        }
        (self.last, self.pending, self.fork) = (Some(record), None, None);
        // Where the server came back with less meanwhile it says nothing, and is looked at again.
        means.sink.commit(self.lane, plan)?;
        means.config.steps.before(Step::Done)?;
        Ok(())
    }

    /// Whether what was staged is what was planned. Where files of it may be in the tree, it must be the very same blocks.
    fn is_as_planned(&self, staged: &Staged, range: &Range) -> bool {
        let is_same = |pending: &CommitRecord| {
            Some(pending.first) == staged.first.map(|(first, _)| first) && pending.epochs == staged.epochs
        };
        staged.last.id == range.end.id && self.pending.as_ref().is_none_or(is_same)
    }

    /// Of a planned range not all is there any more: the server came back with less.
    fn planned_in_vain(&mut self, means: &mut Means<'_>, look: &LaneLook) -> Result<Made, DrainError> {
        if means.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(Made::Nothing);
        }
        if let Some(pending) = self.pending.take() {
            if means.destination.is_begun(&pending)? {
                let (lane, commit) = (self.lane.name().into(), pending.commit);
                return Err(DrainError::Unfinished { lane, commit });
            }
            means.destination.forget_pending(self.lane.name())?;
        }
        means.sink.withdraw(self.lane, look.commit)?;
        Ok(Made::Again)
    }

    /// Blocks that were read and are all in files: the server lets go of them.
    fn had_all(
        &mut self,
        means: &mut Means<'_>,
        look: &LaneLook,
        staged: &Staged,
    ) -> Result<Made, DrainError> {
        let Some(id) = staged.had else { return Ok(Made::Nothing) };
        let moved = means.sink.let_go(self.lane, id, self.commit())?;
        Ok(if moved.at.is_some_and(|at| at > look.after) { Made::Committed } else { Made::Nothing })
    }

    fn stage(
        &mut self,
        means: &mut Means<'_>,
        (look, standing): (&LaneLook, Standing),
        known: &Known,
        range: &Range,
    ) -> Result<Ended, DrainError> {
        let mut reader = open_reader(means, self.lane)?;
        let from = look.done.unwrap_or_default();
        // Nobody knows what comes next from a server that came back with less, or after numbers that were given again.
        let is_known = standing == Standing::InStep && self.fork.is_none();
        let (number, total) = if is_known { (from.number, from.total) } else { (0, 0) };
        if look.after > Id::default() || number > 0 {
            reader.go_on_after(self.lane, look.after, number, total)?;
        }
        let stream = reader.events();
        let mut decoder = Decoder::of(stream).map_err(|why| DrainError::Staged { why })?;
        let incarnation = means.sink.incarnation().to_owned();
        let staging = Staging {
            lane: self.lane,
            stream,
            destination: means.destination,
            rows: means.rows,
            rolling: &means.config.rolling,
            counts: means.counts,
            buffer: &means.config.name.to_string(),
            incarnation: &incarnation,
            from,
            known,
            end: range.end,
            is_planned: range.is_planned,
            fork: self.fork,
        };
        staging.run(means.sink, &mut reader, &mut decoder, self.doubt.as_mut())
    }

    /// Events of these commits may come again, and of no others.
    fn doubt_again(&mut self, means: &Means<'_>, range: Option<DoubtRange>) -> Result<(), DrainError> {
        let Some(range) = range else {
            self.doubt = None;
            return Ok(());
        };
        let held = self.doubt.as_ref().map(Doubt::about);
        if held.is_none_or(|held| (held.after, held.to) != (range.after, range.to)) {
            self.doubt = Some(Doubt::open(means.destination.archive(), self.lane.name(), range)?);
        }
        Ok(())
    }

    fn record(&self, means: &Means<'_>, range: &Range, staged: Staged) -> CommitRecord {
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
            under: self.doubt.as_ref().map(Doubt::about),
            doubt: self.doubt.as_ref().and_then(|doubt| doubt.range(earliest)),
        }
    }
}
