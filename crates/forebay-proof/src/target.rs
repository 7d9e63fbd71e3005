//! What a proof runs on: a server of its own, or one that was given.

use std::path::Path;

use forebay::buffer::connection::Connection;

use crate::report;
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::secret;
use forebay_rig::server::{Conf, Server, ServerBinary};
use forebay_watch::profile::Profile;

/// Settings that decide how much memory a stream's entries take.
const NODES: [&str; 2] = ["stream-node-max-bytes", "stream-node-max-entries"];

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
        Self::own_with(binary, profile, &[])
    }

    /// The same, with some settings as given.
    pub fn own_with(
        binary: &ServerBinary,
        profile: &Profile,
        settings: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let (server, address) = start(binary, profile, settings)?;
        Ok(Self::Own(server, address))
    }

    /// Where it answers.
    pub fn address(&self) -> &Address {
        match self {
            Self::Own(_, address) | Self::Given(address) => address,
        }
    }

    /// Keeps watch over a buffer that a proof fills: dropped, it removes it.
    pub fn keys<'a>(&'a self, name: &'a Name) -> Keys<'a> {
        Keys(self, name)
    }

    /// What a report says of it.
    pub fn describe(&self, profile: &Profile) -> Result<report::Target, Error> {
        let (mut connection, facts) = self.address().connect()?;
        if self.address().is_cluster() {
            let why =
                "a proof is of one server, and this is a cluster; give the URL of a server outside a cluster"
                    .into();
            return Err(Error::Unfit { url: self.address().to_string(), why });
        }
        let mut settings = Vec::new();
        for (name, _) in profile.conf_settings() {
            let found = setting(&mut connection, &name);
            // Each further answer would be waited for in vain.
            if !connection.is_in_step() {
                let why = format!("CONFIG GET {name}: no answer");
                return Err(Error::NotNow { url: self.address().to_string(), why });
            }
            let found = found.unwrap_or_else(|| "not readable".into());
            settings.push((name.clone(), secret::value(&name, &found).to_owned()));
        }
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

/// Removes what a proof wrote, however the proof ends: somebody's server shall be as it was, and the next proof begins
/// with an empty buffer.
pub struct Keys<'a>(&'a Target, &'a Name);

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        remove(self.0.address(), self.1);
    }
}

/// Removes a proof's buffer from a server.
pub fn remove(address: &Address, name: &Name) {
    // A server of our own that a signal has ended has no keys any more.
    if let Err(why) = try_to_remove(address, name)
        && !forebay_rig::server::ending()
    {
        tracing::warn!("{why}");
    }
}

/// The same; where it cannot be done, what is left, and what to do.
pub fn try_to_remove(address: &Address, name: &Name) -> Result<(), String> {
    let removed = address.connect().map_err(|error| error.to_string()).and_then(|(mut connection, _)| {
        let unlink: redis::RedisResult<u64> = redis::cmd("UNLINK").arg(name.keys()).query(&mut connection);
        unlink.map_err(|error| error.to_string())
    });
    removed.map(drop).map_err(|why| {
        format!("the proof's keys are still on {address} ({why}): UNLINK {}", name.keys().join(" "))
    })
}

/// A buffer name that nobody else uses.
pub fn own_name(what: &str) -> anyhow::Result<Name> {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    Ok(format!("{what}-{}-{nanos:x}", std::process::id()).parse()?)
}

/// One setting as the server has it; none where CONFIG is not allowed.
pub fn setting(connection: &mut Connection, name: &str) -> Option<String> {
    let pair: Vec<String> = redis::cmd("CONFIG").arg("GET").arg(name).query(connection).ok()?;
    pair.into_iter().nth(1)
}

/// Sets one setting of a running server.
pub fn set(connection: &mut Connection, name: &str, value: &str) -> anyhow::Result<()> {
    let set: redis::RedisResult<()> = redis::cmd("CONFIG").arg("SET").arg(name).arg(value).query(connection);
    set.map_err(|error| {
        let said = error.detail().map_or_else(|| error.to_string(), str::to_owned);
        anyhow::anyhow!("CONFIG SET {name} {value}: {said}")
    })
}

/// What the server says of itself now.
pub fn facts(connection: &mut Connection) -> Result<Facts, Error> {
    facts_of(connection, &[])
}

/// The same, of these sections of INFO.
pub fn facts_of(connection: &mut Connection, sections: &[&str]) -> Result<Facts, Error> {
    let info: String =
        redis::cmd("INFO").arg(sections).query(connection).map_err(|error| Error::server("INFO", &error))?;
    Ok(Facts::of(&info))
}

/// A server of our own with the profile's settings, and these in place of some of them.
pub fn start(
    binary: &ServerBinary,
    profile: &Profile,
    settings: &[(&str, String)],
) -> anyhow::Result<(Server, Address)> {
    let mut conf = Conf::new();
    for (name, value) in profile.conf_settings() {
        conf.set(name, value);
    }
    for (name, value) in settings {
        conf.set(name, value);
    }
    let server = Server::start(binary, &conf)?;
    let address = Address::parse(&server.url())?;
    Ok((server, address))
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

/// The same with the target's stream nodes: a block takes as much memory on it as on the target.
pub fn scratch_like(
    target: &Target,
    binary: &ServerBinary,
    maxmemory: u64,
) -> anyhow::Result<(Server, Address)> {
    let (server, address) = scratch(binary, maxmemory)?;
    let (mut theirs, mut ours) = (target.address().dial()?, address.dial()?);
    for name in NODES {
        // Without CONFIG GET it is unknown, and most likely the default.
        if let Some(value) = setting(&mut theirs, name) {
            set(&mut ours, name, &value)?;
        }
    }
    Ok((server, address))
}

/// The server to start: found where `--server-bin`, `FOREBAY_SERVER` or the PATH say.
pub fn binary(explicit: Option<&Path>) -> anyhow::Result<ServerBinary> {
    Ok(ServerBinary::find(explicit)?)
}
