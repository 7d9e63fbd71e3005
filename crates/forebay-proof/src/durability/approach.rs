//! Brings a server to where a fault shall meet it: in a rewrite of its AOF, in a slow fsync, or with no fsync pending.

use std::time::{Duration, Instant};

use super::cell::Fault;
use super::environment::DurabilityEnvironment;
use super::not_run::NotRun;
use super::server_state::{has_no_fsync, until_no_fsync};
use crate::rewrite;
use crate::wait::wait;
use fastrand::Rng;
use forebay::buffer::connect::Address;
use forebay::buffer::connection::Connection;

/// How long an fsync takes where it is slow. The server puts writes off for two seconds at the most.
pub(super) const SLOW: Duration = Duration::from_millis(3_500);
/// The longest that a kill waits once such an fsync is under way.
const SLOW_MAX: u64 = 2_500;
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

/// Brings the server to where the fault shall meet it; where that is a moment without a pending fsync, when it was asked.
pub(super) fn approach(
    fault: Fault,
    environment: &DurabilityEnvironment,
    draw: &mut Rng,
) -> anyhow::Result<Option<Instant>> {
    match fault {
        Fault::KillInRewrite => return Ok(Some(reach_rewrite(&environment.address, draw)?)),
        Fault::PowerCutInRewrite => {
            rewrite::begin_writing(&mut slow_rewrites(&environment.address, KEY_DELAY)?)?;
            pass(draw, REWRITE_MAX);
        }
        Fault::PowerCutInLongRewrite => {
            let mut connection = slow_rewrites(&environment.address, KEY_DELAY_LONG)?;
            rewrite::begin_writing(&mut connection)?;
            std::thread::sleep(LONG_REWRITE);
            let lasts = rewrite::is_writing(&rewrite::persistence(&mut connection)?);
            came_in_time(lasts, "the rewrite was over before the power was cut")?;
        }
        Fault::KillInSlowFsync => {
            let disk = environment.disk()?;
            disk.slow_fsync(SLOW);
            wait("an fsync is under way", || Ok(disk.under_way() > 0))?;
            pass(draw, SLOW_MAX);
            came_in_time(disk.under_way() > 0, "the slow fsync was over before the kill")?;
        }
        Fault::Kill if environment.is_own() => return Ok(Some(until_no_fsync(&environment.address)?)),
        _ => {}
    }
    Ok(None)
}

/// A fault that came too late has shown nothing.
fn came_in_time(is_in_time: bool, why: &str) -> Result<(), NotRun> {
    if is_in_time { Ok(()) } else { Err(NotRun::Absent(why.into())) }
}

/// Lets time pass, up to so many milliseconds, for a moment that nothing but the draw chooses.
fn pass(draw: &mut Rng, most: u64) {
    std::thread::sleep(Duration::from_millis(draw.u64(..most)));
}

/// From now on rewrites last.
fn slow_rewrites(address: &Address, micros: u64) -> anyhow::Result<Connection> {
    let mut connection = address.dial()?;
    redis::cmd("CONFIG").arg("SET").arg("rdb-key-save-delay").arg(micros).exec(&mut connection)?;
    Ok(connection)
}

/// Until a rewrite has been under way for a while and still is, and no fsync is pending; with another one where it was
/// over before that.
fn reach_rewrite(address: &Address, draw: &mut Rng) -> anyhow::Result<Instant> {
    let mut connection = slow_rewrites(address, KEY_DELAY)?;
    rewrite::begin_writing(&mut connection)?;
    pass(draw, KILL_MAX);
    let mut asked = Instant::now();
    wait("a rewrite is under way and no fsync is pending", || {
        asked = Instant::now();
        let facts = rewrite::persistence(&mut connection)?;
        if !rewrite::is_writing(&facts) {
            rewrite::begin_writing(&mut connection)?;
            return Ok(false);
        }
        Ok(has_no_fsync(&facts))
    })?;
    Ok(asked)
}
