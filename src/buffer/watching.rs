//! Connections of those who only watch: a look at a buffer and its server, and whether the server is there at all.

use std::time::Duration;

use redis::{Connection, RedisError};

use super::connect::{Address, Facts};
use super::error::Error;
use super::keys::Name;
use super::server_stat::ServerStat;
use super::stat::Stat;

impl Address {
    /// A connection for looks, each answer given no more time than this.
    pub fn watching(&self, limit: Duration) -> Result<Watching, Error> {
        self.dial_within(limit).map(Watching)
    }

    /// A connection for PINGs, each given no more time than this.
    pub fn pinger(&self, limit: Duration) -> Result<Pinger, Error> {
        self.dial_within(limit).map(Pinger)
    }
}

/// A connection for looks at whatever the server is, a replica too.
pub struct Watching(Connection);

impl Watching {
    /// What the server says of itself now.
    pub fn facts(&mut self, address: &Address) -> Result<Facts, Error> {
        let info: String = redis::cmd("INFO").query(&mut self.0).map_err(|error| address.refused(&error))?;
        Ok(Facts::of(&info))
    }

    /// The buffer and the server, with what the server has just said of itself.
    pub fn look(
        &mut self,
        name: &Name,
        facts: Facts,
        groups_max: usize,
    ) -> Result<(Stat, ServerStat), Error> {
        let server = ServerStat::over(&mut self.0, name, &facts)?;
        Ok((Stat::over(&mut self.0, name, facts, groups_max)?, server))
    }
}

/// Asks a server whether it is there.
pub struct Pinger(Connection);

impl Pinger {
    /// Asks once. A refusal is an answer too: a server that loads gives one.
    pub fn ping(&mut self) -> Result<(), RedisError> {
        match redis::cmd("PING").query::<String>(&mut self.0) {
            Err(error) if error.code().is_none() => Err(error),
            _ => Ok(()),
        }
    }
}
