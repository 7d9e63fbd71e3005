//! Where a reader stands in a lane, and whether a block follows from what it read there.

use super::entry::{Entry, Id};
use super::repeats::Recent;
use crate::event::lane::Lane;

/// A block that was read: its id, its number, and the lane's events up to and with it.
type LastRead = (Id, u64, u64);

/// Where a lane stands.
#[derive(Clone)]
pub(super) struct ReaderPlace {
    pub(super) lane: Lane,
    /// The last block read in order.
    pub(super) last: Option<LastRead>,
    /// A later one that was out of place: it is a stranger's, or the numbering begins anew with it. The next block tells.
    doubted: Option<LastRead>,
    /// Entries after the last block that could not be read: blocks, or never any.
    pub(super) damaged: u64,
    /// Where the group stood when this reader came to the lane, until a block is read in order.
    pub(super) given: Option<Id>,
    /// The group has, or had, other consumers, as far as this reader has seen.
    pub(super) has_others: bool,
    /// Without a group: ids up to here were handed to the caller.
    pub(super) seen: Id,
    /// Where another server may take the place of this one: what was handed out last.
    pub(super) recent: Option<Recent>,
    /// While this consumer's own blocks are looked through: ids up to here were.
    pub(super) own: Id,
}

/// How a block stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It follows.
    Next,
    /// Blocks are missing before it.
    Hole,
    /// It cannot stand there: its number and its count, and what they should be.
    OutOfPlace { says: (u64, u64), due: (u64, u64) },
}

impl ReaderPlace {
    pub(super) fn new(lane: Lane) -> Self {
        let (seen, own) = (Id::default(), Id::default());
        let recent = None;
        Self {
            lane,
            last: None,
            doubted: None,
            damaged: 0,
            given: None,
            has_others: false,
            seen,
            recent,
            own,
        }
    }

    /// The same where another server may take the place of this one.
    pub(super) fn on(lane: Lane, fails_over: bool) -> Self {
        Self { recent: fails_over.then(Recent::default), ..Self::new(lane) }
    }

    /// Forgets what was read: what comes now need not follow from it.
    pub(super) fn begin_again(&mut self) {
        let recent = self.recent.take().map(|_| Recent::default());
        *self = Self { given: self.given, has_others: self.has_others, recent, ..Self::new(self.lane) };
    }

    /// Stands after a block, of which number and events of the lane up to it may be known.
    pub(super) fn go_on_after(&mut self, id: Id, last: Option<(u64, u64)>) {
        self.begin_again();
        self.seen = id;
        self.last = last.map(|(number, total)| (id, number, total));
    }

    /// A block that comes next in order.
    pub(super) fn order(&mut self, entry: &Entry) -> Option<Order> {
        let order = follows(self.last?, self.damaged, entry);
        if let (Order::OutOfPlace { .. }, Some(doubted)) = (order, self.doubted)
            && follows(doubted, 0, entry) == Order::Next
        {
            // Two in a row: the numbering did begin anew.
            (self.last, self.damaged) = (Some(doubted), 0);
            return Some(Order::Next);
        }
        Some(order)
    }

    /// A block was read in order.
    pub(super) fn read(&mut self, entry: &Entry, order: Option<Order>) {
        let here = (entry.id, entry.number, entry.total);
        if matches!(order, Some(Order::OutOfPlace { .. })) {
            self.doubted = Some(here);
        } else {
            (self.last, self.doubted, self.damaged) = (Some(here), None, 0);
        }
    }
}

/// Of an entry that cannot be read nobody knows whether it was a block, nor how many events it held.
fn follows((_, number, total): LastRead, damaged: u64, entry: &Entry) -> Order {
    let (first, last) = (number.saturating_add(1), number.saturating_add(1 + damaged));
    if entry.number == first && entry.before() == total {
        return Order::Next;
    }
    if entry.number <= first || entry.before() < total {
        return Order::OutOfPlace { says: (entry.number, entry.before()), due: (first, total) };
    }
    if entry.number <= last { Order::Next } else { Order::Hole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::jetstream;

    /// A block of so many events with a number, after so many events.
    fn block(number: u64, events: u64, before: u64) -> Entry {
        let id = Id { ms: 1, seq: number };
        Entry { id, number, events, total: before + events, ..Entry::default() }
    }

    #[test]
    fn a_foreign_entry_makes_no_block_of_ours_look_out_of_place() {
        let mut place = ReaderPlace::new(jetstream::LIKES);
        assert_eq!(place.order(&block(7, 2, 12)), None, "nothing was read before it");
        place.read(&block(7, 2, 12), None);
        // One that cannot be read at all, and took no number.
        place.damaged = 1;
        assert_eq!(place.order(&block(8, 2, 14)), Some(Order::Next));
        // One that took a number.
        assert_eq!(place.order(&block(9, 2, 16)), Some(Order::Next));
        assert_eq!(place.order(&block(10, 2, 18)), Some(Order::Hole));
        place.read(&block(8, 2, 14), Some(Order::Next));
        // One that says what no block of ours says.
        let foreign = block(99_999, 1, 0);
        let order = place.order(&foreign);
        assert_eq!(order, Some(Order::OutOfPlace { says: (99_999, 0), due: (9, 16) }));
        place.read(&foreign, order);
        assert_eq!(place.order(&block(9, 2, 16)), Some(Order::Next), "after the foreign one");
    }

    #[test]
    fn a_numbering_that_begins_anew_is_told_once() {
        let mut place = ReaderPlace::new(jetstream::LIKES);
        place.read(&block(7, 2, 12), None);
        let order = place.order(&block(1, 2, 0));
        assert!(matches!(order, Some(Order::OutOfPlace { .. })), "{order:?}");
        place.read(&block(1, 2, 0), order);
        assert_eq!(place.order(&block(2, 2, 2)), Some(Order::Next));
        place.read(&block(2, 2, 2), Some(Order::Next));
        assert_eq!(place.order(&block(3, 2, 4)), Some(Order::Next));
        assert_eq!(place.order(&block(5, 2, 8)), Some(Order::Hole));
    }
}
