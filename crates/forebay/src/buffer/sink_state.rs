//! What is known of a lane that a sink drains: how far it has it, what it commits next, and what the server has.

use super::entry::{Entry, Id};

/// A place in a lane: everything up to and with this block. For a sink that has nothing of a lane, all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// The last block's number in its lane.
    pub number: u64,
    /// Its place in the stream. As the server keeps it, where the group stands: what comes after is to be read.
    pub id: Id,
    /// The lane's events up to and with it.
    pub total: u64,
}

/// The last block of a range that is committed next; its first is the one after what is [done](Done).
pub type Plan = Done;

impl Done {
    /// Whether that is nothing yet.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn read(fields: &[&str]) -> Option<Self> {
        let [number, id, total] = fields else { return None };
        Some(Self { number: number.parse().ok()?, id: Id::parse(id)?, total: total.parse().ok()? })
    }

    /// The plan as `sink_plan.lua` takes and gives it.
    pub(super) fn text(&self) -> String {
        format!(" {} {} {}", self.number, self.id, self.total)
    }

    /// What [`Self::text`] wrote.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        Self::read(&text.split_whitespace().collect::<Vec<_>>())
    }
}

/// What a lane's hash says of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SinkState {
    pub epoch: u64,
    pub done: Done,
    pub commit: u64,
    pub plan: Option<Plan>,
}

impl SinkState {
    /// Reads the field.
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [epoch, number, id, total, commit, plan @ ..] = fields.as_slice() else { return None };
        let plan = if plan.is_empty() { None } else { Some(Done::read(plan)?) };
        Some(Self {
            epoch: epoch.parse().ok()?,
            done: Done::read(&[*number, *id, *total])?,
            commit: commit.parse().ok()?,
            plan,
        })
    }
}

/// A lane at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneLook {
    /// Number of the newest block, and the lane's events up to and with it; none where nobody ever wrote the lane, or the
    /// server lost all of it. Lower than what is [done](Self::done) where the server came back with less.
    pub newest: Option<(u64, u64)>,
    /// Up to where the sink has the lane, as the server knows it; none where it never committed anything.
    pub done: Option<Done>,
    /// Number of the last commit; 0 where there is none.
    pub commit: u64,
    /// The range that is to be committed next, where that is decided.
    pub plan: Option<Plan>,
    /// Where the group stands: the blocks after this one are to be read.
    pub after: Id,
    /// First and last number of blocks that a server lost, as the lane's writers wrote it down, in order.
    pub lost: Vec<(u64, u64)>,
}

/// What a plan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It is written down.
    Made,
    /// Another range was planned before, by this run or one before it: that one must be made.
    Standing(Plan),
    /// The server's last commit is not the one before: it came back with less, or without anything of this lane. Look again,
    /// and commit what is there by now.
    OutOfStep,
}

/// What a commit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Where the group stands now: the blocks after this one are to be read. The committed block, unless the server does not
    /// have it: it came back with less, and what it has is read again. None where it has nothing of the lane, and nothing
    /// was written down.
    pub at: Option<Id>,
    /// Blocks that were trimmed.
    pub trimmed: u64,
}

/// A block without its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Where it stands in its stream.
    pub id: Id,
    /// Its number in the lane.
    pub number: u64,
    /// Events in it.
    pub events: u64,
    /// Events of the lane up to and with it.
    pub total: u64,
    /// Smallest and largest time of its events.
    pub times: (u64, u64),
    /// The epoch of the writer that appended it.
    pub epoch: u64,
}

impl From<&Entry> for Head {
    fn from(entry: &Entry) -> Self {
        let Entry { id, number, events, total, times, epoch, .. } = *entry;
        Self { id, number, events, total, times, epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_with_a_plan_and_without() {
        let done = Done { number: 7, id: Id { ms: 5, seq: 1 }, total: 90 };
        let state = SinkState { epoch: 3, done, commit: 2, plan: None };
        assert_eq!(SinkState::parse("3 7 5-1 90 2"), Some(state));
        let plan = Done { number: 9, id: Id { ms: 6, seq: 0 }, total: 99 };
        assert_eq!(SinkState::parse("3 7 5-1 90 2 9 6-0 99"), Some(SinkState { plan: Some(plan), ..state }));
        assert_eq!(plan.text(), " 9 6-0 99");
        assert_eq!(Done::of_text(&plan.text()), Some(plan));
        for text in
            ["", "3", "3 7 5-1 90", "3 7 5-1 90 2 9", "3 7 5 90 2", "x 7 5-1 90 2", "3 7 5-1 90 2 9 6-0 99 1"]
        {
            assert_eq!(SinkState::parse(text), None, "{text:?}");
        }
    }
}
