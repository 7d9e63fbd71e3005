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

/// A commit that is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Its number, from 1.
    pub commit: u64,
    /// The last block of its range; the first is the one after what is [done](LaneLook::done).
    pub last: Done,
}

impl Done {
    /// Whether that is nothing yet.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn read(fields: &[&str]) -> Option<Self> {
        let [number, id, total] = fields else { return None };
        Some(Self { number: number.parse().ok()?, id: Id::parse(id)?, total: total.parse().ok()? })
    }
}

impl Plan {
    /// As `sink_plan.lua` takes and gives it.
    pub(super) fn text(&self) -> String {
        let Self { commit, last: Done { number, id, total } } = self;
        format!(" {commit} {number} {id} {total}")
    }

    /// What [`Self::text`] wrote.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        Self::read(&text.split_whitespace().collect::<Vec<_>>())
    }

    fn read(fields: &[&str]) -> Option<Self> {
        let [commit, last @ ..] = fields else { return None };
        Some(Self { commit: commit.parse().ok()?, last: Done::read(last)? })
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
        let plan = if plan.is_empty() { None } else { Some(Plan::read(plan)?) };
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
    /// Number of the last commit that the server has; 0 where there is none. Lower than what the sink has committed where the
    /// server came back with less: what it had of the later ones may come again.
    pub commit: u64,
    /// What is to be committed next, where that is decided.
    pub plan: Option<Plan>,
    /// Where the group stands: the blocks after this one are to be read.
    pub after: Id,
}

/// What a plan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It is written down.
    Made,
    /// Another range was planned for that commit, by this run or one before it: that one must be made.
    Standing(Plan),
    /// The server's last commit is another one than was seen, or it does not have the block: it came back with less. Look again,
    /// and commit what is there by now.
    OutOfStep,
}

/// What a commit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Where the group stands now: the blocks after this one are to be read. None where nothing was written down: the server
    /// came back with less, without what was planned.
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
        let plan = Plan { commit: 3, last: Done { number: 9, id: Id { ms: 6, seq: 0 }, total: 99 } };
        assert_eq!(
            SinkState::parse("3 7 5-1 90 2 3 9 6-0 99"),
            Some(SinkState { plan: Some(plan), ..state })
        );
        assert_eq!(plan.text(), " 3 9 6-0 99");
        assert_eq!(Plan::of_text(&plan.text()), Some(plan));
        for text in [
            "",
            "3",
            "3 7 5-1 90",
            "3 7 5-1 90 2 9",
            "3 7 5 90 2",
            "x 7 5-1 90 2",
            "3 7 5-1 90 2 9 6-0 99",
            "3 7 5-1 90 2 3 9 6-0 99 1",
        ] {
            assert_eq!(SinkState::parse(text), None, "{text:?}");
        }
    }
}
