//! A server of our own with a buffer on it, for experiments: started bare, filled by the real writer, drained by the real
//! reader, asked, and set.

use std::ops::Range;
use std::time::{Duration, Instant};

use forebay::buffer::connection::Connection;

use crate::proof_reader;
use crate::push::Pusher;
use crate::target::{facts_of, scratch, setting};
use crate::wait::go_on;
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::{Address, Facts};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::Reader;
use forebay::buffer::writer::{self, Counts, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay_rig::server::{Server, ServerBinary};
use forebay_rig::synth::Synth;

/// How long a server may refuse before a writer or reader of an experiment gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long anything else may take that a server does.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A server of our own for one experiment.
pub struct OwnServer {
    _server: Server,
    /// Where it answers.
    pub address: Address,
    /// For whatever is neither writer nor reader.
    pub admin: Connection,
    /// The buffer on it.
    pub name: Name,
}

/// What became of a CONFIG SET.
#[derive(Debug, PartialEq, Eq)]
pub enum Tried {
    /// The server has it now.
    Set,
    /// Not known, or not taken, in words for the table.
    Not(String),
}

impl OwnServer {
    /// Starts one without `maxmemory`.
    pub fn start(binary: &ServerBinary) -> anyhow::Result<Self> {
        let (server, address) = scratch(binary, 0)?;
        let (admin, _) = address.connect()?;
        Ok(Self { _server: server, address, admin, name: "settings".parse()? })
    }

    /// Fills its buffer with events, cut as at so many a second.
    pub fn fill(
        &self,
        source: &Synth,
        events: Range<u64>,
        rate: f64,
        limits: Limits,
    ) -> Result<Counts, Error> {
        let writer = writer(&self.address, &self.name, limits)?;
        let mut pusher = Pusher::new(writer, source, events.end, rate);
        pusher.next = events.start;
        pusher.bulk(None, || false)?;
        pusher.writer.close()
    }

    /// Reads, acknowledges and so trims lanes as a group does, until `enough` blocks of each are gone; the events that
    /// went.
    pub fn drain(&mut self, lanes: &[Lane], enough: impl Fn(u64) -> u64) -> anyhow::Result<u64> {
        let mut left = [0; jetstream::ALL.len()];
        for lane in lanes {
            let length = redis::cmd("XLEN").arg(self.name.stream(*lane)).query(&mut self.admin)?;
            left[lane.index()] = enough(length);
        }
        let mut reader = reader(&self.address, &self.name, lanes, Some("drain"))?;
        let (mut events, deadline) = (0, Instant::now() + LIMIT);
        while left.iter().any(|left| *left > 0) {
            anyhow::ensure!(
                Instant::now() < deadline,
                "draining was not done within {LIMIT:?}: {left:?} blocks left"
            );
            go_on()?;
            let mut done = Vec::new();
            for (lane, entry) in proof_reader::blocks(reader.next(Duration::ZERO)?)? {
                if left[lane.index()] > 0 {
                    left[lane.index()] -= 1;
                    events += entry.events;
                    done.push((lane, entry.id));
                }
            }
            reader.acknowledge(done)?;
        }
        Ok(events)
    }

    /// Events that stand in the buffer, by reading them.
    pub fn held(&self) -> anyhow::Result<u64> {
        let mut reader = reader(&self.address, &self.name, &jetstream::ALL, None)?;
        let mut events = 0;
        loop {
            go_on()?;
            let blocks = proof_reader::blocks(reader.next(Duration::ZERO)?)?;
            if blocks.is_empty() {
                return Ok(events);
            }
            events += blocks.iter().map(|(_, entry)| entry.events).sum::<u64>();
        }
    }

    /// What the server says of itself in a section of INFO.
    pub fn facts(&mut self, section: &str) -> Result<Facts, Error> {
        facts_of(&mut self.admin, &[section])
    }

    /// A number of INFO's; 0 where it does not stand there.
    pub fn number(&mut self, section: &str, field: &str) -> Result<u64, Error> {
        Ok(self.facts(section)?.number(field).unwrap_or(0))
    }

    /// `used_memory`.
    pub fn used(&mut self) -> Result<u64, Error> {
        self.number("memory", "used_memory")
    }

    /// A setting's value; none where the server does not know it.
    pub fn setting(&mut self, name: &str) -> Option<String> {
        setting(&mut self.admin, name)
    }

    /// Tries a value.
    pub fn try_setting(&mut self, name: &str, value: &str) -> Tried {
        if self.setting(name).is_none() {
            return Tried::Not("this server does not know it".into());
        }
        let set: redis::RedisResult<()> =
            redis::cmd("CONFIG").arg("SET").arg(name).arg(value).query(&mut self.admin);
        set.map_or_else(
            |error| Tried::Not(format!("the server refuses it: {}", said(&error))),
            |()| Tried::Set,
        )
    }

    /// Sets what every server must know.
    pub fn set(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        match self.try_setting(name, value) {
            Tried::Set => Ok(()),
            Tried::Not(why) => anyhow::bail!("CONFIG SET {name} {value}: {why}"),
        }
    }

    /// Forgets the counts that [`Self::micros`] looks at.
    pub fn reset_counts(&mut self) -> anyhow::Result<()> {
        Ok(redis::cmd("CONFIG").arg("RESETSTAT").query(&mut self.admin)?)
    }

    /// Microseconds that appends took the server since then: of the script alone, or of transactions with it in them, whichever it was.
    pub fn append_micros(&mut self) -> anyhow::Result<u64> {
        Ok(self.micros("evalsha")?.max(self.micros("exec").unwrap_or(0)))
    }

    /// Microseconds that the server spent in a command since then.
    pub fn micros(&mut self, command: &str) -> anyhow::Result<u64> {
        let facts = self.facts("commandstats")?;
        let stat = facts.get(&format!("cmdstat_{command}")).unwrap_or_default();
        let usec = stat.split(',').find_map(|part| part.strip_prefix("usec=")?.parse().ok());
        usec.ok_or_else(|| anyhow::anyhow!("INFO commandstats says nothing of {command}"))
    }
}

/// A writer of some buffer that soon gives up.
pub fn writer(address: &Address, name: &Name, limits: Limits) -> Result<Writer, Error> {
    let options = writer::Options { limits, patience: PATIENCE, ..writer::Options::default() };
    Writer::open(address, name, &options)
}

/// A reader of some buffer that soon gives up.
pub fn reader(address: &Address, name: &Name, lanes: &[Lane], group: Option<&str>) -> Result<Reader, Error> {
    proof_reader::open_lanes(address, name, lanes, group, PATIENCE)
}

/// An error's text as the server gave it, on one line.
fn said(error: &redis::RedisError) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_not_known_or_not_taken_is_told_from_one_that_is() {
        let mut own = OwnServer::start(&ServerBinary::find(None).unwrap()).unwrap();
        assert_eq!(own.try_setting("maxclients", "500"), Tried::Set);
        assert_eq!(own.setting("maxclients").as_deref(), Some("500"));
        assert_eq!(own.try_setting("no-such", "1"), Tried::Not("this server does not know it".into()));
        let Tried::Not(why) = own.try_setting("maxclients", "many") else { panic!("it was taken") };
        assert!(why.starts_with("the server refuses it: "), "{why}");
        assert!(own.set("maxclients", "many").is_err());
    }
}
