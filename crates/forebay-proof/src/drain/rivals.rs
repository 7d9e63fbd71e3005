//! Rounds in which a second drain comes while the first one is at some step.

use forebay::buffer::error::Error;
use forebay::buffer::sink::Sink;
use forebay_pipe::drain::config::Config;
use forebay_pipe::drain::destination::DestinationError;
use forebay_pipe::drain::place::Target;
use forebay_pipe::drain::run::DrainError;
use forebay_pipe::drain::running::Running;
use forebay_pipe::drain::step::{Step, Steps};

use super::destination::Destination;
use super::world::{Ended, PATIENCE, World};
use crate::exactly_once::{Round, Seen};

/// A second drain to the same folder that was kept out.
pub(super) const KEPT_OUT: &str = "kept out";
/// The first one that ended, since another had taken its lanes.
pub(super) const FENCED: &str = "fenced";

/// One to the same folder and one to a folder that has nothing, which are kept out, and one that takes the lanes: the first one
/// ends.
pub(super) fn two_at_once(round: &Round<'_>) -> anyhow::Result<Seen> {
    let mut world = World::new(round, Destination::folder()?)?;
    world.append(1, 3)?;
    world.drain(Steps::default())?;
    world.append(2, 3)?;
    // Behind the last of these it may not ask the server any more; in a control it is about to publish.
    let steps = if round.is_broken { &Step::ALL[3..9] } else { &Step::ALL[..9] };
    let moment = world.moment(steps);
    let (_, ended) = world.drain_held(moment, |world| rivals(world, round), |_, _| Ok(()))?;
    world.seen.acted.add(FENCED, u64::from(ended == Ended::TakenOver));
    world.finish()
}

fn rivals(world: &mut World, round: &Round<'_>) -> anyhow::Result<()> {
    let same = world.config(Steps::default())?;
    let other = Config { to: Target::Folder(world.to.at("elsewhere")), ..same.clone() };
    match Running::start(same).join() {
        Err(DrainError::Destination(DestinationError::InUse { .. })) => world.seen.acted.add(KEPT_OUT, 1),
        Err(why) => world.seen.fail(format!("a second drain to the same folder: {why}")),
        Ok(()) => world.seen.fail("a second drain to the same folder was let in"),
    }
    match Running::start(other).join() {
        Err(DrainError::Buffer(Error::NoSink { .. })) => world.seen.acted.add(KEPT_OUT, 1),
        Err(why) => world.seen.fail(format!("a second drain to a folder that has nothing: {why}")),
        Ok(()) => world.seen.fail("a second drain to a folder that has nothing was let in"),
    }
    // As one does that has what was committed, in a copy of the folder.
    Sink::open_existing(&world.address()?, &World::name()?, world.group(), PATIENCE)?;
    if round.is_broken {
        world.go_by_the_server();
    }
    Ok(())
}
