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

/// What a node is asked about a key.
pub(super) struct Part {
    pub place: Place,
    slot: u16,
    pub request: Vec<u8>,
}

/// A read of several streams.
pub(super) struct StreamRead {
    head: Vec<Vec<u8>>,
    streams: Vec<(Vec<u8>, Vec<u8>)>,
    pub wait: Duration,
}

impl Asked {
    /// What each of several nodes is asked.
    pub fn parts(&self) -> &[Part] {
        match self {
            Self::One(..) => &[],
            Self::Count(parts) | Self::Streams(parts, _) => parts,
        }
    }
}

impl ClusterConnection {
    /// What a command comes to that several nodes are asked; none where it is for one node.
    pub(super) fn of_several(&mut self, command: &Command<'_>) -> RedisResult<Option<Asked>> {
        match command.target()? {
            Target::Any | Target::Key(_) => Ok(None),
            Target::Count(keys) => {
                let names = ["EXISTS", "DEL", "UNLINK"];
                let name = names.into_iter().find(|name| command.is(name)).unwrap_or(names[0]);
                let mut part = |key: &&[u8]| self.part(key, redis::cmd(name).arg(key).get_packed_command());
                Ok(Some(Asked::Count(keys.iter().map(&mut part).collect::<RedisResult<_>>()?)))
            }
            Target::Streams { head, streams, block_ms } => {
                let owned = |word: &&[u8]| word.to_vec();
                let read = StreamRead {
                    head: head.iter().map(owned).collect(),
                    streams: streams.iter().map(|(key, from)| (key.to_vec(), from.to_vec())).collect(),
                    wait: Duration::from_millis(block_ms),
                };
                Ok(Some(Asked::Streams(self.parts_of(&read)?, read)))
            }
        }
    }

    fn parts_of(&mut self, read: &StreamRead) -> RedisResult<Vec<Part>> {
        let part = |(index, (key, _)): (usize, &(Vec<u8>, Vec<u8>))| self.part(key, read.of_one(index, None));
        read.streams.iter().enumerate().map(part).collect()
    }

    fn part(&mut self, key: &[u8], request: Vec<u8>) -> RedisResult<Part> {
        let slot = slot::of(key);
        Ok(Part { place: self.owner_as_before(slot)?, slot, request })
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
            let (key, _) = &read.streams[waited_on];
            let part = self.part(key, read.of_one(waited_on, Some(slice.min(left))))?;
            let mut found = joined(self.ask_parts(&[part])?);
            if found == Value::Nil {
                let all = self.parts_of(read)?;
                found = joined(self.ask_parts(&all)?);
            }
            if found != Value::Nil {
                return Ok(found);
            }
        }
    }

    fn ask_parts(&mut self, parts: &[Part]) -> RedisResult<Vec<Value>> {
        for (index, part) in parts.iter().enumerate() {
            let sent = self.node(&part.place).and_then(|node| node.send_packed_command(&part.request));
            self.broken |= sent.is_err() && index > 0;
            sent?;
        }
        self.receive_all(parts)
    }

    /// One answer of each, all of them read whatever they are: the first error, where one is. What a node no longer has while its slot
    /// is being moved, the other one is asked for.
    pub(super) fn receive_all(&mut self, parts: &[Part]) -> RedisResult<Vec<Value>> {
        let mut answers = Vec::new();
        for part in parts {
            let answer = self.receive(&part.place, Some(part.slot));
            self.broken |= answer.is_err() && parts.len() > 1;
            answers.push(answer?);
        }
        for (part, answer) in parts.iter().zip(&mut answers) {
            match redirect(answer, &part.place) {
                Some(Redirect::Moved(slot, to)) => self.topology.has_moved(slot, to),
                // Not while others are to answer: theirs would be taken for its.
                Some(Redirect::Ask(to)) if self.asked.is_empty() => {
                    *answer = self.ask_at(&to, &part.request)?;
                }
                _ => {}
            }
        }
        match answers.iter().position(|answer| matches!(answer, Value::ServerError(_))) {
            Some(refused) => Ok(vec![answers.swap_remove(refused)]),
            None => Ok(answers),
        }
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
