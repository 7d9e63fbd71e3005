//! How a reader tells that blocks are missing, and when it cannot tell.

use redis::RedisError;

use super::entry::{Entry, Id, Listed, list};
use super::keys::Name;
use super::read_item::ReadItem;
use super::reader::Reader;
use super::reader_place::{Order, ReaderPlace};
use crate::event::lane::Lane;

impl Reader {
    /// Blocks that should stand before this one: those between the last one read and it, where there is one, and
    /// else those that a writer wrote down as lost, or that nobody let go. Where other consumers of the group may have
    /// been given them, and they may be trimmed since, only what is written down is told.
    pub(super) fn missing(
        &mut self,
        at: usize,
        entry: &Entry,
        in_order: bool,
        order: Option<Order>,
    ) -> Result<Option<ReadItem>, RedisError> {
        let ReaderPlace { lane, last, .. } = self.places[at];
        let (Some(order), Some((last_id, number, total))) = (order, last) else {
            let given = if in_order { self.places[at].given.take() } else { None };
            let mut found = self.lost_before(lane, entry)?;
            if found.is_none() {
                found = self.dropped_since(lane, given, entry)?;
            }
            if found.is_none() && in_order {
                found = self.missing_at_the_beginning(lane, entry)?;
            }
            return Ok(found);
        };
        match order {
            Order::Next => return Ok(None),
            Order::OutOfPlace { says, due } => {
                return Ok(Some(ReadItem::OutOfPlace { lane, id: entry.id, says, due }));
            }
            Order::Hole => {}
        }
        if self.options.group.is_some() && self.given_to_others(at, last_id, entry.id)? {
            return self.lost_before(lane, entry);
        }
        let (numbers, events) = ((number.saturating_add(1), entry.number - 1), entry.before() - total);
        self.told_missing(lane, numbers, events, entry.id).map(Some)
    }

    /// Blocks that were dropped to make room since the group was given the block of this id, which is gone itself.
    fn dropped_since(
        &mut self,
        lane: Lane,
        given: Option<Id>,
        entry: &Entry,
    ) -> Result<Option<ReadItem>, RedisError> {
        let Some(given) = given else { return Ok(None) };
        let mut command = redis::cmd("HMGET");
        command.arg(self.name.writer(lane)).arg(Name::TRIMMED).arg(Name::TRIMMED_ID);
        let (mark, id): (Option<String>, Option<String>) = command.query(self.control()?)?;
        let Some(id) = id.as_deref().and_then(Id::parse).filter(|id| *id > given) else { return Ok(None) };
        let Some((upto, events_max)) = mark.as_deref().and_then(two_numbers) else { return Ok(None) };
        // What is dropped after this block was read is told by the numbers.
        let is_before = id < entry.id && events_max > 0;
        Ok(is_before.then_some(ReadItem::Dropped { lane, upto, events_max, before: entry.id }))
    }

    /// Blocks before the first of a lane that nobody let go: no group was done with them, and no writer dropped them to make
    /// room.
    fn missing_at_the_beginning(
        &mut self,
        lane: Lane,
        entry: &Entry,
    ) -> Result<Option<ReadItem>, RedisError> {
        if entry.number <= 1 {
            return Ok(None);
        }
        // Before the hash: what is let go from here on only adds to what stands there.
        let first = self.first_of(lane, "-", "+")?;
        if first.is_none_or(|(id, _)| id != entry.id) {
            return Ok(None);
        }
        let mut command = redis::cmd("HMGET");
        let fields = ["s", Name::DONE, Name::TRIMMED, Name::TRIMMED_TOTAL];
        command.arg(self.name.writer(lane)).arg(&fields);
        let [counted, done, trimmed, total]: [Option<String>; 4] = command.query(self.control()?)?;
        // Without the hash, or with one that was set back, nobody knows what was let go.
        if counted.and_then(|counted| counted.parse().ok()).is_none_or(|counted: u64| counted < entry.number)
        {
            return Ok(None);
        }
        let done = done.as_deref().and_then(two_numbers).unwrap_or_default();
        let dropped = trimmed.as_deref().and_then(two_numbers).map_or(0, |(number, _)| number);
        let dropped = (dropped, total.and_then(|total| total.parse().ok()).unwrap_or(0));
        let (number, total) = done.max(dropped);
        Ok((number + 1 < entry.number).then(|| ReadItem::Missing {
            lane,
            numbers: (number + 1, entry.number - 1),
            events: entry.before().saturating_sub(total),
            before: entry.id,
            is_trimmed: false,
        }))
    }

    /// What is missing, and whether by decision.
    fn told_missing(
        &mut self,
        lane: Lane,
        numbers: (u64, u64),
        events: u64,
        before: Id,
    ) -> Result<ReadItem, RedisError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.name.writer(lane)).arg(Name::TRIMMED);
        let trimmed: Option<String> = command.query(self.control()?)?;
        let upto = trimmed.as_deref().and_then(|trimmed| trimmed.split(' ').next()?.parse::<u64>().ok());
        let is_trimmed = upto.is_some_and(|upto| upto >= numbers.1);
        Ok(ReadItem::Missing { lane, numbers, events, before, is_trimmed })
    }

    /// Blocks before this one that a server came back without, as the writer found out (`resume.lua`).
    fn lost_before(&mut self, lane: Lane, entry: &Entry) -> Result<Option<ReadItem>, RedisError> {
        if entry.number <= 1 {
            return Ok(None);
        }
        let mut command = redis::cmd("HGET");
        command.arg(self.name.writer(lane)).arg(Name::lost_before(entry.number));
        let kept: Option<String> = command.query(self.control()?)?;
        let Some((number, total)) = kept.as_deref().and_then(two_numbers) else { return Ok(None) };
        let (numbers, events) =
            ((number.saturating_add(1), entry.number - 1), entry.before().saturating_sub(total));
        Ok(Some(ReadItem::Missing { lane, numbers, events, before: entry.id, is_trimmed: false }))
    }

    /// The first entry of a lane between two ids.
    fn first_of(&mut self, lane: Lane, from: &str, to: &str) -> Result<Option<Listed>, RedisError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(self.name.stream(lane)).arg(from).arg(to).arg("COUNT").arg(1);
        Ok(list(command.query(self.control()?)?).and_then(|mut entries| entries.pop()))
    }

    /// Goes on from the last block that a group was given, as far as it is still in its stream: then what is missing
    /// after it can be told.
    pub(super) fn go_on_from(&mut self, lane: Lane, last: &str) -> Result<(), RedisError> {
        if let Some((id, Some(fields))) = self.first_of(lane, last, last)?
            && let Ok(entry) = Entry::read(id, fields)
        {
            for place in self.places.iter_mut().filter(|place| place.lane == lane && place.last.is_none()) {
                place.last = Some((id, entry.number, entry.total));
            }
        }
        Ok(())
    }
}

/// The first two numbers in a field of a lane's hash.
fn two_numbers(field: &str) -> Option<(u64, u64)> {
    let mut numbers = field.split(' ');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
