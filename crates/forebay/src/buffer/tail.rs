//! Where a server may be replaced by its replica: a lane's newest acknowledged blocks, kept until every replica has them. A replica
//! that is made the master without them is sent them again, so that what the master alone acknowledged is not lost with it, as long
//! as the writer lives.
//!
//! A replica has what was acknowledged before its offset was looked at, once it says itself that it is there.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use redis::{ParsingError, Value, from_redis_value};

use super::appender::Appender;
use super::compress::PendingBlock;
use super::connect::Facts;
use super::fsync::replicas;
use super::round_failure::RoundFailure;

/// Bytes of frames that all lanes of a writer keep together, unless it is told otherwise.
pub const TAIL_BYTES: usize = 16 << 20;

/// The part of them that the lanes divide among each other: a lane whose replicas are away does not take it from the others.
const OWN_PART: usize = 8;

/// How often the replicas' offsets are asked for.
const EVERY: Duration = Duration::from_secs(1);

/// An acknowledged block.
pub(super) struct Kept {
    pub number: u64,
    /// Events of the lane before it.
    pub before: u64,
    pub pending: PendingBlock,
}

/// Those of one lane.
#[derive(Default)]
pub(super) struct Tail {
    blocks: VecDeque<Kept>,
    /// Of their frames.
    bytes: usize,
    /// A number, and an offset of the master when it was acknowledged: who has the one has the other.
    mark: Option<(u64, u64)>,
    asked_at: Option<Instant>,
    /// Replicas that may become the master: fewer than these confirm nothing.
    wanted: u64,
    /// Whether the server was seen to have all that was acknowledged, on this connection.
    is_there: bool,
}

impl Tail {
    /// In their order.
    pub fn blocks(&self) -> impl Iterator<Item = &Kept> {
        self.blocks.iter()
    }

    /// Gives them the numbers after another writer's last; their events, and the last number with the events up to it.
    pub fn renumber(&mut self, stored: u64, events: u64) -> (u64, (u64, u64)) {
        let (mut number, mut before) = (stored, events);
        for kept in &mut self.blocks {
            number += 1;
            (kept.number, kept.before) = (number, before);
            before += kept.pending.block.events;
        }
        (before - events, (number, before))
    }

    /// A new connection: offsets of another master say nothing of what was marked on the one before.
    pub fn begin(&mut self, wanted: u64) {
        self.wanted = wanted;
        self.doubt();
    }

    /// The server may have less than was acknowledged: until it has all of it, its offsets say nothing of that.
    pub fn doubt(&mut self) {
        (self.mark, self.is_there) = (None, false);
    }

    /// The server has all that was acknowledged.
    pub fn is_whole(&mut self) {
        self.is_there = true;
    }

    /// Takes a look at the master's replicas, when everything up to a number was acknowledged.
    fn seen(&mut self, acked: u64, facts: &Facts) -> Option<u64> {
        if !self.is_there {
            return None;
        }
        let (mark, offset) = (self.mark, facts.number("master_repl_offset")?);
        self.mark = Some((acked, offset));
        let least = least_offset(facts).filter(|_| replicas(facts) >= self.wanted.max(1))?;
        let (number, marked) = mark?;
        if least >= marked {
            return Some(number);
        }
        // Until they have that, what was acknowledged since would only put it off.
        self.mark = mark;
        None
    }
}

/// How far the replica is that has least.
pub(super) fn least_offset(facts: &Facts) -> Option<u64> {
    let named = (0..).map_while(|number| facts.get(&format!("slave{number}")));
    let online = named.filter(|replica| replica.contains("state=online"));
    let offsets =
        online.map(|replica| replica.split(',').find_map(|part| part.strip_prefix("offset=")?.parse().ok()));
    offsets.collect::<Option<Vec<u64>>>()?.into_iter().min()
}

impl Appender {
    /// Whether acknowledged blocks are kept. With `--ack replica` every replica that may be promoted had them, but not one that
    /// comes back; in spill files are those alone that were sent while the server took nothing.
    fn keeps_tail(&self) -> bool {
        self.settings.tail_bytes > 0 && self.settings.reconnects
    }

    /// What each lane may keep whatever the others do.
    fn own_bytes(&self) -> usize {
        self.settings.tail_bytes / OWN_PART / self.shared.lanes.len().max(1)
    }

    /// Keeps a block that was acknowledged; where there is no room, the oldest of the lane go.
    pub(super) fn keep(&mut self, number: u64, before: u64, pending: &PendingBlock) {
        if !self.keeps_tail() {
            return;
        }
        self.tail.blocks.push_back(Kept { number, before, pending: pending.clone() });
        self.count_kept(self.tail.bytes + pending.block.frame.len());
        let shared_max = self.settings.tail_bytes - self.settings.tail_bytes / OWN_PART;
        while self.tail.bytes > self.own_bytes()
            && self.shared.tail_bytes.load(Relaxed) > shared_max
            && let Some(oldest) = self.tail.blocks.front()
        {
            self.let_go_through(oldest.number);
        }
    }

    pub(super) fn let_go_through(&mut self, number: u64) {
        while self.tail.blocks.front().is_some_and(|kept| kept.number <= number)
            && let Some(kept) = self.tail.blocks.pop_front()
        {
            self.count_kept(self.tail.bytes - kept.pending.block.frame.len());
        }
    }

    /// The lane keeps so many bytes: what is beyond its own share is counted with that of the others.
    fn count_kept(&mut self, bytes: usize) {
        let beyond = |bytes: usize| bytes.saturating_sub(self.own_bytes());
        let (before, now) = (beyond(self.tail.bytes), beyond(bytes));
        self.shared.tail_bytes.fetch_add(now.saturating_sub(before), Relaxed);
        self.shared.tail_bytes.fetch_sub(before.saturating_sub(now), Relaxed);
        self.tail.bytes = bytes;
    }

    /// Whether the replicas' offsets are to be asked for with what is sent now.
    pub(super) fn asks_offsets(&mut self) -> bool {
        let is_due = self.tail.asked_at.is_none_or(|at| at.elapsed() >= EVERY);
        let asks = is_due && !self.tail.blocks.is_empty();
        if asks {
            self.tail.asked_at = Some(Instant::now());
        }
        asks
    }

    /// What the answer to that says.
    pub(super) fn offsets(&mut self, info: Value) -> Result<(), ParsingError> {
        let facts = Facts::of(&from_redis_value::<String>(info)?);
        if let Some(number) = self.tail.seen(self.acked, &facts) {
            self.let_go_through(number);
        }
        Ok(())
    }

    /// Where nothing is to be sent: looks whether the lane is still as it was left, and how far its replicas are.
    pub(super) fn look_after_tail(&mut self) -> Result<(), RoundFailure> {
        let (name, lane, acked, epoch) =
            (self.settings.name.clone(), self.settings.lane, self.acked, self.epoch());
        let connection = self.open_connection()?;
        let (state, info): ((Option<u64>, Option<u64>), Value) = redis::pipe()
            .cmd("HMGET")
            .arg(name.writer(lane))
            .arg(&["epoch", "s"])
            .cmd("INFO")
            .arg("replication")
            .query(connection)?;
        if (state.0.unwrap_or(0), state.1.unwrap_or(0)) < (epoch, acked) {
            return Err(RoundFailure::LostByServer);
        }
        self.tail.is_whole();
        self.offsets(info).map_err(|error| RoundFailure::garbled(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(master: u64, replicas: &[u64]) -> Facts {
        let lines = replicas.iter().enumerate().map(|(index, offset)| {
            format!("slave{index}:ip=h,port=1,state=online,offset={offset},lag=0\r\n")
        });
        Facts::of(&format!("role:master\r\n{}master_repl_offset:{master}\r\n", lines.collect::<String>()))
    }

    #[test]
    fn blocks_are_let_go_of_once_the_last_of_the_replicas_that_may_be_promoted_has_them() {
        let mut tail = Tail::default();
        tail.begin(2);
        assert_eq!(tail.seen(5, &facts(100, &[100, 100])), None);
        assert_eq!(tail.seen(5, &facts(100, &[100, 100])), None, "the master may lack it itself");
        tail.is_whole();
        assert_eq!(
            tail.seen(5, &facts(100, &[100, 100])),
            None,
            "of what was marked before, there is nothing"
        );
        // A replica too few, one behind, and both there.
        assert_eq!(tail.seen(7, &facts(150, &[150])), None);
        assert_eq!(tail.seen(7, &facts(160, &[160, 149])), None);
        assert_eq!(tail.seen(9, &facts(170, &[165, 150])), Some(7));
        assert_eq!(tail.seen(9, &facts(180, &[180, 180])), Some(9));
        // Another master.
        tail.begin(0);
        tail.is_whole();
        assert_eq!(tail.seen(9, &facts(900, &[900])), None);
        assert_eq!(tail.seen(9, &facts(900, &[])), None, "no replica at all");
        assert_eq!(tail.seen(9, &facts(900, &[900])), Some(9));
        // It came back with less, on the same connection.
        tail.doubt();
        assert_eq!(tail.seen(9, &facts(900, &[900])), None);
    }
}
