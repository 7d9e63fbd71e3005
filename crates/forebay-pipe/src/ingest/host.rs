//! The hosts of a source: where each is, and which protocol its path speaks.

use std::fmt;

use tungstenite::http::Uri;

/// The path of the second version's own stream.
const EVENTS_PATH: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";

/// What is sent at a host's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// An event a message, as the first version sends it. Hosts of the second version add a `cursor`.
    Subscribe,
    /// Messages of the second version, each with an event in it.
    Events,
}

/// A host, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub(super) is_tls: bool,
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) endpoint: Endpoint,
}

/// An address that is none of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{url:?} is no address of a source: {why}; write it as wss://host/subscribe or ws://host:port/subscribe"
)]
pub struct BadHost {
    url: String,
    why: &'static str,
}

impl Host {
    /// Reads `wss://host:port/path`; port and path may be left out, and are then the usual one and `/subscribe`.
    pub fn parse(url: &str) -> Result<Self, BadHost> {
        let bad = |why| BadHost { url: url.into(), why };
        let uri: Uri = url.parse().map_err(|_| bad("it cannot be read"))?;
        let is_tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(bad("it begins with neither ws:// nor wss://")),
        };
        if uri.query().is_some() {
            return Err(bad("it has a query, and what is wanted is said by options"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(bad("it has a user, and sources ask for none"));
        }
        let name = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it has no host"))?;
        let path = match uri.path() {
            "" | "/" => "/subscribe",
            path => path,
        };
        let endpoint = if path == EVENTS_PATH { Endpoint::Events } else { Endpoint::Subscribe };
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { is_tls, name: name.into(), port, path: path.into(), endpoint })
    }

    /// Whether it gives no dictionary itself, so that frames come compressed only with one that the caller has.
    pub fn needs_dictionary(&self) -> bool {
        self.endpoint == Endpoint::Subscribe
    }

    /// What the `Host` header says.
    pub(super) fn authority(&self) -> String {
        let is_default = self.port == if self.is_tls { 443 } else { 80 };
        if is_default { self.name.clone() } else { format!("{}:{}", self.name, self.port) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.is_tls { "wss" } else { "ws" }, self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_said_again() {
        for (url, said, endpoint) in [
            ("wss://a.example", "wss://a.example/subscribe", Endpoint::Subscribe),
            ("ws://127.0.0.1:6008/subscribe", "ws://127.0.0.1:6008/subscribe", Endpoint::Subscribe),
            ("wss://a.example:443/subscribe", "wss://a.example/subscribe", Endpoint::Subscribe),
            (
                "wss://a.example/xrpc/network.bsky.jetstream.subscribeEvents",
                "wss://a.example/xrpc/network.bsky.jetstream.subscribeEvents",
                Endpoint::Events,
            ),
        ] {
            let host = Host::parse(url).unwrap();
            assert_eq!((host.to_string(), host.endpoint), (said.to_owned(), endpoint), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (url, why) in [
            ("https://a.example", "neither"),
            ("a.example", "neither"),
            ("ws://", "read"),
            ("wss://a.example/subscribe?cursor=1", "query"),
            ("wss://host:secret@a.example", "user"),
            ("", "read"),
        ] {
            let error = Host::parse(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
