//! Rounds: a fault at the master of a lane, with events on their way, until everything is acknowledged and the cluster is whole.

use std::time::{Duration, Instant};

use forebay::buffer::writer::Ack;
use forebay::event::jetstream;
use forebay_rig::server::ServerBinary;

use super::fault::Fault;
use super::seen::{Recovery, Seen};
use super::stage::{Setting, Stage};
use crate::wait::{go_on, wait};

/// Events on their way when a fault comes, those that come meanwhile, and those that come after it.
const BEFORE: u64 = 200;
const MEANWHILE: u64 = 100;
const AFTER: u64 = 100;
/// Those that a group holds while its master is cut off.
const HELD: u64 = 100;
/// Events of a round, at the most.
const EVENTS_MAX: u64 = BEFORE + MEANWHILE + AFTER + HELD;
/// How long a control dials the address of a master that is gone, and how often.
const REDIALLED: Duration = Duration::from_millis(1_500);
const BETWEEN_DIALS: Duration = Duration::from_millis(20);
/// How often a fault is tried again that did not act.
const TRIES: u64 = 3;

/// What rounds are run.
pub(super) struct Plan<'a> {
    pub binary: &'a ServerBinary,
    pub seed: u64,
    pub setting: Setting,
    pub faults: &'a [Fault],
    pub rounds: u64,
}

impl Plan<'_> {
    /// Runs them, one after the other, on a cluster of their own.
    pub fn run(&self) -> anyhow::Result<Seen> {
        let rounds = self.rounds * self.faults.len() as u64;
        let mut stage = Stage::new(self.binary, self.seed, rounds * TRIES * EVENTS_MAX, self.setting)?;
        let mut number = 0;
        for _ in 0..self.rounds {
            for fault in self.faults {
                for _ in 0..TRIES {
                    go_on()?;
                    number += 1;
                    if stage.round(*fault, number)? {
                        break;
                    }
                }
            }
        }
        stage.finish()
    }
}

impl Stage {
    /// One round; whether its fault acted. Each is at another master than the one before.
    fn round(&mut self, fault: Fault, number: u64) -> anyhow::Result<bool> {
        let lane = jetstream::ALL[number as usize % jetstream::ALL.len()];
        let slot = self.slot_of(lane)?;
        let old = self.set.master_of(slot)?;
        let has_acted = match fault {
            Fault::Moved | Fault::MovedAtOnce => self.moved(fault, slot, old)?,
            _ => self.failed_over(fault, old)?,
        };
        self.source.more(AFTER)?;
        self.seen.acted.extend(has_acted.then_some(fault));
        Ok(has_acted)
    }

    fn failed_over(&mut self, fault: Fault, old: usize) -> anyhow::Result<bool> {
        let mut has_acted = true;
        if fault == Fault::CutOff {
            has_acted = self.cut_off(old)?;
        } else {
            self.source.grant(BEFORE);
        }
        if self.setting.is_broken {
            self.follower.begin_again()?;
        }
        let began = Instant::now();
        match fault {
            Fault::Killed | Fault::CutOff => drop(self.set.server(old).kill()?),
            Fault::Stopped => self.set.server(old).pause()?,
            _ => drop(self.set.hand_over(old)?),
        }
        self.source.grant(MEANWHILE);
        self.set.failed_over_from(old)?;
        let elected = Instant::now();
        if self.setting.is_broken {
            let url = self.set.urls().swap_remove(old);
            let beyond = redialled(&url, REDIALLED)?;
            self.seen.recoveries.push(Recovery {
                fault,
                elected: elected - began,
                beyond,
                late: Duration::ZERO,
            });
            self.source.until_acknowledged()?;
            self.comes_back(fault, old)?;
        } else if self.setting.ack == Ack::Replica {
            // The new master has no replica but the old one: nothing is acknowledged without it.
            self.comes_back(fault, old)?;
            self.source.until_acknowledged()?;
        } else {
            self.pulse.worst();
            self.source.until_acknowledged()?;
            if fault.is_election() {
                let (beyond, late) = (elected.elapsed(), self.pulse.worst());
                self.seen.recoveries.push(Recovery { fault, elected: elected - began, beyond, late });
            }
            self.comes_back(fault, old)?;
        }
        self.set.wait_whole()?;
        self.set.wait_in_sync()?;
        Ok(has_acted)
    }

    fn comes_back(&mut self, fault: Fault, old: usize) -> anyhow::Result<()> {
        match fault {
            Fault::Killed | Fault::CutOff => self.set.server(old).restart()?,
            Fault::Stopped => self.set.server(old).resume()?,
            _ => {}
        }
        Ok(())
    }

    /// Cuts a master off from its replica. What it takes then nobody else has: blocks of the writer, acknowledgements of the group;
    /// whether there were some of both.
    fn cut_off(&mut self, old: usize) -> anyhow::Result<bool> {
        self.follower.hold();
        self.source.more(HELD)?;
        self.follower.until_handed(self.source.acknowledged())?;
        self.set.wait_in_sync()?;
        let before = self.acknowledged_on(old)?;
        self.set.cut(old)?;
        let acknowledged = self.follower.release()?;
        self.source.grant(BEFORE);
        let alone = if self.setting.ack == Ack::Replica {
            // Without the replica's word nothing of it is acknowledged: the group is handed it all the same.
            let ahead = |stage: &Self| {
                let pairs = stage.follower.upto().into_iter().zip(stage.source.acknowledged());
                pairs.map(|(upto, acknowledged)| upto.saturating_sub(acknowledged)).sum::<u64>()
            };
            wait("a group is handed what no replica has", || Ok(ahead(self) > 0 || self.source.is_over()))?;
            ahead(self)
        } else {
            self.source.until_acknowledged()?;
            self.follower.until_handed(self.source.acknowledged())?;
            let alone = self.acknowledged_on(old)? - before;
            self.seen.alone += alone;
            alone
        };
        Ok(alone > 0 && acknowledged > 0)
    }

    /// Moves a slot to another master, key by key with a stop in the middle, or in one piece; whether the writer ran into it.
    fn moved(&mut self, fault: Fault, slot: u16, from: usize) -> anyhow::Result<bool> {
        let retries = self.source.monitor.counts().retries;
        let to = self.another_master(from)?;
        self.source.grant(BEFORE);
        if fault == Fault::MovedAtOnce {
            self.set.move_slot_atomically(slot, to)?;
        } else {
            self.set.begin_move(slot, to)?;
            // One of the lane's two keys is here, and the other there.
            self.set.move_keys(slot, to, 1)?;
            self.source.grant(MEANWHILE);
            self.set.move_keys(slot, to, usize::MAX)?;
            self.set.end_move(slot, to)?;
        }
        self.source.more(MEANWHILE)?;
        self.set.wait_whole()?;
        self.set.wait_in_sync()?;
        Ok(self.source.monitor.counts().retries > retries)
    }

    fn another_master(&self, from: usize) -> anyhow::Result<usize> {
        let mut others = self.nodes().filter(|node| *node != from);
        let is_one = |node: &usize| self.set.replicas_of(*node).is_ok_and(|replicas| !replicas.is_empty());
        others.find(is_one).ok_or_else(|| anyhow::anyhow!("node {from} is the only master"))
    }

    fn nodes(&self) -> std::ops::Range<usize> {
        0..self.set.urls().len()
    }
}

/// How long a client is refused that dials again the address that it knows: after a failover nobody is there.
fn redialled(url: &str, limit: Duration) -> anyhow::Result<Duration> {
    let (since, client) = (Instant::now(), redis::Client::open(url)?);
    while since.elapsed() < limit && client.get_connection_with_timeout(limit).is_err() {
        go_on()?;
        std::thread::sleep(BETWEEN_DIALS);
    }
    Ok(since.elapsed())
}
