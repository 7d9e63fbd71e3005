//! Questions to a server that change nothing, and what it refuses to answer this user.

use super::connection::Connection;
use redis::{Cmd, FromRedisValue, RedisError, Value};

use super::answer::Budget;
use super::entry::{Entry, Id, list};
use super::keys::Name;
use crate::block::damage::Damage;
use crate::event::lane::Lane;

/// A block's place, and what it is or why it cannot be read.
pub(super) type Block = (Id, Result<Entry, Damage>);

/// The server does not let this user ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// A block where there is one; or nobody knows.
pub(super) type Sought = Result<Option<Block>, Refused>;

/// A connection that questions go over.
pub(super) struct Asker<'a> {
    pub connection: &'a mut Connection,
    pub name: &'a Name,
    /// Commands that the server does not let this user use, each once.
    pub refused: Vec<String>,
}

impl<'a> Asker<'a> {
    pub fn new(connection: &'a mut Connection, name: &'a Name) -> Self {
        Self { connection, name, refused: Vec::new() }
    }

    /// The answer; none where the server refuses this user the command, which is noted.
    pub fn permitted<T: FromRedisValue>(
        &mut self,
        called: &str,
        command: &Cmd,
    ) -> Result<Option<T>, RedisError> {
        match command.query(self.connection) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.code() == Some("NOPERM") => {
                self.refuse(called);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that a command is refused.
    pub fn refuse(&mut self, called: &str) {
        if !self.refused.iter().any(|known| known == called) {
            self.refused.push(called.into());
        }
    }

    /// The first block from an id on, or the last block: its place, and what it is, where it can be read.
    pub fn block(&mut self, lane: Lane, command: &str, from: &str, to: &str) -> Result<Sought, RedisError> {
        let key = self.name.stream(lane);
        let mut range = redis::cmd(command);
        range.arg(key).arg(from).arg(to).arg("COUNT").arg(1);
        self.connection.set_budget(Budget::BLOCKS);
        let answer = self.permitted::<Value>(command, &range);
        self.connection.set_budget(Budget::QUESTION);
        let Some(answer) = answer? else { return Ok(Err(Refused)) };
        let found = list(answer).and_then(|mut entries| entries.pop());
        let Some((id, Some(fields))) = found else { return Ok(Ok(None)) };
        Ok(Ok(Some((id, Entry::read(id, fields)))))
    }
}
