//! How a lane is taken up again on a server that came back with less than it had acknowledged: blocks that are still at hand, in
//! memory (`tail.rs`) or in spill files, go in again under their numbers; what is gone is counted and written down beside the
//! lane, and the numbers go on where the writer was, so that readers find the gap.

use std::sync::atomic::Ordering::Relaxed;

use redis::{Script, Value};

use super::append_command::Said;
use super::appender::Appender;
use super::compress::PendingBlock;
use super::meta;
use super::round_failure::RoundFailure;
use super::scripts;
use super::source_cursor::SourceCursor;
use super::spill::{Again, OnDisk};

/// A lane that is ours again: the number of its last block, and its events.
enum TakenUp {
    /// As we left it, or less.
    Ours(u64, u64),
    /// As another writer left it.
    After(u64, u64),
}

/// Where an acknowledged block is that can be sent again.
enum AtHand {
    Memory(PendingBlock),
    Disk(OnDisk),
}

impl AtHand {
    /// The block; none where it can be read no more.
    fn read(self, again: &mut Again) -> Option<PendingBlock> {
        match self {
            Self::Memory(pending) => Some(pending),
            Self::Disk(on_disk) => {
                let block = again.read(&on_disk)?;
                Some(PendingBlock { block, first: None, mark: Some((on_disk.field, on_disk.place)) })
            }
        }
    }
}

impl Appender {
    /// Takes the lane up again: acknowledged blocks that are at hand, and that the server does not have, go in again. After another
    /// writer's, of which none is there, under the numbers that come next.
    pub(super) fn resume(&mut self) -> Result<(), RoundFailure> {
        self.tail.doubt();
        let base = self.claim.map_or((0, 0), |claim| (claim.last, claim.events));
        let (acked, acked_events) = (self.acked, self.acked_events);
        if self.at_hand().is_empty() {
            match self.take_up((acked, acked_events))? {
                TakenUp::Ours(stored, events) => {
                    self.lose_after(events, &[(stored < acked).then_some((events, acked_events))]);
                }
                TakenUp::After(stored, events) => self.go_on_after(base, (stored, events)),
            }
            return Ok(());
        }
        let (mut stored, mut events) = match self.take_up((0, 0))? {
            TakenUp::Ours(stored, events) => (stored, events),
            TakenUp::After(stored, events) => {
                let had = self.tail.blocks().next().map_or(self.acked_events, |kept| kept.before);
                let (kept, after) = self.tail.renumber(stored, events);
                self.lose_after(base.1, &[Some((base.1, had)), Some((had + kept, self.acked_events))]);
                self.go_on_at(after, (stored, events));
                (stored, events)
            }
        };
        let (had, mut lost, mut again, mut sent) = (events, Vec::new(), Again::default(), 0_u64);
        for (number, before, block) in self.at_hand() {
            if number <= stored {
                continue;
            }
            // One that can be read no more is lost like those that are not at hand.
            let Some(pending) = block.read(&mut again) else { continue };
            if number > stored + 1 {
                lost.push(Some((events, before)));
                self.take_up((number - 1, before))?;
            }
            self.send_again(number, &pending)?;
            (stored, events) = (number, before + pending.block.events);
            sent += pending.block.events;
        }
        let (acked, acked_events) = (self.acked, self.acked_events);
        if stored < acked {
            lost.push(Some((events, acked_events)));
            self.take_up((acked, acked_events))?;
        }
        self.lose_after(had, &lost);
        tracing::info!(lane = %self.settings.lane, events = sent, "sent again to a server that did not have them");
        Ok(())
    }

    /// Acknowledged blocks that can be sent again, in order, with their numbers and the lane's events before them: the newest from
    /// memory, older ones that are in spill files still from there.
    fn at_hand(&self) -> Vec<(u64, u64, AtHand)> {
        let base = self.claim.map_or((0, 0), |claim| (claim.last, claim.events));
        let upto = self.tail.blocks().next().map_or(self.acked, |kept| kept.number.saturating_sub(1));
        let on_disk = self.shared.unproven.between(self.settings.lane, 0, upto.saturating_sub(base.0));
        let on_disk = on_disk
            .into_iter()
            .map(|(index, on_disk)| (base.0 + index, base.1 + on_disk.before, AtHand::Disk(on_disk)));
        let kept = self.tail.blocks();
        on_disk
            .chain(kept.map(|kept| (kept.number, kept.before, AtHand::Memory(kept.pending.clone()))))
            .collect()
    }

    /// What is ours begins after another writer's, and goes on from here, under numbers that nothing was sent with.
    fn go_on_at(&mut self, (acked, acked_events): (u64, u64), base: (u64, u64)) {
        (self.acked, self.acked_events, self.doubtful) = (acked, acked_events, acked);
        self.lost.clear();
        if let Some(claim) = &mut self.claim {
            (claim.last, claim.events) = base;
        }
    }

    /// Another writer had the lane on a server that did not know of us, and none of our blocks: what was acknowledged is lost, and
    /// what waits goes on after the other's.
    fn go_on_after(&mut self, base: (u64, u64), (stored, events): (u64, u64)) {
        self.lose_after(base.1, &[Some((base.1, self.acked_events))]);
        let goes_on = if stored > self.acked { (stored, events) } else { (self.acked, self.acked_events) };
        self.go_on_at(goes_on, goes_on);
    }

    /// Makes the lane ours again, and has it go on after this number and so many events, where it is not there; the number
    /// and the events that the server had.
    fn take_up(&mut self, (number, events): (u64, u64)) -> Result<TakenUp, RoundFailure> {
        let (name, lane) = (self.settings.name.clone(), self.settings.lane);
        let (epoch, base) = (self.epoch(), self.claim.map_or(0, |claim| claim.last));
        let is_free = self.settings.spill.is_none();
        let cursor = self.acked_cursor.filter(|_| number == self.acked);
        let shared = self.shared.clone();
        // Where blocks follow that are sent again, it does not hold yet.
        let low_watermark = shared.source.low_watermark().filter(|_| number == self.acked);
        let address = self.settings.address.to_string();
        let connection = self.open_connection()?;
        let answer: Value = Script::new(scripts::RESUME)
            .key(name.stream(lane))
            .key(name.writer(lane))
            .key(name.aside(lane))
            .arg(epoch)
            .arg(number)
            .arg(events)
            .arg(SourceCursor::text(cursor))
            .arg(SourceCursor::text(low_watermark))
            .arg(base)
            .arg(shared.owner.id())
            .arg(u8::from(is_free))
            .invoke(connection)?;
        let (what, theirs, kept, stored): (String, u64, u64, u64) =
            redis::from_redis_value(answer).map_err(|error| RoundFailure::garbled(&error))?;
        if what == "fenced" {
            return Err(RoundFailure::Fenced(theirs));
        }
        // What says which lanes the buffer has may be lost as well, and nobody would find this one.
        meta::make(connection, &address, &name, &shared.owner.incarnation)?;
        Ok(if what == "after" { TakenUp::After(stored, kept) } else { TakenUp::Ours(stored, kept) })
    }

    /// Sends a block again that was acknowledged before.
    fn send_again(&mut self, number: u64, pending: &PendingBlock) -> Result<(), RoundFailure> {
        let command = self.command_again(number, pending).get_packed_command();
        let connection = self.open_connection()?;
        connection.send_packed_command(&command)?;
        let answer = match connection.recv_response()? {
            Value::ServerError(error) => return Err(redis::RedisError::from(error).into()),
            answer => answer,
        };
        let Said { what, epoch, .. } = Said::of(&answer)?;
        match what.as_str() {
            "ok" | "repeat" => Ok(()),
            "fenced" => Err(RoundFailure::Fenced(epoch)),
            _ => Err(RoundFailure::LostByServer),
        }
    }

    /// Counts spans of events as lost by a server that had so many, but for what it had come back without before.
    fn lose_after(&mut self, kept: u64, spans: &[Option<(u64, u64)>]) {
        let overlap = |(from, to): (u64, u64), (a, b): (u64, u64)| to.min(b).saturating_sub(from.max(a));
        let mut newly = 0;
        for span in spans.iter().flatten() {
            let known: u64 = self.lost.iter().map(|known| overlap(*span, *known)).sum();
            newly += span.1.saturating_sub(span.0).saturating_sub(known);
        }
        // What is lost now ends at the newest event, so that earlier spans matter only as far as they lie before it.
        self.lost.retain_mut(|(from, to)| {
            *to = kept.min(*to);
            from < to
        });
        self.lost.extend(spans.iter().flatten());
        let lane = self.settings.lane;
        self.counts().lost_by_server.fetch_add(newly, Relaxed);
        if newly > 0 {
            tracing::warn!(%lane, lost = newly, "the server came back without events that it had acknowledged");
        }
    }
}
