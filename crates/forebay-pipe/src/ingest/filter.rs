//! What is asked of a host: the path of a subscription with its filter and its cursor.

use std::fmt::Write;

use super::host::{Endpoint, Host};

/// Which events are wanted; all of them where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Collections, as `app.bsky.feed.post` or `app.bsky.feed.*`.
    pub collections: Vec<String>,
    /// Accounts.
    pub dids: Vec<String>,
}

/// How frames come compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// With the dictionary of the first version.
    Legacy,
    /// With the dictionary of this id.
    Dictionary(u32),
}

impl Filter {
    /// Path and query of a subscription from a cursor on, or from the live end.
    pub(super) fn target(&self, host: &Host, cursor: Option<u64>, compression: Compression) -> String {
        let mut target = host.path.clone();
        let mut begin = '?';
        let mut add = |name: &str, value: &str| {
            let _ = write!(target, "{begin}{name}=");
            begin = '&';
            escape(value, &mut target);
        };
        let (collections, dids) = match host.endpoint {
            Endpoint::Subscribe => ("wantedCollections", "wantedDids"),
            Endpoint::Events => ("collections", "dids"),
        };
        self.collections.iter().for_each(|collection| add(collections, collection));
        self.dids.iter().for_each(|did| add(dids, did));
        match compression {
            Compression::None => {}
            Compression::Legacy => add("compress", "true"),
            Compression::Dictionary(id) => add("zstdDictionary", &id.to_string()),
        }
        if let Some(cursor) = cursor {
            add("cursor", &cursor.to_string());
        }
        target
    }

    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        self.collections.is_empty() && self.dids.is_empty()
    }
}

/// Adds a value as a query takes it.
fn escape(value: &str, to: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:*".contains(&byte) {
            to.push(char::from(byte));
        } else {
            let _ = write!(to, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_is_asked_by_its_own_names() {
        let filter = Filter { collections: vec!["app.bsky.feed.*".into()], dids: vec!["did:plc:a&b".into()] };
        let target = |url: &str, compression| filter.target(&Host::parse(url).unwrap(), Some(5), compression);
        assert_eq!(
            target("ws://host", Compression::Legacy),
            "/subscribe?wantedCollections=app.bsky.feed.*&wantedDids=did:plc:a%26b&compress=true&cursor=5"
        );
        assert_eq!(
            target("ws://host/xrpc/network.bsky.jetstream.subscribeEvents", Compression::Dictionary(7)),
            "/xrpc/network.bsky.jetstream.subscribeEvents?collections=app.bsky.feed.*&dids=did:plc:a%26b\
             &zstdDictionary=7&cursor=5"
        );
        let all = Filter::default();
        assert_eq!(all.target(&Host::parse("ws://host").unwrap(), None, Compression::None), "/subscribe");
    }
}
