//! How a reader tells that blocks are missing, and when it cannot tell.

use redis::{RedisError, Value};

use super::entry::{Entry, Id};
use super::found::Found;
use super::reader::{Place, Reader};
use crate::event::lane::Lane;

impl Reader {
    /// Blocks that should stand between the last one read and this one. Where other consumers of the group
    /// may have been given them, and they may be trimmed since, nothing can be told and nothing is said.
    pub(super) fn missing(&mut self, at: usize, entry: &Entry) -> Result<Option<Found>, RedisError> {
        let Place { lane, last: Some((last_id, number, total)), damaged, .. } = self.places[at] else {
            return Ok(None);
        };
        // Of a damaged entry, how many events it held is as unknown as its number.
        let due = (number.saturating_add(1 + damaged), total);
        if entry.number == due.0 && (entry.before() == total || damaged > 0) {
            return Ok(None);
        }
        if entry.number < due.0 || (damaged == 0 && entry.number == due.0) || entry.before() < total {
            let says = (entry.number, entry.before());
            return Ok(Some(Found::OutOfPlace { lane, id: entry.id, says, due }));
        }
        if self.options.group.is_some() && self.given_to_others(lane, last_id, entry.id)? {
            return Ok(None);
        }
        let (numbers, events) = ((number.saturating_add(1), entry.number - 1), entry.before() - total);
        Ok(Some(Found::Missing { lane, numbers, events, before: entry.id }))
    }

    /// Whether blocks between two ids may have gone to other consumers.
    fn given_to_others(&mut self, lane: Lane, after: Id, before: Id) -> Result<bool, RedisError> {
        let key = self.name.stream(lane);
        let group = self.options.group.as_ref().map(|(group, _)| group.clone()).unwrap_or_default();
        let control = self.control()?;
        let consumers: Vec<Value> =
            redis::cmd("XINFO").arg("CONSUMERS").arg(&key).arg(group).query(control)?;
        if consumers.len() <= 1 {
            return Ok(false);
        }
        let range = |from: String, to: String| {
            let mut command = redis::cmd("XRANGE");
            command.arg(&key).arg(from).arg(to).arg("COUNT").arg(1);
            command
        };
        let between: Vec<Value> = range(format!("({after}"), format!("({before}")).query(control)?;
        let older: Vec<Value> = range("-".into(), after.to_string()).query(control)?;
        Ok(!between.is_empty() || older.is_empty())
    }
}
