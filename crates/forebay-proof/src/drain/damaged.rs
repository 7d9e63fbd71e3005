//! Rounds in which a block is damaged in the buffer: its neighbours go out, and its place stands in the commit record.

use forebay::buffer::entry::{Entry, Id};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_pipe::drain::archive::Archive;
use forebay_pipe::drain::step::Steps;

use super::destination::Destination;
use super::world::World;
use crate::exactly_once::{Round, SABOTAGED, Seen};

/// Blocks that were damaged.
pub(super) const DAMAGED: &str = "blocks damaged";

/// Bytes at a frame's beginning that say how it is to be read, about.
const HEADER: usize = 16;

/// The newest block of a lane is damaged, and others follow it. In a control it is taken out instead, and nobody is told.
pub(super) fn damaged(round: &Round<'_>) -> anyhow::Result<Seen> {
    let mut world = World::new(round, Destination::folder()?)?;
    world.append(1, 3)?;
    if world.random.bool() {
        world.drain(Steps::default())?;
    }
    world.append(2, 3)?;
    let Some((lane, id, entry)) = damage(&mut world, round)? else { return world.finish() };
    world.append(1, 1)?;
    world.drain(Steps::default())?;
    // Nobody is owed what could not be read, where that is told.
    if is_told(&world, lane, id)? {
        world.excused.push((lane, entry.total - entry.events, entry.events));
    }
    world.finish()
}

/// Flips a bit of a lane's newest block, which gets a new place by that. Where it was, and what it was.
fn damage(world: &mut World, round: &Round<'_>) -> anyhow::Result<Option<(Lane, Id, Entry)>> {
    let (mut connection, name) = (world.address()?.dial()?, World::name()?);
    let mut lanes = jetstream::ALL;
    world.random.shuffle(&mut lanes);
    for lane in lanes {
        let key = name.stream(lane);
        let mut newest: Vec<(String, Vec<redis::Value>)> =
            redis::cmd("XREVRANGE").arg(&key).arg("+").arg("-").arg("COUNT").arg(1).query(&mut connection)?;
        let Some((id, fields)) = newest.pop() else { continue };
        let place = Id::parse(&id).ok_or_else(|| anyhow::anyhow!("{id} is no id"))?;
        let mut texts: Vec<Vec<u8>> =
            fields.iter().map(redis::from_redis_value_ref).collect::<Result<_, _>>()?;
        let entry = Entry::read(place, fields).map_err(|why| anyhow::anyhow!("block {id}: {why}"))?;
        if let Some(frame) = texts.last_mut().filter(|frame| !frame.is_empty()) {
            // As often in what stands before the content as anywhere.
            let within = if world.random.bool() { frame.len().min(HEADER) } else { frame.len() };
            let at = world.random.usize(..within);
            frame[at] ^= 1 << world.random.u32(..8);
        }
        redis::cmd("XDEL").arg(&key).arg(&id).exec(&mut connection)?;
        world.seen.acted.add(DAMAGED, 1);
        let next = Id { seq: place.seq + 1, ..place };
        if round.is_broken {
            world.seen.acted.add(SABOTAGED, 1);
        } else {
            redis::cmd("XADD").arg(&key).arg(next.to_string()).arg(&texts).exec(&mut connection)?;
        }
        return Ok(Some((lane, next, entry)));
    }
    Ok(None)
}

/// Whether a commit record names the block by its place.
fn is_told(world: &World, lane: Lane, id: Id) -> anyhow::Result<bool> {
    let archive = Archive::of_folder(&world.folder())?;
    for commit in 1..=archive.last_commit(lane.name())? {
        let record = archive.record(lane.name(), commit)?;
        let named = record.into_iter().flat_map(|record| record.damaged);
        if named.into_iter().any(|fault| fault.id == id.to_string()) {
            return Ok(true);
        }
    }
    Ok(false)
}
