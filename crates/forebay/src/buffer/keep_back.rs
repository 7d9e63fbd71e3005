//! Which blocks of a lane the next writer needs, to tell what its source sends again: those from its low watermark on, less a
//! margin. Beside the lane stands the id of the first of them, and trimming leaves them, whoever is done with them.

use std::collections::VecDeque;

use super::owner::Claim;
use super::source_cursor::SourceCursor;

/// A block that is kept: its id, and the numbering and cursor after it.
struct Kept {
    /// None where the cursor is not known: then it is as that of the next block.
    at: Option<SourceCursor>,
    /// Empty where the id is not known: then it stands beside the lane.
    id: String,
}

/// A lane's blocks that must stay.
pub(super) struct KeepBack {
    is_asked: bool,
    blocks: VecDeque<Kept>,
    /// The first cursor of the numbering that the last block had.
    begun: Option<SourceCursor>,
}

impl KeepBack {
    /// Of a lane as it was taken.
    pub(super) fn new(is_asked: bool, claim: Option<&Claim>) -> Self {
        // The low watermark tells of earlier blocks, where cursors went back after them.
        let at = claim.and_then(|claim| match (claim.cursor, claim.low_watermark) {
            (Some(at), Some(low)) if at.numbering == low.numbering => Some(at.max(low)),
            (at, _) => at,
        });
        let mut kept = Self { is_asked, blocks: VecDeque::new(), begun: at };
        if let Some(id) = claim.and_then(|claim| claim.kept) {
            kept.blocks.push_back(Kept { at, id: id.to_string() });
        }
        kept
    }

    /// Whether blocks are kept at all.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// A block is stored. Where its id is not known, that of the block before it stands for it.
    pub(super) fn stored(&mut self, at: Option<SourceCursor>, id: Option<String>) {
        let Some(cursor) = at.filter(|_| self.is_asked) else { return };
        if self.begun.is_none_or(|begun| begun.numbering != cursor.numbering) {
            self.begun = at;
        }
        match (id, self.blocks.back_mut()) {
            (None, Some(before)) => before.at = before.at.max(at),
            (id, before) => {
                if let Some(before) = before {
                    before.at = before.at.or(at);
                }
                self.blocks.push_back(Kept { at, id: id.unwrap_or_default() });
            }
        }
    }

    /// The id of the first block that must stay while the source stands so, and a margin before it; empty where that is not known: then the one that
    /// stands beside the lane stays, or the next block is the first.
    pub(super) fn from(&mut self, low_watermark: Option<SourceCursor>, margin: u64) -> &str {
        let Some(low_watermark) = low_watermark.filter(|_| self.is_asked) else { return self.first() };
        let is_before = |at: SourceCursor| {
            at.numbering == low_watermark.numbering
                && at.cursor <= low_watermark.cursor.saturating_sub(margin)
        };
        // What was stored under another numbering may come again until this one is a margin on.
        let has_begun = self.begun.is_some_and(is_before);
        let is_past =
            |at: SourceCursor| is_before(at) || (at.numbering != low_watermark.numbering && has_begun);
        // One stays: a block that comes now is after it.
        while self.blocks.len() > 1 && self.blocks[0].at.is_some_and(is_past) {
            self.blocks.pop_front();
        }
        self.first()
    }

    fn first(&self) -> &str {
        self.blocks.front().map_or("", |kept| &kept.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::entry::Id;

    #[allow(clippy::unnecessary_wraps, reason = "as the code under test takes it")]
    fn at(numbering: u32, cursor: u64) -> Option<SourceCursor> {
        Some(SourceCursor { numbering, cursor })
    }

    #[allow(clippy::unnecessary_wraps, reason = "as the code under test takes it")]
    fn id(cursor: u64) -> Option<String> {
        Some(format!("{cursor}-0"))
    }

    /// Of a lane whose blocks from `7-0` on are kept.
    fn taken(is_asked: bool, cursor: Option<SourceCursor>) -> KeepBack {
        let (epoch, last, events, lost) = (1, 1, 1, 0);
        let kept = Id::parse("7-0");
        KeepBack::new(is_asked, Some(&Claim { epoch, last, events, cursor, low_watermark: None, lost, kept }))
    }

    #[test]
    fn blocks_stay_until_the_low_watermark_is_a_margin_past_them() {
        let mut kept = KeepBack::new(true, None);
        assert_eq!(kept.from(at(0, 5), 10), "");
        for cursor in [10, 20, 30, 40] {
            kept.stored(at(0, cursor), id(cursor));
        }
        assert_eq!(kept.from(None, 10), "10-0");
        assert_eq!(kept.from(at(0, 10), 10), "10-0");
        assert_eq!(kept.from(at(0, 29), 10), "20-0");
        assert_eq!(kept.from(at(0, 100), 10), "40-0", "the newest stays");
    }

    #[test]
    fn a_block_without_an_id_keeps_the_one_before_it_or_what_stands_beside_the_lane() {
        let mut kept = KeepBack::new(true, None);
        kept.stored(at(0, 10), None);
        kept.stored(at(0, 20), id(20));
        kept.stored(at(0, 30), None);
        kept.stored(at(0, 40), id(40));
        assert_eq!(kept.from(at(0, 19), 10), "");
        assert_eq!(kept.from(at(0, 39), 10), "20-0");
        assert_eq!(kept.from(at(0, 40), 10), "40-0");
    }

    #[test]
    fn what_an_earlier_writer_or_another_numbering_has_left_stays_until_the_new_one_is_a_margin_on() {
        // Also one whose low watermark nobody stored, and that was given up.
        for left in [at(0, 1_000_000), at(2, 1), at(1, 50)] {
            let mut kept = taken(true, left);
            kept.stored(at(1, 100), id(8));
            kept.stored(at(1, 105), id(9));
            let first = if left == at(1, 50) { "8-0" } else { "7-0" };
            assert_eq!(kept.from(at(1, 109), 10), first, "{left:?}");
            assert_eq!(kept.from(at(1, 110), 10), "9-0", "{left:?}");
        }
    }

    #[test]
    fn blocks_of_a_source_whose_cursors_went_back_stay_until_the_low_watermark_is_a_margin_on() {
        let (cursor, low_watermark, kept) = (at(0, 50), at(0, 100), Id::parse("7-0"));
        let claim = Claim { epoch: 1, last: 1, events: 1, cursor, low_watermark, lost: 0, kept };
        let mut kept = KeepBack::new(true, Some(&claim));
        kept.stored(at(0, 55), id(8));
        kept.stored(at(0, 56), id(9));
        assert_eq!(kept.from(at(0, 109), 10), "7-0");
        assert_eq!(kept.from(at(0, 110), 10), "9-0");
    }

    #[test]
    fn a_lane_whose_cursor_is_not_known_stays_as_long_as_the_next_block() {
        let mut kept = taken(true, None);
        kept.stored(at(0, 100), id(8));
        kept.stored(at(0, 120), id(9));
        assert_eq!(kept.from(at(0, 109), 10), "7-0");
        assert_eq!(kept.from(at(0, 110), 10), "9-0");
    }

    #[test]
    fn nothing_is_kept_unasked() {
        let mut kept = taken(false, at(0, 1));
        assert!(!kept.is_asked());
        kept.stored(at(0, 10), id(10));
        assert_eq!(kept.blocks.len(), 1);
    }
}
