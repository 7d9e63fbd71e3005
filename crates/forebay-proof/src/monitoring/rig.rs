//! A rig: a server of our own with a buffer on it, who writes and reads there, and a watch over it. Each cause has one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use forebay::buffer::connection::Connection;

use super::traffic::{self, Client, Writes};
use crate::Subject;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay::buffer::overflow::Overflow;
use forebay_rig::server::fault::disk::Disk;
use forebay_rig::server::fault::network::Proxy;
use forebay_rig::server::{Conf, Server};
use forebay_rig::synth::Mix;
use forebay_watch::Shared;
use forebay_watch::serve::{Answering, Served};

/// How often a rig's watch looks.
const EVERY: Duration = Duration::from_millis(500);

/// Room on a disk of our own, which lives in memory.
const ROOM: u64 = 256 << 20;

/// Room on the disk that a drain writes to: more than a day of the events of a rig takes. It takes no memory until it is used.
pub(super) const LAKE_ROOM: u64 = 64 << 30;

/// What a rig is made of.
#[derive(Clone)]
pub(super) struct RigSettings {
    /// Settings beside the profile's.
    pub settings: &'static [(&'static str, &'static str)],
    /// Events a second; none where nobody writes.
    pub rate: Option<f64>,
    /// What becomes of events while the server takes none.
    pub overflow: Overflow,
    /// Whether a group reads.
    pub is_read: bool,
    /// How long an event may wait for its file; none where nobody drains. Else that goes through a proxy and onto a disk of our own.
    pub drained_within: Option<Duration>,
    /// Whether the data must lie on a disk of our own.
    pub on_disk: bool,
    /// Whether the watch reaches the server through a proxy of our own.
    pub through_proxy: bool,
}

impl Default for RigSettings {
    fn default() -> Self {
        Self {
            settings: &[],
            rate: Some(100.0),
            overflow: Overflow::Wait,
            is_read: true,
            drained_within: None,
            on_disk: false,
            through_proxy: false,
        }
    }
}

/// A rig.
pub(super) struct Rig {
    // In this order: clients end before their server, and it before its disk.
    pub writer: Option<Client>,
    pub other: Option<Client>,
    pub reader: Option<Client>,
    /// Held until it is dropped.
    drain: Option<Client>,
    watching: Option<Answering>,
    pub server: Server,
    pub disk: Option<Disk>,
    pub proxy: Option<Proxy>,
    /// Where the drain writes to, and its way to the server.
    lake: Option<Disk>,
    drain_proxy: Option<Proxy>,
    pub address: Address,
    /// Where the watch finds it.
    front: Address,
    pub name: Name,
    pub writes: Writes,
    subject: forebay_watch::Subject,
    at: SocketAddr,
}

impl Rig {
    /// Sets one up: traffic flows, and the watch looks.
    pub fn new(on: &Subject<'_>, ground: &RigSettings, number: usize) -> anyhow::Result<Self> {
        let disk = match Disk::mount(ROOM) {
            Err(error) if ground.on_disk => return Err(error.into()),
            // Else a disk that is fast for certain: one that is busy has fsyncs of its own to be delayed.
            disk => disk.ok(),
        };
        let mut conf = Conf::new();
        for (name, value) in on.profile.conf_settings() {
            conf.set(name, value);
        }
        for (name, value) in ground.settings {
            conf.set(name, *value);
        }
        if let Some(disk) = &disk {
            conf.set("dir", disk.path().to_string_lossy());
        }
        let server = Server::start(on.binary, &conf)?;
        let address = Address::parse(&server.url())?;
        let proxy = ground.through_proxy.then(|| Proxy::start("127.0.0.1", server.port())).transpose()?;
        let front =
            proxy.as_ref().map_or(Ok(address.clone()), |proxy| Address::parse(&server.url_through(proxy)))?;
        let name: Name = format!("{}-{number}", on.name).parse()?;
        let writes = Writes {
            address: address.clone(),
            name: name.clone(),
            seed: on.seed + number as u64,
            mix: Mix::network(),
            rate: ground.rate.unwrap_or(1.0),
            limits: on.profile.limits().map_err(anyhow::Error::msg)?,
            overflow: ground.overflow.clone(),
        };
        let subject = forebay_watch::Subject {
            address: front.clone(),
            name: name.clone(),
            profile: on.profile.clone(),
            is_profile_chosen: true,
            every: EVERY,
        };
        let watching = watch_at(&subject, (Ipv4Addr::LOCALHOST, 0).into())?;
        let at = watching.address();
        let mut rig = Self {
            writer: None,
            other: None,
            reader: None,
            drain: None,
            watching: Some(watching),
            server,
            disk,
            proxy,
            lake: ground.drained_within.map(|_| Disk::mount(LAKE_ROOM)).transpose()?,
            drain_proxy: None,
            address,
            front,
            name,
            writes,
            subject,
            at,
        };
        if ground.rate.is_some() {
            rig.begin_writing()?;
        }
        if ground.is_read {
            rig.begin_reading(Duration::ZERO)?;
        }
        if let Some(age) = ground.drained_within {
            rig.begin_draining(age)?;
        }
        Ok(rig)
    }

    /// What Prometheus calls it.
    pub fn instance(&self) -> String {
        self.at.to_string()
    }

    /// What the watch shows.
    pub fn shown(&self) -> anyhow::Result<Arc<Shared>> {
        Ok(self.watching.as_ref().context("nobody watches")?.shared())
    }

    pub fn begin_writing(&mut self) -> anyhow::Result<()> {
        self.writer = Some(traffic::write(&self.writes)?);
        Ok(())
    }

    pub fn begin_reading(&mut self, late: Duration) -> anyhow::Result<()> {
        self.reader = Some(traffic::read(&self.address, &self.name, late)?);
        Ok(())
    }

    fn begin_draining(&mut self, age: Duration) -> anyhow::Result<()> {
        let proxy = Proxy::start("127.0.0.1", self.server.port())?;
        let to = self.lake()?.path().join("lake");
        self.drain = Some(traffic::drain(&self.server.url_through(&proxy), &self.name, to, age)?);
        self.drain_proxy = Some(proxy);
        Ok(())
    }

    /// Ends the reader without a word.
    pub fn end_reading(&mut self) {
        self.reader = None;
    }

    /// Ends the writer.
    pub fn end_writing(&mut self) {
        self.writer = None;
    }

    /// Ends the watch.
    pub fn end_watching(&mut self) {
        self.watching = None;
    }

    /// Begins to watch again, at the same place.
    pub fn begin_watching(&mut self) -> anyhow::Result<()> {
        self.watching = Some(watch_at(&self.subject, self.at)?);
        Ok(())
    }

    /// A connection of the proof's own.
    pub fn connection(&self) -> anyhow::Result<Connection> {
        Ok(self.address.dial()?)
    }

    /// Changes a setting.
    pub fn set(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let set = redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut self.connection()?);
        set.with_context(|| format!("CONFIG SET {name} {value} at {}", self.address))
    }

    /// The disk of our own.
    pub fn disk(&self) -> anyhow::Result<&Disk> {
        self.disk.as_ref().context("this station has no disk of its own")
    }

    /// The disk that the drain writes to.
    pub fn lake(&self) -> anyhow::Result<&Disk> {
        self.lake.as_ref().context("nothing is drained at this station")
    }

    /// The proxy between drain and server.
    pub fn drain_proxy(&self) -> anyhow::Result<&Proxy> {
        self.drain_proxy.as_ref().context("nothing is drained at this station")
    }

    /// The proxy between watch and server.
    pub fn proxy(&self) -> anyhow::Result<&Proxy> {
        self.proxy.as_ref().with_context(|| format!("there is no proxy before {}", self.front))
    }
}

fn watch_at(subject: &forebay_watch::Subject, at: SocketAddr) -> anyhow::Result<Answering> {
    let served = Served::bind(at).with_context(|| format!("taking {at} for a watch"))?;
    Ok(Answering::start(served, subject.clone())?)
}
