//! What one node says of its cluster: the answer of CLUSTER NODES, which every server that is one gives, whatever its version.

use std::fmt;
use std::ops::RangeInclusive;

use super::slot::SLOTS;
use crate::buffer::display_name::display_name;

/// Nodes and ranges of slots that are read of one answer, at most.
const NODES_MAX: usize = 2_000;
const RANGES_MAX: usize = 16_384;

/// Where a node answers its clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub host: String,
    pub port: u16,
}

impl Place {
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Of `host:port`, where the host may be an address with colons in it.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(Self::new(host, port.parse().ok().filter(|port| *port > 0)?))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A node as another, or it itself, sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: String,
    pub place: Place,
    /// The same by its address, as other nodes name it to clients.
    pub address: Place,
    /// The node that it is a replica of; none of a master.
    pub master: Option<String>,
    /// Whether it is held for failing, by this node alone too.
    pub is_down: bool,
    /// Whether the cluster has agreed that it has failed: only then is it no longer one that may be promoted.
    pub has_failed: bool,
    /// How new what it says of its slots is.
    pub epoch: u64,
    pub slots: Vec<RangeInclusive<u16>>,
}

/// The cluster as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    pub nodes: Vec<Node>,
}

impl View {
    /// Reads the answer of the node at `asked`, which may not know its own address. By host names where `by_name` and it has them:
    /// certificates are for those.
    pub fn parse(answer: &str, asked: &Place, by_name: bool) -> Result<Self, String> {
        let nodes: Vec<Node> = answer
            .lines()
            .take(NODES_MAX)
            .map(|line| {
                let odd = || format!("CLUSTER NODES has the line {:?}", display_name(line.as_bytes()));
                node(line, asked, by_name).ok_or_else(odd)
            })
            .filter_map(|node| node.map(|(node, is_one)| is_one.then_some(node)).transpose())
            .collect::<Result<_, _>>()?;
        if nodes.is_empty() {
            return Err("CLUSTER NODES names no node".into());
        }
        let masters = nodes.iter().filter(|node| node.master.is_none());
        let slots: usize = masters.flat_map(|node| &node.slots).map(ExactSizeIterator::len).sum();
        if slots > usize::from(SLOTS) {
            return Err(format!("CLUSTER NODES gives away {slots} slots, and there are {SLOTS}"));
        }
        Ok(Self { nodes })
    }

    /// The masters that have slots.
    pub fn masters(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.master.is_none() && !node.slots.is_empty())
    }
}

/// A node of a line `id ip:port@bus[,name] flags master ping pong epoch link slots…`, and whether it is one that has an address and
/// takes part; none where it is no such line.
fn node(line: &str, asked: &Place, by_name: bool) -> Option<(Node, bool)> {
    let mut words = line.split_ascii_whitespace();
    let (id, address, flags, master) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let (_, _, epoch, _) = (words.next()?, words.next()?, words.next()?.parse().ok()?, words.next()?);
    let has = |flag: &str| flags.split(',').any(|known| known == flag);
    let (address, name) = match address.split_once('@') {
        Some((address, rest)) => (address, rest.split(',').nth(1)),
        None => (address, None),
    };
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let address = if host.is_empty() { &asked.host } else { host };
    let address = Place::new(address, port);
    let host = match name.filter(|name| by_name && !name.is_empty()) {
        Some(name) => name,
        // A node that does not know its address is where it was asked.
        None if host.is_empty() && has("myself") => &asked.host,
        None => host,
    };
    let slots = words.take(RANGES_MAX).filter_map(range).collect();
    let master = (master != "-").then(|| master.to_owned());
    let has_failed = has("fail");
    let is_down = has_failed || has("fail?");
    let is_one = !has("noaddr") && !has("handshake") && !host.is_empty() && port > 0;
    let place = Place::new(host, port);
    Some((Node { id: id.into(), place, address, master, is_down, has_failed, epoch, slots }, is_one))
}

/// Slots of `5` or `0-5460`; none of a slot that is being moved, `[5->-id]`.
fn range(word: &str) -> Option<RangeInclusive<u16>> {
    let (from, to) = word.split_once('-').unwrap_or((word, word));
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from <= to && to < SLOTS).then_some(from..=to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "\
        aa 127.0.0.1:7000@17000,one.example myself,master - 0 0 3 connected 0-5460 5500 [77->-bb]\n\
        bb ::1:7001@17001 master,fail? - 0 1 2 connected 5461-5499\n\
        cc :0@0 master,noaddr - 0 0 0 disconnected\n\
        dd 127.0.0.1:7002@17002 slave bb 0 0 2 connected\n";

    fn parsed(by_name: bool) -> View {
        View::parse(ANSWER, &Place::new("asked", 1), by_name).unwrap()
    }

    #[test]
    fn nodes_masters_replicas_and_slots_are_read() {
        let view = parsed(false);
        let places: Vec<String> = view.nodes.iter().map(|node| node.place.to_string()).collect();
        assert_eq!(places.join(" "), "127.0.0.1:7000 [::1]:7001 127.0.0.1:7002");
        assert_eq!(view.nodes[0].slots, [0..=5460, 5500..=5500]);
        assert_eq!(view.nodes.iter().map(|node| node.epoch).collect::<Vec<_>>(), [3, 2, 2]);
        assert_eq!(view.nodes.iter().map(|node| node.is_down).collect::<Vec<_>>(), [false, true, false]);
        assert!(view.nodes.iter().all(|node| !node.has_failed), "one node alone doubts it");
        let agreed = View::parse(&ANSWER.replace("fail?", "fail"), &Place::new("asked", 1), false).unwrap();
        assert!(agreed.nodes[1].is_down && agreed.nodes[1].has_failed);
        assert_eq!(view.nodes[2].master.as_deref(), Some("bb"));
        assert_eq!(view.masters().count(), 2);
    }

    #[test]
    fn names_are_taken_where_they_are_asked_for() {
        assert_eq!(parsed(true).nodes[0].place, Place::new("one.example", 7000));
        assert_eq!(parsed(true).nodes[2].place, Place::new("127.0.0.1", 7002));
        assert_eq!(parsed(true).nodes[0].address, Place::new("127.0.0.1", 7000));
    }

    #[test]
    fn a_node_that_does_not_know_its_address_is_where_it_was_asked() {
        let view =
            View::parse("aa :7000@17000 myself,master - 0 0 1 connected 0", &Place::new("seed", 1), false);
        assert_eq!(view.unwrap().nodes[0].place, Place::new("seed", 7000));
    }

    #[test]
    fn what_is_no_such_answer_is_an_error() {
        for odd in ["", "aa", "aa 127.0.0.1:x@1 master - 0 0 1 connected", "aa b:1 master - 0 0 x connected"]
        {
            assert!(View::parse(odd, &Place::new("a", 1), false).is_err(), "{odd:?}");
        }
        let long = View::parse(&"a".repeat(1 << 20), &Place::new("a", 1), false).unwrap_err();
        assert!(long.len() < 500, "{} bytes", long.len());
        let all = "aa b:1@2 master - 0 0 1 connected 0-16383\n";
        assert!(View::parse(all, &Place::new("a", 1), false).is_ok());
        let twice = View::parse(&all.repeat(2), &Place::new("a", 1), false).unwrap_err();
        assert!(twice.contains("gives away 32768 slots"), "{twice}");
        // Slots that cannot be are none.
        let view =
            View::parse("aa b:1@2 master - 0 0 1 connected 16384 9-3 x 4-5", &Place::new("a", 1), false);
        assert_eq!(view.unwrap().nodes[0].slots, [4..=5]);
    }
}
