//! Blocks that come again because another server has taken the place of the one that they were read from: it lacks the newest blocks
//! until their writer has sent them again, under new ids, and what was acknowledged last. They are told by number, compared, and
//! not handed out a second time.

use std::collections::BTreeMap;

use redis::{RedisError, Value};

use super::entry::{Entry, Id, list};
use super::read_answer::strange;
use super::reader::Reader;
use crate::event::lane::Lane;

/// Blocks of a lane that are remembered: some minutes at a million events a second.
const BLOCKS_MAX: usize = 4_096;

/// Blocks that are asked for at once.
const PAGE: usize = 16;

/// How often: a million blocks have come meanwhile.
const PAGES_MAX: usize = 65_536;

/// The newest blocks of a lane that were handed out.
#[derive(Clone, Default)]
pub(super) struct Recent(BTreeMap<u64, (Id, u32)>);

impl Recent {
    pub fn add(&mut self, entry: &Entry) {
        self.0.insert(entry.number, (entry.id, sum(entry)));
        while self.0.len() > BLOCKS_MAX {
            self.0.pop_first();
        }
    }

    /// The id that this block was handed out under; none where it was not, or what was under its number had another content.
    fn same(&self, entry: &Entry) -> Option<Id> {
        self.0.get(&entry.number).filter(|(_, known)| *known == sum(entry)).map(|(id, _)| *id)
    }

    /// Forgets those whose ids are such: should they come again, they are handed out.
    pub fn forget(&mut self, is_such: impl Fn(Id) -> bool) {
        self.0.retain(|_, (id, _)| !is_such(*id));
    }

    /// The lowest number of those whose ids are such.
    fn lowest(&self, is_such: impl Fn(Id) -> bool) -> Option<u64> {
        self.0.iter().find(|(_, (id, _))| is_such(*id)).map(|(number, _)| *number)
    }
}

/// Of what its events are, and how they lie in it.
fn sum(entry: &Entry) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[entry.encoding, entry.events].map(u64::to_le_bytes).concat());
    sum.update(&entry.frame);
    sum.finalize()
}

impl Reader {
    /// Whether a block was handed out before. Where the caller still has it, the group is told once the caller is done with it, else
    /// now.
    pub(super) fn came_again(&mut self, at: usize, entry: &Entry) -> bool {
        let place = &self.places[at];
        let Some(before) = place.recent.as_ref().and_then(|recent| recent.same(entry)) else { return false };
        let lane = place.lane;
        if self.options.group.is_some() {
            if self.held.has(lane, before) {
                let again = (lane, before, entry.id);
                // Each time that its own blocks are looked through.
                if !self.again.contains(&again) {
                    self.again.push(again);
                }
            } else {
                self.to_ack.push((lane, entry.id));
            }
        }
        true
    }

    /// Adds to blocks that the caller is done with the ids that they came again under.
    pub(super) fn add_again(&mut self) {
        let Self { again, to_ack, .. } = self;
        again.retain(|(lane, before, id)| {
            let is_done = to_ack.contains(&(*lane, *before));
            if is_done {
                to_ack.push((*lane, *id));
            }
            !is_done
        });
    }

    /// Without a group, on a new connection: ids of another master say nothing. Each lane is read on behind the number that was read
    /// last.
    pub(super) fn go_on_by_number(&mut self) -> Result<(), RedisError> {
        for at in 0..self.places.len() {
            let place = &self.places[at];
            let (lane, Some((id, number, _)), true) = (place.lane, place.last, place.recent.is_some()) else {
                continue;
            };
            let found = self.newest_upto(lane, number, id)?;
            let place = &mut self.places[at];
            place.seen = found.unwrap_or_default();
        }
        Ok(())
    }

    /// Where a group that is gone with its master is made again: behind what its consumer is done with; none where that is not
    /// known.
    pub(super) fn place_of_group(&mut self, lane: Lane) -> Result<Option<Id>, RedisError> {
        let Some(place) = self.places.iter().find(|place| place.lane == lane) else { return Ok(None) };
        let (Some((id, number, _)), Some(recent)) = (place.last, &place.recent) else { return Ok(None) };
        let held = recent.lowest(|id| self.held.has(lane, id));
        let number = held.map_or(number, |held| held.saturating_sub(1));
        Ok(Some(self.newest_upto(lane, number, id)?.unwrap_or_default()))
    }

    /// The newest block of a lane with a number up to this one. It is looked for near the id that it had: mostly it has that still, and
    /// whoever is far behind must not be sent all that is there.
    fn newest_upto(&mut self, lane: Lane, number: u64, near: Id) -> Result<Option<Id>, RedisError> {
        let (mut from, mut found) = (near.to_string(), None);
        'ahead: for _ in 0..PAGES_MAX {
            let page = self.numbers(lane, ("XRANGE", &from, "+"))?;
            let Some((last, _)) = page.last() else { break };
            from = format!("({last}");
            for (id, of_block) in page {
                match of_block {
                    Some(of_block) if of_block > number => break 'ahead,
                    Some(_) => found = Some(id),
                    None => {}
                }
            }
        }
        if found.is_some() {
            return Ok(found);
        }
        from = format!("({near}");
        for _ in 0..PAGES_MAX {
            let page = self.numbers(lane, ("XREVRANGE", &from, "-"))?;
            let Some((last, _)) = page.last() else { return Ok(None) };
            from = format!("({last}");
            let is_it = |(_, of_block): &&(Id, Option<u64>)| of_block.is_some_and(|found| found <= number);
            if let Some((id, _)) = page.iter().find(is_it) {
                return Ok(Some(*id));
            }
        }
        Err(strange(format!("no block up to number {number} among the newest of lane {lane}")))
    }

    /// Some entries of a lane from an id on, with their numbers as far as they are blocks.
    fn numbers(
        &mut self,
        lane: Lane,
        (command, from, to): (&str, &str, &str),
    ) -> Result<Vec<(Id, Option<u64>)>, RedisError> {
        let mut command = redis::cmd(command);
        command.arg(self.name.stream(lane)).arg(from).arg(to).arg("COUNT").arg(PAGE);
        let entries = list(command.query(self.control()?)?).unwrap_or_default();
        let number = |(id, fields): (Id, Option<Vec<Value>>)| {
            (id, fields.and_then(|fields| Entry::read(id, fields).ok()).map(|entry| entry.number))
        };
        Ok(entries.into_iter().map(number).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_same_by_its_number_and_its_content_and_few_are_remembered() {
        let block = |number: u64, frame: &str| Entry {
            id: Id { ms: number, seq: 0 },
            number,
            frame: frame.into(),
            ..Entry::default()
        };
        let mut recent = Recent::default();
        for number in 1..=BLOCKS_MAX as u64 + 1 {
            recent.add(&block(number, "a"));
        }
        let again = |number, frame| Entry { id: Id { ms: 9_999, seq: 1 }, ..block(number, frame) };
        assert_eq!(recent.same(&again(7, "a")), Some(Id { ms: 7, seq: 0 }));
        assert_eq!((recent.same(&again(7, "b")), recent.same(&again(1, "a"))), (None, None));
        assert_eq!(recent.lowest(|id| id.ms >= 5), Some(5));
    }
}
