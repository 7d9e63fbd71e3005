//! Connections to a server that can hold a buffer: URL, time-outs, login, and what the server is.

use std::io::Read;
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisError};

use super::answer::Budget;
use super::cluster::{ClusterConnection, Place, Topology};
use super::connection::Connection;
use super::error::{Cause, Error};
pub use super::facts::Facts;
use super::keys::Name;
use super::node_connection::NodeConnection;
use super::secret;
use super::sentinel::{self, Sentinels};
use super::server_info::reached;
use super::tls;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take before the connection counts as gone. Longer than a slow fsync or a fork of a
/// large server: giving up early only means that blocks are sent twice.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The same where another server takes the place of one within seconds. A replica may take two to have something on its disk and to
/// say so, which WAITAOF waits for.
const FAILOVER_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Less time than that no answer is given, however little patience is left.
const ANSWER_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// How long to listen for why a server hangs up: it says so at once.
const OVERHEAR: Duration = Duration::from_millis(300);

/// What a server says that has as many clients as it takes.
pub(super) const CROWDED: &str = "max number of clients";

/// Where a server is; printed without its password.
#[derive(Clone)]
pub struct Address {
    /// Under Sentinel without the place, which is another one from time to time; of a cluster at one of its nodes.
    info: ConnectionInfo,
    sentinels: Option<Sentinels>,
    cluster: Option<Arc<Topology>>,
    shown: String,
}

/// An address in parts.
pub struct AddressParts<'a> {
    /// Where it answers.
    pub place: Endpoint<'a>,
    /// User to log in as.
    pub user: Option<&'a str>,
    /// Password to log in with; without one there is no login.
    pub password: Option<&'a str>,
    /// Database to select.
    pub database: i64,
}

/// Where a server answers.
pub enum Endpoint<'a> {
    /// Host and port.
    Tcp(&'a str, u16),
    /// A socket in a file.
    Unix(&'a std::path::Path),
}

impl Address {
    /// Reads a `redis://`, `rediss://` or `unix://` URL, or one of Sentinels (`redis+sentinel://`) or a cluster (`redis+cluster://`).
    pub fn parse(url: &str) -> Result<Self, Error> {
        let shown = secret::url(url);
        if let Some(why) = tls::unsupported(url) {
            return Err(Error::Url { url: shown, why });
        }
        if let Some(parsed) = Sentinels::parse(url) {
            let (sentinels, info) = parsed.map_err(|why| Error::Url { url: shown.clone(), why })?;
            return Ok(Self { info, sentinels: Some(sentinels), cluster: None, shown });
        }
        if let Some(parsed) = Topology::parse(url) {
            let topology = parsed.map_err(|why| Error::Url { url: shown.clone(), why })?;
            let info = topology.at_first();
            return Ok(Self { info, sentinels: None, cluster: Some(Arc::new(topology)), shown });
        }
        let bad = |error: RedisError| {
            let text = error.to_string();
            // What follows names the client library's own kinds of errors.
            let why = text.split(" - ").next().unwrap_or_default();
            Error::Url { url: shown.clone(), why: why.into() }
        };
        let info = url.into_connection_info().map_err(bad)?;
        // Streams answer otherwise in RESP3, and there is nothing to gain from it, whatever the URL asks for.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let info =
            info.set_tcp_settings(TcpSettings::default().set_nodelay(true)).set_redis_settings(settings);
        Ok(Self { info, sentinels: None, cluster: None, shown })
    }

    /// The same, with small packets sent at once or put off for others (`TCP_NODELAY`); else they are sent at once.
    #[must_use]
    pub fn with_nodelay(mut self, nodelay: bool) -> Self {
        self.info = self.info.set_tcp_settings(TcpSettings::default().set_nodelay(nodelay));
        self.cluster = self.cluster.map(|topology| Arc::new(topology.with_nodelay(nodelay)));
        self
    }

    /// Connects, logs in and checks that the server can hold a buffer.
    ///
    /// For the crates of this workspace: no promise is kept about what it gives.
    #[doc(hidden)]
    pub fn connect(&self) -> Result<(Connection, Facts), Error> {
        self.connect_within(ANSWER_TIMEOUT)
    }

    /// The same with no more time for each answer than this, now and later; nor more than [`ANSWER_TIMEOUT`].
    ///
    /// For the crates of this workspace: no promise is kept about what it gives.
    #[doc(hidden)]
    pub fn connect_within(&self, limit: Duration) -> Result<(Connection, Facts), Error> {
        self.connect_for(None, limit)
    }

    /// The same for commands about a key: of a cluster, the facts are those of the node that has it, which is also asked what
    /// names no key.
    pub(super) fn connect_for(
        &self,
        key: Option<&str>,
        limit: Duration,
    ) -> Result<(Connection, Facts), Error> {
        let mut connection = self.dial_for(key, limit)?;
        let info: String = redis::cmd("INFO").query(&mut connection).map_err(|error| self.refused(&error))?;
        let facts = Facts::of(&info);
        let unfit = |why| Error::Unfit { url: self.shown.clone(), why };
        if facts.is_of_cluster() && !self.is_cluster() {
            return Err(unfit("it is a node of a cluster; give redis+cluster:// for redis://, and all of its lanes are found".into()));
        }
        facts.fit().map_err(unfit)?;
        Ok((connection, facts))
    }

    /// Each node of a cluster by itself, masters first; of one server that server.
    pub fn nodes(&self) -> Result<Vec<Self>, Error> {
        let Some(topology) = &self.cluster else { return Ok(vec![self.clone()]) };
        let away = |why| Error::Connect { url: self.shown.clone(), why: self.hide(why), source: None };
        topology.ask(CONNECT_TIMEOUT).map_err(away)?;
        let node = |place: Place| {
            let scheme =
                if matches!(self.info.addr(), ConnectionAddr::TcpTls { .. }) { "rediss" } else { "redis" };
            let shown = format!("{scheme}://{place}");
            Self { info: reached(&self.info, place.host, place.port), sentinels: None, cluster: None, shown }
        };
        Ok(topology.nodes().into_iter().map(node).collect())
    }

    /// A buffer as it is named when it is made there: on a cluster its streams are spread over the slots.
    pub(super) fn named(&self, name: &Name) -> Name {
        let name = name.clone();
        if self.is_cluster() { name.spread() } else { name }
    }

    /// Whether another server may take the place of one: under Sentinel, and in a cluster.
    pub(super) fn fails_over(&self) -> bool {
        self.sentinels.is_some() || self.is_cluster()
    }

    /// Whether it is a cluster.
    pub fn is_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// The same for whoever asks for blocks.
    pub(super) fn connect_to_read(&self, limit: Duration) -> Result<Connection, Error> {
        let (mut connection, _) = self.connect_within(limit)?;
        connection.set_budget(Budget::BLOCKS);
        Ok(connection)
    }

    /// Whether the server is reached without leaving this machine: over loopback, or a socket in a file.
    pub fn is_loopback(&self) -> bool {
        if self.fails_over() {
            return false;
        }
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => is_loopback(host),
            ConnectionAddr::Unix(_) => true,
            _ => false,
        }
    }

    /// The parts, for a client of another make; none where the server speaks TLS, is found by Sentinel, or is a cluster.
    pub fn plain(&self) -> Option<AddressParts<'_>> {
        let place = match self.info.addr() {
            _ if self.fails_over() => return None,
            ConnectionAddr::Tcp(host, port) => Endpoint::Tcp(host, *port),
            ConnectionAddr::Unix(path) => Endpoint::Unix(path),
            _ => return None,
        };
        let login = self.info.redis_settings();
        Some(AddressParts { place, user: login.username(), password: login.password(), database: login.db() })
    }

    /// How redis-cli is called to reach it, word by word; a password is left to `REDISCLI_AUTH`.
    pub fn redis_cli(&self) -> Vec<String> {
        let mut words = vec!["redis-cli".to_owned()];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        let tls = match self.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                option("-h", host.clone());
                option("-p", port.to_string());
                matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
            }
            ConnectionAddr::Unix(path) => {
                option("-s", path.display().to_string());
                false
            }
            _ => false,
        };
        let login = self.info.redis_settings();
        if let Some(user) = login.username() {
            option("--user", user.to_owned());
        }
        if login.db() != 0 {
            option("-n", login.db().to_string());
        }
        words.extend(tls.then(|| "--tls".to_owned()));
        words.extend(self.is_cluster().then(|| "-c".to_owned()));
        words
    }

    /// Connects and logs in, whatever the server is.
    ///
    /// For the crates of this workspace: no promise is kept about what it gives.
    #[doc(hidden)]
    pub fn dial(&self) -> Result<Connection, Error> {
        self.dial_within(ANSWER_TIMEOUT)
    }

    /// The same with no more time for each answer than this, nor more than [`ANSWER_TIMEOUT`].
    pub(super) fn dial_within(&self, limit: Duration) -> Result<Connection, Error> {
        self.dial_for(None, limit)
    }

    fn dial_for(&self, key: Option<&str>, limit: Duration) -> Result<Connection, Error> {
        let at_once = CONNECT_TIMEOUT.min(at_least(limit));
        let connection: Connection = match (&self.sentinels, &self.cluster) {
            (Some(sentinels), _) => self.dial_master(sentinels, at_once)?.into(),
            (None, Some(topology)) => {
                let away =
                    |why| Error::Connect { url: self.shown.clone(), why: self.hide(why), source: None };
                ClusterConnection::open(topology, key, at_once).map_err(away)?.into()
            }
            (None, None) => {
                NodeConnection::open(&self.info, at_once).map_err(|error| self.refused(&error))?.into()
            }
        };
        let mut connection = connection.that_fails_over(self.fails_over());
        self.limit_answers(&mut connection, limit);
        Ok(connection)
    }

    /// Gives each answer on a connection no more time than this, nor more than any answer has.
    pub(super) fn limit_answers(&self, connection: &mut Connection, limit: Duration) {
        connection.set_limit(self.answer_timeout().min(at_least(limit)));
    }

    /// How long an answer may take. Under Sentinel and in a cluster another server may have what this one does not answer: silence is not
    /// waited out.
    pub(super) fn answer_timeout(&self) -> Duration {
        if self.fails_over() { FAILOVER_ANSWER_TIMEOUT } else { ANSWER_TIMEOUT }
    }

    /// How many replicas there are that may become the master, by what Sentinel says; none where it is not asked.
    pub(super) fn replicas(&self) -> u64 {
        self.sentinels.as_ref().map_or(0, |sentinels| sentinels.replicas(CONNECT_TIMEOUT))
    }

    fn dial_master(&self, sentinels: &Sentinels, limit: Duration) -> Result<NodeConnection, Error> {
        let away = |why: String| Error::Connect { url: self.shown.clone(), why, source: None };
        let master = sentinels.master(&self.info, limit).map_err(away)?;
        let mut connection = NodeConnection::open(&master, limit).map_err(|error| self.refused(&error))?;
        if sentinel::is_master(&mut connection).map_err(|error| self.refused(&error))? {
            return Ok(connection);
        }
        Err(away(format!(
            "{} is the master by what Sentinel says, and not by what it says itself",
            master.addr()
        )))
    }

    /// A server that was there and answers no more.
    pub fn gone(&self) -> Error {
        let why = "it took the connection, and then stopped answering as Redis or Valkey does".into();
        Error::Connect { url: self.shown.clone(), why, source: None }
    }

    /// The text without the password: a server that does not know AUTH says back what it was sent.
    fn hide(&self, text: String) -> String {
        match self.info.redis_settings().password() {
            Some(password) if !password.is_empty() => text.replace(password, secret::HIDDEN),
            _ => text,
        }
    }

    /// What a server's refusal means for whoever wants to talk to it.
    ///
    /// For the crates of this workspace: no promise is kept about what it gives.
    #[doc(hidden)]
    pub fn refused(&self, error: &RedisError) -> Error {
        let url = self.shown.clone();
        let why = if error.is_timeout() {
            "it took the connection and gives no answer".into()
        } else if error.kind() == ErrorKind::Parse {
            "what answers is neither Redis nor Valkey".into()
        } else {
            self.hide(error.to_string())
        };
        // Not where it holds what was hidden.
        let source = (why == error.to_string()).then(|| Cause::new(error.clone()));
        // Said before it hangs up, and lost where the connection was reset first.
        let said = why.contains(CROWDED).then(|| why.clone());
        let overheard = || error.is_connection_dropped().then(|| self.overheard()).flatten();
        if let Some(why) = said.or_else(overheard) {
            return Error::Crowded { url, why };
        }
        let login = error.code().is_some_and(|code| ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&code))
            || error.kind() == ErrorKind::AuthenticationFailed;
        if let Some(why) = untrusted(&why) {
            return Error::Certificate { url, why, source };
        }
        if login { Error::Login { url, why, source } } else { Error::Connect { url, why, source } }
    }
}

impl Address {
    /// What a server that has as many clients as it takes says before it hangs up; none where it says no such thing.
    /// Whoever sends something first, as a client does, may have its connection reset and never read it.
    fn overheard(&self) -> Option<String> {
        let AddressParts { place: Endpoint::Tcp(host, port), .. } = self.plain()? else { return None };
        let at = (host, port).to_socket_addrs().ok()?.next()?;
        let mut socket = TcpStream::connect_timeout(&at, OVERHEAR).ok()?;
        socket.set_read_timeout(Some(OVERHEAR)).ok()?;
        let mut said = [0; 256];
        let count = socket.read(&mut said).ok()?;
        let text = String::from_utf8_lossy(&said[..count]);
        let line = text.lines().next()?.strip_prefix('-')?;
        line.contains(CROWDED).then(|| line.trim_end().into())
    }
}

/// What to do about a certificate that was not accepted; none where that is not what the error says.
fn untrusted(why: &str) -> Option<String> {
    let remedy = if why.contains("UnknownIssuer")
        || why.contains("SelfSigned")
        || why.contains("CaUsedAsEndEntity")
    {
        "no CA that this machine knows has signed it; a CA of your own is given as a file in the environment: \
         SSL_CERT_FILE=/path/to/ca.pem"
    } else if why.contains("NotValidForName") {
        "it is for another name: give the URL with the host name that the certificate has"
    } else if why.contains("Expired") || why.contains("NotValidYet") {
        "it is out of date, or a clock is wrong"
    } else if why.contains("CertificateRequired") || why.contains("certificate required") {
        "the server asks for a certificate of the client, which cannot be given: tls-auth-clients optional, or no"
    } else if why.contains("invalid peer certificate") {
        "see the reason"
    } else {
        return None;
    };
    Some(format!("{why}; {remedy}"))
}

/// A limit that a server which is well keeps: none at all would be none, and nearly none a failure.
fn at_least(limit: Duration) -> Duration {
    limit.max(ANSWER_TIMEOUT_MIN)
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

/// Whether an address is this machine's own, by whatever name.
pub fn is_loopback(address: &str) -> bool {
    address.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
