//! A buffer's limits where it is spread over the nodes of a cluster: it is full when the first of them is.

use super::connect::Facts;
use super::connection::Connection;
use super::error::Error;
use super::keys::Name;
use super::limit::{Bound, Headroom, Limits};
use super::measure::{Conf, Machine};
use super::permitted_query::Asker;
use super::stat::{LaneStat, NodeStat, Stat};

/// Asks each node that has lanes of a buffer what it is; nothing of one server.
pub(super) fn of_cluster(connection: &mut Connection, name: &Name) -> Result<Vec<NodeStat>, Error> {
    let mut nodes = Vec::new();
    for (place, lanes) in connection.nodes(name) {
        if lanes.is_empty() {
            continue;
        }
        connection.go_to(&place);
        let mut asker = Asker::new(connection, name);
        let info = asker.permitted::<String>("INFO", &redis::cmd("INFO"));
        let info = info.map_err(|error| Error::server(format!("looking at node {place}"), &error))?;
        let conf = Conf::read(&mut asker);
        nodes.push(NodeStat {
            node: place.to_string(),
            facts: Facts::of(&info.unwrap_or_default()),
            conf,
            lanes,
        });
    }
    Ok(nodes)
}

impl Stat {
    /// The same with the nodes of its cluster.
    pub(super) fn over_nodes(mut self, nodes: Vec<NodeStat>) -> Self {
        let why = || "the nodes may run on other machines".to_owned();
        let machine = Machine { memory: Err(why()), free_bytes: Err(why()) };
        let room = |node: &NodeStat| {
            let limits = self.limits_of(node, &machine, None);
            limits.first().map_or(u64::MAX, |(_, room)| room.events)
        };
        let mut nodes: Vec<(u64, NodeStat)> = nodes.into_iter().map(|node| (room(&node), node)).collect();
        nodes.sort_by_key(|(room, _)| *room);
        self.nodes = nodes.into_iter().map(|(_, node)| node).collect();
        if let Some(first) = self.nodes.first() {
            (self.facts, self.conf) = (first.facts.clone(), first.conf.clone());
        }
        self
    }

    /// Every limit of the buffer, with what the caller knows of the machine and of an event's weight. On a cluster those of the node
    /// that is full first, in events of the whole buffer.
    pub fn limits(&self, machine: &Machine, bytes_per_event: Option<f64>) -> Limits {
        if let Some(first) = self.nodes.first() {
            return self.limits_of(first, machine, bytes_per_event);
        }
        let mut measured = self.measured(machine.clone());
        measured.bytes_per_event = bytes_per_event.map_or(measured.bytes_per_event, Ok);
        Limits::of(&measured)
    }

    fn limits_of(&self, node: &NodeStat, machine: &Machine, bytes_per_event: Option<f64>) -> Limits {
        let lanes = self.lanes.iter().filter(|lane| node.lanes.contains(&lane.lane)).cloned();
        let here = Self {
            lanes: lanes.collect(),
            facts: node.facts.clone(),
            conf: node.conf.clone(),
            nodes: Vec::new(),
            ..self.clone()
        };
        let mut measured = here.measured(machine.clone());
        measured.bytes_per_event =
            bytes_per_event.or_else(|| self.weight()).ok_or_else(|| "what an event weighs is unknown".into());
        let limits = Limits::of(&measured);
        let share = share(&here, self);
        let of_all = |bound: Bound| match bound {
            // The cast goes no further than the largest number there is.
            Bound::At(room) if share > 0.0 => {
                Bound::At(Headroom { events: (room.events as f64 / share) as u64, ..room })
            }
            Bound::At(_) => Bound::Absent("nothing comes to this node".into()),
            other => other,
        };
        Limits {
            events: self.events().ok_or_else(|| "how many events are held is unknown".into()),
            all: limits.all.map(|(kind, bound)| (kind, of_all(bound))),
        }
    }
}

/// The share of the events that comes to some lanes: by what comes in now, else by what ever came, else by how many lanes there are.
fn share(here: &Stat, all: &Stat) -> f64 {
    let now = |stat: &Stat| stat.events_per_second_in().filter(|rate| *rate > 0.0);
    let ever = |stat: &Stat| {
        let of: Option<Vec<u64>> = stat.lanes.iter().map(|lane: &LaneStat| lane.total).collect();
        of.map(|totals| totals.iter().sum::<u64>() as f64)
    };
    let by_rate = here.events_per_second_in().zip(now(all));
    let by_total = || ever(here).zip(ever(all).filter(|all| *all > 0.0));
    let (part, whole) =
        by_rate.or_else(by_total).unwrap_or((here.lanes.len() as f64, all.lanes.len() as f64));
    part / whole
}
