//! The failover proof: whatever happens to the masters of a cluster, what is acknowledged stays, and comes once?
//!
//! Clusters of three masters with a replica each, on loopback. A writer writes and a group reads while masters are killed,
//! stopped, cut off, or hand over, and slots move. At the end everything that was acknowledged must have been handed out once,
//! and stand in the buffer, of which nothing was trimmed. What each acknowledgement promises is said beforehand (`guarantee`).
//!
//! In the control a writer keeps no tail, its master is cut off and killed, the group's reader begins again before that,
//! and a client dials the address of a master that is gone: the same judges must find what is lost, what comes twice, and that
//! nobody answers in time. Two writers, keys and Sentinel have rounds and controls of their own.
//!
//! | file | is responsible for |
//! |---|---|
//! | `fault`, `guarantee` | what happens; what must hold then |
//! | `source`, `follower`, `stage` | a writer, a group, and a cluster with both |
//! | `rounds`, `seen`, `pulse` | rounds of faults, what was seen of them, and how busy the machine was |
//! | `epoch`, `sentinel`, `spread` | two writers, an old master under Sentinel, keys |
//! | `job`, `judge`, `claims` | what is run, what that says, and the control beside it |

mod claims;
mod epoch;
mod fault;
mod follower;
mod guarantee;
mod job;
mod judge;
mod pulse;
mod rounds;
mod seen;
mod sentinel;
mod source;
mod spread;
mod stage;
#[cfg(test)]
mod tests;

use forebay::buffer::writer::{Ack, Options};
use forebay_rig::server::{ServerError, ending};

use crate::claim::Claim;
use crate::printable::error_chain;
use crate::{Scale, Subject, parallel};
use epoch::TwoWriters;
use fault::Fault;
use guarantee::{REPLICA, TAIL};
use job::{Came, Job};
use rounds::Plan;
use seen::Seen;
use stage::Setting;

/// Rounds of each fault at full scale.
const FULL_ROUNDS: u64 = 50;
/// Of those that need a cluster each, one for so many of the others.
const ROUNDS_EACH: u64 = 5;
/// Rounds of each fault on one cluster: so that clusters work beside each other.
const ON_A_CLUSTER: u64 = 10;
/// Clusters at a time: each has seven processes that mostly wait.
const AT_A_TIME: usize = 6;
/// Events of which the keys are asked.
const SPREAD_EVENTS: u64 = 20_000;

/// What else can be asked for, beside the faults: two writers, keys, and an old master under Sentinel.
const EPOCH: &str = "epoch";
const SPREAD: &str = "spread";
const SENTINEL: &str = "sentinel";

/// The proof of a subject. It runs on clusters of its own, whatever the subject's server is.
pub struct FailoverRun<'a> {
    /// What it is about.
    pub on: Subject<'a>,
    /// Rounds of each fault; by default one, at full scale fifty.
    pub rounds: Option<u64>,
    /// These faults alone, by name; all of them where none is named.
    pub only: &'a [String],
}

/// The names of the faults.
pub fn faults() -> impl Iterator<Item = &'static str> {
    Fault::ALL.into_iter().map(Fault::name).chain([EPOCH, SPREAD, SENTINEL])
}

impl FailoverRun<'_> {
    /// Runs the proof and its controls.
    pub fn run(&self) -> anyhow::Result<Vec<Claim>> {
        let jobs = self.jobs();
        self.on.progress.begin("failover", jobs.len() as u64);
        let came = parallel::by_side_of(AT_A_TIME, &jobs, self.on.progress, |job| self.tried(*job))?;
        let played: Vec<(Job, Came)> = jobs.into_iter().zip(came).collect();
        Ok(claims::of(&self.faults(), &played))
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// The faults that are wanted, and that this server's cluster has.
    fn faults(&self) -> Vec<Fault> {
        let is_wanted = |fault: &Fault| self.wants(fault.name()) && fault.is_there(self.on.binary);
        Fault::ALL.into_iter().filter(is_wanted).collect()
    }

    /// All there is to run, what takes longest first.
    fn jobs(&self) -> Vec<Job> {
        let rounds = self.rounds.unwrap_or(if self.on.scale == Scale::Full { FULL_ROUNDS } else { 1 });
        let each = 0..rounds.div_ceil(ROUNDS_EACH);
        let mut jobs = Vec::new();
        if self.wants(SENTINEL) {
            jobs.push(Job::OldMaster(0));
            jobs.extend(each.clone().map(|_| Job::OldMaster(1)));
        }
        if !self.faults().is_empty() {
            for first in (0..rounds).step_by(ON_A_CLUSTER as usize) {
                let on_it = ON_A_CLUSTER.min(rounds - first);
                jobs.extend([REPLICA, TAIL].map(|guarantee| Job::Rounds(guarantee, first, on_it)));
            }
            jobs.push(Job::Control);
        }
        if self.wants(EPOCH) {
            jobs.push(Job::TwoWriters(Ack::Reply, 0));
            jobs.extend(each.map(|number| Job::TwoWriters(Ack::Replica, number)));
        }
        if self.wants(SPREAD) {
            jobs.push(Job::Spread);
        }
        jobs
    }

    fn tried(&self, job: Job) -> anyhow::Result<Came> {
        match self.played(job) {
            Err(error) if ending() => Err(error),
            Err(error) if error.is::<ServerError>() => Ok(Came::NotTried(error_chain(&error))),
            Err(error) => Ok(failed(job, &error, self.on.seed)),
            came => came,
        }
    }

    fn played(&self, job: Job) -> anyhow::Result<Came> {
        let (binary, faults) = (self.on.binary, self.faults());
        let seed = |number: u64| self.on.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let tail_bytes = Options::default().tail_bytes;
        Ok(match job {
            Job::Rounds(guarantee, first, rounds) => {
                let setting = Setting { ack: guarantee.ack, tail_bytes, is_broken: false };
                let plan = Plan { binary, seed: seed(first), setting, faults: &faults, rounds };
                Came::Rounds(Box::new(plan.run()?))
            }
            Job::Control => {
                let setting = Setting { ack: Ack::Reply, tail_bytes: 0, is_broken: true };
                let plan = Plan { binary, seed: seed(0), setting, faults: &[Fault::CutOff], rounds: 1 };
                Came::Rounds(Box::new(plan.run()?))
            }
            Job::TwoWriters(ack, number) => Came::TwoWriters(epoch::two_writers(binary, seed(number), ack)?),
            Job::OldMaster(replicas_min) => Came::OldMaster(sentinel::resumed(binary, replicas_min)?),
            Job::Spread => Came::Spread(spread::streams(binary, seed(0), SPREAD_EVENTS)?),
        })
    }
}

/// What ended by something else than its servers: whatever it is, it is not as it should be.
fn failed(job: Job, error: &anyhow::Error, seed: u64) -> Came {
    let why = error_chain(error);
    match job {
        Job::Rounds(..) | Job::Control => {
            Came::Rounds(Box::new(Seen { seed, failed: Some(why), ..Seen::default() }))
        }
        Job::TwoWriters(..) => Came::TwoWriters(TwoWriters { failed: Some(why), ..TwoWriters::default() }),
        Job::OldMaster(..) | Job::Spread => Came::NotTried(why),
    }
}
