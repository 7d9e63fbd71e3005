//! How a cluster looks to one of its nodes: what it answers to `CLUSTER NODES`.

/// A node, as another one or itself sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeState {
    pub(super) id: String,
    /// Whose replica it is; none for a master.
    pub(super) replica_of: Option<String>,
    /// Whether it is held to be up, and is known well: a node that was only just met has another id.
    pub(super) is_well: bool,
    pub(super) epoch: u64,
    /// Its slots as ranges, both ends included.
    pub(super) slots: Vec<(u16, u16)>,
}

impl NodeState {
    /// Whether it is a master that has this slot.
    pub(super) fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|(from, to)| (*from..=*to).contains(&slot))
    }
}

/// Reads the answer; none where it is something else.
pub(super) fn parse(text: &str) -> Option<Vec<NodeState>> {
    text.lines().filter(|line| !line.is_empty()).map(parse_line).collect()
}

/// `<id> <address> <flags> <master> <ping> <pong> <epoch> <link> <slot> …`
fn parse_line(line: &str) -> Option<NodeState> {
    let mut words = line.split(' ');
    let id = words.next()?.to_owned();
    let flags: Vec<&str> = words.nth(1)?.split(',').collect();
    let replica_of = words.next().filter(|master| *master != "-").map(str::to_owned);
    let epoch = words.nth(2)?.parse().ok()?;
    // What follows the link are slots, and in brackets those that are being moved.
    let slots = words.skip(1).filter(|word| !word.starts_with('[')).map(|word| {
        let (from, to) = word.split_once('-').unwrap_or((word, word));
        Some((from.parse().ok()?, to.parse().ok()?))
    });
    let ails = |flag: &&str| ["fail", "fail?", "handshake", "noaddr"].contains(flag);
    let is_well = !flags.iter().any(ails);
    Some(NodeState { id, replica_of, is_well, epoch, slots: slots.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_that_are_being_moved_are_still_their_owner_s() {
        let text = "aa :21345@31345 myself,master - 0 0 3 connected 0-5460 5462 [5462->-bb] [5461-<-bb]\n\
                    bb 127.0.0.1:1@10001,host master,fail? - 5 6 2 disconnected\n\
                    cc 127.0.0.1:2@10002 slave aa 0 0 3 connected\n";
        let nodes = parse(text).unwrap();
        assert_eq!((nodes[0].epoch, &nodes[0].slots), (3, &vec![(0, 5460), (5462, 5462)]));
        assert!(nodes[0].has(5462) && !nodes[0].has(5461));
        assert_eq!(nodes.iter().map(|node| node.is_well).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(nodes[2].replica_of.as_deref(), Some("aa"));
        assert_eq!(parse("-ERR This instance has cluster support disabled"), None);
    }
}
