//! Questions to several nodes at once: reads of several streams, and counts of several keys.

use std::time::{Duration, Instant};

use redis::{Cmd, RedisResult, Value};

use super::ask::{Redirect, redirect};
use super::connection::{Asked, ClusterConnection};
use super::request::{Command, Target};
use super::slot;
use super::view::Place;

/// For how long one stream of several is waited on before all are asked again: so long for each of them, within bounds.
const SLICE: Duration = Duration::from_millis(10);
const SLICE_BOUNDS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));

/// What a node is asked.
type Part = (Place, Vec<u8>);

/// A read of several streams.
pub(super) struct StreamRead {
    questions: Vec<Vec<u8>>,
    head: Vec<Vec<u8>>,
    streams: Vec<(Vec<u8>, Vec<u8>)>,
    pub wait: Duration,
}

impl ClusterConnection {
    /// What a command comes to that several nodes are asked, and what each is asked; none where it is for one node.
    pub(super) fn of_several(&self, command: &Command<'_>) -> RedisResult<Option<(Asked, Vec<Part>)>> {
        let at = |key: &[u8]| -> RedisResult<(Place, u16)> {
            let slot = slot::of(key);
            Ok((self.owner(slot)?, slot))
        };
        match command.target()? {
            Target::Any | Target::Key(_) => Ok(None),
            Target::Count(keys) => {
                let places = keys.iter().map(|key| at(key)).collect::<RedisResult<Vec<_>>>()?;
                let name = if command.is("EXISTS") {
                    "EXISTS"
                } else if command.is("DEL") {
                    "DEL"
                } else {
                    "UNLINK"
                };
                let parts = places
                    .iter()
                    .zip(keys)
                    .map(|((place, _), key)| (place.clone(), redis::cmd(name).arg(key).get_packed_command()));
                Ok(Some((Asked::Count(places.clone()), parts.collect())))
            }
            Target::Streams { head, streams, block_ms } => {
                let places = streams.iter().map(|(key, _)| at(key)).collect::<RedisResult<Vec<_>>>()?;
                let owned = |word: &&[u8]| word.to_vec();
                let mut read = StreamRead {
                    questions: Vec::new(),
                    head: head.iter().map(owned).collect(),
                    streams: streams.iter().map(|(key, from)| (key.to_vec(), from.to_vec())).collect(),
                    wait: Duration::from_millis(block_ms),
                };
                read.questions = (0..streams.len()).map(|index| read.of_one(index, None)).collect();
                let parts = places.iter().zip(&read.questions);
                let parts = parts.map(|((place, _), question)| (place.clone(), question.clone())).collect();
                Ok(Some((Asked::Streams(places.clone(), read), parts)))
            }
        }
    }

    /// Waits on one stream after the other, and asks all of them in between, until one has something or the time is over.
    pub(super) fn wait_for_one(&mut self, read: &StreamRead) -> RedisResult<Value> {
        let deadline = Instant::now() + read.wait;
        let count = read.streams.len();
        let slice = (SLICE * count as u32).clamp(SLICE_BOUNDS.0, SLICE_BOUNDS.1);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.as_millis() == 0 {
                return Ok(Value::Nil);
            }
            let waited_on = self.turn % count;
            self.turn = self.turn.wrapping_add(1);
            let question = read.of_one(waited_on, Some(slice.min(left)));
            let part = self.put(&read.streams[waited_on].0, &question)?;
            let mut found = joined(self.receive_all(&[part])?);
            if found == Value::Nil {
                let all = read.questions.iter().zip(&read.streams);
                let parts = all.map(|(question, (key, _))| self.put(key, question));
                let parts = parts.collect::<RedisResult<Vec<_>>>()?;
                found = joined(self.receive_all(&parts)?);
            }
            if found != Value::Nil {
                return Ok(found);
            }
        }
    }

    /// Sends a question about a key.
    fn put(&mut self, key: &[u8], question: &[u8]) -> RedisResult<(Place, u16)> {
        let slot = slot::of(key);
        let place = self.owner(slot)?;
        self.node(&place)?.send_packed_command(question)?;
        Ok((place, slot))
    }

    /// One answer of each, all of them read whatever they are: the first error, where one is.
    pub(super) fn receive_all(&mut self, parts: &[(Place, u16)]) -> RedisResult<Vec<Value>> {
        let (mut answers, mut refused) = (Vec::new(), None);
        for (place, slot) in parts {
            match self.receive(place, Some(*slot))? {
                Value::ServerError(error) => {
                    if let Some(Redirect::Moved(slot, to)) =
                        redirect(&Value::ServerError(error.clone()), place)
                    {
                        self.topology.has_moved(slot, to);
                    }
                    refused = refused.or(Some(error));
                }
                answer => answers.push(answer),
            }
        }
        refused.map_or(Ok(answers), |error| Ok(vec![Value::ServerError(error)]))
    }
}

impl StreamRead {
    /// The question about one of the streams; waiting for so long, where it may.
    fn of_one(&self, index: usize, wait: Option<Duration>) -> Vec<u8> {
        let (key, from) = &self.streams[index];
        let mut command = Cmd::new();
        self.head.iter().for_each(|word| {
            command.arg(word);
        });
        if let Some(wait) = wait {
            command.arg("BLOCK").arg((wait.as_millis() as u64).max(1));
        }
        command.arg("STREAMS").arg(key).arg(from).get_packed_command()
    }
}

/// What several streams have: nothing where none has anything, or the first error.
pub(super) fn joined(answers: Vec<Value>) -> Value {
    let mut found = Vec::new();
    for answer in answers {
        match answer {
            Value::Array(streams) => found.extend(streams),
            Value::Nil => {}
            other => return other,
        }
    }
    if found.is_empty() { Value::Nil } else { Value::Array(found) }
}
