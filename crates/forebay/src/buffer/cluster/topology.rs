//! Which node of a cluster has which slot by now, for all connections of a program to it: asked of any node that answers, one
//! question at a time. Of two that differ the one with the higher configuration epoch is right.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, RedisError, RedisResult};

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
                    // An address that a node had may be anybody's by now. Where the cluster is was said by whoever gave the URL.
                    strange = strange.or(self.seeds.contains(&place).then_some(view));
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
        let to = self.named(to);
        let mut state = lock(&self.state);
        state.moved.retain(|(of, _)| *of != slot);
        state.moved.push((slot, to));
    }

    /// A node by the name that it is known by here, where another node has named it by its address.
    pub fn named(&self, place: Place) -> Place {
        let state = lock(&self.state);
        let known = state.view.nodes.iter().find(|node| node.address == place);
        known.map_or(place, |node| node.place.clone())
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

    /// How many replicas of a slot's master may be promoted: all that the cluster has not agreed to be failing.
    pub fn replicas(&self, slot: u16) -> u64 {
        let state = lock(&self.state);
        let Some(master) = state.master(slot) else { return 0 };
        let is_of_it = |node: &&Node| node.master.as_ref() == Some(&master.id) && !node.has_failed;
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
        let mut connection = self.dial(place, limit).map_err(|error| words(&error))?;
        connection.set_limit(limit.min(EACH_MAX));
        let answer: String = redis::cmd("CLUSTER").arg("NODES").query(&mut connection).map_err(|error| {
            let remedy =
                if error.code() == Some("NOPERM") { " (the ACL rule is +cluster|nodes)" } else { "" };
            format!("{}{remedy}", words(&error))
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

/// What a node that was asked has to do with an error.
pub(super) fn words(error: &RedisError) -> String {
    if error.is_timeout() { "it took the connection and gives no answer".into() } else { error.to_string() }
}

/// The nodes that the URL names.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds: Vec<String> = self.seeds.iter().map(ToString::to_string).collect();
        f.write_str(&seeds.join(","))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;

    use super::*;

    /// A node that answers every question so; where it is, and what it answers from now on.
    fn node() -> (Place, Arc<Mutex<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(Mutex::new(String::new()));
        let says = Arc::clone(&answer);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let says = lock(&says).clone();
                let _ = stream.write_all(format!("${}\r\n{says}\r\n", says.len()).as_bytes());
            }
        });
        (Place::new("127.0.0.1", port), answer)
    }

    fn asked_again(topology: &Topology) -> Result<(), String> {
        lock(&topology.state).told = None;
        topology.ask(Duration::from_secs(60))
    }

    #[test]
    fn an_address_that_a_node_had_is_no_way_into_another_cluster_and_one_of_the_url_is() {
        let ((seed, of_seed), (other, of_other)) = (node(), node());
        let topology = url::parse(&format!("redis+cluster://{seed}")).unwrap().unwrap();
        let line = |id: &str, place: &Place, slots: &str| {
            format!("{id} {place}@1 master - 0 0 1 connected {slots}\n")
        };
        let ours = line("a", &seed, "0-99") + &line("b", &other, "100-16383");
        *lock(&of_seed) = ours.clone();
        *lock(&of_other) = ours.clone();
        topology.ask(Duration::from_secs(60)).unwrap();
        assert_eq!(topology.owner(100), Some(other.clone()));
        // The cluster is away, and somebody else has one of its addresses.
        *lock(&of_seed) = String::new();
        *lock(&of_other) = line("x", &other, "0-16383");
        let why = asked_again(&topology).unwrap_err();
        assert!(why.contains(&format!("{other} is a node of another cluster by now")), "{why}");
        assert_eq!(topology.owner(0), Some(seed.clone()));
        // It was made anew.
        *lock(&of_seed) = line("y", &seed, "0-16383");
        *lock(&of_other) = line("y", &seed, "0-16383");
        asked_again(&topology).unwrap();
        assert_eq!(topology.owner(100), Some(seed));
    }

    #[test]
    fn nodes_that_others_name_by_their_address_are_reached_by_the_name_that_certificates_are_for() {
        let (seed, of_seed) = node();
        let topology = url::parse(&format!("redis+cluster://{seed}")).unwrap().unwrap();
        *lock(&of_seed) = format!("a {seed}@1 master - 0 0 1 connected 0-16383\n");
        topology.ask(Duration::from_secs(60)).unwrap();
        {
            // As where they are asked over TLS.
            let state = &mut *lock(&topology.state);
            state.view.nodes[0].place = Place::new("one.example", seed.port);
        }
        topology.has_moved(7, seed.clone());
        assert_eq!(topology.owner(7), Some(Place::new("one.example", seed.port)));
        assert_eq!(topology.named(Place::new("10.0.0.1", 1)), Place::new("10.0.0.1", 1));
    }
}
