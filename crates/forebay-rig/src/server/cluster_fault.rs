//! What is done to a cluster: a master that is cut off, one that hands over, and slots that move while they are in use. That nodes are
//! killed, started again, paused and resumed is [`Server`](super::Server)'s.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Value, cmd, from_redis_value};

use super::ServerError;
use super::cluster_set::ClusterSet;
use super::cluster_view::NodeState;
use super::replication::{self, LIMIT, connect};
use super::wait::poll;

/// How long keys may take to go over. The node that gives them answers nobody meanwhile.
const MOVE_LIMIT: Duration = Duration::from_secs(120);
/// How many keys go at a time.
const KEYS_AT_ONCE: usize = 100;

impl ClusterSet {
    /// Cuts a master off from its replicas, sharply: what it takes from here on none of them has.
    pub fn cut(&self, master: usize) -> Result<(), ServerError> {
        replication::cut(self.node(master))
            .map_err(|said| self.not_ready(&format!("a replica is not cut off: {said}")))
    }

    /// Takes it back: replicas may come again.
    pub fn uncut(&self, master: usize) -> Result<(), ServerError> {
        replication::uncut(self.node(master))
            .map_err(|said| self.not_ready(&format!("replicas are not let in: {said}")))
    }

    /// Tells a replica of this master, which is well, to be the master: the one that is returned. The old one lets it have
    /// everything first. With Redis 6.2 the old one then takes no writes for up to ten seconds, also as a master again.
    pub fn hand_over(&self, master: usize) -> Result<usize, ServerError> {
        let replica = self.first_replica(master)?;
        self.tell(replica, &["FAILOVER"])?;
        Ok(replica)
    }

    /// Tells a replica of this master to be the master, whatever anybody else says and whatever it lacks: the one that is
    /// returned.
    pub fn take_over(&self, master: usize) -> Result<usize, ServerError> {
        let replica = self.first_replica(master)?;
        self.tell(replica, &["FAILOVER", "TAKEOVER"])?;
        Ok(replica)
    }

    fn first_replica(&self, master: usize) -> Result<usize, ServerError> {
        // Nodes may not know yet that it is one.
        let found = || {
            let replicas = self.replicas_of(master).ok()?;
            self.up().find(|index| replicas.contains(index))
        };
        poll(LIMIT, found).ok_or_else(|| self.not_ready(&format!("no replica of node {master} is up")))
    }

    /// Moves a slot with its keys to another master as `redis-cli --cluster reshard` does.
    pub fn move_slot(&self, slot: u16, to: usize) -> Result<(), ServerError> {
        self.begin_move(slot, to)?;
        self.move_keys(slot, to, usize::MAX)?;
        self.end_move(slot, to)
    }

    /// Begins to move a slot: from here on a key that its owner no longer has is asked for at the other master (`ASK`).
    pub fn begin_move(&self, slot: u16, to: usize) -> Result<(), ServerError> {
        let from = self.master_of(slot)?;
        self.set_slot(to, slot, &["IMPORTING", self.id(from)])?;
        self.set_slot(from, slot, &["MIGRATING", self.id(to)])
    }

    /// Moves keys of a slot whose move has begun, no more than so many; how many.
    pub fn move_keys(&self, slot: u16, to: usize, keys_max: usize) -> Result<usize, ServerError> {
        let from = self.master_of(slot)?;
        let mut moved = 0;
        while moved < keys_max {
            let count = KEYS_AT_ONCE.min(keys_max - moved);
            let get = cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(count).to_owned();
            let keys: Vec<Vec<u8>> = self.once(from, &format!("CLUSTER GETKEYSINSLOT {slot}"), &get)?;
            if keys.is_empty() {
                break;
            }
            let mut migrate = cmd("MIGRATE");
            migrate
                .arg("127.0.0.1")
                .arg(self.node(to).port())
                .arg("")
                .arg(0)
                .arg(MOVE_LIMIT.as_millis() as u64);
            migrate.arg("AUTH").arg(self.password()).arg("KEYS").arg(&keys);
            self.once::<Value>(from, &format!("MIGRATE of slot {slot}"), &migrate)?;
            moved += keys.len();
        }
        Ok(moved)
    }

    /// Ends the move of a slot that holds no more keys, and waits until all masters that are up know of it.
    pub fn end_move(&self, slot: u16, to: usize) -> Result<(), ServerError> {
        let from = self.master_of(slot)?;
        let new = ["NODE", self.id(to)];
        // The new owner first: were it the old one, for a moment both would send clients to the other.
        self.set_slot(to, slot, &new)?;
        self.set_slot(from, slot, &new)?;
        for other in self.masters_up().into_iter().filter(|other| ![from, to].contains(other)) {
            self.set_slot(other, slot, &new)?;
        }
        self.wait_owned(slot, to)
    }

    /// Moves a slot with its keys to another master in one piece: `CLUSTER MIGRATESLOTS`, which Valkey has from 9.0 on. An error
    /// where the server does not.
    pub fn move_slot_atomically(&self, slot: u16, to: usize) -> Result<(), ServerError> {
        let from = self.master_of(slot)?;
        let line = format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {}", self.id(to));
        let mut migrate = cmd("CLUSTER");
        migrate.arg("MIGRATESLOTS").arg("SLOTSRANGE").arg(slot).arg(slot).arg("NODE").arg(self.id(to));
        self.once::<()>(from, &line, &migrate)?;
        let mut state = String::new();
        let over = || {
            let mut all: Vec<HashMap<String, Value>> =
                replication::ask(self.node(from), cmd("CLUSTER").arg("GETSLOTMIGRATIONS")).ok()?;
            let mut word =
                |name| all.first_mut()?.remove(name).and_then(|value| from_redis_value(value).ok());
            // The latest stands first.
            state = word("state")?;
            let why: String = word("message")?;
            match state.as_str() {
                "success" => Some(Ok(())),
                "failed" | "canceled" => Some(Err(ServerError::Command { line: line.clone(), why })),
                _ => None,
            }
        };
        let ended = poll(MOVE_LIMIT, over);
        ended
            .unwrap_or_else(|| Err(self.not_ready(&format!("slot {slot} has not moved: it is {state:?}"))))?;
        self.wait_owned(slot, to)
    }

    fn set_slot(&self, index: usize, slot: u16, what: &[&str; 2]) -> Result<(), ServerError> {
        let line = format!("CLUSTER SETSLOT {slot} {}", what.join(" "));
        self.once(index, &line, cmd("CLUSTER").arg("SETSLOT").arg(slot).arg(what))
    }

    fn masters_up(&self) -> Vec<usize> {
        let is_master = |(index, view): &(usize, Vec<NodeState>)| {
            view.iter().any(|node| node.id == self.id(*index) && node.replica_of.is_none())
        };
        self.views().iter().filter(|seen| is_master(seen)).map(|(index, _)| *index).collect()
    }

    /// Waits until all nodes that are up take this one for the owner of a slot.
    fn wait_owned(&self, slot: u16, owner: usize) -> Result<(), ServerError> {
        let is_owned = |view: &[NodeState]| {
            let mut owners = view.iter().filter(|node| node.has(slot));
            owners.all(|node| node.id == self.id(owner)) && view.iter().any(|node| node.has(slot))
        };
        let known = || {
            let views = self.views();
            (views.len() == self.up().count() && views.iter().all(|(_, view)| is_owned(view))).then_some(())
        };
        poll(LIMIT, known)
            .ok_or_else(|| self.not_ready(&format!("not all know that node {owner} has slot {slot}")))
    }

    /// Tells a node something that it takes at once or not at all. The line is what an error shows: no password.
    fn once<T: FromRedisValue>(&self, index: usize, line: &str, command: &Cmd) -> Result<T, ServerError> {
        let asked = connect(&self.node(index).url()).and_then(|mut connection| {
            connection.set_read_timeout(Some(MOVE_LIMIT))?;
            command.query(&mut connection)
        });
        asked.map_err(|why| ServerError::Command {
            line: format!("{line} at node {index}"),
            why: why.to_string(),
        })
    }
}
