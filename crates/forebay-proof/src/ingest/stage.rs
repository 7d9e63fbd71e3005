//! What a round stands on: simulated hosts, a server of its own, and how an ingest from those to that is configured.

use std::path::PathBuf;

use forebay::buffer::connect::Address;
use forebay::buffer::keys::Name;
use forebay_pipe::ingest::{Config, Host, Sabotage};
use forebay_rig::jetstream::{Protocol, Settings, Simulator};
use forebay_rig::server::{Conf, Server, ServerBinary};

use super::scenario::Action;
use super::way::Way;
use crate::ingest_config::ingest_config;
use crate::server_loss::LogMark;

/// What a round stands on.
pub struct Stage {
    /// The host, unless it is gone.
    pub host: Option<Simulator>,
    /// The next one, where there is one.
    pub other: Option<Simulator>,
    /// The server.
    pub server: Server,
    /// How long its log was when it last began to matter.
    log: LogMark,
    /// Bytes of the log that a kill took.
    pub taken_back: u64,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Sets it up.
    pub fn new(binary: &ServerBinary, settings: Settings, action: Action) -> anyhow::Result<Self> {
        let mut conf = Conf::new();
        conf.set("save", "").set("maxmemory-policy", "noeviction");
        let log = if action == Action::Kill { "yes" } else { "no" };
        conf.set("appendonly", log).set("appendfsync", "everysec");
        // First: from when a host is there its live events pass, and a replay is to meet them.
        let server = Server::start(binary, &conf)?;
        let other = match action {
            Action::OtherHost => {
                let protocol = if settings.seed.is_multiple_of(2) { Protocol::V1 } else { Protocol::V2 };
                let other = Settings { protocol, first_seq: 777_000, ..settings.clone() };
                Some(Simulator::start(other)?)
            }
            _ => None,
        };
        Ok(Self {
            host: Some(Simulator::start(settings)?),
            other,
            server,
            log: LogMark::default(),
            taken_back: 0,
            folder: tempfile::tempdir()?,
        })
    }

    /// The host that has events: the next one, once the first is gone.
    pub fn source(&self) -> Option<&Simulator> {
        self.host.as_ref().or(self.other.as_ref())
    }

    /// Where the server answers.
    pub fn address(&self) -> anyhow::Result<Address> {
        Ok(Address::parse(&self.server.url())?)
    }

    /// The buffer.
    pub fn name() -> anyhow::Result<Name> {
        Ok("ingest".parse()?)
    }

    /// An ingest of all there is.
    pub fn config(&self, way: Way, compress: bool, sabotage: Option<Sabotage>) -> anyhow::Result<Config> {
        let other = |simulator: &Simulator| Way::V1.url(simulator);
        let urls = self.host.iter().map(|host| way.url(host)).chain(self.other.iter().map(other));
        let hosts = urls.map(|url| Ok(Host::parse(&url)?)).collect::<anyhow::Result<_>>()?;
        let dictionary = compress.then(|| self.dictionary()).transpose()?;
        let config = ingest_config(hosts, self.address()?, Self::name()?);
        Ok(Config { compress, dictionary, sabotage, ..config })
    }

    fn dictionary(&self) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join("dictionary");
        std::fs::write(&path, Simulator::dictionary()?)?;
        Ok(path)
    }

    /// Sets something of the server.
    pub fn set(&self, setting: &str, value: &str) -> anyhow::Result<()> {
        let (mut connection, _) = self.address()?.connect()?;
        crate::target::set(&mut connection, setting, value)
    }

    /// From now on what the server logs is not fsynced yet, as far as its kill is concerned.
    pub fn mark_log(&mut self) -> anyhow::Result<()> {
        self.log = LogMark::now(&self.server)?;
        Ok(())
    }

    /// Kills the server, takes from its log what is behind the mark, and starts it again.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.taken_back += self.log.kill(&mut self.server, None)?;
        Ok(())
    }
}
