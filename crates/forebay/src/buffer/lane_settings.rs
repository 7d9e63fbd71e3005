//! What a lane's thread needs to know, what it holds once the lane is taken, and how it takes the lane later.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use redis::RedisError;

use super::connect::Address;
use super::connection::Connection;
use super::error::Error;
use super::fsync::Fsync;
use super::keys::Name;
use super::options::Ack;
use super::owner::{Claim, Owner};
use super::round_failure::RoundFailure;
use super::spill::{Folder, Stored};
use crate::event::lane::Lane;

/// What a lane's thread needs to know.
pub(super) struct LaneSettings {
    pub lane: Lane,
    pub address: Address,
    pub name: Name,
    pub in_flight: usize,
    /// When an append counts.
    pub ack: Ack,
    /// How long to go on without a single acknowledgement.
    pub patience: Duration,
    /// What the policy lets go on, or drop, while the server takes nothing.
    pub when_stuck: WhenStuck,
    /// Where the spill of this lane is, where it has one.
    pub spill: Option<LaneSpill>,
    /// How far before the low watermark blocks are kept.
    pub keep_back: Option<u64>,
    /// Whether a lost connection is made again.
    pub reconnects: bool,
    /// Bytes of acknowledged blocks that are kept until replicas have them, all lanes together; none of a server that no other
    /// takes the place of.
    pub tail_bytes: usize,
}

/// What keeps a server that takes nothing from holding the source back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenStuck {
    /// Nothing.
    None,
    /// The spill, as long as its disk takes blocks.
    Spill,
    /// New blocks are dropped.
    Shed,
    /// Old blocks are dropped, where that helps.
    Trim,
}

/// A lane that is ours.
pub(super) struct ClaimedLane {
    pub connection: Connection,
    /// What must follow the appends on this connection before they count.
    pub fsync: Fsync,
    /// Whether frames may go behind the script.
    pub has_transactions: bool,
    pub claim: Claim,
}

/// Where a lane's spill is, and who must hear how far it is stored.
pub(super) struct LaneSpill {
    pub folder: Arc<Folder>,
    pub stored: Sender<Stored>,
}

impl LaneSpill {
    /// Asks how far the sessions before this one are stored, now that none of them can store more, and lets the server
    /// forget those that have left nothing.
    pub(super) fn ask(&self, connection: &mut Connection, settings: &LaneSettings) -> Result<(), Error> {
        let key = settings.name.writer(settings.lane);
        let (left, gone): (Vec<_>, Vec<_>) =
            self.folder.earlier(settings.lane).into_iter().partition(|(_, has_left)| *has_left);
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
            self.folder.forget(settings.lane, &gone);
        }
        // Fails only where the stage has ended already.
        let _ = self.stored.send(stored);
        Ok(())
    }
}

/// Takes a lane that could not be taken when its writer was opened.
pub(super) fn claim_late(
    connection: &mut Connection,
    settings: &LaneSettings,
    owner: &Owner,
) -> Result<Claim, RoundFailure> {
    let claimed = owner.take(connection, (&settings.address, &settings.name), settings.lane);
    let claimed = claimed.and_then(|claim| {
        settings.spill.as_ref().map_or(Ok(()), |spill| spill.ask(connection, settings))?;
        Ok(claim)
    });
    claimed.map_err(RoundFailure::from)
}
