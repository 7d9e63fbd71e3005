//! Which node of a cluster has which slot by now, for all connections of a program to it: asked of any node that answers, one
//! question at a time. Of two that differ the one with the higher configuration epoch is right.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, RedisResult};

use super::slot_map::SlotMap;
use super::url;
use super::view::{Node, Place, View};
use crate::buffer::mutex::lock;
use crate::buffer::node_connection::NodeConnection;
use crate::buffer::server_info::reached;

/// How long one node may take to be reached and to answer.
const EACH_MAX: Duration = Duration::from_secs(1);

/// What was asked so recently is not asked again.
const FRESH: Duration = Duration::from_millis(50);

/// How long a node that gave no answer is asked last.
const AVOIDED: Duration = Duration::from_secs(10);

/// The cluster.
pub struct Topology {
    /// Where its nodes were said to be.
    seeds: Vec<Place>,
    /// How they are logged in to, without a place.
    server: ConnectionInfo,
    /// Where nodes are reached that name themselves otherwise.
    map: Vec<(Place, Place)>,
    /// Held by whoever asks.
    asking: Mutex<()>,
    state: Mutex<SlotMap>,
}

impl Topology {
    /// The cluster of a URL; none where it is a URL of another kind.
    pub fn parse(url: &str) -> Option<Result<Self, String>> {
        url::parse(url)
    }

    pub(super) fn new(seeds: Vec<Place>, server: ConnectionInfo, map: Vec<(Place, Place)>) -> Self {
        Self { seeds, server, map, asking: Mutex::default(), state: Mutex::default() }
    }

    /// The same cluster with small packets sent at once or put off for others.
    #[must_use]
    pub fn with_nodelay(&self, nodelay: bool) -> Self {
        let server = self.server.clone().set_tcp_settings(TcpSettings::default().set_nodelay(nodelay));
        Self::new(self.seeds.clone(), server, self.map.clone())
    }

    /// The first node that it was said to have.
    pub fn at_first(&self) -> ConnectionInfo {
        let first = self.seeds.first().cloned().unwrap_or_else(|| Place::new("127.0.0.1", 1));
        reached(&self.server, first.host, first.port)
    }

    /// How its nodes are logged in to.
    pub fn server(&self) -> &ConnectionInfo {
        &self.server
    }

    /// Asks which node has what, unless that was just done; an error with what each node answered where none said.
    pub fn ask(&self, limit: Duration) -> Result<(), String> {
        let _turn = lock(&self.asking);
        // Whoever waited for the turn has the answer of the one before.
        if let Some(told) = lock(&self.state).told.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return told.1.clone();
        }
        let told = self.ask_nodes(Instant::now() + limit);
        lock(&self.state).told = Some((Instant::now(), told.clone()));
        told
    }

    fn ask_nodes(&self, deadline: Instant) -> Result<(), String> {
        let (mut why, mut strange) = (Vec::new(), None);
        for place in self.candidates() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                why.push("there was no time for others".into());
                return Err(format!("no node of the cluster says which has what: {}", why.join("; ")));
            }
            match self.ask_one(&place, left) {
                Ok(view) if lock(&self.state).is_strange(&view) => {
                    why.push(format!("{place} is a node of another cluster by now"));
                    strange = strange.or(Some(view));
                }
                Ok(view) => {
                    lock(&self.state).take(&place, view);
                    return Ok(());
                }
                Err(error) => {
                    lock(&self.state).is_silent(&place);
                    why.push(format!("{place}: {error}"));
                }
            }
        }
        // All that answer agree on it: the cluster was made anew.
        let view = strange
            .ok_or_else(|| format!("no node of the cluster says which has what: {}", why.join("; ")))?;
        lock(&self.state).begin_with(view);
        Ok(())
    }

    /// Where the master of a slot is reached; none where nobody has it.
    pub fn owner(&self, slot: u16) -> Option<Place> {
        let state = lock(&self.state);
        let moved = state.moved.iter().find(|(of, _)| *of == slot).map(|(_, place)| place);
        moved.or_else(|| Some(&state.master(slot)?.place)).map(|place| self.reached_at(place))
    }

    /// Takes a node's word that another one has a slot.
    pub fn has_moved(&self, slot: u16, to: Place) {
        let mut state = lock(&self.state);
        state.moved.retain(|(of, _)| *of != slot);
        state.moved.push((slot, to));
    }

    /// Where the masters are reached, in the order of their slots.
    pub fn masters(&self) -> Vec<Place> {
        let state = lock(&self.state);
        let mut masters: Vec<&Node> = state.view.masters().collect();
        masters.sort_by_key(|node| node.slots.iter().map(|range| *range.start()).min());
        masters.into_iter().map(|node| self.reached_at(&node.place)).collect()
    }

    /// Where all nodes are reached, masters and replicas, that are not held for failing.
    pub fn nodes(&self) -> Vec<Place> {
        let state = lock(&self.state);
        let mut nodes: Vec<&Node> = state.view.nodes.iter().filter(|node| !node.is_down).collect();
        nodes.sort_by_key(|node| (node.master.is_some(), &node.place));
        nodes.into_iter().map(|node| self.reached_at(&node.place)).collect()
    }

    /// How many replicas of a slot's master are not down.
    pub fn replicas(&self, slot: u16) -> u64 {
        let state = lock(&self.state);
        let Some(master) = state.master(slot) else { return 0 };
        let is_of_it = |node: &&Node| node.master.as_ref() == Some(&master.id) && !node.is_down;
        state.view.nodes.iter().filter(is_of_it).count() as u64
    }

    /// Connects to a node.
    pub fn dial(&self, place: &Place, limit: Duration) -> RedisResult<NodeConnection> {
        let server = reached(&self.server, place.host.clone(), place.port);
        // Another node may have what one that is silent has.
        let dialed = NodeConnection::open(&server, limit.min(EACH_MAX));
        dialed.inspect_err(|_| lock(&self.state).is_silent(place))
    }

    /// Where a node is reached that calls itself so.
    pub fn reached_at(&self, place: &Place) -> Place {
        let found = self.map.iter().find(|(inside, _)| inside == place);
        found.map_or_else(|| place.clone(), |(_, outside)| outside.clone())
    }

    fn ask_one(&self, place: &Place, limit: Duration) -> Result<View, String> {
        let mut connection = self.dial(place, limit).map_err(|error| error.to_string())?;
        connection.set_limit(limit.min(EACH_MAX));
        let answer: String = redis::cmd("CLUSTER").arg("NODES").query(&mut connection).map_err(|error| {
            let remedy =
                if error.code() == Some("NOPERM") { " (the ACL rule is +cluster|nodes)" } else { "" };
            format!("{error}{remedy}")
        })?;
        let by_name = matches!(self.server.addr(), redis::ConnectionAddr::TcpTls { .. });
        let view = View::parse(&answer, place, by_name)?;
        if view.masters().next().is_none() {
            return Err("it knows no node with slots: the cluster is not made yet".into());
        }
        Ok(view)
    }

    /// Whom to ask: nodes that are known first, in turn, and last those that have just given no answer.
    fn candidates(&self) -> Vec<Place> {
        let mut state = lock(&self.state);
        let mut known: Vec<Place> =
            state.view.nodes.iter().map(|node| self.reached_at(&node.place)).collect();
        if !known.is_empty() {
            let turn = state.turn % known.len();
            known.rotate_left(turn);
        }
        state.turn = state.turn.wrapping_add(1);
        known.extend(self.seeds.iter().filter(|seed| !known.contains(seed)).cloned().collect::<Vec<_>>());
        state.silent.retain(|(_, at)| at.elapsed() < AVOIDED);
        known.sort_by_key(|place| state.silent.iter().any(|(silent, _)| silent == place));
        known
    }
}

/// The nodes that the URL names.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds: Vec<String> = self.seeds.iter().map(ToString::to_string).collect();
        f.write_str(&seeds.join(","))
    }
}
