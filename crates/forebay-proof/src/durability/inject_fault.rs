//! What each fault does, step by step, and how the server comes back from it.

use std::fs::{File, read_dir};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::alive::LastSeen;
use super::approach::approach;
use super::cell::{Appendfsync, Cell, Fault};
use super::clients::{Signals, WRITERS};
use super::environment::DurabilityEnvironment;
use super::event_fates::FaultMoment;
use crate::target::{self, facts_of};
use crate::wait::wait;
use fastrand::Rng;
use forebay_rig::server::fault::Acted;
use forebay_rig::server::fault::network::Direction;

/// How long a pause lasts.
const PAUSE: Duration = Duration::from_secs(5);
/// How often it is looked meanwhile whether the server stands still.
const LOOKS: u32 = 20;
/// Cuts of connections each way, and the most bytes that pass before the next one.
const CUTS: u64 = 6;
const CUT_BYTES_MAX: u64 = 60_000;
/// How long a disk stays full.
const FULL: Duration = Duration::from_millis(300);
/// Bytes, each written by itself, that no fsync covers when the power is cut.
const UNSYNCED: usize = 200;

/// What a fault did.
pub(super) struct InjectedFault {
    /// When; of a kill that shall meet no fsync, when the server was last asked, and had none pending.
    pub moment: FaultMoment,
    /// What shows that it acted.
    pub acted: Acted,
    /// From the server's start to its first answer, where it had ended.
    pub back: Option<Duration>,
    /// Events acknowledged until then.
    pub before: u64,
}

/// Lets the fault happen, and the server come back.
pub(super) fn inject_fault(
    cell: Cell,
    environment: &mut DurabilityEnvironment,
    signals: &Signals,
    draw: &mut Rng,
) -> anyhow::Result<InjectedFault> {
    let known = approach(cell.fault, environment, draw)?;
    let (asked, before) = (known.unwrap_or_else(Instant::now), signals.acknowledged());
    let (acted, seen) = act(cell, environment, signals, draw)?;
    let gone = Instant::now();
    // Whoever is killed by a command has acknowledged until then.
    let (at, before) = seen.map_or((asked, before), |seen| (seen.owed_until(), signals.acknowledged()));
    if let Some(disk) = &environment.disk {
        disk.heal_fsync();
    }
    let back = (!environment.is_running()).then(|| environment.restart()).transpose()?;
    let moment = back.map_or(FaultMoment::of(at, gone), |_| FaultMoment { at, gone, back: Instant::now() });
    Ok(InjectedFault { moment, acted, back, before })
}

/// Lets the fault happen: what shows that it acted; of a server that a command ended, when it was last seen.
fn act(
    cell: Cell,
    environment: &mut DurabilityEnvironment,
    signals: &Signals,
    draw: &mut Rng,
) -> anyhow::Result<(Acted, Option<LastSeen>)> {
    let acted = match cell.fault {
        Fault::Restart => {
            let has_ended = environment.server()?.terminate()?.success();
            Acted::of("servers that ended when they were asked to", u64::from(has_ended))
        }
        Fault::Kill => {
            let (killed, seen) = environment.kill()?;
            return Ok((Acted::of("servers killed", killed), seen));
        }
        Fault::KillInRewrite => {
            let (killed, _) = environment.kill()?;
            let unfinished = unfinished_rewrites(environment.server()?.dir())?;
            Acted::of("rewrites that a kill left unfinished", killed.min(1) * unfinished)
        }
        Fault::KillInSlowFsync => {
            // The kernel lets a process go only when what it waits for is over: afterwards none is under way.
            let under_way = environment.disk()?.under_way();
            let (killed, _) = environment.kill()?;
            Acted::of("fsyncs under way at the kill", killed.min(1) * under_way)
        }
        Fault::PowerCut | Fault::PowerCutInRewrite | Fault::PowerCutInLongRewrite => {
            // Where nothing is ever synced, all of it goes: a part that stayed would be no worse, and the control of
            // `everysec` must lose what is old.
            let tears = cell.appendfsync != Appendfsync::No && draw.bool();
            cut_power(environment, tears.then(|| draw.u64(..)))?
        }
        Fault::DiskFull => fill_disk(environment)?,
        Fault::FsyncFails => {
            let (_, failed) = environment.disk()?.fsyncs();
            environment.disk()?.fail_fsync();
            until_refused(environment)?;
            Acted::of("fsyncs that failed", environment.disk()?.fsyncs().1 - failed)
        }
        Fault::Pause => pause(environment)?,
        Fault::ConnectionCut => {
            let proxy = environment.proxy()?;
            let before = proxy.cuts();
            for way in Direction::ALL {
                let spans: Vec<u64> = (0..CUTS).map(|_| draw.u64(..CUT_BYTES_MAX)).collect();
                proxy.cut_after(way, spans);
            }
            wait("connections were cut", || Ok(proxy.cuts() >= before + 2 * CUTS))?;
            Acted::of("connections cut", proxy.cuts() - before)
        }
        Fault::WriterKilled => {
            ask(&signals.end_writers, WRITERS as u64, signals)?;
            Acted::of("events under way in writers that ended", signals.in_hand.load(Relaxed))
        }
        Fault::ReaderKilled => {
            ask(&signals.end_reader, 1, signals)?;
            Acted::of("blocks that a reader that ended had not acknowledged", signals.in_hand.load(Relaxed))
        }
    };
    Ok((acted, None))
}

/// Kills the server and cuts its disk's power. Under `always` there may be nothing at that moment that no fsync covers, so that
/// there is, a file of ours is written beside: the cut must take it too.
fn cut_power(environment: &mut DurabilityEnvironment, torn: Option<u64>) -> anyhow::Result<Acted> {
    environment.kill()?;
    let disk = environment.disk()?;
    let mut unsynced = File::create(disk.path().join("unsynced"))?;
    (0..UNSYNCED).try_for_each(|_| unsynced.write_all(b"x"))?;
    drop(unsynced);
    Ok(Acted::of("changes on the disk that a power cut took back", disk.cut_power(torn)))
}

/// Lets the disk be full for a while.
fn fill_disk(environment: &DurabilityEnvironment) -> anyhow::Result<Acted> {
    let disk = environment.disk()?;
    let (room, before) = (disk.room(), disk.refused());
    disk.set_room(disk.used());
    until_refused(environment)?;
    std::thread::sleep(FULL);
    let refused = disk.refused() - before;
    disk.set_room(room);
    Ok(Acted::of("writes that a full disk refused", refused))
}

/// Lets the server stand still for a while.
fn pause(environment: &mut DurabilityEnvironment) -> anyhow::Result<Acted> {
    let server = environment.server()?;
    server.pause()?;
    let mut looks = 0;
    for _ in 0..LOOKS {
        std::thread::sleep(PAUSE / LOOKS);
        looks += u64::from(server.is_paused());
    }
    server.resume()?;
    Ok(Acted::of("looks at which the server stood still", looks))
}

/// Files of rewrites that were begun and not finished, in a server's folder.
fn unfinished_rewrites(dir: &Path) -> anyhow::Result<u64> {
    let mut found = 0;
    for entry in read_dir(dir)? {
        found += u64::from(entry?.file_name().to_string_lossy().starts_with("temp-rewriteaof-"));
    }
    Ok(found)
}

/// Asks so many clients to end in the middle and to begin again, and waits until they have.
fn ask(flag: &AtomicU64, clients: u64, signals: &Signals) -> anyhow::Result<()> {
    let before = signals.ended.load(Relaxed);
    flag.fetch_add(1, Relaxed);
    wait("clients have ended and begun again", || Ok(signals.ended.load(Relaxed) >= before + clients))
}

/// Until the server takes no writes, or has ended because of it.
fn until_refused(environment: &DurabilityEnvironment) -> anyhow::Result<()> {
    let mut connection = environment.address.dial();
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
        wait("the server has ended", || Ok(!environment.is_running()))?;
    }
    Ok(())
}
