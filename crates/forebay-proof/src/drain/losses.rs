//! Rounds in which the server comes back with less than it had acknowledged, and the source gives the rest again.

use forebay::event::jetstream;
use forebay_pipe::drain::step::{Step, Steps};
use forebay_rig::server::{Conf, Server};

use super::destination::Destination;
use super::world::World;
use crate::exactly_once::{Round, Seen};
use crate::server_loss::{LogCopy, LogMark};
use crate::wait::wait;

/// Events that are in files and that the server has lost.
pub(super) const LOST: &str = "in files and lost by the server";
/// How often that happened under a drain.
pub(super) const UNDER: &str = "under a drain";

/// Kills of a round.
const KILLS: usize = 3;

/// A log of which everything since about a second may be lost.
const EVERYSEC: [(&str, &str); 2] = [("appendonly", "yes"), ("appendfsync", "everysec")];

/// Once a file is published, what follows of a commit.
const PUBLISHED: [Step; 4] = [Step::SyncTree, Step::Record, Step::Commit, Step::Done];

/// Under a drain that has just published a file the server is killed, and comes back without the last of its log.
pub(super) fn killed(round: &Round<'_>) -> anyhow::Result<Seen> {
    let mut world = World::with(round, Destination::folder()?, &EVERYSEC)?;
    let parts = 2 * KILLS + 1;
    for kill in 0..KILLS {
        world.append(2 * kill + 1, parts)?;
        if world.random.bool() {
            world.drain(Steps::default())?;
        }
        let mark = LogMark::now(&world.server)?;
        world.append(2 * kill + 2, parts)?;
        let moment = world.moment(&PUBLISHED);
        let lose = |world: &mut World| {
            mark.kill(&mut world.server, Some(&mut world.random))?;
            lost(round, world)
        };
        let (is_under, _) = world.drain_held(moment, lose, |_, _| Ok(()))?;
        if is_under {
            world.seen.acted.add(UNDER, 1);
        } else {
            lose(&mut world)?;
        }
    }
    world.finish()
}

/// What a loss took from files is counted, and a writer that resumes gives it again.
fn lost(round: &Round<'_>, world: &mut World) -> anyhow::Result<()> {
    let lost = world.lost_from_files()?;
    world.seen.acted.add(LOST, lost);
    world.resume()?;
    if round.is_broken && lost > 0 {
        world.go_by_the_server();
    }
    Ok(())
}

/// A copy of an older log is restored while no drain runs.
pub(super) fn restored(round: &Round<'_>) -> anyhow::Result<Seen> {
    let (mut world, copy) = with_older_copy(round)?;
    copy.restore(&mut world.server)?;
    // A drain may come before the source does: it finds less than it has.
    if world.random.bool() {
        world.drain(Steps::default())?;
    }
    lost(round, &mut world)?;
    world.finish()
}

/// A copy of an older log is restored under a drain, before any of its steps.
pub(super) fn restored_under(round: &Round<'_>) -> anyhow::Result<Seen> {
    let (mut world, copy) = with_older_copy(round)?;
    let moment = world.moment(&Step::ALL);
    let restore = |world: &mut World| {
        copy.restore(&mut world.server)?;
        lost(round, world)
    };
    let (is_under, _) = world.drain_held(moment, restore, |_, _| Ok(()))?;
    world.seen.acted.add(UNDER, u64::from(is_under));
    world.finish()
}

/// A copy of the log as it was before some of what files have, and more in the buffer since.
fn with_older_copy(round: &Round<'_>) -> anyhow::Result<(World, LogCopy)> {
    let mut world = World::with(round, Destination::folder()?, &EVERYSEC)?;
    world.append(1, 5)?;
    world.drain(Steps::default())?;
    world.append(2, 5)?;
    let copy = LogCopy::of(&world.server)?;
    world.append(3, 5)?;
    world.drain(Steps::default())?;
    world.append(4, 5)?;
    Ok((world, copy))
}

/// The server is gone, and a replica of it that has less takes its place.
pub(super) fn failed_over(round: &Round<'_>) -> anyhow::Result<Seen> {
    // Of nobody else's: it keeps others of this machine out for as long as the round takes.
    let password = format!("{:032x}", fastrand::u128(..));
    let settings = [("appendonly", "no"), ("requirepass", &password), ("repl-diskless-sync-delay", "0")];
    let mut world = World::with(round, Destination::folder()?, &settings)?;
    let mut conf: Conf = Conf::new();
    conf.set("save", "").set("requirepass", &*password).set("masterauth", &*password);
    let replica = Server::start(round.binary, &conf)?;
    let port = world.server.port().to_string();
    let mut there = redis::Client::open(replica.url())?.get_connection()?;
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(port).exec(&mut there)?;
    world.append(1, 4)?;
    world.drain(Steps::default())?;
    world.append(2, 4)?;
    let stored = events_of(&world.server)?;
    wait("a replica has what its server has", || Ok(events_of(&replica)? == stored))?;
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut there)?;
    world.append(3, 4)?;
    let (step, nth) = world.moment(&Step::ALL);
    let steps = if world.random.bool() { Steps::until(step, nth) } else { Steps::default() };
    world.drain(steps)?;
    world.server.kill()?;
    world.server = replica;
    lost(round, &mut world)?;
    world.finish()
}

/// Events of each lane that a server has ever had.
fn events_of(server: &Server) -> anyhow::Result<Vec<Option<u64>>> {
    let mut connection = redis::Client::open(server.url())?.get_connection()?;
    let name = World::name()?;
    let of = |lane| {
        Ok(redis::cmd("HGET").arg(name.writer(lane)).arg("e").query::<Option<u64>>(&mut connection)?)
    };
    jetstream::ALL.into_iter().map(of).collect()
}
