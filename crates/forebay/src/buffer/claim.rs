//! How a writer takes its lanes: every one is looked at before any is taken, so that a writer that cannot have them all
//! fences nobody.

use std::collections::VecDeque;
use std::sync::Arc;

use super::connection::Connection;
use crossbeam_channel::{Sender, bounded};

use super::append_command::{AppendScripts, takes_transactions};
use super::appender::Appender;
use super::compress::PendingBlock;
use super::connect::Address;
use super::error::Error;
use super::fsync::Fsync;
use super::keys::Name;
use super::lane_settings::{ClaimedLane, LaneSettings, LaneSpill, WhenStuck};
use super::options::Options;
use super::overflow::Overflow;
use super::owner::{Claim, Owner};
use super::resume_position::{LanePosition, ResumePosition};
use super::shared::Shared;
use super::source_cursor::SourceCursor;
use super::spill::{Folder, Prover, Spiller};
use super::threads::Threads;
use crate::event::lane::Lane;

/// Blocks that may wait for a lane beyond those in flight.
const READY_MAX: usize = 4;

/// The lanes of a writer that is being opened.
pub(super) struct LaneStarts<'a> {
    address: &'a Address,
    name: &'a Name,
    options: &'a Options,
    folder: Option<Arc<Folder>>,
    taken: VecDeque<Result<ClaimedLane, String>>,
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
                if folder.is_some() && options.reconnects =>
            {
                tracing::warn!("{error}; events go to the spill folder");
                name.lanes().map(|_| Err(error.to_string())).into()
            }
            taken => taken?.into_iter().map(Ok).collect(),
        };
        Ok(Self { address, name, options, folder, taken })
    }

    /// Where the lanes stand.
    pub(super) fn position(&self) -> ResumePosition {
        let low_watermark = self.taken.iter().flatten().filter_map(|taken| taken.claim.low_watermark).max();
        // Of a buffer whose writer was killed before it stored any, the cursors say who counts.
        let cursors = self.taken.iter().flatten().filter_map(|taken| taken.claim.cursor);
        let numbering = low_watermark.or_else(|| cursors.max()).map_or(0, |stored| stored.numbering);
        let mut lanes = self.name.lanes().defaults();
        for (lane, taken) in self.name.lanes().into_iter().zip(&self.taken) {
            let has_left = self.folder.as_ref().is_some_and(|folder| folder.has_left(lane));
            let claim = taken.as_ref().ok().filter(|_| !has_left).map(|taken| taken.claim);
            let of_it = |stored: &SourceCursor| stored.numbering == numbering;
            lanes[lane.index()] = claim.map(|claim| LanePosition {
                events: claim.events,
                block: claim.last,
                cursor: claim.cursor.filter(of_it).map(|stored| stored.cursor),
            });
        }
        ResumePosition { lanes, low_watermark, numbering }
    }

    /// Starts the threads of a lane, in the order of the lanes; where its blocks go.
    pub(super) fn start(
        &mut self,
        lane: Lane,
        shared: &Arc<Shared>,
        threads: &mut Threads,
    ) -> Result<Sender<PendingBlock>, Error> {
        // Proof: there are as many as lanes, and each is started once.
        let taken = self.taken.pop_front().expect("a lane to start");
        let taken = taken.map_err(|why| shared.trouble(lane, &why)).ok();
        let (send, receive) = bounded(READY_MAX);
        let mut spill = None;
        let mut to_lane = send;
        if let Some(folder) = &self.folder {
            if lane == self.name.lanes().first() {
                let prover = Prover::new(self.address, self.name, shared);
                threads.start("forebay-spill-proof".into(), move || prover.run())?;
            }
            let (to_spill, from_packer) = bounded(READY_MAX);
            let (tell, stored) = bounded(1);
            spill = Some(LaneSpill { folder: Arc::clone(folder), stored: tell });
            let stage = (from_packer, std::mem::replace(&mut to_lane, to_spill));
            let spiller = Spiller::new(lane, Arc::clone(folder), Arc::clone(shared), stage, stored);
            threads.start(format!("forebay-{lane}-spill"), move || spiller.run())?;
        }
        let settings = self.settings(lane, spill);
        let mut taken = taken;
        if let (Some(spill), Some(taken)) = (&settings.spill, &mut taken) {
            spill.ask(&mut taken.connection, &settings)?;
        }
        let appender = Appender::new(settings, taken, receive, Arc::clone(shared));
        threads.start(format!("forebay-{lane}"), move || appender.run())?;
        Ok(to_lane)
    }

    fn settings(&self, lane: Lane, spill: Option<LaneSpill>) -> LaneSettings {
        LaneSettings {
            lane,
            address: self.address.clone(),
            name: self.name.clone(),
            in_flight: self.options.in_flight.max(1),
            ack: self.options.ack,
            patience: self.options.patience,
            when_stuck: match self.options.overflow {
                Overflow::Wait => WhenStuck::None,
                Overflow::Spill(_) => WhenStuck::Spill,
                Overflow::Shed => WhenStuck::Shed,
                Overflow::TrimOldest => WhenStuck::Trim,
            },
            spill,
            keep_back: self.options.keep_back,
            reconnects: self.options.reconnects,
            tail_bytes: if self.address.fails_over() { self.options.tail_bytes } else { 0 },
        }
    }
}

/// Takes every lane of a buffer, or none.
fn take_all(
    address: &Address,
    name: &Name,
    options: &Options,
    owner: &Owner,
) -> Result<Vec<ClaimedLane>, Error> {
    let mut connected = Vec::new();
    for lane in name.lanes() {
        let (mut connection, facts) = address.connect_for(Some(&name.stream(lane)), options.patience)?;
        let fsync = Fsync::of(options.ack, address, &mut connection, &facts)?;
        connected.push((connection, fsync));
    }
    let mut lanes = Vec::new();
    for (lane, (mut connection, fsync)) in name.lanes().into_iter().zip(connected) {
        let taken = take_one(&mut connection, (address, name), lane, owner);
        match taken.and_then(|taken| fsync.confirm(&mut connection, address).map(|()| taken)) {
            Ok((claim, has_transactions)) => {
                lanes.push(ClaimedLane { connection, fsync, has_transactions, claim });
            }
            Err(error) => {
                for (lane, taken) in name.lanes().into_iter().zip(&mut lanes) {
                    owner.release(&mut taken.connection, name, lane, "");
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
) -> Result<(Claim, bool), Error> {
    let claim = owner.take(connection, of, lane)?;
    // Loaded here so that the first block need not find out that it is missing.
    AppendScripts::new()
        .load(connection)
        .map_err(|error| Error::server("loading the append script", &error))?;
    let has_transactions = takes_transactions(connection)
        .map_err(|error| Error::server("asking whether there are transactions", &error))?;
    Ok((claim, has_transactions))
}
