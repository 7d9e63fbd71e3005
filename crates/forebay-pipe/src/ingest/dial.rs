//! A connection to a host: name, address, proxy, TLS, each with a deadline, and an error that says what was tried.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::host::Host;

/// How long name, connection, proxy and TLS may take together.
const DIAL_MAX: Duration = Duration::from_secs(10);

/// The head of a proxy's answer, at the most.
const PROXY_HEAD_MAX: usize = 8 << 10;

/// A stream of bytes to a host.
pub(super) enum Wire {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A connection that may have to say all it has to say by a time: a host that gives a byte now and then holds nobody up.
pub(super) struct Timed {
    socket: TcpStream,
    until: Cell<Option<Instant>>,
}

impl Wire {
    fn timed(&self) -> &Timed {
        match self {
            Self::Plain(timed) => timed,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    /// From now on a read or a write may take so long.
    pub(super) fn limit(&self, reads: Duration, writes: Duration) -> io::Result<()> {
        let Timed { socket, until } = self.timed();
        until.set(None);
        socket.set_read_timeout(Some(reads))?;
        socket.set_write_timeout(Some(writes))
    }

    /// From now on all reads together may take so long.
    pub(super) fn within(&self, long: Duration) {
        self.timed().until.set(Some(Instant::now() + long));
    }
}

impl Read for Timed {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if let Some(until) = self.until.get() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(ErrorKind::WouldBlock, "no answer in time"));
            }
            self.socket.set_read_timeout(Some(left))?;
        }
        self.socket.read(to)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Read for Wire {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(to),
            Self::Tls(stream) => stream.read(to),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Why there is no connection, with what was tried.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct NoConnection {
    what: String,
    why: String,
}

fn none(what: impl Into<String>, why: &dyn std::fmt::Display) -> NoConnection {
    NoConnection { what: what.into(), why: why.to_string() }
}

/// Connects to a host, by the proxy that the environment names for it, if it names one.
pub(super) fn dial(host: &Host) -> Result<Wire, NoConnection> {
    let deadline = Instant::now() + DIAL_MAX;
    let socket = match proxy_for(host, |name| std::env::var(name).ok())? {
        Some((name, port)) => {
            let mut socket = connect(&name, port, deadline)?;
            ask_proxy(&mut socket, host).map_err(|why| none(format!("proxy {name}:{port}"), &why))?;
            socket
        }
        None => connect(&host.name, host.port, deadline)?,
    };
    let _ = socket.socket.set_nodelay(true);
    if !host.is_tls {
        return Ok(Wire::Plain(socket));
    }
    let failed = |why: &dyn std::fmt::Display| none(format!("TLS with {}", host.name), why);
    let name = ServerName::try_from(bare(&host.name).to_owned()).map_err(|why| failed(&why))?;
    let session =
        ClientConnection::new(tls().map_err(|why| failed(&why))?, name).map_err(|why| failed(&why))?;
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        if Instant::now() >= deadline {
            return Err(failed(&"no answer in time"));
        }
        stream.conn.complete_io(&mut stream.sock).map_err(|why| failed(&why))?;
    }
    Ok(Wire::Tls(Box::new(stream)))
}

/// An IPv6 address as a URL has it, without its brackets.
fn bare(name: &str) -> &str {
    name.trim_start_matches('[').trim_end_matches(']')
}

fn connect(name: &str, port: u16, deadline: Instant) -> Result<Timed, NoConnection> {
    let addresses: Vec<SocketAddr> = (bare(name), port)
        .to_socket_addrs()
        .map_err(|why| none(format!("looking up the name {name}"), &why))?
        .collect();
    let mut tried = Vec::new();
    for address in &addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            tried.push(format!("{address}: no time left"));
            break;
        }
        match TcpStream::connect_timeout(address, left) {
            Ok(socket) => {
                let limits = socket
                    .set_read_timeout(Some(DIAL_MAX))
                    .and_then(|()| socket.set_write_timeout(Some(DIAL_MAX)));
                limits.map_err(|why| none(address.to_string(), &why))?;
                return Ok(Timed { socket, until: Cell::new(Some(deadline)) });
            }
            Err(why) => tried.push(format!("{address}: {why}")),
        }
    }
    let what = format!("connecting to {name}:{port}");
    let why = if tried.is_empty() { "the name has no address".into() } else { tried.join("; ") };
    Err(none(what, &why))
}

/// The proxy that the environment names for a host, as curl reads it: `https_proxy` for wss, `http_proxy` for ws, `all_proxy`
/// for both, and `no_proxy` for names that need none.
fn proxy_for(
    host: &Host,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, u16)>, NoConnection> {
    let get = |name: &str| env(name).or_else(|| env(&name.to_uppercase())).filter(|value| !value.is_empty());
    let needs_none = |rule: &str| {
        let rule = rule.trim().trim_start_matches('.');
        let is_below =
            host.name.strip_suffix(rule).is_some_and(|head| head.is_empty() || head.ends_with('.'));
        rule == "*" || (!rule.is_empty() && is_below)
    };
    if get("no_proxy").is_some_and(|rules| rules.split(',').any(needs_none)) {
        return Ok(None);
    }
    // `HTTP_PROXY` may be a request's header where a program answers requests: curl reads the small letters alone.
    let own =
        if host.is_tls { get("https_proxy") } else { env("http_proxy").filter(|value| !value.is_empty()) };
    let Some(url) = own.or_else(|| get("all_proxy")) else { return Ok(None) };
    let bare = url.strip_prefix("http://").unwrap_or(&url).trim_end_matches('/');
    let bad = |why: &str| none("the proxy that the environment names", &why);
    if bare.contains("://") {
        return Err(bad("only http:// proxies are known"));
    }
    if bare.contains('@') {
        return Err(bad("a user and password for a proxy are not supported"));
    }
    match bare.rsplit_once(':') {
        Some((name, port)) => match port.parse() {
            Ok(port) => Ok(Some((name.into(), port))),
            Err(_) => Err(bad("its port is no number")),
        },
        None => Ok(Some((bare.into(), 80))),
    }
}

/// Asks a proxy for a way through.
fn ask_proxy(socket: &mut Timed, host: &Host) -> io::Result<()> {
    let at = format!("{}:{}", host.name, host.port);
    write!(socket, "CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n")?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= PROXY_HEAD_MAX || socket.read(&mut byte)? == 0 {
            return Err(io::Error::other("it answered something that is not HTTP"));
        }
        head.push(byte[0]);
    }
    let line =
        String::from_utf8_lossy(head.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    if line.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(io::Error::other(format!("it answered {line:?}")))
    }
}

/// With the authorities that this machine trusts, or those in `SSL_CERT_FILE`.
fn tls() -> io::Result<Arc<ClientConfig>> {
    let mut found = rustls_native_certs::load_native_certs();
    if let (true, Some(error)) = (found.certs.is_empty(), found.errors.pop()) {
        return Err(io::Error::other(error));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_proxy_as_it_does_for_curl() {
        let found = |url: &str, set: &[(&str, &str)]| {
            let host = Host::parse(url).unwrap();
            let env =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            proxy_for(&host, env).map_err(|why| why.to_string())
        };
        let at = |name: &str, port| Ok(Some((name.to_owned(), port)));
        assert_eq!(found("wss://a.example", &[]), Ok(None));
        assert_eq!(found("wss://a.example", &[("HTTPS_PROXY", "http://host:3128/")]), at("host", 3128));
        assert_eq!(found("ws://a.example", &[("https_proxy", "http://host:3128")]), Ok(None));
        assert_eq!(found("ws://a.example", &[("http_proxy", "p")]), at("p", 80));
        assert_eq!(found("ws://a.example", &[("HTTP_PROXY", "p")]), Ok(None));
        assert_eq!(found("wss://a.example", &[("all_proxy", "p:1"), ("no_proxy", "b,.example")]), Ok(None));
        assert_eq!(found("wss://a.example", &[("all_proxy", "p:1"), ("no_proxy", "ample")]), at("p", 1));
        for (proxy, why) in
            [("socks5://p:1", "http://"), ("http://host:secret@p:1", "password"), ("p:x", "port")]
        {
            let error = found("wss://a.example", &[("https_proxy", proxy)]).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{error}");
        }
    }
}
