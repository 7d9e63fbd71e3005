//! Rounds in which the destination's disk is full, fails, is slow, or loses its power.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::buffer::lock;
use forebay_pipe::drain::running::Running;
use forebay_pipe::drain::step::{Step, Steps};

use super::destination::{Destination, ROOM};
use super::sabotage::half_written;
use super::world::{Ended, PATIENCE, World};
use crate::exactly_once::{Looked, Round, SABOTAGED, Seen};
use crate::wait::wait_for;

/// What a disk counts.
pub(super) const REFUSED: &str = "writes refused";
pub(super) const FAILED: &str = "fsyncs failed";
pub(super) const SLOW: &str = "slow fsyncs";
pub(super) const LOOKED: &str = "files looked at";
pub(super) const CUTS: &str = "power cuts";
/// Changes that a power cut took.
pub(super) const TAKEN: &str = "changes taken";

/// What an fsync of a slow disk takes.
const SLOW_FSYNC: Duration = Duration::from_millis(5);
/// Power cuts of a round.
const CUTS_A_ROUND: usize = 5;

/// The disk is full until the drain has met that.
pub(super) fn full(round: &Round<'_>) -> anyhow::Result<Seen> {
    let mut world = begun(round)?;
    let room = world.to.as_disk()?.used() + world.random.u64(..20_000);
    world.to.as_disk()?.set_room(room);
    until_met(
        &mut world,
        round,
        (Step::Stage, 1),
        |_| Ok(()),
        |world| {
            let disk = world.to.as_disk()?;
            world.seen.acted.add(REFUSED, disk.refused());
            disk.set_room(ROOM);
            Ok(())
        },
    )?;
    world.finish()
}

/// Before some step the disk begins to fail each fsync, until the drain has met that.
pub(super) fn failing(round: &Round<'_>) -> anyhow::Result<Seen> {
    let mut world = begun(round)?;
    let moment = world.moment(&Step::ALL);
    let fail = |world: &mut World| {
        world.to.as_disk()?.fail_fsync();
        Ok(())
    };
    until_met(&mut world, round, moment, fail, |world| {
        let disk = world.to.as_disk()?;
        world.seen.acted.add(FAILED, disk.fsyncs().1);
        disk.heal_fsync();
        Ok(())
    })?;
    world.finish()
}

/// Events in files, and others in the buffer.
fn begun(round: &Round<'_>) -> anyhow::Result<World> {
    let mut world = World::new(round, Destination::disk()?)?;
    world.append(1, 3)?;
    world.drain(Steps::default())?;
    world.append(2, 3)?;
    Ok(world)
}

/// At a moment of a drain its disk begins to refuse, and is mended once the drain has said that it does.
fn until_met(
    world: &mut World,
    round: &Round<'_>,
    moment: (Step, u64),
    refuse: impl FnOnce(&mut World) -> anyhow::Result<()>,
    mend: impl FnOnce(&mut World) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let meanwhile = |world: &mut World, running: &Running| {
        // It may have been done with the disk by then.
        let is_met = || Ok(running.counts.trouble().is_some() || running.is_over());
        wait_for(PATIENCE, "the drain has met a disk that refuses", is_met)?;
        if round.is_broken {
            world.acknowledge_first()?;
        }
        mend(world)
    };
    world.drain_held(moment, refuse, meanwhile)?;
    Ok(())
}

/// Each fsync takes its time, and somebody reads the tree before each step.
pub(super) fn slow(round: &Round<'_>) -> anyhow::Result<Seen> {
    let mut world = World::new(round, Destination::disk()?)?;
    world.to.as_disk()?.slow_fsync(SLOW_FSYNC);
    world.append(1, 1)?;
    let (folder, is_broken) = (world.folder(), round.is_broken);
    let looked = Arc::new(Mutex::new(Looked::default()));
    let by_another = Arc::clone(&looked);
    let steps = Steps::asked(move |step| {
        // A staged file is there by then, and here it is put where readers read.
        if is_broken && step == Step::Plan {
            half_written(&folder).unwrap_or(false);
        }
        lock(&by_another).look(&folder);
        true
    });
    world.drain(steps)?;
    let disk = world.to.as_disk()?;
    world.seen.acted.add(SLOW, disk.fsyncs().0);
    disk.heal_fsync();
    if world.folder().join("events/half.parquet").exists() {
        world.seen.acted.add(SABOTAGED, 1);
    }
    looked_at(&mut world, &lock(&looked));
    world.finish()
}

fn looked_at(world: &mut World, looked: &Looked) {
    world.seen.acted.add(LOOKED, looked.whole.len() as u64);
    world.seen.torn += looked.torn.len() as u64;
    looked.torn.iter().take(1).for_each(|why| world.seen.note(why));
}

/// The power of the disk is cut again and again, while a drain runs or between two; what is in the tree afterwards is whole.
pub(super) fn power_cut(round: &Round<'_>) -> anyhow::Result<Seen> {
    let mut world = World::new(round, Destination::disk()?)?;
    if round.is_broken {
        world.to.as_disk()?.forget_names();
        world.seen.acted.add(SABOTAGED, 1);
    }
    for cut in 1..=CUTS_A_ROUND {
        world.append(cut, CUTS_A_ROUND + 1)?;
        let moment = world.moment(&Step::ALL);
        // What a disk forgets was committed.
        let steps = if round.is_broken { Steps::default() } else { Steps::until(moment.0, moment.1) };
        if world.drain(steps)? == Ended::Failed {
            break;
        }
        let seed = world.random.u64(..);
        let taken = world.to.as_disk()?.cut_power((!round.is_broken).then_some(seed));
        world.seen.acted.add(CUTS, 1);
        world.seen.acted.add(TAKEN, taken);
        let mut looked = Looked::default();
        looked.look(&world.folder());
        looked_at(&mut world, &looked);
    }
    world.finish()
}
