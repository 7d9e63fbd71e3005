//! How a writer takes its lanes: every one is looked at before any is taken, so that a writer that cannot have them all
//! fences nobody.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::link::Connection;
use crossbeam_channel::{Sender, bounded};
use redis::{RedisError, Script};

use super::appender::{Appender, Lease, WayOut};
use super::compress::Parcel;
use super::connect::Address;
use super::counts::Shared;
use super::error::Error;
use super::fsync::Fsync;
use super::keys::Name;
use super::overflow::Overflow;
use super::owner::{Claim, Owner};
use super::retry::{BACKOFF_MAX, Setback};
use super::scripts;
use super::spill::{Folder, Prover, Spiller, Stored};
use super::writer::{Options, Writer};
use crate::event::lane::Lane;

/// Blocks that may wait for a lane beyond those in flight.
const READY_MAX: usize = 4;

/// A lane that is ours.
pub(super) struct Taken {
    pub connection: Connection,
    /// What must follow the appends on this connection before they count.
    pub fsync: Fsync,
    pub claim: Claim,
}

/// Where a lane's spill is, and who must hear how far it is stored.
pub(super) struct Kept {
    pub folder: Arc<Folder>,
    pub stored: Sender<Stored>,
}

/// Where a lane stood when its writer was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LanePosition {
    /// Events of the lane that were ever stored.
    pub events: u64,
    /// The number of its last block; 0 where it has none.
    pub block: u64,
}

/// Where the lanes stood when their writer was opened, by what the server holds. The position of the source itself is not kept
/// in the buffer yet: that comes with the next layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePosition {
    lanes: [Option<LanePosition>; Lane::ALL.len()],
}

impl ResumePosition {
    /// One lane; none where it could not be told: with [`Overflow::Spill`], where the server was away, or where an earlier
    /// run has left events of the lane in the folder, which are stored now.
    pub fn lane(&self, lane: Lane) -> Option<LanePosition> {
        self.lanes[lane.index()]
    }

    /// Events of all lanes together; none where one is not known.
    pub fn events(&self) -> Option<u64> {
        self.lanes.iter().map(|lane| lane.map(|lane| lane.events)).sum()
    }
}

/// The lanes of a writer that is being opened.
pub(super) struct LaneStarts<'a> {
    address: &'a Address,
    name: &'a Name,
    options: &'a Options,
    folder: Option<Arc<Folder>>,
    taken: VecDeque<Result<Taken, String>>,
}

impl<'a> LaneStarts<'a> {
    /// Takes every lane, or none. With a spill, a server that is away or takes no writes has its lanes taken later.
    pub(super) fn of(
        address: &'a Address,
        name: &'a Name,
        options: &'a Options,
        shared: &Shared,
    ) -> Result<Self, Error> {
        let folder = match &options.overflow {
            Overflow::Spill(spill) => Some(Arc::new(Folder::open(spill, name)?)),
            _ => None,
        };
        let taken = match take_all(address, name, options, &shared.owner) {
            Err(error @ (Error::Connect { .. } | Error::Crowded { .. } | Error::NotNow { .. }))
                if folder.is_some() =>
            {
                tracing::warn!("{error}; events go to the spill folder");
                Lane::ALL.map(|_| Err(error.to_string())).into()
            }
            taken => taken?.into_iter().map(Ok).collect(),
        };
        Ok(Self { address, name, options, folder, taken })
    }

    /// Where the lanes stand.
    pub(super) fn position(&self) -> ResumePosition {
        let mut lanes = [None; Lane::ALL.len()];
        for (lane, taken) in Lane::ALL.into_iter().zip(&self.taken) {
            let has_left = self.folder.as_ref().is_some_and(|folder| folder.has_left(lane));
            let claim = taken.as_ref().ok().filter(|_| !has_left).map(|taken| taken.claim);
            lanes[lane.index()] = claim.map(|claim| LanePosition { events: claim.events, block: claim.last });
        }
        ResumePosition { lanes }
    }

    /// Starts the threads of a lane, in the order of [`Lane::ALL`]; where its blocks go.
    pub(super) fn start(&mut self, lane: Lane, writer: &mut Writer) -> Result<Sender<Parcel>, Error> {
        // Proof: there are as many as lanes, and each is started once.
        let taken = self.taken.pop_front().expect("a lane to start");
        let taken = taken.map_err(|why| writer.shared.trouble(lane, &why)).ok();
        let (send, receive) = bounded(READY_MAX);
        let shared = Arc::clone(&writer.shared);
        let mut kept = None;
        let mut to_lane = send;
        if let Some(folder) = &self.folder {
            if lane == Lane::ALL[0] {
                let prover = Prover::new(self.address, self.name, &writer.shared);
                writer.spawn("forebay-spill-proof".into(), move || prover.run())?;
            }
            let (to_spill, from_packer) = bounded(READY_MAX);
            let (tell, stored) = bounded(1);
            kept = Some(Kept { folder: Arc::clone(folder), stored: tell });
            let stage = (from_packer, std::mem::replace(&mut to_lane, to_spill));
            let spiller = Spiller::new(lane, Arc::clone(folder), Arc::clone(&shared), stage, stored);
            writer.spawn(format!("forebay-{lane}-spill"), move || spiller.run())?;
        }
        let lease = self.lease(lane, kept);
        let mut taken = taken;
        if let (Some(kept), Some(taken)) = (&lease.kept, &mut taken) {
            kept.ask(&mut taken.connection, &lease)?;
        }
        let appender = Appender::new(lease, taken, receive, shared);
        writer.spawn(format!("forebay-{lane}"), move || appender.run())?;
        Ok(to_lane)
    }

    fn lease(&self, lane: Lane, kept: Option<Kept>) -> Lease {
        Lease {
            lane,
            address: self.address.clone(),
            name: self.name.clone(),
            in_flight: self.options.in_flight.max(1),
            ack: self.options.ack,
            patience: self.options.patience,
            way_out: match self.options.overflow {
                Overflow::Wait => WayOut::None,
                Overflow::Spill(_) => WayOut::Spill,
                Overflow::Shed => WayOut::Shed,
                Overflow::TrimOldest => WayOut::Trim,
            },
            kept,
        }
    }
}

impl Writer {
    #[doc(hidden)]
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
                Err(error) if error.is_by_signal(stop) => break,
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
fn take_all(address: &Address, name: &Name, options: &Options, owner: &Owner) -> Result<Vec<Taken>, Error> {
    let mut connected = Vec::new();
    for _ in Lane::ALL {
        let (mut connection, facts) = address.connect_within(options.patience)?;
        let fsync = Fsync::of(options.ack, address, &mut connection, &facts)?;
        connected.push((connection, fsync));
    }
    let mut lanes = Vec::new();
    for (lane, (mut connection, fsync)) in Lane::ALL.into_iter().zip(connected) {
        match take_one(&mut connection, (address, name), lane, owner) {
            Ok(claim) => lanes.push(Taken { connection, fsync, claim }),
            Err(error) => {
                for (lane, taken) in Lane::ALL.into_iter().zip(&mut lanes) {
                    owner.release(&mut taken.connection, name, lane);
                }
                return Err(error);
            }
        }
    }
    Ok(lanes)
}

fn take_one(
    connection: &mut Connection,
    of: (&Address, &Name),
    lane: Lane,
    owner: &Owner,
) -> Result<Claim, Error> {
    let claim = owner.take(connection, of, lane)?;
    // Loaded here so that the first block need not find out that it is missing.
    Script::new(scripts::APPEND)
        .prepare_invoke()
        .load(connection)
        .map_err(|error| Error::server("loading the append script", &error))?;
    Ok(claim)
}

/// Takes a lane that could not be taken when its writer was opened.
pub(super) fn take(connection: &mut Connection, lease: &Lease, owner: &Owner) -> Result<Claim, Setback> {
    let claimed = owner.take(connection, (&lease.address, &lease.name), lease.lane);
    let claimed = claimed.and_then(|claim| {
        lease.kept.as_ref().map_or(Ok(()), |kept| kept.ask(connection, lease))?;
        Ok(claim)
    });
    claimed.map_err(|error| match error {
        Error::NotNow { why, .. } => Setback::refused(why),
        Error::Server { why, .. } => Setback::away(why),
        error => Setback::Untaken(error),
    })
}

impl Kept {
    /// Asks how far the sessions before this one are stored, now that none of them can store more, and lets the server
    /// forget those that have left nothing.
    fn ask(&self, connection: &mut Connection, lease: &Lease) -> Result<(), Error> {
        let key = lease.name.writer(lease.lane);
        let (left, gone): (Vec<_>, Vec<_>) =
            self.folder.earlier(lease.lane).into_iter().partition(|(_, has_left)| *has_left);
        let failed =
            |error: RedisError| Error::server(format!("asking {key} what of the spill is stored"), &error);
        let mut stored = Stored::new();
        for (session, _) in left {
            let field = Name::spilled(&session);
            let place: Option<u64> =
                redis::cmd("HGET").arg(&key).arg(field).query(connection).map_err(failed)?;
            stored.insert(session, place.unwrap_or(0));
        }
        let gone: Vec<Arc<str>> = gone.into_iter().map(|(session, _)| session).collect();
        if !gone.is_empty() {
            let fields: Vec<String> = gone.iter().map(|session| Name::spilled(session)).collect();
            redis::cmd("HDEL").arg(&key).arg(fields).query::<u64>(connection).map_err(failed)?;
            self.folder.forget(lease.lane, &gone);
        }
        // Fails only where the stage has ended already.
        let _ = self.stored.send(stored);
        Ok(())
    }
}
