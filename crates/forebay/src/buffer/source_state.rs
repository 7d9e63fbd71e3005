//! Where a writer's source stands, as its threads see it: the numbering of its cursors, the newest of them, and the low watermark.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::mutex::lock;
use super::source_cursor::SourceCursor;

/// Numbering and low watermark change together: read one by one, a number of one numbering would be stored as one of another.
#[derive(Debug, Default)]
struct Standing {
    /// Which numbering the cursors of what is pushed are of.
    numbering: u32,
    /// The newest one that this writer or a lane of its buffer has had.
    newest: u32,
    /// Where the source stood when all that was taken of it before was settled. It never goes down: until something of a new
    /// numbering is settled, it is the last one of the numbering before.
    low_watermark: Option<SourceCursor>,
}

/// Where a writer's source stands.
#[derive(Debug, Default)]
pub(super) struct SourceState {
    standing: Mutex<Standing>,
    /// The cursor of the last event that had one; 0 where none had.
    cursor: AtomicU64,
    /// How far before the low watermark blocks are kept, where they are.
    margin: AtomicU64,
}

impl SourceState {
    /// The source of a writer that opens stands where its lanes say, and counts on.
    pub fn begin_at(&self, low_watermark: Option<SourceCursor>, numbering: u32) {
        let mut standing = lock(&self.standing);
        standing.numbering = numbering;
        standing.newest = standing.newest.max(standing.numbering);
        standing.low_watermark = standing.low_watermark.max(low_watermark);
    }

    /// A lane was taken that has these: no block is to say less than those before it. Where that is a later numbering than a
    /// writer knew when it opened, its own cursors stay what they are: nobody has said that they are of it.
    pub fn taken(&self, cursor: Option<SourceCursor>, low_watermark: Option<SourceCursor>) {
        let mut standing = lock(&self.standing);
        let newest = cursor.max(low_watermark).map_or(0, |at| at.numbering);
        standing.newest = standing.newest.max(newest);
        standing.low_watermark = standing.low_watermark.max(low_watermark);
    }

    /// The next numbering, which nothing in the buffer is of.
    pub fn next_numbering(&self) -> u32 {
        lock(&self.standing).newest + 1
    }

    /// From now on cursors are of this numbering. Nothing may be open, nor be pushed meanwhile.
    pub fn begin(&self, numbering: u32) {
        let mut standing = lock(&self.standing);
        (standing.numbering, standing.newest) = (numbering, numbering);
        self.cursor.store(0, Relaxed);
    }

    /// From now on so much is kept.
    pub fn keep_back(&self, margin: u64) {
        self.margin.store(margin, Relaxed);
    }

    /// How much is kept.
    pub fn margin(&self) -> u64 {
        self.margin.load(Relaxed)
    }

    /// An event was pushed.
    pub fn pushed(&self, cursor: u64) {
        if cursor > 0 {
            self.cursor.store(cursor, Relaxed);
        }
    }

    /// The cursor of what is pushed now, with its numbering; none for 0.
    pub fn at(&self, cursor: u64) -> Option<SourceCursor> {
        (cursor > 0).then(|| SourceCursor { numbering: lock(&self.standing).numbering, cursor })
    }

    /// The cursor of a block that an earlier run has left on its disk: no file says which numbering it is of, and so it has none
    /// once there are several.
    pub fn left(&self, cursor: u64) -> Option<SourceCursor> {
        self.at(cursor).filter(|_| lock(&self.standing).newest == 0)
    }

    /// Everything of the source up to this cursor is settled.
    pub fn raise(&self, cursor: u64) {
        if cursor > 0 {
            let mut standing = lock(&self.standing);
            let at = SourceCursor { numbering: standing.numbering, cursor };
            standing.low_watermark = standing.low_watermark.max(Some(at));
        }
    }

    /// The low watermark.
    pub fn low_watermark(&self) -> Option<SourceCursor> {
        lock(&self.standing).low_watermark
    }

    /// The same where it is of the numbering that what is pushed now is of.
    pub fn own_low_watermark(&self) -> Option<u64> {
        let standing = lock(&self.standing);
        standing.low_watermark.filter(|at| at.numbering == standing.numbering).map(|at| at.cursor)
    }

    /// The low watermark of a lane that ends: where nothing is open, the newest cursor.
    pub fn at_end(&self, is_all_settled: impl FnOnce() -> bool) -> Option<SourceCursor> {
        let standing = lock(&self.standing);
        // In this order: what is pushed meanwhile is open.
        let cursor = self.cursor.load(Relaxed);
        let newest = SourceCursor { numbering: standing.numbering, cursor };
        standing.low_watermark.max((cursor > 0 && is_all_settled()).then_some(newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "as the code under test takes it")]
    fn at(numbering: u32, cursor: u64) -> Option<SourceCursor> {
        Some(SourceCursor { numbering, cursor })
    }

    #[test]
    fn until_something_of_a_new_numbering_is_settled_the_low_watermark_is_the_last_one_before() {
        let state = SourceState::default();
        state.begin_at(at(2, 500), 2);
        state.pushed(600);
        state.raise(600);
        state.begin(state.next_numbering());
        assert_eq!((state.low_watermark(), state.own_low_watermark()), (at(2, 600), None));
        assert_eq!(state.at_end(|| true), at(2, 600), "nothing of it was pushed");
        state.pushed(7);
        assert_eq!((state.at_end(|| false), state.at_end(|| true)), (at(2, 600), at(3, 7)));
        state.raise(5);
        assert_eq!((state.low_watermark(), state.own_low_watermark()), (at(3, 5), Some(5)));
    }

    #[test]
    fn a_lane_that_is_taken_late_makes_no_cursor_one_of_its_numbering() {
        let state = SourceState::default();
        state.begin_at(None, 0);
        assert_eq!(state.left(9), at(0, 9));
        state.pushed(1_000_000);
        state.raise(1_000_000);
        state.taken(at(4, 3), at(3, 9));
        state.raise(2_000_000);
        assert_eq!((state.at(5), state.low_watermark()), (at(0, 5), at(3, 9)));
        assert_eq!((state.left(9), state.next_numbering()), (None, 5));
    }
}
