//! Masters with their replicas as a cluster, on loopback: what fails over by itself and moves its slots while it works.
//!
//! A *shard* is a master and its replicas. No node ever leaves its shard here, so a node is known by its number for good: first
//! come those that are masters at first, then the replicas of the first of them, and so on.

use redis::cmd;

use super::cluster_view::{self, NodeState};
use super::replication::{self, LIMIT, SyncGoal, ask};
use super::wait::poll;
use super::{Conf, Server, ServerBinary, ServerError};

/// Slots of every cluster.
const SLOTS: usize = 16_384;
/// What makes a cluster of tests quick, and its failovers depend on what tests do alone.
const SETTINGS: [(&str, &str); 5] = [
    // How long a node is silent before others take it for down.
    ("cluster-node-timeout", "1000"),
    // However long its link has been down, a replica may be promoted.
    ("cluster-replica-validity-factor", "0"),
    ("cluster-allow-replica-migration", "no"),
    ("repl-diskless-sync-delay", "0"),
    ("save", ""),
];

/// Whose replica a node is, and what slots it has.
type Role<'a> = (Option<&'a String>, &'a [(u16, u16)]);

/// The set. Dropping it ends all of it.
#[derive(Debug)]
pub struct ClusterSet {
    nodes: Vec<Server>,
    ids: Vec<String>,
    masters: usize,
    replicas_each: usize,
    password: String,
}

impl ClusterSet {
    /// Starts one of so many masters (elections need three) with so many replicas each, and waits until every node knows all of
    /// them and every replica is in step. What the settings say goes before what is usual here.
    pub fn start(
        binary: &ServerBinary,
        conf: &Conf,
        masters: usize,
        replicas_each: usize,
    ) -> Result<Self, ServerError> {
        let password = replication::password()?;
        let mut conf = conf.clone();
        for (name, value) in SETTINGS {
            if conf.get(name).is_none() {
                conf.set(name, value);
            }
        }
        conf.set("cluster-enabled", "yes").set("requirepass", &*password).set("masterauth", &*password);
        let mut set = Self { nodes: Vec::new(), ids: Vec::new(), masters, replicas_each, password };
        for _ in 0..masters * (1 + replicas_each) {
            let node = Server::start(binary, &conf)?;
            let id = ask(&node, cmd("CLUSTER").arg("MYID"));
            set.nodes.push(node);
            set.ids.push(id.map_err(|why| set.not_ready(&format!("it does not say its id: {why}")))?);
        }
        set.form()?;
        set.wait_whole()?;
        set.wait_in_sync()?;
        Ok(set)
    }

    /// Makes one cluster of nodes that know nothing of each other.
    fn form(&self) -> Result<(), ServerError> {
        for index in 0..self.nodes.len() {
            // Before it meets others: then epochs are theirs to decide.
            self.tell(index, &["SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
        }
        for master in 0..self.masters {
            let first = |master: usize| master * SLOTS / self.masters;
            // ADDSLOTSRANGE came with Redis 7.0.
            let slots = (first(master)..first(master + 1)).map(|slot| slot.to_string());
            let words: Vec<String> = std::iter::once("ADDSLOTS".to_owned()).chain(slots).collect();
            self.tell(master, &words)?;
        }
        // Each is told of each: word of a node that only one has met takes seconds to get around.
        for index in 0..self.nodes.len() {
            for other in &self.nodes[index + 1..] {
                self.tell(index, &["MEET", "127.0.0.1", &other.port().to_string()])?;
            }
        }
        for index in self.masters..self.nodes.len() {
            self.tell(index, &["REPLICATE", &self.ids[self.shard(index)]])?;
        }
        Ok(())
    }

    /// What a client is given, the password included: not to be printed.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://:{}@{}", self.password, hosts.join(","))
    }

    /// What to connect to each node by, in order, the password included: not to be printed.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }

    /// One of the servers.
    pub fn server(&mut self, index: usize) -> &mut Server {
        &mut self.nodes[index]
    }

    /// The password of the servers.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The slot of a key.
    pub fn slot_of(&self, key: &str) -> Result<u16, ServerError> {
        let mut ask_for = cmd("CLUSTER");
        ask_for.arg("KEYSLOT").arg(key);
        self.up()
            .find_map(|index| ask(&self.nodes[index], &ask_for).ok())
            .ok_or_else(|| self.not_ready("no node answers"))
    }

    /// Who has a slot by what the nodes say that are up: of several who claim it, the one with the highest epoch.
    pub fn master_of(&self, slot: u16) -> Result<usize, ServerError> {
        poll(LIMIT, || self.latest(&self.views(), |node| node.has(slot)))
            .ok_or_else(|| self.not_ready(&format!("nobody has slot {slot}")))
    }

    /// Which nodes are replicas of this one, by what it says itself, or another where it is down.
    pub fn replicas_of(&self, master: usize) -> Result<Vec<usize>, ServerError> {
        let view = || self.view(master).or_else(|| self.views().into_iter().next().map(|(_, view)| view));
        let view = poll(LIMIT, view).ok_or_else(|| self.not_ready("no node answers"))?;
        let is_one = |node: &&NodeState| node.replica_of.as_ref() == Some(&self.ids[master]);
        Ok(view.iter().filter(is_one).filter_map(|node| self.index_of(&node.id)).collect())
    }

    /// Waits until another node of this one's shard has its slots and takes writes, and most nodes that are up know of it.
    pub fn failed_over_from(&self, old: usize) -> Result<usize, ServerError> {
        let taken_over = || {
            let views = self.views();
            let new = self.master_now(&views, self.shard(old)).filter(|new| *new != old)?;
            let is_owner = |node: &NodeState| {
                node.id == self.ids[new] && node.replica_of.is_none() && !node.slots.is_empty()
            };
            let know: Vec<usize> =
                views.iter().filter(|(_, view)| view.iter().any(is_owner)).map(|(index, _)| *index).collect();
            (know.contains(&new) && know.len() * 2 > views.len() && self.is_ok(new)).then_some(new)
        };
        poll(LIMIT, taken_over).ok_or_else(|| self.not_ready(&format!("nobody takes over from node {old}")))
    }

    /// Waits until the replicas of every master, of those nodes that run, have all that it has when it is first asked.
    pub fn wait_in_sync(&self) -> Result<(), ServerError> {
        for shard in 0..self.masters {
            let mut goal = SyncGoal::default();
            let in_sync = || {
                let master = self.master_now(&self.views(), shard)?;
                let others = self.nodes_of(shard).filter(|node| *node != master);
                let replicas = others.filter(|node| self.nodes[*node].is_running()).count();
                goal.is_reached(master, &self.nodes[master], replicas).then_some(())
            };
            poll(LIMIT, in_sync).ok_or_else(|| self.not_ready(&goal.missing()))?;
        }
        Ok(())
    }

    /// Waits until all nodes that are up take the cluster for whole, and see the same.
    pub fn wait_whole(&self) -> Result<(), ServerError> {
        let is_whole = || {
            let views = self.views();
            let up: Vec<usize> = self.up().collect();
            let seen: Vec<_> = views.iter().map(|(_, view)| self.roles(view, &up)).collect();
            let all_slots = |view: &[NodeState]| {
                let ranges = view.iter().flat_map(|node| &node.slots);
                ranges.map(|(from, to)| usize::from(to - from) + 1).sum::<usize>() == SLOTS
            };
            (views.len() == up.len()
                && seen.first()?.is_some()
                && seen.windows(2).all(|two| two[0] == two[1])
                && views.iter().all(|(_, view)| view.len() == self.nodes.len() && all_slots(view))
                && up.iter().all(|index| self.is_ok(*index)))
            .then_some(())
        };
        poll(LIMIT, is_whole).ok_or_else(|| self.not_ready("nodes do not take the cluster for whole"))
    }

    /// Who is what among the nodes that are up, to one of them; none where it does not take all of them for well.
    fn roles<'a>(&self, view: &'a [NodeState], up: &[usize]) -> Option<Vec<Role<'a>>> {
        let of = |index: &usize| {
            let node = view.iter().find(|node| node.id == self.ids[*index] && node.is_well)?;
            Some((node.replica_of.as_ref(), &*node.slots))
        };
        up.iter().map(of).collect()
    }

    /// The nodes that run and are not paused.
    pub(super) fn up(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len())
            .filter(|index| self.nodes[*index].is_running() && !self.nodes[*index].is_paused())
    }

    /// The shard that a node belongs to, by the number of its first master.
    fn shard(&self, index: usize) -> usize {
        if index < self.masters { index } else { (index - self.masters) / self.replicas_each }
    }

    fn nodes_of(&self, shard: usize) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |index| self.shard(*index) == shard)
    }

    fn master_now(&self, views: &[(usize, Vec<NodeState>)], shard: usize) -> Option<usize> {
        let is_master = |node: &NodeState| {
            node.replica_of.is_none()
                && self.index_of(&node.id).is_some_and(|index| self.shard(index) == shard)
        };
        self.latest(views, is_master)
    }

    /// The node with the highest epoch of those that are so to somebody.
    fn latest(&self, views: &[(usize, Vec<NodeState>)], is_so: impl Fn(&NodeState) -> bool) -> Option<usize> {
        let nodes = views.iter().flat_map(|(_, view)| view).filter(|node| is_so(node));
        self.index_of(&nodes.max_by_key(|node| node.epoch)?.id)
    }

    /// What each node sees that is up and answers.
    pub(super) fn views(&self) -> Vec<(usize, Vec<NodeState>)> {
        self.up().filter_map(|index| Some((index, self.view(index)?))).collect()
    }

    fn view(&self, index: usize) -> Option<Vec<NodeState>> {
        if !self.up().any(|up| up == index) {
            return None;
        }
        cluster_view::parse(&ask::<String>(&self.nodes[index], cmd("CLUSTER").arg("NODES")).ok()?)
    }

    fn is_ok(&self, index: usize) -> bool {
        let info = ask::<String>(&self.nodes[index], cmd("CLUSTER").arg("INFO"));
        info.is_ok_and(|info| info.lines().any(|line| line == "cluster_state:ok"))
    }

    fn index_of(&self, id: &str) -> Option<usize> {
        self.ids.iter().position(|known| known == id)
    }

    pub(super) fn node(&self, index: usize) -> &Server {
        &self.nodes[index]
    }

    pub(super) fn id(&self, index: usize) -> &str {
        &self.ids[index]
    }

    /// Tells a node something of the cluster until it takes it.
    pub(super) fn tell(&self, index: usize, words: &[impl AsRef<str>]) -> Result<(), ServerError> {
        let mut command = cmd("CLUSTER");
        for word in words {
            command.arg(word.as_ref());
        }
        let what = words.first().map_or("", AsRef::as_ref);
        replication::tell(&self.nodes[index], &command)
            .map_err(|said| self.not_ready(&format!("node {index} does not take CLUSTER {what}: {said}")))
    }

    pub(super) fn not_ready(&self, reason: &str) -> ServerError {
        let logs =
            self.nodes.iter().enumerate().map(|(index, node)| format!("{index}: {}", node.log_tail(5)));
        ServerError::NotReady {
            path: "the cluster".into(),
            place: "loopback".into(),
            limit: LIMIT,
            reason: reason.into(),
            log: logs.collect::<Vec<_>>().join("\n--\n"),
        }
    }
}
