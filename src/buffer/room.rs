//! `trim-oldest`: a full server gets room by dropping the buffer's oldest blocks, whichever lane they are in, and every
//! event of them is counted.

use std::sync::atomic::Ordering::Relaxed;

use super::link::Connection;
use redis::{RedisError, Script};

use super::counts::lock;
use super::entry::Id;
use super::keys::Name;
use super::lane::Appender;
use super::overflow::Fate;
use super::recover::Setback;
use super::scripts;
use crate::event::lane::Lane;

/// Blocks of a lane that are looked at in one step.
const BLOCKS: usize = 16;

/// Steps at the most before the append is tried again.
const STEPS: usize = 16;

/// Bytes of room beyond what is about to be sent: other lanes append too.
const SPARE: usize = 64 << 10;

/// Events of each lane that were ever dropped to make room, where it was asked.
pub(super) type Ever = [Option<u64>; Lane::ALL.len()];

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
    /// Drops the oldest blocks, at least as many bytes as wait to be appended. False where there are none.
    pub(super) fn make_room(&mut self) -> Result<bool, Setback> {
        let (shared, name) = (self.shared.clone(), self.lease.name.clone());
        // One lane at a time: what one drops is room for all.
        let mut known = lock(&shared.room);
        let enough = SPARE + self.window.iter().map(|parcel| parcel.block.frame.len()).sum::<usize>();
        let mut freed = 0;
        for _ in 0..STEPS {
            let lanes = self.look(&mut known)?;
            let drops = choose(lanes, enough - freed);
            if drops.is_empty() {
                break;
            }
            // Should the answer get lost, what was dropped is not.
            self.is_room_in_doubt = true;
            let dropped = drop_up_to(self.open_connection()?, &name, &drops)?;
            self.is_room_in_doubt = false;
            for ((lane, _, bytes), (found, before, events, ever)) in drops.iter().zip(dropped) {
                self.count_trimmed(*lane, before + events, ever, &mut known);
                freed += if found > 0 { *bytes } else { 0 };
            }
            if freed >= enough {
                break;
            }
        }
        Ok(freed > 0)
    }

    /// Counts what a step dropped whose answer got lost.
    pub(super) fn count_room(&mut self) -> Result<(), Setback> {
        let shared = self.shared.clone();
        self.look(&mut lock(&shared.room))?;
        self.is_room_in_doubt = false;
        Ok(())
    }

    /// The oldest blocks of each lane; what was dropped so and is not counted is.
    fn look(&mut self, known: &mut Ever) -> Result<Vec<Oldest>, Setback> {
        let name = self.lease.name.clone();
        let lanes = oldest(self.open_connection()?, &name)?;
        for oldest in &lanes {
            self.count_trimmed(oldest.lane, oldest.before, oldest.ever, known);
        }
        Ok(lanes)
    }

    /// Counts what is new of the events of a lane that were ever dropped to make room; it ends after so many events of
    /// the lane.
    fn count_trimmed(&self, lane: Lane, upto: u64, ever: u64, known: &mut Ever) {
        let counted = known[lane.index()].replace(ever).unwrap_or(ever);
        let events = ever.saturating_sub(counted);
        if events > 0 {
            self.shared.lanes[lane.index()].trimmed.fetch_add(events, Relaxed);
            self.shared.tell(lane, Fate::Trimmed, upto.saturating_sub(events), events);
        }
    }
}

/// Drops a few of the oldest blocks of a full server's buffer, for a writer that is yet to take its lanes: of each lane
/// the events before them, and events. None where there are none left.
pub(super) fn make_way(
    connection: &mut Connection,
    name: &Name,
) -> Result<Vec<(Lane, u64, u64)>, RedisError> {
    let drops = choose(oldest(connection, name)?, SPARE);
    let dropped = drop_up_to(connection, name, &drops)?;
    let lanes = drops.iter().zip(dropped).filter(|(_, (found, ..))| *found > 0);
    Ok(lanes.map(|((lane, ..), (_, before, events, _))| (*lane, before, events)).collect())
}

/// The oldest blocks of each lane, in one round trip.
fn oldest(connection: &mut Connection, name: &Name) -> Result<Vec<Oldest>, RedisError> {
    let script = Script::new(scripts::OLDEST);
    let mut ask = redis::pipe();
    ask.load_script(&script).ignore();
    for lane in Lane::ALL {
        ask.invoke_script(script.key(name.stream(lane)).key(name.writer(lane)).arg(BLOCKS));
    }
    let answers: Vec<(Vec<String>, u64, u64)> = ask.query(connection)?;
    let oldest = |(lane, (blocks, before, ever)): (Lane, (Vec<String>, u64, u64))| Oldest {
        lane,
        blocks: blocks
            .chunks_exact(2)
            .filter_map(|pair| Some((Id::parse(&pair[0])?, pair[1].parse().ok()?)))
            .collect(),
        before,
        ever,
    };
    Ok(Lane::ALL.into_iter().zip(answers).map(oldest).collect())
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

    fn oldest(lane: Lane, ids: impl IntoIterator<Item = u64>) -> Oldest {
        let blocks = ids.into_iter().map(|ms| (Id { ms, seq: 0 }, 10)).collect();
        Oldest { lane, blocks, before: 0, ever: 0 }
    }

    fn chosen(lanes: Vec<Oldest>, enough: usize) -> Vec<(Lane, u64, usize)> {
        choose(lanes, enough).into_iter().map(|(lane, id, bytes)| (lane, id.ms, bytes)).collect()
    }

    #[test]
    fn the_oldest_go_whichever_lane_they_are_in() {
        let lanes = || vec![oldest(Lane::Likes, [1, 4, 5]), oldest(Lane::Posts, [2, 3, 9])];
        assert_eq!(chosen(lanes(), 10), [(Lane::Likes, 1, 10)]);
        assert_eq!(chosen(lanes(), 31), [(Lane::Likes, 4, 20), (Lane::Posts, 3, 20)]);
        assert_eq!(chosen(lanes(), 1_000), [(Lane::Likes, 5, 30), (Lane::Posts, 9, 30)]);
        assert!(chosen(vec![oldest(Lane::Likes, [])], 10).is_empty());
    }

    #[test]
    fn none_goes_before_one_that_may_be_older() {
        let lanes = vec![oldest(Lane::Likes, 1..=16), oldest(Lane::Posts, [17])];
        assert_eq!(
            chosen(lanes, 1_000),
            [(Lane::Likes, 16, 160)],
            "the next of the likes may be older than 17"
        );
    }
}
