//! Sentinel: which server is the master by now. It is asked before every connection, since nothing tells a client that the master
//! is another one, and the old one may go on answering.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::{ConnectionAddr, ConnectionInfo, FromRedisValue, RedisResult};

use super::node_connection::NodeConnection;
use super::server_info::{reached, server_info};

/// What a URL of this kind begins with, without and with TLS.
const SCHEMES: [(&str, &str); 2] = [("redis+sentinel://", "redis"), ("rediss+sentinel://", "rediss")];

/// How long one Sentinel may take to be reached and to answer.
const EACH_MAX: Duration = Duration::from_secs(1);

/// Sentinels of a URL, at most.
const COUNT_MAX: usize = 16;

/// Sentinels, and what they watch.
#[derive(Clone)]
pub(super) struct Sentinels {
    sentinels: Vec<ConnectionInfo>,
    master: String,
}

impl Sentinels {
    /// Those of a URL `redis+sentinel://[user:password@]host[:port],…/master[/database]`, and how the servers are logged in to; none
    /// where it is a URL of another kind. Sentinels with a password of their own have it behind `?sentinel_password=`, and a user
    /// behind `sentinel_user=`.
    pub fn parse(url: &str) -> Option<Result<(Self, ConnectionInfo), String>> {
        let starts =
            |start: &str| url.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
        let (start, scheme) = SCHEMES.into_iter().find(|(start, _)| starts(start))?;
        Some(Self::parse_rest(url.get(start.len()..).unwrap_or_default(), scheme))
    }

    fn parse_rest(rest: &str, scheme: &str) -> Result<(Self, ConnectionInfo), String> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, rest) = rest.rsplit_once('@').map_or(("", rest), |(login, rest)| (login, rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (master, database) = path.split_once('/').unwrap_or((path, "0"));
        if master.is_empty() {
            return Err("it names no master: redis+sentinel://HOST,HOST/MASTER".into());
        }
        let login = if login.is_empty() { String::new() } else { format!("{login}@") };
        let theirs = own_login(query)?;
        let hosts: Vec<&str> = hosts.split(',').collect();
        if hosts.len() > COUNT_MAX {
            return Err(format!("it names {} Sentinels: {COUNT_MAX} are enough", hosts.len()));
        }
        let sentinels =
            hosts.iter().map(|host| server_info(&format!("{scheme}://{theirs}{}", with_port(host))));
        let sentinels = sentinels.collect::<Result<_, _>>()?;
        let server = server_info(&format!("{scheme}://{login}127.0.0.1:1/{database}"))?;
        Ok((Self { sentinels, master: master.into() }, server))
    }

    /// Where the master is, as the first Sentinel says that knows; within so long.
    pub fn master(&self, server: &ConnectionInfo, limit: Duration) -> Result<ConnectionInfo, String> {
        let mut why = Vec::new();
        for (sentinel, answer) in self.ask::<Option<(String, u16)>>("GET-MASTER-ADDR-BY-NAME", limit) {
            match answer {
                Ok(Some((host, port))) => return Ok(reached(server, host, port)),
                Ok(None) => why.push(format!("{sentinel} knows no master {:?}", self.master)),
                Err(error) => why.push(format!("{sentinel}: {error}")),
            }
        }
        Err(format!("no Sentinel says where the master is: {}", why.join("; ")))
    }

    /// How many replicas the Sentinels may make the master: those that are not down. The most that any of them knows; none where none
    /// answers.
    pub fn replicas(&self, limit: Duration) -> u64 {
        let is_up = |replica: &HashMap<String, String>| {
            let flags = replica.get("flags").map_or("", String::as_str);
            !["s_down", "o_down", "disconnected"].iter().any(|down| flags.contains(down))
        };
        let known = self.ask::<Vec<HashMap<String, String>>>("REPLICAS", limit);
        let counts = known
            .filter_map(|(_, answer)| Some(answer.ok()?.iter().filter(|replica| is_up(replica)).count()));
        counts.max().unwrap_or_default() as u64
    }

    /// Asks one after the other, as long as there is time.
    fn ask<T: FromRedisValue>(
        &self,
        what: &'static str,
        limit: Duration,
    ) -> impl Iterator<Item = (&ConnectionAddr, RedisResult<T>)> {
        let deadline = Instant::now() + limit;
        self.sentinels.iter().map_while(move |sentinel| {
            let left = deadline.saturating_duration_since(Instant::now());
            let asked = || {
                let mut connection = NodeConnection::open(sentinel, EACH_MAX.min(left))?;
                connection.set_limit(EACH_MAX.min(left));
                redis::cmd("SENTINEL").arg(what).arg(&self.master).query(&mut connection)
            };
            (!left.is_zero()).then(|| (sentinel.addr(), asked()))
        })
    }
}

/// Whether it is a master by what it says itself: Sentinel may be behind. By INFO, which a user who may append may ask.
pub(super) fn is_master(connection: &mut NodeConnection) -> RedisResult<bool> {
    let info: String = redis::cmd("INFO").arg("replication").query(connection)?;
    Ok(info.lines().any(|line| line.trim_end() == "role:master"))
}

fn with_port(host: &str) -> String {
    let after_brackets = host.rfind(']').map_or(0, |at| at + 1);
    let has_port = host.get(after_brackets..).is_some_and(|rest| rest.contains(':'));
    if has_port { host.to_owned() } else { format!("{host}:26379") }
}

/// How the Sentinels themselves are logged in to, as a URL has it.
fn own_login(query: &str) -> Result<String, String> {
    let (mut user, mut password) = ("", None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sentinel_user", value)) => user = value,
            Some(("sentinel_password", value)) => password = Some(value),
            _ => return Err("behind ? it takes sentinel_user and sentinel_password alone".into()),
        }
    }
    match password {
        Some(password) => Ok(format!("{user}:{password}@")),
        None if user.is_empty() => Ok(String::new()),
        None => Err("it has a sentinel_user without a sentinel_password".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<(Sentinels, ConnectionInfo), String> {
        Sentinels::parse(url).unwrap()
    }

    #[test]
    fn a_url_names_sentinels_a_master_and_two_logins() {
        let url = "redis+sentinel://app:pa%40ss@one,two:5000,[::1]:7/main/3?sentinel_user=watch&sentinel_password=s%2Fp";
        let (sentinels, server) = parsed(url).unwrap();
        let places: Vec<String> = sentinels.sentinels.iter().map(|info| info.addr().to_string()).collect();
        assert_eq!(places.join(" "), "one:26379 two:5000 ::1:7");
        let login = sentinels.sentinels[2].redis_settings();
        assert_eq!((login.username(), login.password(), login.db()), (Some("watch"), Some("s/p"), 0));
        let login = server.redis_settings();
        assert_eq!((login.username(), login.password(), login.db()), (Some("app"), Some("pa@ss"), 3));
        assert_eq!(sentinels.master, "main");
        let (sentinels, server) = parsed("redis+sentinel://one/main").unwrap();
        assert_eq!(
            (sentinels.sentinels[0].redis_settings().password(), server.redis_settings().password()),
            (None, None)
        );
        assert!(Sentinels::parse("redis://one/main").is_none());
    }

    #[test]
    fn a_url_that_lacks_something_says_what_and_gives_no_password_away() {
        for (url, what) in [
            ("redis+sentinel://one", "names no master"),
            ("redis+sentinel://one/", "names no master"),
            ("redis+sentinel://:secret@one:x/main", "is none"),
            ("redis+sentinel://:secret@one/main/x", "is none"),
            ("redis+sentinel://one/main?password=secret", "sentinel_user and sentinel_password"),
            ("redis+sentinel://one/main?sentinel_user=a", "without a sentinel_password"),
        ] {
            let why = parsed(url).err().unwrap();
            assert!(why.contains(what) && !why.contains("secret"), "{url}: {why}");
        }
        let many = vec!["h"; 17].join(",");
        assert!(parsed(&format!("redis+sentinel://{many}/main")).err().unwrap().contains("17 Sentinels"));
    }
}
