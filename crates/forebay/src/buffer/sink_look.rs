//! What a sink asks before it does anything: how a lane stands, and its blocks without their frames.

use std::time::Instant;

use redis::{RedisError, Value};

use super::consumer_group::{create_group, field};
use super::entry::{Entry, Id, list};
use super::error::{Cause, Error};
use super::error_class::{ErrorClass, classify, is_gone};
use super::keys::Name;
use super::sink::{Head, LaneLook, Sink};
use super::sink_state::SinkState;
use crate::event::lane::Lane;

/// Entries that are no blocks and are passed over.
const STRANGE_MAX: usize = 100;

/// What a lane's hash says: the last block's number, the lane's events, and of the sink.
pub(super) type Fields = (Option<u64>, Option<u64>, Option<String>);

impl Sink {
    /// How a lane stands. Takes it where this run does not have it, and makes its group where it is not there: the lane was
    /// added since, or nobody had written it, or the server came back with less.
    pub fn look(&mut self, lane: Lane) -> Result<LaneLook, Error> {
        let at = self.group_at(lane)?;
        let mut fields = self.fields(lane)?;
        if self.state(lane, &fields)?.is_none_or(|state| state.epoch != self.epoch)
            && self.claim(lane, false)?
        {
            fields = self.fields(lane)?;
        }
        self.stands(lane, &fields, at)
    }

    /// How a lane stands by its hash; where no sink was ever there, after `at`.
    pub(super) fn stands(&self, lane: Lane, fields: &Fields, at: Id) -> Result<LaneLook, Error> {
        let state = self.state(lane, fields)?.unwrap_or_default();
        let done = Some(state.done).filter(|done| state.commit > 0 || !done.is_nothing());
        Ok(LaneLook {
            newest: fields.0.zip(fields.1),
            done,
            commit: state.commit,
            plan: state.plan,
            after: done.map_or(at, |done| done.id),
        })
    }

    /// The first block after an id; none where there is none by now. Entries that cannot be read are passed over.
    pub fn oldest_after(&mut self, lane: Lane, id: Id) -> Result<Option<Head>, Error> {
        // Nothing can come after the last id that there can be, and the server refuses the question.
        if id == (Id { ms: u64::MAX, seq: u64::MAX }) {
            return Ok(None);
        }
        self.head(lane, "XRANGE", format!("({id}"), "+")
    }

    /// The newest block; none where the lane is empty. Entries that cannot be read are passed over.
    pub fn newest(&mut self, lane: Lane) -> Result<Option<Head>, Error> {
        self.head(lane, "XREVRANGE", "+".into(), "-")
    }

    /// Whether the buffer has a dictionary: writers put it there before the first frame that needs it, so that one which is not
    /// there is what a damaged frame says.
    pub fn has_dictionary(&mut self, id: u32) -> Result<bool, Error> {
        let mut command = redis::cmd("HEXISTS");
        command.arg(self.name.meta()).arg(Name::dictionary(id));
        self.server.ask(&self.name, "looking for a dictionary of", &command)
    }

    fn head(&mut self, lane: Lane, command: &str, from: String, to: &str) -> Result<Option<Head>, Error> {
        let mut from = from;
        for _ in 0..STRANGE_MAX {
            let mut range = redis::cmd(command);
            range.arg(self.name.stream(lane)).arg(&from).arg(to).arg("COUNT").arg(1);
            let answer: Value = self.server.ask(&self.name, "looking at a block of", &range)?;
            let Some((id, fields)) = list(answer).and_then(|mut entries| entries.pop()) else { break };
            if let Ok(entry) = Entry::read(id, fields.unwrap_or_default()) {
                return Ok(Some(Head::from(&entry)));
            }
            from = format!("({id}");
        }
        Ok(None)
    }

    pub(super) fn fields(&mut self, lane: Lane) -> Result<Fields, Error> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.name.writer(lane)).arg("s").arg("e").arg(Name::sink(&self.group));
        self.server.ask(&self.name, "looking at a lane of", &command)
    }

    /// The highest epoch that took a lane; 0 where none did.
    pub(super) fn epoch_of(&mut self, lane: Lane) -> Result<u64, Error> {
        let fields = self.fields(lane)?;
        Ok(self.state(lane, &fields)?.map_or(0, |state| state.epoch))
    }

    /// The last commit of a lane; 0 where there is none.
    pub(super) fn commit_of(&mut self, lane: Lane) -> Result<u64, Error> {
        let fields = self.fields(lane)?;
        Ok(self.state(lane, &fields)?.map_or(0, |state| state.commit))
    }

    fn state(&self, lane: Lane, fields: &Fields) -> Result<Option<SinkState>, Error> {
        let Some(text) = &fields.2 else { return Ok(None) };
        SinkState::parse(text).map(Some).ok_or_else(|| self.damaged(lane, text))
    }

    /// Where the group of a lane stands, made where it is not there.
    pub(super) fn group_at(&mut self, lane: Lane) -> Result<Id, Error> {
        let since = Instant::now();
        loop {
            match self.group_at_once(lane, since) {
                Ok(at) => return Ok(self.server.answered(at)),
                Err(error) if matches!(classify(&error), ErrorClass::Full(_)) => {
                    let key = self.name.stream(lane);
                    return Err(Error::GroupFull { key, source: Some(Cause::new(error)) });
                }
                Err(error) => self.wait("making a group of", &error, since)?,
            }
        }
    }

    fn group_at_once(&mut self, lane: Lane, since: Instant) -> Result<Id, RedisError> {
        let connection = self.server.connected(since)?;
        let key = self.name.stream(lane);
        let rows = redis::cmd("XINFO").arg("GROUPS").arg(key).query::<Vec<Value>>(connection);
        let rows = match rows {
            // The stream itself is not there.
            Err(error) if is_gone(&error) => Vec::new(),
            rows => rows?,
        };
        let is_it = |row: &&Value| field::<Vec<u8>>(row, "name").as_deref() == Some(self.group.as_bytes());
        match rows.iter().find(is_it) {
            Some(row) => {
                let at = field::<String>(row, "last-delivered-id").unwrap_or_default();
                Ok(Id::parse(&at).unwrap_or_default())
            }
            None => create_group(connection, &self.name, lane, &self.group, None),
        }
    }
}
