//! A sink: a group without consumers that keeps what it takes elsewhere, each block once.
//!
//! Nothing is ever given to it, so nothing is pending: what it drains is read without a group, and its group is moved by
//! commits alone, which let go of what they cover. Beside each lane stands how far the sink has it, and which range it commits
//! next (`sink_state.rs`): whoever takes over makes that range and no other. The highest epoch wins, in every step.
//!
//! A sink is asked by one thread. Each of its steps may be done twice, and is, after any doubt.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use redis::{FromRedisValue, RedisError};

use super::display_name::display_name;
use super::entry::Id;
use super::error::Error;
use super::keys::Name;
use super::outage::PatientConnection;
use super::scripts::{SINK_CLAIM, SINK_COMMIT, SINK_PLAN, TRIM};
pub use super::sink_figures::{FiguresWriter, LastCommit, SinkFigures, SinkStat};
pub use super::sink_open::FoundSink;
pub use super::sink_peek::{LanePeek, SinkPeek};
pub use super::sink_state::{Committed, Done, Head, LaneLook, Plan, Planned};
use crate::event::lane::{Lane, Lanes};
use crate::event::stream::Stream;

/// One run of a sink.
pub struct Sink {
    pub(super) server: PatientConnection,
    pub(super) name: Name,
    pub(super) group: String,
    pub(super) incarnation: String,
    pub(super) epoch: u64,
    /// When it was last seen what the buffer is.
    pub(super) found_at: Instant,
}

impl Sink {
    /// Ends waits for a server that is away once the flag is set.
    pub fn stop_on(&mut self, stop: &Arc<AtomicBool>) {
        self.server.stop_on(stop);
    }

    /// What the buffer's events are.
    pub fn events(&self) -> Stream {
        self.name.events()
    }

    /// Which buffer of its name it is, as [`Self::lanes`] last saw. It changes if the server lost everything and somebody made
    /// the buffer again, and changes back once a writer that was running meanwhile has resumed its lanes.
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// How often the server refused this run, or was away.
    pub fn failures(&self) -> u64 {
        self.server.failures()
    }

    /// What fences the runs before this one.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The buffer's lanes, looked at again from time to time: some may be added.
    pub fn lanes(&mut self) -> Result<Lanes, Error> {
        self.look_for_it()?;
        Ok(self.name.lanes())
    }

    /// Writes down what is committed next, once its blocks were read. `known` is the number of the last commit that the server
    /// was [seen](Self::look) to have before they were; the plan's is one more than the last that the sink has made.
    pub fn plan(&mut self, lane: Lane, plan: Plan, known: u64) -> Result<Planned, Error> {
        self.plan_or_not(lane, &plan.text(), known)
    }

    /// Takes back what was planned: for a range that can no longer be made, and nothing of which was published.
    pub fn withdraw(&mut self, lane: Lane, known: u64) -> Result<Planned, Error> {
        self.plan_or_not(lane, "", known)
    }

    fn plan_or_not(&mut self, lane: Lane, plan: &str, known: u64) -> Result<Planned, Error> {
        let arguments = [Name::sink(&self.group), self.epoch.to_string(), known.to_string(), plan.to_owned()];
        let keys = [self.name.stream(lane), self.name.writer(lane)];
        let (what, epoch, plan): (String, u64, String) =
            self.run("planning a range of", (SINK_PLAN, &keys), &arguments)?;
        match what.as_str() {
            "ok" => Ok(Planned::Made),
            "standing" => {
                let standing = Plan::of_text(&plan);
                standing.map(Planned::Standing).ok_or_else(|| self.damaged(lane, &plan))
            }
            "fenced" => Err(self.taken_over(lane, epoch)),
            _ => Ok(Planned::OutOfStep),
        }
    }

    /// Writes down that everything up to and with the last block of a plan is durable elsewhere, and lets go of it. Only where
    /// the plan stands, or was committed before.
    pub fn commit(&mut self, lane: Lane, plan: Plan) -> Result<Committed, Error> {
        let Done { number, id, total } = plan.last;
        self.move_group(lane, plan.commit, [number.to_string(), id.to_string(), total.to_string()])
    }

    /// Lets go of blocks up to and with an id that the sink has by earlier commits: the server came back with less, and they were
    /// read again. `commit` is the last that the sink has made; an error where the server has a later one.
    pub fn let_go(&mut self, lane: Lane, id: Id, commit: u64) -> Result<Committed, Error> {
        self.move_group(lane, commit, [String::new(), id.to_string(), String::new()])
    }

    fn move_group(&mut self, lane: Lane, commit: u64, to: [String; 3]) -> Result<Committed, Error> {
        let keys = [self.name.stream(lane), self.name.writer(lane)];
        let [number, id, total] = to;
        let (group, epoch) = (self.group.clone(), self.epoch.to_string());
        let arguments = [Name::sink(&self.group), group, epoch, commit.to_string(), number, id, total];
        let (what, number, at): (String, u64, String) =
            self.run("committing to", (SINK_COMMIT, &keys), &arguments)?;
        match what.as_str() {
            "ok" => {
                let trimmed = self.run("trimming", (TRIM, &keys), &[])?;
                let at = Id::parse(&at).ok_or_else(|| self.damaged(lane, &at))?;
                Ok(Committed { at: Some(at), trimmed })
            }
            "fenced" => Err(self.taken_over(lane, number)),
            "passed" => Err(self.passed(lane, number, commit)),
            _ => Ok(Committed { at: None, trimmed: 0 }),
        }
    }

    /// Takes a lane for this run, and with the first one finds an epoch that is high enough. Whether somebody ever wrote it.
    pub(super) fn claim(&mut self, lane: Lane, is_first: bool) -> Result<bool, Error> {
        let keys = [self.name.writer(lane)];
        let arguments = [Name::sink(&self.group), self.epoch.to_string(), u8::from(is_first).to_string()];
        let (what, epoch): (String, u64) = self.run("taking lanes of", (SINK_CLAIM, &keys), &arguments)?;
        match what.as_str() {
            "ok" => self.epoch = epoch,
            "fenced" => return Err(self.taken_over(lane, epoch)),
            _ => {}
        }
        Ok(what == "ok")
    }

    fn run<T: FromRedisValue>(
        &mut self,
        doing: &str,
        (script, keys): (&str, &[String]),
        arguments: &[String],
    ) -> Result<T, Error> {
        let answer = self.server.run(&self.name, doing, (script, keys), arguments);
        answer.map_err(|error| match error {
            Error::Damaged { why } => self.refused(with_remedy(&why)),
            error => error,
        })
    }

    /// Waits a moment after an error of the server's, and says of one that is of no use to wait for what it is.
    pub(super) fn wait(&mut self, doing: &str, error: &RedisError, since: Instant) -> Result<(), Error> {
        self.server.wait(&self.name, doing, error, since)
    }

    pub(super) fn taken_over(&self, lane: Lane, theirs: u64) -> Error {
        Error::TakenOver { lane, group: self.shown(), mine: self.epoch, theirs }
    }

    pub(super) fn passed(&self, lane: Lane, theirs: u64, mine: u64) -> Error {
        self.refused(format!(
            "lane {lane} has commit {theirs} on the server, and the last one here is {mine}: what was committed since is not \
             known here; give back what is missing here, or drain as another group"
        ))
    }

    pub(super) fn damaged(&self, lane: Lane, text: &str) -> Error {
        let field = Name::sink(&self.group);
        self.refused(with_remedy(&format!("key {:?}: field {field} holds {text:?}", self.name.writer(lane))))
    }

    pub(super) fn refused(&self, why: String) -> Error {
        Error::NoSink { buffer: self.name.to_string(), group: self.shown(), why }
    }

    pub(super) fn shown(&self) -> String {
        display_name(self.group.as_bytes())
    }
}

fn with_remedy(why: &str) -> String {
    format!(
        "{why}, where a drain writes how far it has the lane; put right what is there, or drain as another group"
    )
}
