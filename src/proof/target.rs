//! What a proof runs on: a server of its own, or one that was given.

use std::path::Path;

use redis::Connection;

use crate::buffer::connect::{Address, Facts};
use crate::buffer::error::Error;
use crate::profile::Profile;
use crate::report;
use crate::server::{Conf, Server, ServerBinary};

/// The server that the claims are about.
pub enum Target {
    /// Started for the run, with the profile's settings; ends with it.
    Own(Server, Address),
    /// Somebody's; only the proof's own keys are written.
    Given(Address),
}

impl Target {
    /// Starts a server with the profile's settings.
    pub fn own(binary: &ServerBinary, profile: &Profile) -> anyhow::Result<Self> {
        let mut conf = Conf::new();
        for (name, value) in profile.conf_settings() {
            conf.set(name, value);
        }
        let server = Server::start(binary, &conf)?;
        let address = Address::parse(&server.url())?;
        Ok(Self::Own(server, address))
    }

    /// Where it answers.
    pub fn address(&self) -> &Address {
        match self {
            Self::Own(_, address) | Self::Given(address) => address,
        }
    }

    /// What a report says of it.
    pub fn describe(&self, profile: &Profile) -> Result<report::Target, Error> {
        let (mut connection, facts) = self.address().connect()?;
        let settings = profile
            .conf_settings()
            .into_iter()
            .map(|(name, _)| {
                let value = setting(&mut connection, &name).unwrap_or_else(|| "not readable".into());
                (name, value)
            })
            .collect();
        Ok(report::Target {
            server: facts.server().into(),
            version: facts.version().into(),
            allocator: facts.get("mem_allocator").unwrap_or("unknown").into(),
            origin: match self {
                Self::Own(..) => "own".into(),
                Self::Given(address) => address.to_string(),
            },
            settings,
        })
    }
}

/// One setting as the server has it; none where CONFIG is not allowed.
pub fn setting(connection: &mut Connection, name: &str) -> Option<String> {
    let pair: Vec<String> = redis::cmd("CONFIG").arg("GET").arg(name).query(connection).ok()?;
    pair.into_iter().nth(1)
}

/// What the server says of itself now.
pub fn facts(connection: &mut Connection) -> Result<Facts, Error> {
    let info: String = redis::cmd("INFO").query(connection).map_err(|error| Error::server("INFO", &error))?;
    Ok(Facts::of(&info))
}

/// A server for a side experiment: no persistence, `maxmemory` as given (0: none), never evicting.
pub fn scratch(binary: &ServerBinary, maxmemory: u64) -> anyhow::Result<(Server, Address)> {
    let mut conf = Conf::new();
    conf.set("save", "").set("appendonly", "no");
    conf.set("maxmemory", maxmemory.to_string()).set("maxmemory-policy", "noeviction");
    let server = Server::start(binary, &conf)?;
    let address = Address::parse(&server.url())?;
    Ok((server, address))
}

/// The server to start: found where `--server-bin`, `FOREBAY_SERVER` or the PATH say.
pub fn binary(explicit: Option<&Path>) -> anyhow::Result<ServerBinary> {
    Ok(ServerBinary::find(explicit)?)
}
