//! Where a cell takes place: a server of our own, on a disk of our own where the fault needs one.

use super::cell::Fault;
use crate::buffer::connect::Address;
use crate::profile::Profile;
use crate::server::fault::disk::{Disk, DiskError};
use crate::server::fault::network::{NetworkError, Proxy};
use crate::server::{Conf, Server, ServerBinary, ServerError};

/// Room on a disk of our own, which lives in memory.
const ROOM: u64 = 1 << 30;

/// A server, and the disk under it.
pub(super) struct Ground {
    // In this order: the server ends before its disk goes.
    pub server: Server,
    pub disk: Option<Disk>,
    proxy: Option<Proxy>,
    pub address: Address,
    /// Where clients find it.
    pub front: Address,
}

/// Why there is no ground.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoGround {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Address(#[from] crate::buffer::error::Error),
}

impl Ground {
    /// A server with the profile's settings but for these.
    pub fn new(
        binary: &ServerBinary,
        profile: &Profile,
        fault: Fault,
        over: &[(&str, &str)],
    ) -> Result<Self, NoGround> {
        let disk = fault.needs_disk().then(|| Disk::mount(ROOM)).transpose()?;
        let mut conf = Conf::new();
        for (name, value) in profile.conf_settings() {
            conf.set(name, value);
        }
        conf.set("appendonly", "yes").set("no-appendfsync-on-rewrite", "no");
        for (name, value) in over {
            conf.set(name, *value);
        }
        if let Some(disk) = &disk {
            conf.set("dir", disk.path().to_string_lossy());
        }
        let server = Server::start(binary, &conf)?;
        let address = Address::parse(&server.url())?;
        // What is there before the load came long ago: the kernel has written it.
        if let Some(disk) = &disk {
            disk.settle();
        }
        let is_between = fault == Fault::ConnectionCut;
        let proxy = is_between.then(|| Proxy::start("127.0.0.1", server.port())).transpose()?;
        let front = proxy.as_ref().map_or(Ok(address.clone()), |proxy| Address::parse(&proxy.url()))?;
        Ok(Self { server, disk, proxy, address, front })
    }

    /// The proxy between it and its clients.
    pub fn proxy(&self) -> anyhow::Result<&Proxy> {
        self.proxy.as_ref().ok_or_else(|| anyhow::anyhow!("this cell has no proxy"))
    }

    /// The disk of our own.
    pub fn disk(&self) -> anyhow::Result<&Disk> {
        self.disk.as_ref().ok_or_else(|| anyhow::anyhow!("this cell has no disk of its own"))
    }
}
