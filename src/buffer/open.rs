//! How a writer takes its lanes: every one is looked at before any is taken, so that a writer that cannot have them all
//! fences nobody.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use redis::{Connection, Script};

use super::connect::Address;
use super::error::Error;
use super::fsync;
use super::keys::Name;
use super::overflow::{Trouble, trouble};
use super::recover::BACKOFF_MAX;
use super::scripts;
use super::writer::{Options, Writer};
use crate::event::lane::Lane;

/// A lane that is ours.
pub(super) struct Taken {
    pub lane: Lane,
    pub connection: Connection,
    /// Whether a WAITAOF must follow the appends on this connection.
    pub wait_aof: bool,
    /// Its epoch from now on, its last block's number, its events so far.
    pub claim: (u64, u64, u64),
}

impl Writer {
    /// Opens as [`Self::open`] does, and waits for a server that is there and takes no writes yet (full, loading), as
    /// long as [`Options::patience`] allows. None where `stop` was set meanwhile.
    pub fn open_patiently(
        address: &Address,
        name: &Name,
        options: &Options,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Error> {
        let started = Instant::now();
        let mut is_told = false;
        while !stop.load(Relaxed) {
            let why = match Self::open(address, name, options) {
                Err(Error::NotNow { why, .. }) => why,
                // A signal breaks off whatever the system was doing.
                Err(_) if stop.load(Relaxed) => break,
                opened => return opened.map(Some),
            };
            let waited = Duration::from_millis(started.elapsed().as_millis() as u64);
            if waited >= options.patience {
                return Err(Error::Lost { url: address.to_string(), waited, why, unacknowledged: 0 });
            }
            if !is_told {
                tracing::warn!("held back, {address} takes no writes now: {why}");
            }
            is_told = true;
            std::thread::sleep(BACKOFF_MAX.min(options.patience.saturating_sub(waited)));
        }
        Ok(None)
    }
}

/// Takes every lane of a buffer, or none.
pub(super) fn take_all(address: &Address, name: &Name, options: &Options) -> Result<Vec<Taken>, Error> {
    let mut lanes = Vec::new();
    for lane in Lane::ALL {
        let (mut connection, facts) = address.connect_within(options.patience)?;
        let wait_aof = fsync::is_waited_for(options.ack, &mut connection, &facts)?;
        claim(&mut connection, address, name, lane, false)?;
        lanes.push(Taken { lane, connection, wait_aof, claim: (0, 0, 0) });
    }
    for taken in &mut lanes {
        taken.claim = claim(&mut taken.connection, address, name, taken.lane, true)?;
        // Loaded here so that the first block need not find out that it is missing.
        Script::new(scripts::APPEND)
            .prepare_invoke()
            .load(&mut taken.connection)
            .map_err(|error| Error::server("loading the append script", &error))?;
    }
    Ok(lanes)
}

/// Looks at a lane, and takes it where it `is_meant`: its epoch from now on, its last block's number, its events so far.
fn claim(
    connection: &mut Connection,
    address: &Address,
    name: &Name,
    lane: Lane,
    is_meant: bool,
) -> Result<(u64, u64, u64), Error> {
    let (seconds, micros): (u64, u64) =
        redis::cmd("TIME").query(connection).map_err(|error| Error::server("asking for the time", &error))?;
    let answer: Result<(u64, u64, u64, String), _> = Script::new(scripts::CLAIM)
        .key(name.stream(lane))
        .key(name.writer(lane))
        .arg(seconds * 1_000 + micros / 1_000)
        .arg(u8::from(is_meant))
        .invoke(connection);
    let (epoch, last, events, _) = answer.map_err(|error| match trouble(&error) {
        Trouble::WrongType(why) => {
            Error::WrongType { key: format!("{} or {}", name.stream(lane), name.writer(lane)), why }
        }
        Trouble::Damaged(why) => Error::Damaged { why },
        Trouble::Refused(why) => Error::NotNow { url: address.to_string(), why },
        _ => Error::server(format!("taking lane {lane}"), &error),
    })?;
    Ok((epoch, last, events))
}
