//! The server as tests and proofs see it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use super::armed::FaultId;
use super::connection;
use super::fault::Fault;
use super::request_log::LoggedRequest;
use super::settings::Settings;
use super::shared::Shared;
use super::store::{Object, sha256};
use super::when::When;
use crate::http::FaultName;

/// A bucket on a port of 127.0.0.1. Dropping it closes the port and every connection, and ends its threads.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl S3Server {
    /// Starts one on a free port, with an empty bucket.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(settings));
        let own = Arc::clone(&shared);
        shared.connections.listen(listener, move |number, stream| connection::take(&own, number, stream))?;
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint, without the bucket: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The settings as they are for the next request.
    pub fn settings(&self) -> Settings {
        self.shared.settings()
    }

    /// Changes the settings for the requests to come.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.shared.change(change);
    }

    /// Arms a fault. Of those that would act at the same time on a request, the one that was armed first does.
    pub fn arm(&self, fault: Fault, when: When) -> FaultId {
        self.shared.faults.arm(fault, when)
    }

    /// Ends a fault. Its count stays.
    pub fn disarm(&self, id: FaultId) {
        self.shared.faults.disarm(id);
    }

    /// Ends all faults. Their counts stay.
    pub fn disarm_all(&self) {
        self.shared.faults.disarm_all();
    }

    /// How often the fault that was armed with this id acted.
    pub fn times_of(&self, id: FaultId) -> u64 {
        self.shared.faults.times(id)
    }

    /// How often faults of this name acted: see [`Fault::name`].
    pub fn times(&self, name: &str) -> u64 {
        self.shared.faults.acts.times(name)
    }

    /// How often faults acted, by name.
    pub fn acted(&self) -> Vec<(FaultName, u64)> {
        self.shared.faults.acts.list()
    }

    /// The keys that are stored, sorted by their bytes.
    pub fn keys(&self) -> Vec<String> {
        self.shared.store.lock().keys().cloned().collect()
    }

    /// The bytes of a key.
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.store.get(key).map(|object| object.bytes.to_vec())
    }

    /// Stores an object behind the clients' back, as another client would have: with its own tag and time, and without checksums.
    pub fn put(&self, key: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        let object = Object::new(self.shared.room.hold(bytes), &digest);
        self.shared.store.lock().insert(key.into(), Arc::new(object));
    }

    /// Removes an object behind the clients' back; was it there?
    pub fn remove(&self, key: &str) -> bool {
        self.shared.store.lock().remove(key).is_some()
    }

    /// Alters the bytes of an object, as a disk does that goes bad: tag, time, checksums and metadata stay as they were, so that
    /// only its length and its content show it. Is it there?
    pub fn alter(&self, key: &str, alter: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Some(object) = self.shared.store.get(key) else { return false };
        let mut bytes = object.bytes.to_vec();
        alter(&mut bytes);
        let altered = Object {
            bytes: self.shared.room.hold(bytes),
            etag: object.etag.clone(),
            modified: object.modified,
            checksums: object.checksums.clone(),
            metadata: object.metadata.clone(),
        };
        self.shared.store.lock().insert(key.to_owned(), Arc::new(altered));
        true
    }

    /// Bytes that it holds: those of its objects, and those being received.
    pub fn held_bytes(&self) -> u64 {
        self.shared.room.used()
    }

    /// The last requests, the oldest first: 10,000 at most.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.log.list()
    }

    /// How many requests there ever were.
    pub fn requests_total(&self) -> u64 {
        self.shared.log.total()
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.shared.connections.open()
    }

    /// Ends every connection now, as a server that is started again.
    pub fn cut(&self) {
        self.shared.connections.cut();
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.shared.connections.end(self.address);
    }
}
