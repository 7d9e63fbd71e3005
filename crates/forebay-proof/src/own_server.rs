//! What the experiments share: servers of our own, the real writer and reader, settings, and waits with an end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use forebay::buffer::link::Connection;

use crate::Subject;
use crate::target::{facts_of, scratch, setting};
use forebay::buffer::batch::Limits;
use forebay::buffer::connect::{Address, Facts, Place, Plain};
use forebay::buffer::error::Error;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{self, Found, Reader};
use forebay::buffer::writer::{self, Counts, Writer};
use forebay::event::jetstream;
use forebay::event::lane::Lane;
use forebay::event::parse;
use forebay_rig::load::resp;
use forebay_rig::server::{self, Server};
use forebay_rig::synth::Synth;

use super::sizes::Sizes;

/// How long a server may refuse before a writer or reader of an experiment gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long anything else may take that a server does.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Longest line that is read.
const LINE_BYTES_MAX: usize = 1_024;

/// What every experiment needs.
pub struct Bench<'a> {
    /// Whose profile, binary, seed and listener they use.
    pub on: Subject<'a>,
    /// How much they try.
    pub sizes: Sizes,
    /// At the network's mean rate.
    pub events: Synth,
    /// When the writer cuts.
    pub limits: Limits,
}

/// A server of our own for one experiment.
pub struct Own {
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

impl Bench<'_> {
    /// Starts a server without `maxmemory`.
    pub fn start(&self) -> anyhow::Result<Own> {
        let (server, address) = scratch(self.on.binary, 0)?;
        let (admin, _) = address.connect()?;
        Ok(Own { _server: server, address, admin, name: "settings".parse()? })
    }

    /// A writer that soon gives up.
    pub fn writer(&self, address: &Address, name: &Name) -> Result<Writer, Error> {
        let options =
            writer::Options { limits: self.limits, patience: PATIENCE, ..writer::Options::default() };
        Writer::open(address, name, &options)
    }

    /// Pushes events, cut as at a rate.
    pub fn push(&self, writer: &mut Writer, events: Range<u64>, rate: f64) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for index in events {
            if server::ending() {
                return Err(Error::System("interrupted".into(), None));
            }
            bytes.clear();
            self.events.write_event(index, &mut bytes);
            let event = parse::parse(&bytes)
                .map_err(|why| Error::System(format!("synthetic event {index} is no event: {why}"), None))?;
            writer.push_at(&event, Duration::from_secs_f64(index as f64 / rate))?;
        }
        Ok(())
    }

    /// Fills a buffer with events, cut as at the network's mean rate.
    pub fn fill(&self, own: &Own, events: Range<u64>) -> Result<Counts, Error> {
        self.fill_at(own, events, self.on.profile.rates.network)
    }

    /// The same at another rate.
    pub fn fill_at(&self, own: &Own, events: Range<u64>, rate: f64) -> Result<Counts, Error> {
        let mut writer = self.writer(&own.address, &own.name)?;
        self.push(&mut writer, events, rate)?;
        writer.close()
    }
}

impl Own {
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

    /// Microseconds that the server spent in a command since then.
    pub fn micros(&mut self, command: &str) -> anyhow::Result<u64> {
        let facts = self.facts("commandstats")?;
        let stat = facts.get(&format!("cmdstat_{command}")).unwrap_or_default();
        let usec = stat.split(',').find_map(|part| part.strip_prefix("usec=")?.parse().ok());
        usec.ok_or_else(|| anyhow::anyhow!("INFO commandstats says nothing of {command}"))
    }

    /// A reader of a group's, or of none.
    pub fn reader(&self, lanes: &[Lane], group: Option<&str>) -> Result<Reader, Error> {
        reader(&self.address, &self.name, lanes, group)
    }

    /// Reads, acknowledges and so trims lanes as a group does, until `enough` blocks of each are gone; the events that
    /// went.
    pub fn drain(&mut self, lanes: &[Lane], enough: impl Fn(u64) -> u64) -> anyhow::Result<u64> {
        let mut left = [0; jetstream::ALL.len()];
        for lane in lanes {
            let length = redis::cmd("XLEN").arg(self.name.stream(*lane)).query(&mut self.admin)?;
            left[lane.index()] = enough(length);
        }
        let mut reader = self.reader(lanes, Some("drain"))?;
        let (mut events, deadline) = (0, Instant::now() + LIMIT);
        while left.iter().any(|left| *left > 0) {
            anyhow::ensure!(
                Instant::now() < deadline,
                "draining was not done within {LIMIT:?}: {left:?} blocks left"
            );
            go_on()?;
            let mut done = Vec::new();
            for found in reader.next(Duration::ZERO)? {
                let Found::Block(lane, entry) = found else { anyhow::bail!("while draining: {found}") };
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
        let mut reader = self.reader(&jetstream::ALL, None)?;
        let mut events = 0;
        loop {
            go_on()?;
            let found = reader.next(Duration::ZERO)?;
            if found.is_empty() {
                return Ok(events);
            }
            for item in found {
                let Found::Block(_, entry) = item else { anyhow::bail!("while reading: {item}") };
                events += entry.events;
            }
        }
    }
}

/// A reader of some buffer that soon gives up.
pub fn reader(address: &Address, name: &Name, lanes: &[Lane], group: Option<&str>) -> Result<Reader, Error> {
    let group = group.map(|group| (group.to_owned(), "one".to_owned()));
    let claim_idle = Duration::from_secs(3_600);
    let options = reader::Options {
        lanes: lanes.iter().map(ToString::to_string).collect(),
        group,
        ahead: false,
        claim_idle,
        patience: PATIENCE,
    };
    Reader::open(address, name, options)
}

/// A bare connection, for what no client library would do.
pub fn dial(address: &Address) -> anyhow::Result<TcpStream> {
    let Some(Plain { place: Place::Tcp(host, port), .. }) = address.plain() else {
        anyhow::bail!("a server of our own answers on TCP");
    };
    Ok(TcpStream::connect((host, port))?)
}

/// Logs a bare connection in, where the server has a password; what it says where that is not `+OK`.
pub fn log_in(socket: &mut TcpStream, address: &Address) -> anyhow::Result<Option<String>> {
    let plain = address.plain().ok_or_else(|| anyhow::anyhow!("a bare connection speaks no TLS"))?;
    let (words, answers) = resp::greeting(&plain);
    socket.write_all(&words)?;
    for _ in 0..answers {
        let line = first_line(socket)?;
        if line != "+OK" {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// The first line that comes over a bare connection.
pub fn first_line(socket: &mut TcpStream) -> std::io::Result<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.last() != Some(&b'\n') && line.len() < LINE_BYTES_MAX && socket.read(&mut byte)? == 1 {
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// An error's text as the server gave it, on one line.
pub fn said(error: &redis::RedisError) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}

/// An error where this program was told to end.
pub fn go_on() -> anyhow::Result<()> {
    anyhow::ensure!(!server::ending(), "interrupted");
    Ok(())
}

/// Looks until there is something to see; none once `limit` has passed.
pub fn look_for<T>(
    limit: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let deadline = Instant::now() + limit;
    loop {
        go_on()?;
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The same for what must come.
pub fn wait_for<T>(what: &str, look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    look_for(LIMIT, look)?.ok_or_else(|| anyhow::anyhow!("not within {LIMIT:?}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use forebay_rig::server::ServerBinary;

    #[test]
    fn a_setting_that_is_not_known_or_not_taken_is_told_from_one_that_is() {
        let (server, address) = scratch(&ServerBinary::find(None).unwrap(), 0).unwrap();
        let (admin, _) = address.connect().unwrap();
        let mut own = Own { _server: server, address, admin, name: "settings".parse().unwrap() };
        assert_eq!(own.try_setting("maxclients", "500"), Tried::Set);
        assert_eq!(own.setting("maxclients").as_deref(), Some("500"));
        assert_eq!(own.try_setting("no-such", "1"), Tried::Not("this server does not know it".into()));
        let Tried::Not(why) = own.try_setting("maxclients", "many") else { panic!("it was taken") };
        assert!(why.starts_with("the server refuses it: "), "{why}");
        assert!(own.set("maxclients", "many").is_err());
    }

    #[test]
    fn what_does_not_come_ends_the_wait() {
        let mut looks = 0;
        let seen = look_for(Duration::from_millis(5), || {
            looks += 1;
            Ok(None::<()>)
        });
        assert!(seen.unwrap().is_none() && looks > 1);
        assert_eq!(wait_for("it is there", || Ok(Some(7))).unwrap(), 7);
    }
}
