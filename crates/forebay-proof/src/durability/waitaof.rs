//! Whether WAITAOF waits: an acknowledgement after fsync is built on it where the server does not fsync before it answers.
//! Some versions answer before the fsync (redis#13793); the writer knows them by their numbers, and here each is tried.
//!
//! On a disk of our own every fsync takes longer than the question: nothing that is written can be synced meanwhile, so
//! an answer that says so is wrong.

use std::time::Duration;

use forebay::buffer::connection::Connection;

use super::cell::Fault;
use super::environment::{DurabilityEnvironment, NoEnvironment};
use crate::claim::{Bound, Claim, Control, Judged, Unit};
use crate::report::units::counted;
use crate::wait::wait;
use forebay::buffer::error::Error;
use forebay::buffer::fsync;
use forebay::buffer::keys::Name;
use forebay_rig::server::ServerBinary;
use forebay_rig::server::fault::disk::Disk;
use forebay_watch::profile::Profile;

const ID: &str = "durability.waitaof";
/// The step of the brief that is answered.
const FAULT: u8 = 7;
/// How often it is asked.
const TRIES: u64 = 5;
/// How long it is given to answer.
const ASKED: Duration = Duration::from_millis(400);
/// How long an fsync takes meanwhile.
const SLOW: Duration = Duration::from_millis(2_500);
/// How long it is given where the disk works: the server fsyncs every second.
const HEALED: Duration = Duration::from_secs(5);

/// The claim, and its control.
pub(super) fn claim(binary: &ServerBinary, profile: &Profile) -> anyhow::Result<Claim> {
    let environment = match DurabilityEnvironment::new(
        binary,
        profile,
        Fault::KillInSlowFsync,
        &[("appendfsync", "everysec")],
    ) {
        Ok(environment) => environment,
        Err(NoEnvironment::Disk(error)) => {
            return Ok(judge(None, 0).untested(error.to_string()).without_control());
        }
        Err(error) => return Err(error.into()),
    };
    let (mut connection, facts) = environment.address.connect()?;
    let refused = match fsync::wait_aof(&facts) {
        Ok(()) => None,
        Err(Error::NoFsync(why)) => Some(why),
        Err(error) => return Err(error.into()),
    };
    let name: Name = "waitaof".parse()?;
    let disk = environment.disk()?;
    if ask(&mut connection, &name, HEALED)?.is_none() {
        return Ok(judge(None, 0)
            .untested("the server has no WAITAOF: --ack fsync needs appendfsync always")
            .test_with("forebay durability --server-bin SERVER, with Redis 7.2 or newer, or Valkey")
            .without_control());
    }
    let claim = judge(refused.as_deref(), early(&mut connection, &name, disk, true)?);
    let answered = judge(None, early(&mut connection, &name, disk, false)?);
    Ok(claim.with(Control::of("the same questions while the disk is fast", &[answered], ID)))
}

/// How often it is said of what was just written that it is synced, while an fsync takes longer than the question or,
/// for the control, no time.
fn early(connection: &mut Connection, name: &Name, disk: &Disk, is_slow: bool) -> anyhow::Result<u64> {
    let mut early = 0;
    for _ in 0..TRIES {
        if is_slow {
            disk.slow_fsync(SLOW);
            // Those that began before are over soon.
            wait("no fsync is under way", || Ok(disk.under_way() == 0))?;
        }
        let limit = if is_slow { ASKED } else { HEALED };
        early += u64::from(ask(connection, name, limit)? == Some(true));
        disk.heal_fsync();
        anyhow::ensure!(
            ask(connection, name, HEALED)? == Some(true),
            "the server said in {HEALED:?} of nothing that it is synced, on a disk that works"
        );
    }
    Ok(early)
}

/// Writes, and asks whether that is synced; none where the server does not know the question.
fn ask(connection: &mut Connection, name: &Name, limit: Duration) -> anyhow::Result<Option<bool>> {
    redis::cmd("XADD").arg(name.load_stream()).arg("*").arg("f").arg(1).exec(connection)?;
    // How many disks have it, and how many replicas.
    let answer: redis::RedisResult<(u64, u64)> =
        redis::cmd("WAITAOF").arg(1).arg(0).arg(limit.as_millis() as u64).query(connection);
    match answer {
        Ok((here, _)) => Ok(Some(here > 0)),
        Err(error) if error.to_string().contains("unknown command") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the writer relies on answers that come too early.
fn judge(refused: Option<&str>, early: u64) -> Judged {
    let statement = "--ack fsync relies on WAITAOF only where that answers after the fsync";
    let said = format!("{early} of {} came before any fsync could end", counted(TRIES, "answer", "answers"));
    let (measured, why) = match refused {
        Some(why) => (0, format!("it is not relied on here ({why}); {said}")),
        None => (early, said),
    };
    Judged::of(ID, FAULT, statement, (Bound::Exactly, 0.0, Unit::Count), measured as f64, why)
}
