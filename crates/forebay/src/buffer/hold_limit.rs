//! How many blocks a reader's caller may hold, and which of those that it holds others have acknowledged meanwhile.

use std::collections::HashSet;

use redis::{RedisError, Value};

use super::entry::Id;
use super::error::Error;
use super::pages::Pages;
use super::reader::Reader;
use super::unacknowledged::Unacknowledged;

/// Pending blocks that are asked for at once.
const PAGE: usize = 1_000;

impl Reader {
    /// Lets the caller hold no more unacknowledged blocks than this; [`Self::next`] is an error then.
    pub fn hold_at_most(&mut self, blocks: usize) {
        self.held = Unacknowledged::at_most(blocks);
    }

    /// How many blocks the caller was handed that this reader does not know to be acknowledged.
    pub fn held(&self) -> usize {
        self.held.blocks.len()
    }

    /// Whether it is time to ask which of them others have acknowledged.
    pub(super) fn holds_many(&self) -> bool {
        self.held.blocks.len() >= self.held.look_at.max(1)
    }

    /// Forgets those that somebody else has acknowledged: `forebay ack`, say.
    pub(super) fn forget_acknowledged(&mut self) -> Result<(), RedisError> {
        let Some((group, consumer)) = self.options.group.clone() else { return Ok(()) };
        let mut pending = HashSet::new();
        for lane in self.lanes.clone() {
            let (mut from, mut pages) = ("-".to_owned(), Pages::of("XPENDING"));
            loop {
                let mut command = redis::cmd("XPENDING");
                command.arg(self.name.stream(lane)).arg(&group).arg(&from).arg("+").arg(PAGE).arg(&consumer);
                let page: Vec<(String, Value, Value, Value)> = command.query(self.control()?)?;
                let ids = page.iter().filter_map(|(id, ..)| Id::parse(id)).map(|id| (lane, id));
                pending.extend(ids.filter(|block| self.held.blocks.contains(block)));
                let Some((last, ..)) = page.last() else { break };
                pages.on_to(last)?;
                from = format!("({last}");
            }
        }
        let held = pending.len();
        // Some may only have been taken over by another consumer, and come back from it: not acknowledged, and to be handed out.
        let Self { held: known, places, .. } = self;
        for place in places {
            let lane = place.lane;
            let is_gone = |id| known.has(lane, id) && !pending.contains(&(lane, id));
            place.recent.iter_mut().for_each(|recent| recent.forget(is_gone));
        }
        self.held.blocks = pending;
        self.held.look_at = (2 * held).clamp(self.held.max / 16, self.held.max);
        Ok(())
    }

    /// An error where the caller holds more than it may.
    pub(super) fn must_not_hold_more(&self) -> Result<(), Error> {
        let blocks = self.held.blocks.len();
        match &self.options.group {
            Some((group, consumer)) if blocks >= self.held.max => {
                Err(Error::Unacknowledged { group: group.clone(), consumer: consumer.clone(), blocks })
            }
            _ => Ok(()),
        }
    }
}
