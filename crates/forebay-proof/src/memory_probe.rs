//! Looks at a server's memory on a connection of its own.

use std::time::{Duration, Instant};

use forebay::buffer::link::Connection;

use crate::target::facts;
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::error::Error;

/// How long the server may take to notice that connections are gone.
const SETTLE: Duration = Duration::from_secs(5);

/// Memory at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Events acknowledged by then.
    pub events: u64,
    /// `used_memory`.
    pub used_bytes: u64,
    /// `used_memory_rss`.
    pub rss_bytes: u64,
}

/// Looks at memory. Opened before whatever is to be weighed, so that it knows which connections were there.
pub struct Gauge {
    connection: Connection,
    clients: u64,
}

impl Gauge {
    /// Connects, and counts the connections there are.
    pub fn open(address: &Address) -> Result<Self, Error> {
        let (mut connection, _) = address.connect()?;
        let clients = facts(&mut connection)?.number("connected_clients").unwrap_or(u64::MAX);
        Ok(Self { connection, clients })
    }

    /// Memory now.
    pub fn look(&mut self, events: u64) -> Result<Point, Error> {
        Ok(point(&facts(&mut self.connection)?, events))
    }

    /// Memory once the connections that came since are gone, and their buffers with them. On a server that
    /// others use too they may never go; then the figure holds their buffers.
    pub fn settled(&mut self, events: u64) -> Result<Point, Error> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let seen = facts(&mut self.connection)?;
            if seen.number("connected_clients").unwrap_or(0) <= self.clients || Instant::now() >= deadline {
                return Ok(point(&seen, events));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn point(facts: &Facts, events: u64) -> Point {
    let field = |name| facts.number(name).unwrap_or(0);
    Point { events, used_bytes: field("used_memory"), rss_bytes: field("used_memory_rss") }
}
