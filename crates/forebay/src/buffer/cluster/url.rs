//! A cluster's URL: `redis+cluster://[user:password@]host[:port],…[/0][?map=INSIDE=OUTSIDE&…]`.

use redis::ConnectionInfo;

use super::topology::Topology;
use super::view::Place;
use crate::buffer::server_info::server_info;

/// What a URL of this kind begins with, without and with TLS.
const SCHEMES: [(&str, &str); 2] = [("redis+cluster://", "redis"), ("rediss+cluster://", "rediss")];

/// Nodes of a URL, and names that it maps, at most.
const COUNT_MAX: usize = 64;

/// The port where none is said.
const PORT: u16 = 6_379;

/// The cluster of a URL; none where it is a URL of another kind.
pub(super) fn parse(url: &str) -> Option<Result<Topology, String>> {
    let starts = |start: &str| url.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    let (start, scheme) = SCHEMES.into_iter().find(|(start, _)| starts(start))?;
    Some(parse_rest(url.get(start.len()..).unwrap_or_default(), scheme))
}

fn parse_rest(rest: &str, scheme: &str) -> Result<Topology, String> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (login, rest) = rest.rsplit_once('@').map_or(("", rest), |(login, rest)| (login, rest));
    let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
    if !["", "0"].contains(&database) {
        return Err(format!("it names database {database:?}: a cluster has database 0 alone"));
    }
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > COUNT_MAX {
        return Err(format!("it names {} nodes: {COUNT_MAX} are enough", hosts.len()));
    }
    let seeds = hosts.iter().map(|host| place(host)).collect::<Result<_, _>>()?;
    let login = if login.is_empty() { String::new() } else { format!("{login}@") };
    let server: ConnectionInfo = server_info(&format!("{scheme}://{login}127.0.0.1:1/0"))?;
    Ok(Topology::new(seeds, server, map(query)?))
}

fn place(host: &str) -> Result<Place, String> {
    let no_host = || "a host or a port in it is none".to_owned();
    let after_brackets = host.rfind(']').map_or(0, |at| at + 1);
    let has_port = host.get(after_brackets..).is_some_and(|rest| rest.contains(':'));
    let host = if has_port { host.to_owned() } else { format!("{host}:{PORT}") };
    Place::parse(&host).filter(|place| !place.host.is_empty()).ok_or_else(no_host)
}

/// Where nodes are reached that name themselves otherwise: behind an address translation, say.
fn map(query: &str) -> Result<Vec<(Place, Place)>, String> {
    let form = "behind ? it takes map=HOST:PORT=HOST:PORT alone, once for each node";
    let pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    if pairs.len() > COUNT_MAX {
        return Err(format!("it maps {} nodes: {COUNT_MAX} are enough", pairs.len()));
    }
    let pairs = pairs.into_iter().map(|pair| {
        let (inside, outside) = pair.strip_prefix("map=")?.split_once('=')?;
        Some((Place::parse(inside)?, Place::parse(outside)?))
    });
    pairs.collect::<Option<_>>().ok_or_else(|| form.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_nodes_a_login_and_other_places_of_nodes() {
        let url = "redis+cluster://app:pa%40ss@one,two:5000,[::1]:7?map=10.0.0.1:6379=host:7001";
        let topology = parse(url).unwrap().unwrap();
        assert_eq!(topology.to_string(), "one:6379,two:5000,[::1]:7");
        let login = topology.server().redis_settings();
        assert_eq!((login.username(), login.password(), login.db()), (Some("app"), Some("pa@ss"), 0));
        assert_eq!(topology.reached_at(&Place::new("10.0.0.1", 6379)), Place::new("host", 7001));
        assert_eq!(topology.reached_at(&Place::new("10.0.0.2", 6379)), Place::new("10.0.0.2", 6379));
        assert!(parse("redis://one").is_none() && parse("redis+sentinel://one/main").is_none());
        assert!(parse("rediss+cluster://one/0").unwrap().is_ok());
    }

    #[test]
    fn a_url_that_is_wrong_says_how_and_gives_no_password_away() {
        for (url, what) in [
            ("redis+cluster://:secret@one:x", "a host or a port"),
            ("redis+cluster://:secret@", "a host or a port"),
            ("redis+cluster://:secret@one/3", "database \"3\""),
            ("redis+cluster://:secret@one?map=x", "map=HOST:PORT"),
            ("redis+cluster://:secret@one?password=secret", "map=HOST:PORT"),
        ] {
            let why = parse(url).unwrap().err().unwrap();
            assert!(why.contains(what) && !why.contains("secret"), "{url}: {why}");
        }
        let many = vec!["h"; 65].join(",");
        assert!(parse(&format!("redis+cluster://{many}")).unwrap().err().unwrap().contains("65 nodes"));
    }
}
