//! Which node of a cluster has which slot by now, for all connections of a program to it: asked of any node that answers, one
//! question at a time. Of two that differ the one with the higher configuration epoch is right.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, RedisResult};

use super::slot::SLOTS;
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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    view: View,
    /// For each slot the place of its master in the view, where one is known.
    owners: Vec<Option<u16>>,
    /// What nodes have said since, of slots that they do not have.
    moved: Vec<(u16, Place)>,
    /// Nodes that gave no answer, and when.
    silent: Vec<(Place, Instant)>,
    asked_at: Option<Instant>,
    /// Whom to ask first the next time: another one each time, since one may know less than the others.
    turn: usize,
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
        if lock(&self.state).asked_at.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let (deadline, mut why, mut strange) = (Instant::now() + limit, Vec::new(), None);
        for place in self.candidates() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                why.push("there was no time for others".into());
                break;
            }
            match self.ask_one(&place, EACH_MAX.min(left)) {
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
        if let Some(view) = strange.filter(|_| !why.iter().any(|why| why.contains("no time"))) {
            lock(&self.state).begin_with(view);
            return Ok(());
        }
        Err(format!("no node of the cluster says which has what: {}", why.join("; ")))
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
        let dialed = NodeConnection::open(&reached(&self.server, place.host.clone(), place.port), limit);
        dialed.inspect_err(|_| lock(&self.state).is_silent(place))
    }

    /// Where a node is reached that calls itself so.
    pub fn reached_at(&self, place: &Place) -> Place {
        let found = self.map.iter().find(|(inside, _)| inside == place);
        found.map_or_else(|| place.clone(), |(_, outside)| outside.clone())
    }

    fn ask_one(&self, place: &Place, limit: Duration) -> Result<View, String> {
        let mut connection = self.dial(place, limit).map_err(|error| error.to_string())?;
        connection.set_limit(limit);
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

impl State {
    fn master(&self, slot: u16) -> Option<&Node> {
        self.view.nodes.get(usize::from((*self.owners.get(usize::from(slot))?)?))
    }

    fn is_silent(&mut self, place: &Place) {
        self.silent.retain(|(silent, _)| silent != place);
        self.silent.push((place.clone(), Instant::now()));
    }

    /// Whether it names none of the nodes that are known: what answers at this address by now is of another cluster.
    fn is_strange(&self, view: &View) -> bool {
        let is_known = |node: &Node| self.view.nodes.iter().any(|known| known.id == node.id);
        !self.view.nodes.is_empty() && !view.nodes.iter().any(is_known)
    }

    fn begin_with(&mut self, view: View) {
        self.view = View::default();
        self.merge(view);
    }

    fn take(&mut self, from: &Place, view: View) {
        self.silent.retain(|(silent, _)| silent != from);
        self.merge(view);
    }

    /// Of slots that have another master here than there, the newer word counts, while the node is still one of the cluster.
    fn merge(&mut self, mut view: View) {
        let mut owners = vec![None; usize::from(SLOTS)];
        for (index, node) in view.nodes.iter().enumerate().filter(|(_, node)| node.master.is_none()) {
            for slot in node.slots.iter().cloned().flatten() {
                owners[usize::from(slot)] = u16::try_from(index).ok();
            }
        }
        let of_old = |old: &Node| view.nodes.iter().position(|node| node.id == old.id);
        let old_at: Vec<Option<usize>> = self.view.nodes.iter().map(of_old).collect();
        for (slot, owner) in owners.iter_mut().enumerate() {
            let Some(old) = self.owners.get(slot).copied().flatten().map(usize::from) else { continue };
            let (Some(old), Some(Some(at))) = (self.view.nodes.get(old), old_at.get(old)) else { continue };
            let said = owner.and_then(|index| view.nodes.get(usize::from(index)));
            if said.is_none_or(|said| said.id != old.id && said.epoch < old.epoch) {
                *owner = u16::try_from(*at).ok();
            }
        }
        for node in &mut view.nodes {
            let known = self.view.nodes.iter().find(|known| known.id == node.id);
            node.epoch = node.epoch.max(known.map_or(0, |known| known.epoch));
        }
        self.view = view;
        self.owners = owners;
        self.moved.clear();
        self.asked_at = Some(Instant::now());
    }
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
    use super::*;

    fn view(lines: &[&str]) -> View {
        View::parse(&lines.join("\n"), &Place::new("h", 1), false).unwrap()
    }

    fn owner(state: &State, slot: u16) -> Option<&str> {
        state.master(slot).map(|node| &*node.id)
    }

    #[test]
    fn of_two_views_the_one_with_the_higher_epoch_is_right_for_each_slot() {
        let mut state = State::default();
        state.merge(view(&["a h:1 master - 0 0 1 c 0-9", "b h:2 master - 0 0 2 c 10-19"]));
        assert_eq!((owner(&state, 5), owner(&state, 15), owner(&state, 20)), (Some("a"), Some("b"), None));
        // Failed over.
        state.merge(view(&[
            "a h:1 master,fail - 0 0 1 c",
            "b h:2 master - 0 0 2 c 10-19",
            "c h:3 master - 0 0 3 c 0-9",
        ]));
        assert_eq!(owner(&state, 5), Some("c"));
        // One that has not heard of it.
        let old = ["a h:1 master - 0 0 1 c 0-9", "b h:2 master - 0 0 2 c 10-19", "c h:3 slave a 0 0 1 c"];
        state.merge(view(&old));
        assert_eq!((owner(&state, 5), owner(&state, 15)), (Some("c"), Some("b")));
        // What was known stays known, also over a view that says nothing of a slot.
        state.merge(view(&["b h:2 master - 0 0 2 c 10-19", "c h:3 master - 0 0 3 c"]));
        assert_eq!(owner(&state, 5), Some("c"));
        // A node that was forgotten has nothing.
        state.merge(view(&["b h:2 master - 0 0 2 c 10-19"]));
        assert_eq!((owner(&state, 5), owner(&state, 15)), (None, Some("b")));
    }

    #[test]
    fn a_node_of_another_cluster_is_told_from_one_of_this() {
        let mut state = State::default();
        let ours = view(&["a h:1 master - 0 0 1 c 0-9"]);
        let theirs = view(&["x h:1 master - 0 0 9 c 0-9"]);
        assert!(!state.is_strange(&theirs));
        state.merge(ours.clone());
        assert!(!state.is_strange(&ours) && state.is_strange(&theirs));
        state.begin_with(theirs);
        assert_eq!(owner(&state, 3), Some("x"));
    }
}
