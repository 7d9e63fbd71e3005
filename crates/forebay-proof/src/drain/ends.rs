//! Rounds in which the drain ends before each of its steps, and the next one goes on.

use forebay_pipe::drain::step::{Step, Steps};

use super::destination::Destination;
use super::world::{Ended, World};
use crate::exactly_once::{Round, Seen};

/// The steps by name, in the order of [`Step::ALL`].
pub(super) const NAMES: [&str; Step::ALL.len()] =
    ["stage", "sync staged", "plan", "prepare", "publish", "sync tree", "record", "forget", "commit", "done"];

/// Before each step once, in any order.
pub(super) fn before_each_step(round: &Round<'_>) -> anyhow::Result<Seen> {
    let mut world = World::new(round, Destination::folder()?)?;
    let mut order: Vec<(Step, &'static str)> = Step::ALL.into_iter().zip(NAMES).collect();
    world.random.shuffle(&mut order);
    let parts = order.len() + 1;
    for (part, (step, name)) in (1..).zip(order) {
        world.append(part, parts)?;
        let is_sabotaged = round.is_broken && step == Step::Record;
        let nth = if is_sabotaged { 1 } else { world.random.u64(1..=3) };
        if world.drain(Steps::until(step, nth))? == Ended::Stopped {
            world.seen.acted.add(name, 1);
        }
        if is_sabotaged {
            world.forget_plan()?;
        }
    }
    world.finish()
}
