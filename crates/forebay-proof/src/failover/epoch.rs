//! Two writers over a failover: the newer one takes the buffer from the older one while the new master-to-be hears nothing.
//!
//! With `--ack replica` the newer one has the buffer when a replica knows of it, so that the older one's time is over then. In the
//! control it does not wait for that: the replica that becomes the master lets the older one go on, and gives its numbers again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay::buffer::connect::Address;
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::ReadItem;
use forebay::buffer::writer::{Ack, Options, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::{ClusterSet, ServerBinary};

use super::follower::stored;
use super::source::{PATIENCE, Source, options};
use super::stage::{cluster, events, found};
use crate::findings::Findings;
use crate::proof_reader;
use crate::wait::{go_on, wait};
use crate::workload::Offer;

/// The lane that both write: of one master alone.
const LANE: Lane = jetstream::LIKES;
/// Events that a writer pushes at a time.
const EVENTS: u64 = 100;
/// Between two attempts to take the buffer over.
const AGAIN: Duration = Duration::from_millis(100);
/// Events drawn for each: enough of one lane.
const DRAWN: u64 = 4_000;

/// What was seen of two writers.
#[derive(Debug, Clone, Default)]
pub(super) struct TwoWriters {
    /// Acknowledged to the older one after the newer one had been acknowledged its first.
    pub forked: u64,
    /// Numbers of blocks that were given twice.
    pub renumbered: u64,
    /// What the buffer has of both.
    pub findings: Findings,
    /// The newer one's claim was on a master that was lost with it.
    pub was_lost: bool,
    /// Why something ended that should not have, or did not end that should.
    pub failed: Option<String>,
}

impl TwoWriters {
    /// Everything that is wrong.
    pub fn wrong(&self) -> u64 {
        self.forked
            + self.renumbered
            + self.findings.lost()
            + self.findings.repeats
            + u64::from(self.failed.is_some())
    }
}

/// A cluster with an older writer, and how the newer one writes.
struct Pair {
    set: ClusterSet,
    address: Address,
    name: Name,
    older: Source,
    of_newer: Arc<Offer>,
    ack: Ack,
    /// The node that has the lane.
    master: usize,
}

/// What a newer writer finds, and has been told, once the master is gone that has its claim.
struct Over {
    newer: Source,
    /// Acknowledged to the older one when the newer one was acknowledged its first.
    since: u64,
    /// The blocks that there were before the master died.
    before: HashMap<Place, Block>,
}

/// Both on a cluster of their own.
pub(super) fn two_writers(binary: &ServerBinary, seed: u64, ack: Ack) -> anyhow::Result<TwoWriters> {
    let (set, address) = cluster(binary, 1)?;
    let (of_older, of_newer) = (events(seed, DRAWN)?, events(seed ^ (1 << 40), DRAWN)?);
    let name: Name = "failover".parse()?;
    let writer = Writer::open(&address, &name, &options(ack, 0))?;
    let name = found(&address, &name)?;
    let older = Source::start(writer, &of_older, Some(LANE));
    older.more(2 * EVENTS)?;
    set.wait_in_sync()?;
    let master = set.master_of(set.slot_of(&name.stream(LANE))?)?;
    let mut pair = Pair { set, address, name, older, of_newer, ack, master };
    let Over { newer, since, before } = pair.fail_over()?;
    newer.more(EVENTS)?;
    let Pair { set, address, name, older, of_newer, .. } = pair;
    let monitors = [(&of_older, older.monitor.clone()), (&of_newer, newer.monitor.clone())];
    let failed = fenced(older).err().map(|why| why.to_string());
    let forked = monitors[0].1.counts().acknowledged.saturating_sub(since);
    newer.finish()?;
    let after = blocks(&address, &name)?;
    let is_another = |(at, had): &(&Place, &Block)| after.get(at).is_some_and(|has| has != *had);
    let renumbered = before.iter().filter(is_another).count() as u64;
    let mut findings = Findings::default();
    for (offer, monitor) in monitors {
        let acknowledged = jetstream::ALL.map(|lane| monitor.lane(lane).acknowledged);
        findings = findings.and(stored(&address, &name, offer, acknowledged)?.findings);
    }
    drop(set);
    Ok(TwoWriters { forked, renumbered, findings, was_lost: true, failed })
}

impl Pair {
    /// A newer writer takes the buffer while the replica hears nothing of it, and the master dies.
    fn fail_over(&mut self) -> anyhow::Result<Over> {
        let claimed = self.epoch()?;
        self.set.cut(self.master)?;
        let (address, name, of_newer) = (self.address.clone(), self.name.clone(), Arc::clone(&self.of_newer));
        let (options, of_older) = (options(self.ack, 0), self.older.monitor.clone());
        std::thread::scope(|scope| {
            let opening = scope.spawn(move || {
                let writer = opened(&address, &name, &Options { takes_over: true, ..options })?;
                let newer = Source::start(writer, &of_newer, Some(LANE));
                newer.more(EVENTS)?;
                anyhow::Ok((newer, of_older.counts().acknowledged))
            });
            wait("the newer writer has claimed the lane", || Ok(self.epoch()? > claimed))?;
            if self.ack == Ack::Reply {
                wait("the newer writer is acknowledged", || Ok(opening.is_finished()))?;
            }
            let before = blocks(&self.address, &self.name)?;
            self.set.server(self.master).kill()?;
            self.set.failed_over_from(self.master)?;
            self.older.grant(EVENTS);
            if self.ack == Ack::Reply {
                // It goes on as if nobody had come, where nothing keeps it from that.
                self.older.until_acknowledged_or_over()?;
            }
            self.set.server(self.master).restart()?;
            let ended =
                opening.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the newer writer's thread panicked")));
            ended.map(|(newer, since)| Over { newer, since, before })
        })
    }

    /// The lane's epoch on the node that had it first.
    fn epoch(&self) -> anyhow::Result<u64> {
        let url = self.set.urls().swap_remove(self.master);
        let mut connection = redis::Client::open(url)?.get_connection_with_timeout(PATIENCE)?;
        Ok(redis::cmd("HGET").arg(self.name.writer(LANE)).arg("epoch").query(&mut connection)?)
    }
}

/// A writer that takes the buffer over, as soon as the cluster lets it.
fn opened(address: &Address, name: &Name, options: &Options) -> anyhow::Result<Writer> {
    let since = Instant::now();
    loop {
        go_on()?;
        match Writer::open(address, name, options) {
            Err(_) if since.elapsed() < PATIENCE => std::thread::sleep(AGAIN),
            opened => return Ok(opened?),
        }
    }
}

/// Pushes until a writer finds out that it was replaced; an error where it does not.
fn fenced(older: Source) -> anyhow::Result<()> {
    wait("the older writer has ended", || {
        older.grant(1);
        Ok(older.is_over())
    })?;
    match older.finish() {
        Err(Error::Fenced { .. }) => Ok(()),
        Err(why) => anyhow::bail!("the older writer ended by something else: {why}"),
        Ok(()) => anyhow::bail!("the older writer was not fenced"),
    }
}

/// Where a block stands: its lane and its number.
type Place = (usize, u64);
/// What it is: its writer's epoch, and its frame.
type Block = (u64, Vec<u8>);

/// Every block of the buffer by now.
fn blocks(address: &Address, name: &Name) -> anyhow::Result<HashMap<Place, Block>> {
    let mut reader = proof_reader::open_lanes(address, name, &[LANE], None, PATIENCE)?;
    let mut blocks = HashMap::new();
    loop {
        let found = reader.next(Duration::ZERO)?;
        if found.is_empty() {
            return Ok(blocks);
        }
        for item in found {
            if let ReadItem::Block(lane, entry) = item {
                blocks.insert((lane.index(), entry.number), (entry.epoch, entry.frame));
            }
        }
    }
}
