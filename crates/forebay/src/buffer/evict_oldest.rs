//! `trim-oldest`: a full server gets room by dropping the buffer's oldest blocks, whichever lane they are in, and every
//! event of them is counted.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::connection::Connection;
use redis::{RedisError, Script};

use super::appender::Appender;
use super::connect::Facts;
use super::entry::Id;
use super::eviction_state::EvictionState;
use super::keys::Name;
use super::mutex::lock;
use super::overflow::Fate;
use super::round_failure::RoundFailure;
use super::scripts;
use crate::event::lane::Lane;

/// Blocks of a lane that are looked at in one step.
const BLOCKS: usize = 16;

/// Steps at the most before the append is tried again.
const STEPS: usize = 16;

/// Bytes of room beyond what is about to be sent: other lanes append too.
const SPARE: usize = 64 << 10;

/// Rounds in a row after which the server took no block: then others take the room that is made, and no more is dropped
/// but one round every [`AGAIN`].
const VAIN_MAX: u32 = 3;

/// See [`VAIN_MAX`].
const AGAIN: Duration = Duration::from_secs(10);

/// A server's memory, as it decides by it whether to take writes.
struct Memory {
    used: u64,
    limit: u64,
}

/// A lane's oldest blocks, with the bytes of their frames.
struct Oldest {
    lane: Lane,
    blocks: Vec<(Id, usize)>,
    /// Events of the lane before them.
    before: u64,
    /// What was ever dropped of it to make room.
    ever: u64,
}

/// Blocks of a lane to be dropped: the last of them, and the bytes of all.
type Drops = Vec<(Lane, Id, usize)>;

impl Appender {
    /// Drops the oldest blocks, as many bytes as the server is over its limit and as wait to be appended. Says why where that
    /// does not help: blocks that would be dropped for nothing are kept.
    pub(super) fn make_room(&mut self) -> Result<Option<String>, RoundFailure> {
        let shared = self.shared.clone();
        // One lane at a time: what one drops is room for all.
        let mut room = lock(&shared.room);
        let memory = memory(self.open_connection()?)?;
        let waiting: usize = self.window.iter().map(|pending| pending.block.frame.len()).sum();
        let needed = memory.used + (SPARE + waiting) as u64;
        let enough = usize::try_from(needed.saturating_sub(memory.limit)).unwrap_or(usize::MAX);
        if enough == 0 {
            return Ok(None);
        }
        if let Some(why) = self.is_in_vain(&memory, &mut room)? {
            return Ok(Some(why));
        }
        let freed = self.drop_oldest(enough, &mut room)?;
        (room.vain, room.last) = (room.vain + 1, Some(Instant::now()));
        Ok((freed == 0).then(|| "this buffer holds nothing that could be dropped".into()))
    }

    /// Why dropping would not help, where it would not.
    fn is_in_vain(
        &mut self,
        memory: &Memory,
        room: &mut EvictionState,
    ) -> Result<Option<String>, RoundFailure> {
        let answered = self.shared.lanes.iter().map(|lane| lane.answered.load(Relaxed)).sum();
        if std::mem::replace(&mut room.answered, answered) != answered {
            room.vain = 0;
        }
        if room.vain >= VAIN_MAX && room.last.is_some_and(|last| last.elapsed() < AGAIN) {
            return Ok(Some(format!(
                "others take the room that is made: after {VAIN_MAX} rounds of dropping the oldest blocks it took none, so no \
                 more is dropped for {} s",
                AGAIN.as_secs()
            )));
        }
        let over = memory.used.saturating_sub(memory.limit);
        let lanes = self.look(room)?;
        let seen: usize = lanes.iter().flat_map(|oldest| &oldest.blocks).map(|(_, bytes)| bytes).sum();
        if seen as u64 > over {
            return Ok(None);
        }
        let (name, here) = (self.settings.name.clone(), self.lanes_here()?);
        let held = held(self.open_connection()?, &name, &here)?;
        let why = format!(
            "it is {over} bytes over its maxmemory of {}, and this buffer takes {held}: nothing is dropped, since that would \
             not bring it below",
            memory.limit
        );
        Ok((held <= over).then_some(why))
    }

    /// Drops the oldest blocks until their frames come to so many bytes, or there are none left; the bytes.
    fn drop_oldest(&mut self, enough: usize, room: &mut EvictionState) -> Result<usize, RoundFailure> {
        let name = self.settings.name.clone();
        let mut freed = 0;
        for _ in 0..STEPS {
            let drops = choose(self.look(room)?, enough - freed);
            if drops.is_empty() {
                break;
            }
            // Should the answer get lost, what was dropped is not.
            self.is_room_in_doubt = true;
            let dropped = drop_up_to(self.open_connection()?, &name, &drops)?;
            self.is_room_in_doubt = false;
            for ((lane, _, bytes), (found, before, events, ever)) in drops.iter().zip(dropped) {
                self.count_trimmed(*lane, before + events, ever, room);
                freed += if found > 0 { *bytes } else { 0 };
            }
            if freed >= enough {
                break;
            }
        }
        Ok(freed)
    }

    /// Counts what a step dropped whose answer got lost.
    pub(super) fn count_room(&mut self) -> Result<(), RoundFailure> {
        let shared = self.shared.clone();
        self.look(&mut lock(&shared.room))?;
        self.is_room_in_doubt = false;
        Ok(())
    }

    /// The oldest blocks of each lane; what was dropped so and is not counted is.
    fn look(&mut self, room: &mut EvictionState) -> Result<Vec<Oldest>, RoundFailure> {
        let (name, here) = (self.settings.name.clone(), self.lanes_here()?);
        let lanes = oldest(self.open_connection()?, &name, &here)?;
        for oldest in &lanes {
            self.count_trimmed(oldest.lane, oldest.before, oldest.ever, room);
        }
        Ok(lanes)
    }

    /// The lanes whose blocks take room where this one needs it: of a cluster, those on its node.
    fn lanes_here(&mut self) -> Result<Vec<Lane>, RoundFailure> {
        let (name, lane) = (self.settings.name.clone(), self.settings.lane);
        Ok(self.open_connection()?.beside(&name, lane))
    }

    /// Counts what is new of the events of a lane that were ever dropped to make room; it ends after so many events of
    /// the lane.
    fn count_trimmed(&self, lane: Lane, upto: u64, ever: u64, room: &mut EvictionState) {
        let counted = room.ever[lane.index()].replace(ever).unwrap_or(ever);
        let events = ever.saturating_sub(counted);
        if events > 0 {
            self.shared.lanes[lane.index()].trimmed.fetch_add(events, Relaxed);
            self.shared.tell(lane, Fate::Trimmed, upto.saturating_sub(events), events);
        }
    }
}

/// A server's memory; what it does not count against its limit is left out.
fn memory(connection: &mut Connection) -> Result<Memory, RoundFailure> {
    let info: String = redis::cmd("INFO").arg("memory").query(connection)?;
    let facts = Facts::of(&info);
    let (Some(limit), Some(used)) = (facts.number("maxmemory"), facts.number("used_memory")) else {
        return Err(RoundFailure::refused(
            "it is full, and INFO does not tell by how much: nothing is dropped",
        ));
    };
    let uncounted = facts.number("mem_not_counted_for_evict").unwrap_or_default();
    Ok(Memory { used: used.saturating_sub(uncounted), limit })
}

/// Bytes that these lanes' streams take.
fn held(connection: &mut Connection, name: &Name, lanes: &[Lane]) -> Result<u64, RedisError> {
    let mut ask = redis::pipe();
    for lane in lanes {
        ask.cmd("MEMORY").arg("USAGE").arg(name.stream(*lane)).arg("SAMPLES").arg(0);
    }
    let bytes: Vec<Option<u64>> = ask.query(connection)?;
    Ok(bytes.into_iter().flatten().sum())
}

/// The oldest blocks of each lane, in one round trip.
fn oldest(connection: &mut Connection, name: &Name, lanes: &[Lane]) -> Result<Vec<Oldest>, RedisError> {
    let script = Script::new(scripts::OLDEST);
    let mut ask = redis::pipe();
    ask.load_script(&script).ignore();
    for lane in lanes {
        ask.invoke_script(script.key(name.stream(*lane)).key(name.writer(*lane)).arg(BLOCKS));
    }
    let answers: Vec<(Vec<String>, u64, u64)> = ask.query(connection)?;
    let oldest = |(lane, (blocks, before, ever)): (&Lane, (Vec<String>, u64, u64))| Oldest {
        lane: *lane,
        blocks: blocks
            .chunks_exact(2)
            .filter_map(|pair| Some((Id::parse(&pair[0])?, pair[1].parse().ok()?)))
            .collect(),
        before,
        ever,
    };
    Ok(lanes.iter().zip(answers).map(oldest).collect())
}

/// Drops blocks, in one round trip. Of each lane: whether there were any, events before them, events, and those
/// ever dropped so.
fn drop_up_to(
    connection: &mut Connection,
    name: &Name,
    drops: &Drops,
) -> Result<Vec<(u64, u64, u64, u64)>, RedisError> {
    let script = Script::new(scripts::ROOM);
    let mut ask = redis::pipe();
    ask.load_script(&script).ignore();
    for (lane, last, _) in drops {
        ask.invoke_script(script.key(name.stream(*lane)).key(name.writer(*lane)).arg(last.to_string()));
    }
    ask.query(connection)
}

/// The oldest blocks, whichever lane they are in, until they come to so many bytes, or until there may be an older one
/// that was not looked at.
fn choose(mut lanes: Vec<Oldest>, enough: usize) -> Drops {
    for oldest in &mut lanes {
        oldest.blocks.reverse();
    }
    let (mut drops, mut bytes): (Drops, usize) = (Vec::new(), 0);
    let mut looked_at: Vec<usize> = lanes.iter().map(|oldest| oldest.blocks.len()).collect();
    while bytes < enough {
        let next = (0..lanes.len()).filter_map(|at| Some((lanes[at].blocks.last()?.0, at))).min();
        let Some((id, at)) = next else { break };
        let Some((_, size)) = lanes[at].blocks.pop() else { break };
        bytes += size;
        let lane = lanes[at].lane;
        match drops.iter_mut().find(|(dropped, ..)| *dropped == lane) {
            Some((_, last, sum)) => (*last, *sum) = (id, *sum + size),
            None => drops.push((lane, id, size)),
        }
        if lanes[at].blocks.is_empty() && std::mem::take(&mut looked_at[at]) == BLOCKS {
            break;
        }
    }
    drops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::jetstream;

    fn oldest(lane: Lane, ids: impl IntoIterator<Item = u64>) -> Oldest {
        let blocks = ids.into_iter().map(|ms| (Id { ms, seq: 0 }, 10)).collect();
        Oldest { lane, blocks, before: 0, ever: 0 }
    }

    fn chosen(lanes: Vec<Oldest>, enough: usize) -> Vec<(Lane, u64, usize)> {
        choose(lanes, enough).into_iter().map(|(lane, id, bytes)| (lane, id.ms, bytes)).collect()
    }

    #[test]
    fn the_oldest_go_whichever_lane_they_are_in() {
        let lanes = || vec![oldest(jetstream::LIKES, [1, 4, 5]), oldest(jetstream::POSTS, [2, 3, 9])];
        assert_eq!(chosen(lanes(), 10), [(jetstream::LIKES, 1, 10)]);
        assert_eq!(chosen(lanes(), 31), [(jetstream::LIKES, 4, 20), (jetstream::POSTS, 3, 20)]);
        assert_eq!(chosen(lanes(), 1_000), [(jetstream::LIKES, 5, 30), (jetstream::POSTS, 9, 30)]);
        assert!(chosen(vec![oldest(jetstream::LIKES, [])], 10).is_empty());
    }

    #[test]
    fn none_goes_before_one_that_may_be_older() {
        let lanes = vec![oldest(jetstream::LIKES, 1..=16), oldest(jetstream::POSTS, [17])];
        assert_eq!(
            chosen(lanes, 1_000),
            [(jetstream::LIKES, 16, 160)],
            "the next of the likes may be older than 17"
        );
    }
}
