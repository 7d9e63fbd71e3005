//! Which events a client wants: the parameters of both protocols, and whether an event is one of them.

use std::collections::HashSet;

use super::encode::Parts;
use super::request::Request;

const COLLECTIONS_MAX: usize = 100;
const DIDS_MAX: usize = 10_000;

/// Which events a client wants.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Empty: of all.
    dids: HashSet<Vec<u8>>,
    collections: HashSet<Vec<u8>>,
    /// Each ends in a full stop.
    prefixes: Vec<Vec<u8>>,
    /// Commit, identity, account; none: all.
    kinds: Option<[bool; 3]>,
    /// 0: no limit.
    pub(super) frame_bytes_max: usize,
}

impl Filter {
    /// What `/subscribe` is asked for.
    pub(super) fn v1(request: &Request) -> Result<Self, String> {
        let mut filter = Self::default();
        filter.add(request, "wantedCollections", "wantedDids")?;
        // As the first Jetstream: what is no number, or below zero, is no limit.
        let size = request.value("maxMessageSizeBytes").and_then(|size| size.parse().ok());
        filter.frame_bytes_max = size.unwrap_or(0);
        Ok(filter)
    }

    /// What the second protocol's stream is asked for.
    pub(super) fn v2(request: &Request) -> Result<Self, String> {
        for (old, new) in [("wantedCollections", "collections"), ("wantedDids", "dids")] {
            if request.value(old).is_some() {
                return Err(format!("{old} is a parameter of /subscribe; use {new}"));
            }
        }
        if request.value("requireHello").is_some() {
            return Err("requireHello is not supported: nothing is read from clients here".into());
        }
        let mut filter = Self::default();
        filter.add(request, "collections", "dids")?;
        let mut kinds = [false; 3];
        for kind in request.values("kinds") {
            match kind {
                "commit" => kinds[0] = true,
                "identity" => kinds[1] = true,
                "account" => kinds[2] = true,
                // This network has none.
                "sync" => {}
                other => return Err(format!("unknown kind {other:?} (commit, identity, account, sync)")),
            }
        }
        if request.value("kinds").is_some() {
            if !kinds[0] && request.value("collections").is_some() {
                return Err("the collections could never apply: kinds leaves out commit".into());
            }
            filter.kinds = Some(kinds);
        }
        if let Some(size) = request.value("maxMessageSizeBytes") {
            let size: u32 = size.parse().map_err(|_| format!("invalid maxMessageSizeBytes {size:?}"))?;
            filter.frame_bytes_max = size as usize;
        }
        Ok(filter)
    }

    fn add(&mut self, request: &Request, collections: &str, dids: &str) -> Result<(), String> {
        for collection in request.values(collections) {
            if let Some(prefix) = collection.strip_suffix('*').filter(|prefix| prefix.ends_with('.')) {
                self.prefixes.push(prefix.into());
            } else if is_nsid(collection) {
                self.collections.insert(collection.into());
            } else {
                return Err(format!("invalid collection: {collection}"));
            }
        }
        for did in request.values(dids) {
            if !did.starts_with("did:") {
                return Err(format!("invalid DID: {did}"));
            }
            self.dids.insert(did.into());
        }
        if self.collections.len() + self.prefixes.len() > COLLECTIONS_MAX {
            return Err(format!("too many collections: > {COLLECTIONS_MAX}"));
        }
        if self.dids.len() > DIDS_MAX { Err(format!("too many DIDs: > {DIDS_MAX}")) } else { Ok(()) }
    }

    /// Is this event wanted?
    pub(super) fn wants(&self, event: &Parts<'_>) -> bool {
        let kind = if event.is_commit { 0 } else { usize::from(!event.is_identity) + 1 };
        if self.kinds.is_some_and(|kinds| !kinds[kind]) {
            return false;
        }
        if !self.dids.is_empty() && !self.dids.contains(event.did) {
            return false;
        }
        // Events of a whole account have no collection, and come whatever collections were asked for.
        let is_any = self.collections.is_empty() && self.prefixes.is_empty();
        is_any
            || !event.is_commit
            || self.collections.contains(event.collection)
            || self.prefixes.iter().any(|prefix| event.collection.starts_with(prefix))
    }
}

/// Three parts at least, of what names are made of.
fn is_nsid(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split('.').count() >= 3 && text.split('.').all(is_part)
}
