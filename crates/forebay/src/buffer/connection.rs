//! A connection to whatever holds a buffer: one server, or a cluster, where each command goes to the node that has its key.

use std::time::Duration;

use redis::{ConnectionLike, RedisResult, Value};

pub use super::answer::Budget;
use super::cluster::{ClusterConnection, Place};
use super::keys::Name;
use super::node_connection::NodeConnection;
pub use super::node_connection::break_off_on_signals;
use crate::event::lane::Lane;

/// A connection.
pub struct Connection {
    to: To,
    /// Whether another server may take the place of one that it is to.
    fails_over: bool,
}

enum To {
    Server(Box<NodeConnection>),
    Cluster(Box<ClusterConnection>),
}

/// Does the same on either.
macro_rules! on {
    ($connection:expr, $to:ident => $does:expr) => {
        match &mut $connection.to {
            To::Server($to) => $does,
            To::Cluster($to) => $does,
        }
    };
}

impl Connection {
    /// From now on each request and each answer has this long.
    pub fn set_limit(&mut self, limit: Duration) {
        on!(self, to => to.set_limit(limit));
    }

    /// From now on an answer may take so much.
    pub fn set_budget(&mut self, budget: Budget) {
        on!(self, to => to.set_budget(budget));
    }

    /// Sends a request, and reads no answer.
    pub fn send_packed_command(&mut self, request: &[u8]) -> RedisResult<()> {
        on!(self, to => to.send_packed_command(request))
    }

    /// Reads the next answer.
    pub fn recv_response(&mut self) -> RedisResult<Value> {
        on!(self, to => to.recv_response())
    }

    /// Reads the next answer or message; none where none begins to come for so long.
    pub fn receive_within(&mut self, wait: Duration) -> RedisResult<Option<Value>> {
        on!(self, to => to.receive_within(wait))
    }

    /// Whether the next answer is that to the next request: the server is there, and has answered all that it was asked.
    pub fn is_in_step(&self) -> bool {
        match &self.to {
            To::Server(node) => node.is_in_step(),
            To::Cluster(cluster) => cluster.is_in_step(),
        }
    }

    /// The same where another server may take the place of one.
    pub(super) fn that_fails_over(self, fails_over: bool) -> Self {
        Self { fails_over, ..self }
    }

    /// Whether that may be.
    pub(super) fn fails_over(&self) -> bool {
        self.fails_over
    }

    /// Those of a buffer's lanes that lie where this one does: on one server all of them.
    pub(super) fn beside(&self, name: &Name, lane: Lane) -> Vec<Lane> {
        match &self.to {
            To::Server(_) => name.lanes().iter().collect(),
            To::Cluster(cluster) => {
                let of = |lane: &Lane| cluster.has(&name.stream(*lane));
                name.lanes().iter().filter(|other| of(other) == of(&lane)).collect()
            }
        }
    }

    /// The masters of a cluster, and which lanes of a buffer each has; none of one server.
    pub(super) fn nodes(&self, name: &Name) -> Vec<(Place, Vec<Lane>)> {
        let To::Cluster(cluster) = &self.to else { return Vec::new() };
        let of = |lane: &Lane| cluster.has(&name.stream(*lane));
        let lanes =
            |place: &Place| name.lanes().iter().filter(|lane| of(lane).as_ref() == Some(place)).collect();
        cluster.masters().into_iter().map(|place| (place.clone(), lanes(&place))).collect()
    }

    /// From now on commands that name no key go to this node.
    pub(super) fn go_to(&mut self, node: &Place) {
        if let To::Cluster(cluster) = &mut self.to {
            cluster.go_to(node);
        }
    }

    /// How many replicas may take the place of the node that it is for, by what the cluster says; none of one server.
    pub(super) fn replicas(&self) -> u64 {
        match &self.to {
            To::Server(_) => 0,
            To::Cluster(cluster) => cluster.replicas(),
        }
    }
}

impl From<NodeConnection> for Connection {
    fn from(node: NodeConnection) -> Self {
        Self { to: To::Server(Box::new(node)), fails_over: false }
    }
}

impl From<ClusterConnection> for Connection {
    fn from(cluster: ClusterConnection) -> Self {
        Self { to: To::Cluster(Box::new(cluster)), fails_over: false }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command(&mut self, request: &[u8]) -> RedisResult<Value> {
        match &mut self.to {
            To::Server(node) => node.req_packed_command(request),
            To::Cluster(cluster) => cluster.ask(request),
        }
    }

    /// Passes over `offset` answers; an error among these (to MULTI, or to what was queued after it) is the outcome.
    fn req_packed_commands(
        &mut self,
        requests: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        match &mut self.to {
            To::Server(node) => node.req_packed_commands(requests, offset, count),
            To::Cluster(cluster) => cluster.ask_all(requests, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.to {
            To::Server(node) => node.get_db(),
            To::Cluster(_) => 0,
        }
    }

    fn check_connection(&mut self) -> bool {
        redis::cmd("PING").query::<Value>(self).is_ok()
    }

    fn is_open(&self) -> bool {
        match &self.to {
            To::Server(node) => node.is_open(),
            To::Cluster(cluster) => cluster.is_open(),
        }
    }
}
