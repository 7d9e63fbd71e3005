//! Connections of those who only watch: a look at a buffer and its server, and whether the server is there at all.

use std::time::Duration;

use super::connection::Connection;
use redis::RedisError;

use super::connect::{Address, Facts};
use super::error::Error;
use super::keys::Name;
use super::look;
use super::server_stat::ServerStat;
use super::stat::Stat;

impl Address {
    /// A connection for looks, each answer given no more time than this.
    pub fn watching(&self, limit: Duration) -> Result<Watching, Error> {
        Ok(Watching { connection: self.dial_within(limit)?, is_info_refused: false })
    }

    /// A connection for PINGs, each given no more time than this.
    pub fn pinger(&self, limit: Duration) -> Result<Pinger, Error> {
        self.dial_within(limit).map(Pinger)
    }
}

/// A connection for looks at whatever the server is, a replica too.
pub struct Watching {
    connection: Connection,
    /// Whether the server refuses this user INFO.
    is_info_refused: bool,
}

impl Watching {
    /// What the server says of itself now: nothing where it refuses this user the question.
    pub fn facts(&mut self, address: &Address) -> Result<Facts, Error> {
        let info: Result<String, RedisError> = redis::cmd("INFO").query(&mut self.connection);
        self.is_info_refused = info.as_ref().is_err_and(|error| error.code() == Some("NOPERM"));
        if self.is_info_refused {
            return Ok(Facts::of(""));
        }
        let facts = Facts::of(&info.map_err(|error| address.refused(&error))?);
        match facts.sentinel() {
            Some(why) => Err(Error::Unfit { url: address.to_string(), why }),
            None => Ok(facts),
        }
    }

    /// The buffer and the server, with what the server has just said of itself.
    pub fn look(
        &mut self,
        name: &Name,
        facts: Facts,
        groups_max: usize,
    ) -> Result<(Stat, ServerStat), Error> {
        let mut server = ServerStat::over(&mut self.connection, name, &facts)?;
        if self.is_info_refused {
            server.refused.insert(0, "INFO".into());
        }
        Ok((look::over(&mut self.connection, name, facts, groups_max)?, server))
    }
}

/// Asks a server whether it is there.
pub struct Pinger(Connection);

impl Pinger {
    /// Asks once. A refusal is an answer too: a server that loads gives one.
    pub fn ping(&mut self) -> Result<(), Error> {
        match redis::cmd("PING").query::<String>(&mut self.0) {
            Err(error) if error.code().is_none() => Err(Error::server("PING", &error)),
            _ => Ok(()),
        }
    }
}
