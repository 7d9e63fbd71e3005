//! A connection to a cluster: each command goes to the node that has its key, and answers come in the order of the questions.
//!
//! Who asks and waits (a command, a script, a pipeline) is led to another node where a slot has moved. What is sent ahead of its
//! answers is not: its sender has to begin again from the first that was not carried out, or its order would be another. It is told
//! (MOVED, ASK), and what was learnt of the slot holds for its next connection.

use std::collections::VecDeque;
use std::io::{Error as IoError, ErrorKind as IoKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, RedisResult, Value};

use super::request::{Command, Target, commands};
use super::slot;
use super::topology::Topology;
use super::view::Place;
use crate::buffer::answer::Budget;
use crate::buffer::node_connection::NodeConnection;

/// After how long without an answer other nodes are asked whether its slot has moved, and how often from then on.
const SILENCE: Duration = Duration::from_millis(500);

/// How often a question is led to another node.
const REDIRECTS_MAX: usize = 5;

/// For how long one stream of several is waited on before all are asked again: so long for each of them, within bounds.
const SLICE: Duration = Duration::from_millis(10);
const SLICE_BOUNDS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));

/// A connection to each node that it needs.
pub struct ClusterConnection {
    topology: Arc<Topology>,
    nodes: Vec<(Place, NodeConnection)>,
    /// Where commands without a key go; without one, where the last command went.
    home: Option<u16>,
    last: Option<Place>,
    /// Questions without an answer, in their order.
    asked: VecDeque<Asked>,
    limit: Duration,
    budget: Budget,
    /// Which of several streams is waited on next.
    turn: usize,
}

/// A question whose answer is to come.
enum Asked {
    /// One node's, of that slot, where it has one.
    One(Place, Option<u16>),
    /// Of several, added up.
    Count(Vec<(Place, u16)>),
    /// Of several, all together, and how long to wait for one.
    Streams(Vec<(Place, u16)>, StreamRead),
}

/// A read of several streams.
struct StreamRead {
    questions: Vec<Vec<u8>>,
    head: Vec<Vec<u8>>,
    streams: Vec<(Vec<u8>, Vec<u8>)>,
    wait: Duration,
}

/// Where a node says that a slot is to be asked for.
enum Redirect {
    Moved(u16, Place),
    Ask(Place),
}

impl ClusterConnection {
    /// Connects to the node that has a key, or where none is given, to any master.
    pub fn open(topology: &Arc<Topology>, key: Option<&str>, limit: Duration) -> Result<Self, String> {
        topology.ask(limit)?;
        let home = key.map(|key| slot::of(key.as_bytes()));
        let mut connection = Self {
            topology: Arc::clone(topology),
            nodes: Vec::new(),
            home,
            last: None,
            asked: VecDeque::new(),
            limit,
            budget: Budget::QUESTION,
            turn: 0,
        };
        let mut why = Vec::new();
        let places = match home {
            Some(slot) => vec![connection.owner(slot).map_err(|error| error.to_string())?],
            None => topology.masters(),
        };
        for place in places {
            match connection.node(&place) {
                Ok(_) => {
                    connection.last = Some(place);
                    return Ok(connection);
                }
                Err(error) => why.push(format!("{place}: {error}")),
            }
        }
        Err(why.join("; "))
    }

    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
        self.nodes.iter_mut().for_each(|(_, node)| node.set_limit(limit));
    }

    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
        self.nodes.iter_mut().for_each(|(_, node)| node.set_budget(budget));
    }

    pub fn is_in_step(&self) -> bool {
        self.asked.is_empty() && self.nodes.iter().all(|(_, node)| node.is_in_step())
    }

    /// How many replicas may take the home's place.
    pub fn replicas(&self) -> u64 {
        self.home.map_or(0, |slot| self.topology.replicas(slot))
    }

    /// Which node has a key; none where nobody has it.
    pub fn has(&self, key: &str) -> Option<Place> {
        self.topology.owner(slot::of(key.as_bytes()))
    }

    /// The masters.
    pub fn masters(&self) -> Vec<Place> {
        self.topology.masters()
    }

    /// From now on commands without a key go to this node.
    pub fn go_to(&mut self, node: &Place) {
        (self.home, self.last) = (None, Some(node.clone()));
    }

    /// Sends a request, and reads no answer.
    pub fn send_packed_command(&mut self, request: &[u8]) -> RedisResult<()> {
        let mut commands = &commands(request)?[..];
        let mut wires: Vec<(Place, Vec<u8>)> = Vec::new();
        let mut add = |place: &Place, bytes: &[u8]| match wires.iter_mut().find(|(to, _)| to == place) {
            Some((_, wire)) => wire.extend_from_slice(bytes),
            None => wires.push((place.clone(), bytes.to_vec())),
        };
        let mut asked = Vec::new();
        while let Some((first, rest)) = commands.split_first() {
            // All of a transaction goes where the first of its keys is.
            let end =
                if first.is("MULTI") { rest.iter().position(|command| command.is("EXEC")) } else { None };
            let (together, rest) = commands.split_at(end.map_or(1, |end| end + 2).min(commands.len()));
            commands = rest;
            if let [command] = together
                && let Some((question, parts)) = self.of_several(command)?
            {
                parts.iter().for_each(|(place, bytes)| add(place, bytes));
                asked.push(question);
                continue;
            }
            let (place, slot) = self.place_of(together)?;
            for command in together {
                add(&place, command.bytes);
                asked.push(Asked::One(place.clone(), slot));
            }
            self.last = Some(place);
        }
        for (place, wire) in wires {
            self.node(&place)?.send_packed_command(&wire)?;
        }
        self.asked.extend(asked);
        Ok(())
    }

    /// Reads the next answer.
    pub fn recv_response(&mut self) -> RedisResult<Value> {
        let asked = self.asked.pop_front().ok_or_else(|| gone("no question is open"))?;
        match asked {
            Asked::One(place, slot) => {
                let answer = self.receive(&place, slot)?;
                if let Some(Redirect::Moved(slot, to)) = redirect(&answer, &place) {
                    self.topology.has_moved(slot, to);
                }
                Ok(answer)
            }
            Asked::Count(parts) => {
                let mut sum = 0;
                for answer in self.receive_all(&parts)? {
                    match answer {
                        Value::Int(count) => sum += count,
                        other => return Ok(other),
                    }
                }
                Ok(Value::Int(sum))
            }
            Asked::Streams(parts, read) => {
                let found = joined(self.receive_all(&parts)?);
                if found != Value::Nil || read.wait.is_zero() { Ok(found) } else { self.wait_for_one(&read) }
            }
        }
    }

    /// Reads the next answer or message; none where none begins to come for so long.
    pub fn receive_within(&mut self, wait: Duration) -> RedisResult<Option<Value>> {
        let place = match self.asked.front() {
            Some(Asked::One(place, _)) => place.clone(),
            Some(_) => return Err(gone("an answer of several nodes is open")),
            None => self.last.clone().ok_or_else(|| gone("no node was asked"))?,
        };
        let found = self.connected(&place)?.receive_within(wait)?;
        if found.is_some() {
            self.asked.pop_front();
        }
        Ok(found)
    }

    /// Asks a command and waits for its answer, wherever that is by now.
    pub fn ask(&mut self, request: &[u8]) -> RedisResult<Value> {
        self.send_packed_command(request)?;
        let answer = self.recv_response()?;
        self.led(request, answer)
    }

    /// Asks a pipeline of commands; see [`redis::ConnectionLike::req_packed_commands`].
    pub fn ask_all(&mut self, requests: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        self.send_packed_command(requests)?;
        let answers = (0..offset + count).map(|_| self.recv_response()).collect::<RedisResult<Vec<_>>>()?;
        if offset > 0 {
            // A transaction is carried out whole, or not at all.
            let refused = answers.iter().take(offset).find(|answer| matches!(answer, Value::ServerError(_)));
            return match refused {
                Some(Value::ServerError(error)) => Err(error.clone().into()),
                _ => Ok(answers.into_iter().skip(offset).collect()),
            };
        }
        let commands = commands(requests)?;
        commands.iter().zip(answers).map(|(command, answer)| self.led(command.bytes, answer)).collect()
    }

    /// The answer of the node to which a command is led, where it was.
    fn led(&mut self, request: &[u8], mut answer: Value) -> RedisResult<Value> {
        for _ in 0..REDIRECTS_MAX {
            let Some(from) = self.last.clone() else { break };
            answer = match redirect(&answer, &from) {
                None => return Ok(answer),
                Some(Redirect::Moved(..)) => {
                    self.send_packed_command(request)?;
                    self.recv_response()?
                }
                Some(Redirect::Ask(place)) => {
                    let place = self.topology.reached_at(&place);
                    let asking = redis::cmd("ASKING").get_packed_command();
                    self.node(&place)?.send_packed_command(&[&asking, request].concat())?;
                    self.receive(&place, None)?;
                    self.receive(&place, None)?
                }
            };
        }
        Ok(answer)
    }

    /// Where commands go that belong together: to the first key that one of them has, or where one without a key goes.
    fn place_of(&self, commands: &[Command<'_>]) -> RedisResult<(Place, Option<u16>)> {
        for command in commands {
            if let Target::Key(key) = command.target()? {
                let slot = slot::of(key);
                return Ok((self.owner(slot)?, Some(slot)));
            }
        }
        // A script is loaded where it was found missing.
        let is_where_last = |command: &Command<'_>| command.is("SCRIPT") && self.last.is_some();
        match (self.home, &self.last) {
            (Some(slot), _) if !commands.iter().any(is_where_last) => Ok((self.owner(slot)?, Some(slot))),
            (_, Some(place)) => Ok((place.clone(), None)),
            _ => Err(gone("no node is connected")),
        }
    }

    /// What a command comes to that several nodes are asked, and what each is asked; none where it is for one node.
    fn of_several(&self, command: &Command<'_>) -> RedisResult<Option<(Asked, Vec<(Place, Vec<u8>)>)>> {
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
    fn wait_for_one(&mut self, read: &StreamRead) -> RedisResult<Value> {
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
    fn receive_all(&mut self, parts: &[(Place, u16)]) -> RedisResult<Vec<Value>> {
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

    /// The next answer of a node. While none comes, others are asked whether the slot has moved away from it.
    fn receive(&mut self, place: &Place, slot: Option<u16>) -> RedisResult<Value> {
        let (topology, limit) = (Arc::clone(&self.topology), self.limit);
        let has_moved = || {
            let slot = slot?;
            topology.ask(limit).ok()?;
            let owner = topology.owner(slot).filter(|owner| owner != place)?;
            Some(format!("{place} gives no answer, and slot {slot} is at {owner} by now"))
        };
        self.connected(place)?.recv_unless(SILENCE, has_moved)
    }

    fn owner(&self, slot: u16) -> RedisResult<Place> {
        self.topology.owner(slot).ok_or_else(|| gone(&format!("no node of the cluster has slot {slot}")))
    }

    /// The connection to a node, if need be a new one.
    fn node(&mut self, place: &Place) -> RedisResult<&mut NodeConnection> {
        if !self.nodes.iter().any(|(known, _)| known == place) {
            let mut node = self.topology.dial(place, self.limit)?;
            node.set_limit(self.limit);
            node.set_budget(self.budget);
            self.nodes.push((place.clone(), node));
        }
        self.connected(place)
    }

    fn connected(&mut self, place: &Place) -> RedisResult<&mut NodeConnection> {
        let found = self.nodes.iter_mut().find(|(known, _)| known == place);
        found.map(|(_, node)| node).ok_or_else(|| gone(&format!("{place} is not connected")))
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
fn joined(answers: Vec<Value>) -> Value {
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

/// Where an answer of this node leads.
fn redirect(answer: &Value, from: &Place) -> Option<Redirect> {
    let Value::ServerError(error) = answer else { return None };
    let is_moved = error.code() == "MOVED";
    if !is_moved && error.code() != "ASK" {
        return None;
    }
    let (slot, place) = error.details()?.split_once(' ')?;
    // Without a host it is the one that was asked.
    let place = match place.strip_prefix(':') {
        Some(port) => Place::new(from.host.clone(), port.parse().ok()?),
        None => Place::parse(place)?,
    };
    let slot = slot.parse().ok()?;
    Some(if is_moved { Redirect::Moved(slot, place) } else { Redirect::Ask(place) })
}

fn gone(why: &str) -> RedisError {
    IoError::new(IoKind::NotConnected, why).into()
}
