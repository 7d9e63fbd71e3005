//! What each fault does, step by step, and how the server comes back from it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::buffer::link::Connection;

use super::cell::Fault;
use super::clients::{Signals, WRITERS};
use super::ground::Ground;
use crate::buffer::connect::{Address, Facts};
use crate::event::synth::random::Rng;
use crate::proof::target::{self, facts_of};
use crate::server;
use crate::server::fault::network::Way;

/// How long a pause lasts.
const PAUSE: Duration = Duration::from_secs(5);
/// How long an fsync takes where it is slow. The server puts writes off for two seconds at the most.
pub(super) const SLOW: Duration = Duration::from_millis(3_500);
/// The longest that a kill waits once such an fsync is under way.
const SLOW_MAX: u64 = 3_000;
/// How long the server has to come to where the fault meets it.
const SOON: Duration = Duration::from_secs(20);
/// How long the kernel holds the server's writes back, at each key, so that a rewrite lasts: microseconds.
const KEY_DELAY: u64 = 30_000;
/// The same where a rewrite shall last for seconds, and when the power is cut then: later than `everysec` may lose, and
/// before the rewrite of a dozen keys is over.
const KEY_DELAY_LONG: u64 = 400_000;
const LONG_REWRITE: Duration = Duration::from_millis(3_500);
/// The longest that a power cut waits once a rewrite has begun; by then it may be over.
const REWRITE_MAX: u64 = 1_200;
/// The longest that a kill waits so: by then it lasts, with one key after the other held back.
const KILL_MAX: u64 = 500;
/// Cuts of connections each way, and the most bytes that pass before the next one.
const CUTS: u64 = 6;
const CUT_BYTES_MAX: u64 = 60_000;
/// How long a disk stays full.
const FULL: Duration = Duration::from_millis(300);

/// What a fault did.
pub(super) struct Struck {
    /// When; of a kill that shall meet no fsync, when the server was last asked, and had none pending.
    pub at: Instant,
    /// From the server's start to its first answer, where it had ended.
    pub back: Option<Duration>,
    /// Events acknowledged until then.
    pub before: u64,
}

/// Lets the fault happen, and the server come back.
pub(super) fn strike(
    fault: Fault,
    ground: &mut Ground,
    signals: &Signals,
    draw: &mut Rng,
) -> anyhow::Result<Struck> {
    let mut known = None;
    match fault {
        Fault::KillInRewrite => known = Some(reach_rewrite(&ground.address, draw)?),
        Fault::PowerCutInRewrite => {
            begin_rewrite(&mut slow_rewrites(&ground.address, KEY_DELAY)?)?;
            pass(draw, REWRITE_MAX);
        }
        Fault::PowerCutInLongRewrite => {
            let mut connection = slow_rewrites(&ground.address, KEY_DELAY_LONG)?;
            begin_rewrite(&mut connection)?;
            std::thread::sleep(LONG_REWRITE);
            let lasts = rewrites(&facts_of(&mut connection, &["persistence"])?);
            anyhow::ensure!(lasts, "the rewrite was over before the power was cut");
        }
        Fault::KillInSlowFsync => {
            let disk = ground.disk()?;
            disk.slow_fsync(SLOW);
            wait("an fsync is under way", || Ok(disk.under_way() > 0))?;
            pass(draw, SLOW_MAX);
            anyhow::ensure!(disk.under_way() > 0, "the slow fsync was over before the kill");
        }
        Fault::Kill if ground.is_own() => known = Some(until_no_fsync(&ground.address)?),
        _ => {}
    }
    let (at, before) = (known.unwrap_or_else(Instant::now), signals.acknowledged());
    match fault {
        Fault::Restart => {
            ground.server()?.terminate()?;
        }
        Fault::Kill | Fault::KillInRewrite | Fault::KillInSlowFsync => ground.kill()?,
        Fault::PowerCut | Fault::PowerCutInRewrite | Fault::PowerCutInLongRewrite => {
            ground.kill()?;
            let torn = (draw.below(2) == 0).then(|| draw.bits());
            ground.disk()?.cut_power(torn);
        }
        Fault::DiskFull => {
            let disk = ground.disk()?;
            let room = disk.room();
            disk.set_room(disk.used());
            until_refused(ground)?;
            std::thread::sleep(FULL);
            ground.disk()?.set_room(room);
        }
        Fault::FsyncFails => {
            ground.disk()?.fail_fsync();
            until_refused(ground)?;
        }
        Fault::Pause => {
            ground.server()?.pause()?;
            std::thread::sleep(PAUSE);
            ground.server()?.resume()?;
        }
        Fault::ConnectionCut => {
            let proxy = ground.proxy()?;
            for way in Way::ALL {
                let spans: Vec<u64> = (0..CUTS).map(|_| draw.below(CUT_BYTES_MAX)).collect();
                proxy.cut_after(way, spans);
            }
            wait("connections were cut", || Ok(proxy.cuts() >= 2 * CUTS))?;
        }
        Fault::WriterKilled => ask(&signals.end_writers, WRITERS as u64, signals)?,
        Fault::ReaderKilled => ask(&signals.end_reader, 1, signals)?,
    }
    if let Some(disk) = &ground.disk {
        disk.heal_fsync();
    }
    let back = (!ground.is_running()).then(|| ground.restart()).transpose()?;
    Ok(Struck { at, back, before })
}

/// Asks so many clients to end in the middle and to begin again, and waits until they have.
fn ask(flag: &AtomicU64, clients: u64, signals: &Signals) -> anyhow::Result<()> {
    let before = signals.ended.load(Relaxed);
    flag.fetch_add(1, Relaxed);
    wait("clients have ended and begun again", || Ok(signals.ended.load(Relaxed) >= before + clients))
}

/// Lets time pass, up to so many milliseconds, for a moment that nothing but the draw chooses.
fn pass(draw: &mut Rng, most: u64) {
    std::thread::sleep(Duration::from_millis(draw.below(most)));
}

/// From now on rewrites last.
fn slow_rewrites(address: &Address, micros: u64) -> anyhow::Result<Connection> {
    let mut connection = address.dial()?;
    redis::cmd("CONFIG").arg("SET").arg("rdb-key-save-delay").arg(micros).exec(&mut connection)?;
    Ok(connection)
}

/// Begins a rewrite, and waits until it is under way.
fn begin_rewrite(connection: &mut Connection) -> anyhow::Result<()> {
    redis::cmd("BGREWRITEAOF").exec(connection)?;
    wait("a rewrite is under way", || Ok(rewrites(&facts_of(connection, &["persistence"])?)))
}

fn rewrites(facts: &Facts) -> bool {
    facts.number("aof_rewrite_in_progress") == Some(1)
}

/// Until a rewrite has been under way for a while and still is, and no fsync is pending; with another one where it was
/// over before that.
fn reach_rewrite(address: &Address, draw: &mut Rng) -> anyhow::Result<Instant> {
    let mut connection = slow_rewrites(address, KEY_DELAY)?;
    begin_rewrite(&mut connection)?;
    pass(draw, KILL_MAX);
    let mut asked = Instant::now();
    wait("a rewrite is under way and no fsync is pending", || {
        asked = Instant::now();
        let facts = facts_of(&mut connection, &["persistence"])?;
        if !rewrites(&facts) {
            begin_rewrite(&mut connection)?;
            return Ok(false);
        }
        Ok(has_no_fsync(&facts))
    })?;
    Ok(asked)
}

/// Without an AOF there is no such field.
fn has_no_fsync(facts: &Facts) -> bool {
    facts.number("aof_pending_bio_fsync").unwrap_or(0) == 0
}

/// Until the server has no fsync pending, during which it would put its writes off: also a fast disk is slow where the
/// machine is busy, and that is the cell of the slow fsync. When it was asked that: what it had answered by then, it has
/// written; by the time of the kill another fsync may have begun.
pub(super) fn until_no_fsync(address: &Address) -> anyhow::Result<Instant> {
    let (mut connection, mut asked) = (address.dial()?, Instant::now());
    wait("no fsync is pending", || {
        asked = Instant::now();
        Ok(has_no_fsync(&facts_of(&mut connection, &["persistence"])?))
    })?;
    Ok(asked)
}

/// Until the server takes no writes, or has ended because of it.
fn until_refused(ground: &Ground) -> anyhow::Result<()> {
    let mut connection = ground.address.dial();
    let mut is_ending = connection.is_err();
    wait("the server takes no writes", || {
        let Ok(connection) = &mut connection else { return Ok(true) };
        let facts = facts_of(connection, &["persistence"]);
        is_ending = facts.is_err();
        Ok(facts.map_or(true, |facts| facts.get("aof_last_write_status") == Some("err")))
    })?;
    // Under `always` it may have answered that once more before it ends.
    let mut is_always =
        |connection| target::setting(connection, "appendfsync").is_none_or(|value| value == "always");
    if is_ending || connection.as_mut().map_or(true, &mut is_always) {
        wait("the server has ended", || Ok(!ground.is_running()))?;
    }
    Ok(())
}

/// Waits for a condition, as long as a server needs for what it does at once.
pub(super) fn wait(what: &str, condition: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    wait_for(SOON, what, condition)
}

/// Waits for a condition.
pub(super) fn wait_for(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    while !condition()? {
        anyhow::ensure!(!server::ending(), "interrupted");
        anyhow::ensure!(started.elapsed() < limit, "waited {limit:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
