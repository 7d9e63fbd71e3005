//! What a node tells of its cluster: CLUSTER INFO, CLUSTER NODES, and what the other nodes say of themselves. Asked only where the
//! server is a node of one.

use std::time::{Duration, Instant};

use forebay::buffer::connect::{Address, AddressParts, Endpoint, Facts};
use forebay::buffer::connection::Connection;

use super::rule::Unread;
use super::snapshot::Read;
use super::usage::refused;

/// Slots of every cluster.
pub const SLOTS: u64 = 16_384;
/// Most nodes that are read: the makers advise against more than 1,000.
const NODES_MAX: usize = 1_000;
/// Most other nodes that are asked.
const ASKED_MAX: usize = 64;
/// No further node is asked after this long: each that does not answer costs a few seconds.
const ASKING_LIMIT: Duration = Duration::from_secs(10);

/// What a node tells of its cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The answer of CLUSTER INFO.
    pub info: Facts,
    /// The nodes, this one too.
    pub nodes: Vec<Node>,
    /// What each other node says of itself, by its place.
    pub others: Vec<(String, Read<Facts>)>,
}

/// A node as CLUSTER NODES has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// Address and port.
    pub ip: String,
    /// Port for clients.
    pub port: u16,
    /// Host name, where it has one.
    pub host: Option<String>,
    /// `master`, `slave`, `myself`, `fail` and the like.
    flags: Vec<String>,
    /// The id of the node that it is a replica of.
    pub master: Option<String>,
    /// Whether this node reaches it.
    is_linked: bool,
    /// Slots that it has.
    pub slots: u64,
}

impl Cluster {
    /// Asks a node, and the others that it names.
    pub fn look(connection: &mut Connection, address: &Address) -> Read<Self> {
        let mut ask = |what: &str| -> Read<String> {
            redis::cmd("CLUSTER")
                .arg(what)
                .query(connection)
                .map_err(|error| refused(&format!("CLUSTER {what}"), &error))
        };
        let info = Facts::of(&ask("INFO")?);
        let nodes = nodes(&ask("NODES")?)?;
        let others = others(address, &nodes);
        Ok(Self { info, nodes, others })
    }

    /// A field of CLUSTER INFO.
    pub fn field(&self, name: &str) -> Read<&str> {
        self.info.get(name).ok_or_else(|| Unread(format!("CLUSTER INFO of this node has no {name}")))
    }

    /// A field of CLUSTER INFO that is a number.
    pub fn count(&self, name: &str) -> Read<u64> {
        let text = self.field(name)?;
        text.parse().map_err(|_| Unread(format!("CLUSTER INFO says {name}:{text}, which is not a number")))
    }

    /// The node that was asked.
    pub fn myself(&self) -> Read<&Node> {
        let myself = self.nodes.iter().find(|node| node.is("myself"));
        myself.ok_or_else(|| Unread("CLUSTER NODES does not say which node this is".into()))
    }

    /// Masters that have slots.
    pub fn masters(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is("master") && node.slots > 0)
    }

    /// The replicas that are named of a node.
    pub fn replicas_of<'a>(&'a self, master: &'a Node) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(|node| node.master.as_ref() == Some(&master.id))
    }
}

impl Node {
    /// Whether it has a flag.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    /// Why it does not count as up, in the words of CLUSTER NODES.
    pub fn trouble(&self) -> Option<&str> {
        let flag = ["fail", "fail?", "noaddr", "handshake"].into_iter().find(|flag| self.is(flag));
        flag.or((!self.is_linked && !self.is("myself")).then_some("disconnected"))
    }

    /// For people.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host.as_deref().unwrap_or(&self.ip), self.port)
    }
}

/// Reads CLUSTER NODES.
pub fn nodes(text: &str) -> Read<Vec<Node>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() > NODES_MAX {
        return Err(Unread(format!("CLUSTER NODES names more than {NODES_MAX} nodes")));
    }
    let read = |line: &&str| {
        node(line).ok_or_else(|| Unread(format!("CLUSTER NODES has a line that is none: {line:?}")))
    };
    lines.iter().map(read).collect()
}

/// `<id> <ip:port@bus[,host]> <flags> <master> <sent> <received> <epoch> <link> <slot> …`
fn node(line: &str) -> Option<Node> {
    let mut words = line.split_whitespace();
    let id = words.next()?.to_owned();
    let mut place = words.next()?.split(',');
    // An address of version 6 has colons of its own.
    let (ip, port) = place.next()?.split('@').next()?.rsplit_once(':')?;
    let host = place.next().filter(|host| !host.is_empty()).map(str::to_owned);
    let flags = words.next()?.split(',').map(str::to_owned).collect();
    let master = words.next().filter(|id| *id != "-").map(str::to_owned);
    let is_linked = words.nth(3)? == "connected";
    // Slots that are on their way stand in brackets, beside those that are there.
    let ranges = words.filter(|word| !word.starts_with('['));
    let slots = ranges.map(width).sum::<Option<u64>>()?;
    Some(Node { id, ip: ip.into(), port: port.parse().ok()?, host, flags, master, is_linked, slots })
}

/// How many slots `5` or `0-16383` are.
fn width(range: &str) -> Option<u64> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    last.checked_sub(first).map(|more| more + 1)
}

/// Asks every other node for INFO, with the login of the first.
fn others(address: &Address, nodes: &[Node]) -> Vec<(String, Read<Facts>)> {
    let began = Instant::now();
    let others = nodes.iter().filter(|node| !node.is("myself")).enumerate();
    let ask = |(index, node): (usize, &Node)| {
        let facts = if let Some(trouble) = node.trouble() {
            Err(Unread(format!("it is {trouble}")))
        } else if index >= ASKED_MAX || began.elapsed() > ASKING_LIMIT {
            Err(Unread(format!(
                "no more than {ASKED_MAX} are asked, and none after {} s",
                ASKING_LIMIT.as_secs()
            )))
        } else {
            facts(address, node)
        };
        (node.place(), facts)
    };
    others.map(ask).collect()
}

fn facts(address: &Address, node: &Node) -> Read<Facts> {
    let at = beside(address, node)
        .ok_or_else(|| Unread("other nodes are asked over TCP without TLS only: audit each".into()))?;
    let mut connection = at.dial().map_err(|error| Unread(error.to_string()))?;
    let info: String = redis::cmd("INFO")
        .arg("everything")
        .query(&mut connection)
        .map_err(|error| refused("INFO", &error))?;
    Ok(Facts::of(&info))
}

/// The address of another node, with the same login.
fn beside(address: &Address, node: &Node) -> Option<Address> {
    let AddressParts { place: Endpoint::Tcp(..), user, password, .. } = address.plain()? else { return None };
    let host = node.host.as_deref().unwrap_or(&node.ip);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let [user, password] = [user, password].map(|text| text.map(escaped).unwrap_or_default());
    let login = if password.is_empty() { String::new() } else { format!("{user}:{password}@") };
    Address::parse(&format!("redis://{login}{host}:{}", node.port)).ok()
}

/// As it stands in a URL: letters and digits as they are, everything else as `%20`.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| {
        if byte.is_ascii_alphanumeric() {
            text + &char::from(byte).to_string()
        } else {
            text + &format!("%{byte:02X}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "07c3 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-99 200 [93-<-292f]";

    #[test]
    fn a_line_of_cluster_nodes_is_read_with_and_without_its_host_name_and_its_slots() {
        let node = &nodes(&format!("{MASTER}\n\n")).unwrap()[0];
        assert_eq!((node.ip.as_str(), node.port, node.slots, &node.host), ("10.0.0.1", 6379, 101, &None));
        assert!(node.is("myself") && node.is("master") && node.trouble().is_none());
        let replica =
            "a1 fd00::2:7001@17001,b.example slave,fail? 07c3 0 0 1 connected\n".to_owned() + MASTER;
        let nodes = nodes(&replica).unwrap();
        assert_eq!((nodes[0].ip.as_str(), nodes[0].place().as_str()), ("fd00::2", "b.example:7001"));
        assert_eq!((nodes[0].trouble(), nodes[0].master.as_deref()), (Some("fail?"), Some("07c3")));
        let cluster = Cluster { info: Facts::of("cluster_state:ok\r\n"), nodes, others: Vec::new() };
        assert_eq!(cluster.replicas_of(cluster.myself().unwrap()).count(), 1);
        assert_eq!(cluster.field("cluster_state").unwrap(), "ok");
        assert!(cluster.count("cluster_state").is_err() && cluster.count("cluster_size").is_err());
    }

    #[test]
    fn a_line_that_is_none_is_told_and_not_left_out() {
        for line in ["nonsense", "07c3 10.0.0.1 myself,master - 0 0 1 connected", "07c3 h:1@2 master - 0 0 1"]
        {
            assert!(nodes(line).is_err(), "{line}");
        }
        assert!(nodes(&format!("{MASTER} 5-1")).is_err());
        assert!(nodes(&format!("{MASTER}\n").repeat(NODES_MAX + 1)).is_err());
    }

    #[test]
    fn another_node_is_asked_with_the_same_login() {
        let node = &nodes(MASTER).unwrap()[0];
        let at = |url: &str| beside(&Address::parse(url).unwrap(), node);
        for (url, user, password) in [
            ("redis://me:a%20b%2F@one:1/3", Some("me"), Some("a b/")),
            ("redis://:pw@one:1", None, Some("pw")),
            ("redis://one:1", None, None),
        ] {
            let address = at(url).unwrap();
            let parts = address.plain().unwrap();
            assert!(matches!(parts.place, Endpoint::Tcp("10.0.0.1", 6379)), "{url}");
            assert_eq!((parts.user, parts.password, parts.database), (user, password, 0), "{url}");
        }
        assert!(at("unix:///tmp/socket").is_none());
    }
}
