//! Looks at a server's memory on a connection of its own.

use std::time::{Duration, Instant};

use forebay::buffer::connection::Connection;

use crate::target::facts;
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::writer::{Options, Writer};

/// How long the server may take to notice that connections are gone, and to write what waits for its log: while an fsync is
/// under way, `everysec` holds that back for 2 s.
const SETTLE: Duration = Duration::from_secs(5);

/// What a server keeps of the log's buffer once all of it is written, at the most.
const LOG_BUFFER_MAX: u64 = 16 << 10;

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
pub struct MemoryProbe {
    connection: Connection,
    clients: u64,
}

impl MemoryProbe {
    /// Connects, and counts the connections there are.
    pub fn open(address: &Address) -> Result<Self, Error> {
        let (mut connection, _) = address.connect()?;
        let clients = facts(&mut connection)?.number("connected_clients").unwrap_or(u64::MAX);
        Ok(Self { connection, clients })
    }

    /// Memory with an empty buffer: what a buffer takes once, however much it holds, is there. Scripts, the hash that says what
    /// it is.
    pub fn empty_buffer(
        &mut self,
        address: &Address,
        name: &Name,
        options: &Options,
    ) -> Result<Point, Error> {
        Writer::open(address, name, options)?.close()?;
        self.settled(0)
    }

    /// Memory now.
    pub fn look(&mut self, events: u64) -> Result<Point, Error> {
        Ok(point(&facts(&mut self.connection)?, events))
    }

    /// Memory once the connections that came since are gone, and their buffers with them, and what was to go to the log is
    /// written: on a slow disk megabytes of it wait. On a server that others use too that may never be; then the figure
    /// holds those buffers.
    pub fn settled(&mut self, events: u64) -> Result<Point, Error> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let seen = facts(&mut self.connection)?;
            let is_settled = seen.number("connected_clients").unwrap_or(0) <= self.clients
                && seen.number("mem_aof_buffer").unwrap_or(0) <= LOG_BUFFER_MAX;
            if is_settled || Instant::now() >= deadline {
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

#[cfg(test)]
mod tests {
    use super::*;
    use forebay_rig::server::fault::disk::Disk;
    use forebay_rig::server::{Server, ServerBinary};

    #[test]
    fn what_waits_for_a_slow_disk_to_be_written_to_the_log_does_not_count() {
        let disk = Disk::mount(64 << 20).unwrap();
        let dir = disk.path().to_str().unwrap();
        let conf = [("dir", dir), ("save", ""), ("appendonly", "yes"), ("appendfsync", "everysec")];
        let server = Server::start(&ServerBinary::find(None).unwrap(), &conf.into_iter().collect()).unwrap();
        let address = Address::parse(&server.url()).unwrap();
        let mut gauge = MemoryProbe::open(&address).unwrap();
        let mut connection = address.dial().unwrap();
        disk.slow_fsync(Duration::from_secs(1));
        let value = vec![b'x'; 64 << 10];
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut set = || redis::cmd("SET").arg("one").arg(&value).exec(&mut connection).unwrap();
        // One key, so that nothing else grows; and it waits behind an fsync that is under way.
        while gauge.look(0).unwrap().used_bytes < 4 << 20 {
            assert!(Instant::now() < deadline, "nothing waits for the log");
            if disk.under_way() == 0 {
                set();
                std::thread::sleep(Duration::from_millis(5));
            } else {
                (0..64).for_each(|_| set());
            }
        }
        drop(connection);
        let settled = gauge.settled(0).unwrap().used_bytes;
        assert!(settled < 3 << 20, "{settled} bytes with what waits for the log");
    }
}
