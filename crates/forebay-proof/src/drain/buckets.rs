//! Rounds in which the destination is a bucket that refuses requests, or answers something else than it did.

use std::time::Duration;

use forebay_pipe::drain::step::{Step, Steps};
use forebay_rig::s3::{Fault, Operation, When};

use super::destination::Destination;
use super::world::{Ended, World};
use crate::exactly_once::{Round, SABOTAGED, Seen};

/// What a bucket counts.
pub(super) const REFUSED: &str = "requests refused";
pub(super) const UNSURE: &str = "answers that do not say what was done";

/// Faults of a round: each of these is waited for a little longer.
const FAULTS: usize = 3;

const REFUSALS: [Fault; 6] = [
    Fault::InternalError,
    Fault::SlowDown,
    Fault::ConditionalRequestConflict,
    Fault::PreconditionFailed,
    Fault::AccessDenied,
    Fault::RequestTimeTooSkewed,
];

const DOUBTS: [Fault; 5] = [
    Fault::ResetAfterBody,
    Fault::AnswerLost,
    Fault::TornStore,
    Fault::Forgotten,
    Fault::SlowAnswer { wait: Duration::from_millis(50) },
];

/// Requests of any kind are refused: 500, 503, 409, 412, 403, and a clock that is said to be wrong.
pub(super) fn refuses(round: &Round<'_>) -> anyhow::Result<Seen> {
    play(round, &REFUSALS, REFUSED)
}

/// A connection that is reset after the body, an answer that is lost, half of an object, none of it, or an answer that takes long.
pub(super) fn unsure(round: &Round<'_>) -> anyhow::Result<Seen> {
    play(round, &DOUBTS, UNSURE)
}

fn play(round: &Round<'_>, faults: &[Fault], counted: &'static str) -> anyhow::Result<Seen> {
    let mut world = World::new(round, Destination::bucket()?)?;
    world.append(1, 3)?;
    world.drain(Steps::default())?;
    world.append(2, 3)?;
    let mut armed = Vec::new();
    for _ in 0..FAULTS {
        let fault = faults[world.random.usize(..faults.len())];
        let operations = [Operation::Put, Operation::Put, Operation::Get, Operation::Head, Operation::Delete];
        let operation = operations[world.random.usize(..operations.len())];
        // A drain that is not let in at its start ends with an error; what it asks then is passed over.
        let when = When::next(1).after(world.random.u64(2..6)).on(operation);
        armed.push(world.to.as_bucket()?.arm(fault, when));
    }
    let moment = world.moment(&Step::ALL);
    let steps = if world.random.bool() { Steps::until(moment.0, moment.1) } else { Steps::default() };
    if world.drain(steps)? == Ended::Stopped && world.random.bool() {
        // Another machine goes on, which has nothing of what was staged.
        let staged = world.to.at("");
        for entry in std::fs::read_dir(&staged)? {
            let path = entry?.path();
            if path.is_dir() {
                std::fs::remove_dir_all(path)?;
            }
        }
    }
    world.append(1, 1)?;
    world.drain(Steps::default())?;
    let s3 = world.to.as_bucket()?;
    let acted = armed.iter().map(|id| s3.times_of(*id)).sum();
    s3.disarm_all();
    if round.is_broken
        && let Some(file) = s3.keys().iter().find(|key| key.ends_with(".parquet"))
    {
        s3.remove(file);
        world.seen.acted.add(SABOTAGED, 1);
    }
    world.seen.acted.add(counted, acted);
    world.finish()
}
