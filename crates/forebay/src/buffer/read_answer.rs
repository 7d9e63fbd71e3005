//! A server's answer taken apart: blocks, and what is wrong with them.

use redis::{RedisError, Value};

use super::consumer_group::field;
use super::entry::{Entry, Id, list};
use super::error_class::is_gone;
use super::read_item::ReadItem;
use super::reader::{COUNT, Phase, Reader};

impl Reader {
    /// Takes an answer apart: `[[stream, entries], …]` or nil. What the caller is to have of it, and whether it
    /// was empty.
    pub(super) fn take(&mut self, answer: Value, asked: Phase) -> Result<(Vec<ReadItem>, bool), RedisError> {
        let streams = match answer {
            Value::Nil => return Ok((Vec::new(), true)),
            Value::Array(streams) => streams,
            Value::ServerError(error) => return Err(error.into()),
            other => return Err(unexpected(&other)),
        };
        let (mut found, mut bytes, mut is_end) = (Vec::new(), 0, true);
        for stream in streams {
            let Value::Array(pair) = stream else { return Err(unexpected(&stream)) };
            let [Value::BulkString(key), entries]: [Value; 2] =
                pair.try_into().map_err(|_| unexpected(&Value::Nil))?
            else {
                return Err(unexpected(&Value::Nil));
            };
            let at = self.places.iter().position(|place| self.name.stream(place.lane).as_bytes() == key);
            let at = at.ok_or_else(|| unexpected(&Value::BulkString(key)))?;
            for (id, fields) in list(entries).ok_or_else(|| unexpected(&Value::Nil))? {
                is_end = false;
                bytes += fields.as_ref().map_or(0, |fields| frame_bytes(fields));
                let place = &mut self.places[at];
                place.seen = place.seen.max(id);
                if asked == Phase::Own {
                    place.own = place.own.max(id);
                }
                // What came before the first new block may have holes: the rest was acknowledged.
                let in_order = asked == Phase::New || place.last.is_some_and(|(last, ..)| id > last);
                self.sort(at, id, fields, in_order, &mut found)?;
            }
        }
        if bytes > 0 {
            let mean = bytes / found.len().max(1);
            self.count = (self.answer_bytes / mean.max(1) / self.places.len().max(1)).clamp(COUNT.0, COUNT.1);
        }
        Ok((found, is_end))
    }

    /// Makes of an entry what the caller is to have, unless it has it already.
    pub(super) fn sort(
        &mut self,
        at: usize,
        id: Id,
        fields: Option<Vec<Value>>,
        in_order: bool,
        found: &mut Vec<ReadItem>,
    ) -> Result<(), RedisError> {
        let lane = self.places[at].lane;
        if self.held.has(lane, id) {
            return Ok(());
        }
        let Some(fields) = fields else {
            found.push(ReadItem::Gone { lane, id });
            return Ok(());
        };
        match Entry::read(id, fields) {
            Ok(entry) if self.came_again(at, &entry) => {}
            Ok(entry) => {
                let order = if in_order { self.places[at].order(&entry) } else { None };
                found.extend(self.missing(at, &entry, in_order, order)?);
                if in_order {
                    self.places[at].read(&entry, order);
                }
                if let Some(recent) = &mut self.places[at].recent {
                    recent.add(&entry);
                }
                found.push(ReadItem::Block(lane, entry));
            }
            Err(why) => {
                self.places[at].damaged += u64::from(in_order);
                found.push(ReadItem::Damaged { lane, id, why });
            }
        }
        Ok(())
    }

    /// Without a group: lanes whose newest block is older than what was read of them. The server came back with less, and
    /// where its clock went back too, what is new would never come up: they are read from the start again.
    pub(super) fn went_back(&mut self) -> Result<Vec<ReadItem>, RedisError> {
        let mut found = Vec::new();
        for at in 0..self.places.len() {
            let (lane, read) = (self.places[at].lane, self.places[at].seen);
            let key = self.name.stream(lane);
            let answer = redis::cmd("XINFO").arg("STREAM").arg(&key).query::<Value>(self.control()?);
            let newest = match answer {
                Ok(row) => field::<String>(&row, "last-generated-id").and_then(|id| Id::parse(&id)),
                Err(error) if is_gone(&error) => Some(Id::default()),
                Err(error) => return Err(error),
            };
            if let Some(newest) = newest.filter(|newest| *newest < read) {
                self.places[at].begin_again();
                found.push(ReadItem::WentBack { lane, read, newest });
            }
        }
        Ok(found)
    }
}

/// Bytes of the largest field, which is the frame.
fn frame_bytes(fields: &[Value]) -> usize {
    let bytes = |field: &Value| if let Value::BulkString(bytes) = field { bytes.len() } else { 0 };
    fields.iter().map(bytes).max().unwrap_or(0)
}

fn unexpected(value: &Value) -> RedisError {
    // What it says is somebody else's, and may be long.
    let what = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) => "a list of another shape",
        _ => "something else",
    };
    strange(what.into())
}

/// The error of an answer that no stream gives.
pub(super) fn strange(what: String) -> RedisError {
    RedisError::from((redis::ErrorKind::UnexpectedReturnType, "not what a stream answers", what))
}
