//! A master, its replicas, and three Sentinels that watch them, on loopback: what fails over by itself.

use std::time::Duration;

use redis::cmd;

use super::replication::{self, LIMIT, SyncGoal, connect};
use super::wait::poll;
use super::{Conf, Helper, Server, ServerBinary, ServerError};

/// What the Sentinels call it.
const NAME: &str = "main";
/// How many there are: two of them decide.
const SENTINELS: usize = 3;
/// How long a master is silent before a Sentinel takes it for down.
const DOWN_AFTER: Duration = Duration::from_secs(1);

/// The set. Dropping it ends all of it.
#[derive(Debug)]
pub struct SentinelSet {
    servers: Vec<Server>,
    sentinels: Vec<Helper>,
    password: String,
}

impl SentinelSet {
    /// Starts one with so many replicas, and waits until every part knows the others.
    pub fn start(binary: &ServerBinary, conf: &Conf, replicas: usize) -> Result<Self, ServerError> {
        let password = replication::password()?;
        let mut conf = conf.clone();
        conf.set("requirepass", &*password)
            .set("masterauth", &*password)
            .set("repl-diskless-sync-delay", "0");
        let servers = (0..=replicas).map(|_| Server::start(binary, &conf)).collect::<Result<Vec<_>, _>>()?;
        let mut set = Self { servers, sentinels: Vec::new(), password };
        let port = set.servers[0].port();
        for replica in &set.servers[1..] {
            let told = replication::tell(replica, cmd("REPLICAOF").arg("127.0.0.1").arg(port));
            told.map_err(|said| set.not_ready(&format!("REPLICAOF is not taken: {said}")))?;
        }
        set.wait_in_sync(replicas)?;
        for _ in 0..SENTINELS {
            set.start_sentinel(binary, port)?;
        }
        for sentinel in &set.sentinels {
            let is_whole = || {
                let mut connection = connect(&sentinel_url(sentinel)).ok()?;
                let facts: Vec<String> =
                    cmd("SENTINEL").arg("MASTER").arg(NAME).query(&mut connection).ok()?;
                let is = |name: &str, value: usize| {
                    facts.chunks(2).any(|pair| pair[0] == name && pair[1] == value.to_string())
                };
                (is("num-slaves", replicas) && is("num-other-sentinels", SENTINELS - 1)).then_some(())
            };
            poll(LIMIT, is_whole).ok_or_else(|| set.not_ready("a Sentinel does not know all of them"))?;
        }
        Ok(set)
    }

    fn start_sentinel(&mut self, binary: &ServerBinary, master: u16) -> Result<(), ServerError> {
        let sentinel = Helper::reserve(&binary.path)?;
        let (port, password, down) = (sentinel.port(), &self.password, DOWN_AFTER.as_millis());
        let quorum = SENTINELS / 2 + 1;
        sentinel.write(
            "sentinel.conf",
            &format!(
                "port {port}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {master} {quorum}\n\
                 sentinel auth-pass {NAME} {password}\nsentinel down-after-milliseconds {NAME} {down}\n\
                 sentinel failover-timeout {NAME} 3000\n"
            ),
        )?;
        let url = sentinel_url(&sentinel);
        let is_there = || connect(&url).is_ok_and(|mut connection| cmd("PING").exec(&mut connection).is_ok());
        sentinel.start(["sentinel.conf", "--sentinel"], LIMIT, is_there)?;
        self.sentinels.push(sentinel);
        Ok(())
    }

    /// What a client is given, the password included: not to be printed.
    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect();
        format!("redis+sentinel://:{}@{}/{NAME}", self.password, hosts.join(","))
    }

    /// One of the servers, the first of which is the first master.
    pub fn server(&mut self, index: usize) -> &mut Server {
        &mut self.servers[index]
    }

    /// Which server is the master by what the Sentinels say and by what it says itself.
    pub fn master(&self) -> Result<usize, ServerError> {
        self.master_but(None)
    }

    /// Waits until another server than this one is the master.
    pub fn failed_over_from(&self, old: usize) -> Result<usize, ServerError> {
        self.master_but(Some(old))
    }

    fn master_but(&self, old: Option<usize>) -> Result<usize, ServerError> {
        let found = || self.master_now().filter(|master| Some(*master) != old);
        poll(LIMIT, found).ok_or_else(|| self.not_ready("there is no other master"))
    }

    fn master_now(&self) -> Option<usize> {
        self.sentinels.iter().find_map(|sentinel| {
            let mut connection = connect(&sentinel_url(sentinel)).ok()?;
            let mut ask = cmd("SENTINEL");
            let (_, port): (String, u16) =
                ask.arg("GET-MASTER-ADDR-BY-NAME").arg(NAME).query(&mut connection).ok()?;
            let index = self.servers.iter().position(|server| server.port() == port)?;
            let mut connection = connect(&self.servers[index].url()).ok()?;
            let role: Vec<redis::Value> = cmd("ROLE").query(&mut connection).ok()?;
            matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master").then_some(index)
        })
    }

    /// Waits until so many replicas have all that their master has when it is first asked. Sentinels may fail over twice in a row:
    /// whoever is the master then.
    pub fn wait_in_sync(&self, replicas: usize) -> Result<(), ServerError> {
        let mut goal = SyncGoal::default();
        let in_sync = || {
            let master = self.master_now().or(self.sentinels.is_empty().then_some(0))?;
            goal.is_reached(master, &self.servers[master], replicas).then_some(())
        };
        poll(LIMIT, in_sync).ok_or_else(|| self.not_ready(&goal.missing()))
    }

    /// Cuts a master off from its replicas, sharply: what it takes from here on none of them has.
    pub fn cut(&self, master: usize) -> Result<(), ServerError> {
        replication::cut(&self.servers[master])
            .map_err(|said| self.not_ready(&format!("a replica is not cut off: {said}")))
    }

    /// Takes it back: replicas may come again.
    pub fn uncut(&self, master: usize) -> Result<(), ServerError> {
        replication::uncut(&self.servers[master])
            .map_err(|said| self.not_ready(&format!("replicas are not let in: {said}")))
    }

    /// Has the Sentinels make another server the master while the old one is well.
    pub fn hand_over(&self) -> Result<(), ServerError> {
        let told = || {
            let mut connection = connect(&sentinel_url(&self.sentinels[0])).ok()?;
            cmd("SENTINEL").arg("FAILOVER").arg(NAME).exec(&mut connection).ok()
        };
        poll(LIMIT, told).ok_or_else(|| self.not_ready("no Sentinel begins a failover"))
    }

    /// The password of the servers.
    pub fn password(&self) -> &str {
        &self.password
    }

    fn not_ready(&self, reason: &str) -> ServerError {
        let logs = self
            .sentinels
            .iter()
            .map(Helper::log)
            .chain(self.servers.iter().map(|server| server.log_tail(5)));
        ServerError::NotReady {
            path: NAME.into(),
            place: "loopback, under Sentinel".into(),
            limit: LIMIT,
            reason: reason.into(),
            log: logs.collect::<Vec<_>>().join("\n--\n"),
        }
    }
}

fn sentinel_url(sentinel: &Helper) -> String {
    format!("redis://127.0.0.1:{}", sentinel.port())
}
