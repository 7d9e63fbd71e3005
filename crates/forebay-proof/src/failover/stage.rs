//! A cluster of three masters with a replica each, a writer, and a group that reads: what rounds run on.

use std::sync::Arc;
use std::time::Duration;

use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::meta;
use forebay::buffer::writer::{Ack, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::{ClusterSet, Conf, ServerBinary};

use super::follower::{self, Follower};
use super::pulse::Pulse;
use super::seen::Seen;
use super::source::{self, Source};
use crate::progress::Silent;
use crate::workload::Offer;

/// Masters: elections need three.
pub(super) const MASTERS: usize = 3;
/// How long a node is silent before the others take it for down, as [`ClusterSet`] sets it.
pub(super) const NODE_TIMEOUT: Duration = Duration::from_secs(1);
/// Events a second on the clock of the events.
const RATE: f64 = 938.0;
/// Events before the first round.
const FIRST: u64 = 300;

/// How a writer of a stage writes, and what breaks the stage in a control.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub ack: Ack,
    pub tail_bytes: usize,
    /// In a control: the group's reader begins again over a failover, without a memory, and a client dials the dead master's address.
    pub is_broken: bool,
}

/// What rounds run on.
pub(super) struct Stage {
    // Before the cluster: what they wait for is there until they have ended.
    pub source: Source,
    pub follower: Follower,
    pub set: ClusterSet,
    pub address: Address,
    /// The buffer, with its keys as they are there.
    pub name: Name,
    pub setting: Setting,
    pub pulse: Pulse,
    pub seen: Seen,
    offer: Arc<Offer>,
}

/// A cluster without persistence, and how it is reached.
pub(super) fn cluster(binary: &ServerBinary, replicas: usize) -> anyhow::Result<(ClusterSet, Address)> {
    let conf: Conf = [("appendonly", "no"), ("save", "")].into_iter().collect();
    let set = ClusterSet::start(binary, &conf, MASTERS, replicas)?;
    let address = Address::parse(&set.url())?;
    Ok((set, address))
}

/// So many events, drawn by this seed.
pub(super) fn events(seed: u64, count: u64) -> anyhow::Result<Arc<Offer>> {
    Ok(Arc::new(Offer::draw(seed, RATE, count, &Silent)?))
}

/// A buffer with its keys as they are on a server.
pub(super) fn found(address: &Address, name: &Name) -> anyhow::Result<Name> {
    let found = meta::find(&mut address.connect()?.0, name)?;
    found.ok_or_else(|| anyhow::anyhow!("buffer {name} is not there"))
}

impl Stage {
    /// One on which so many events may be pushed.
    pub fn new(binary: &ServerBinary, seed: u64, events_max: u64, setting: Setting) -> anyhow::Result<Self> {
        let (set, address) = cluster(binary, 1)?;
        let offer = events(seed, events_max + FIRST)?;
        let name: Name = "failover".parse()?;
        let writer = Writer::open(&address, &name, &source::options(setting.ack, setting.tail_bytes))?;
        let name = found(&address, &name)?;
        let source = Source::start(writer, &offer, None);
        let follower = Follower::start(&address, &name, &offer)?;
        source.more(FIRST)?;
        let seen = Seen { seed, ..Seen::default() };
        Ok(Self { source, follower, set, address, name, setting, pulse: Pulse::start(), seen, offer })
    }

    /// The slot of a lane.
    pub fn slot_of(&self, lane: Lane) -> anyhow::Result<u16> {
        Ok(self.set.slot_of(&self.name.stream(lane))?)
    }

    /// Acknowledged events of the lanes that a node has.
    pub fn acknowledged_on(&self, node: usize) -> anyhow::Result<u64> {
        let mut events = 0;
        for lane in jetstream::ALL {
            if self.set.master_of(self.slot_of(lane)?)? == node {
                events += self.source.monitor.lane(lane).acknowledged;
            }
        }
        Ok(events)
    }

    /// Ends the writer and then the group; what was seen, with what the buffer has.
    pub fn finish(self) -> anyhow::Result<Seen> {
        let Self { source, follower, set, address, name, mut seen, offer, .. } = self;
        let monitor = source.monitor.clone();
        source.finish()?;
        let acknowledged = jetstream::ALL.map(|lane| monitor.lane(lane).acknowledged);
        seen.handed = follower.finish(acknowledged)?;
        seen.stored = follower::stored(&address, &name, &offer, acknowledged)?;
        drop(set);
        Ok(seen)
    }
}
