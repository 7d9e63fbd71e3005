//! A connection to a cluster: each command goes to the node that has its key, and answers come in the order of the questions.
//!
//! Who asks and waits (a command, a script, a pipeline) is led to another node where a slot has moved (`ask.rs`). What is sent ahead
//! of its answers is not: its sender has to begin again from the first that was not carried out, or its order would be another. It is told
//! (MOVED, ASK), and what was learnt of the slot holds for its next connection. So is whoever sends ahead when somebody else has
//! learnt it: offsets, ids and what was acknowledged are a master's own, and nothing must go on at another one as if it were the same.

use std::collections::VecDeque;
use std::io::{Error as IoError, ErrorKind as IoKind};
use std::sync::Arc;
use std::time::Duration;

use redis::{RedisError, RedisResult, Value};

use super::ask::{Redirect, redirect};
use super::request::{Command, Target, commands};
use super::several::{Part, StreamRead, joined};
use super::slot;
use super::topology::{Topology, words};
use super::view::Place;
use crate::buffer::answer::Budget;
use crate::buffer::node_connection::NodeConnection;

/// After how long without an answer other nodes are asked whether its slot has moved, and how often from then on.
const SILENCE: Duration = Duration::from_millis(500);

/// A connection to each node that it needs.
pub struct ClusterConnection {
    pub(super) topology: Arc<Topology>,
    nodes: Vec<(Place, NodeConnection)>,
    /// Where commands without a key go; without one, where the last command went.
    home: Option<u16>,
    pub(super) last: Option<Place>,
    /// Questions without an answer, in their order.
    pub(super) asked: VecDeque<Asked>,
    /// Where slots were that something was sent ahead about.
    known: Vec<(u16, Place)>,
    /// Whether what is sent now is waited for, and may go elsewhere than what was sent before.
    is_waited_for: bool,
    /// Answers may be left that nobody waits for: they would be taken for those to other questions.
    pub(super) broken: bool,
    limit: Duration,
    budget: Budget,
    /// Which of several streams is waited on next.
    pub(super) turn: usize,
}

/// A question whose answer is to come.
pub(super) enum Asked {
    /// One node's, of that slot, where it has one.
    One(Place, Option<u16>),
    /// Of several, added up.
    Count(Vec<Part>),
    /// Of several, all together, and how long to wait for one.
    Streams(Vec<Part>, StreamRead),
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
            known: Vec::new(),
            is_waited_for: false,
            broken: false,
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
                Err(error) => why.push(format!("{place}: {}", words(&error))),
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
        self.is_open() && self.asked.is_empty() && self.nodes.iter().all(|(_, node)| node.is_in_step())
    }

    /// Whether it can be asked anything more.
    pub fn is_open(&self) -> bool {
        !self.broken
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

    /// Sends a request ahead of its answer.
    pub fn send_packed_command(&mut self, request: &[u8]) -> RedisResult<()> {
        self.is_waited_for = false;
        self.send(request)
    }

    /// Sends a request whose answer is waited for before anything else is sent.
    pub(super) fn send_to_wait(&mut self, request: &[u8]) -> RedisResult<()> {
        self.is_waited_for = true;
        self.send(request)
    }

    fn send(&mut self, request: &[u8]) -> RedisResult<()> {
        self.usable()?;
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
                && let Some(question) = self.of_several(command)?
            {
                question.parts().iter().for_each(|part| add(&part.place, &part.request));
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
        for (index, (place, wire)) in wires.into_iter().enumerate() {
            let sent = self.node(&place).and_then(|node| node.send_packed_command(&wire));
            // Those before it will answer.
            self.broken |= sent.is_err() && index > 0;
            sent?;
        }
        self.asked.extend(asked);
        Ok(())
    }

    /// Reads the next answer.
    pub fn recv_response(&mut self) -> RedisResult<Value> {
        self.usable()?;
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

    /// Where commands go that belong together: to the first key that one of them has, or where one without a key goes.
    fn place_of(&mut self, commands: &[Command<'_>]) -> RedisResult<(Place, Option<u16>)> {
        for command in commands {
            if let Target::Key(key) = command.target()? {
                let slot = slot::of(key);
                return Ok((self.owner_as_before(slot)?, Some(slot)));
            }
        }
        // A script is loaded where it was found missing.
        let is_where_last = |command: &Command<'_>| command.is("SCRIPT") && self.last.is_some();
        match (self.home, &self.last) {
            (Some(slot), _) if !commands.iter().any(is_where_last) => {
                Ok((self.owner_as_before(slot)?, Some(slot)))
            }
            (_, Some(place)) => Ok((place.clone(), None)),
            _ => Err(gone("no node is connected")),
        }
    }

    /// The next answer of a node. While none comes, others are asked whether the slot has moved away from it.
    pub(super) fn receive(&mut self, place: &Place, slot: Option<u16>) -> RedisResult<Value> {
        let (topology, limit) = (Arc::clone(&self.topology), self.limit);
        let has_moved = || {
            let slot = slot?;
            topology.ask(limit).ok()?;
            let owner = topology.owner(slot).filter(|owner| owner != place)?;
            Some(format!("{place} gives no answer, and slot {slot} is at {owner} by now"))
        };
        self.connected(place)?.recv_unless(SILENCE, has_moved)
    }

    fn usable(&self) -> RedisResult<()> {
        if self.broken { Err(gone("the connection was given up")) } else { Ok(()) }
    }

    /// Who has a slot. An error where that is another node than the one that something was sent ahead to.
    pub(super) fn owner_as_before(&mut self, slot: u16) -> RedisResult<Place> {
        let owner = self.owner(slot)?;
        let known = self.known.iter().find(|(of, _)| *of == slot).map(|(_, place)| place);
        if self.is_waited_for && (self.home != Some(slot) || known.is_none()) {
            return Ok(owner);
        }
        match known {
            Some(known) if *known != owner => {
                self.broken = true;
                Err(gone(&format!("slot {slot} was at {known}, and is at {owner} by now")))
            }
            Some(_) => Ok(owner),
            None => {
                self.known.push((slot, owner.clone()));
                Ok(owner)
            }
        }
    }

    pub(super) fn owner(&self, slot: u16) -> RedisResult<Place> {
        self.topology.owner(slot).ok_or_else(|| gone(&format!("no node of the cluster has slot {slot}")))
    }

    /// The connection to a node, if need be a new one.
    pub(super) fn node(&mut self, place: &Place) -> RedisResult<&mut NodeConnection> {
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

/// An error as of a connection that is lost.
pub(super) fn gone(why: &str) -> RedisError {
    IoError::new(IoKind::NotConnected, why).into()
}
