//! What is done about a group from outside of its readers: made, dropped, blocks acknowledged by their ids, damaged ones
//! let go. Each trims its lanes at once.

use std::time::Duration;

use redis::{FromRedisValue, RedisError, Script, Value};

use super::buffer_exists::{self, must_be_there};
use super::connect::{ANSWER_TIMEOUT, Address};
use super::connection::Connection;
use super::consumer_group::{create_group, field};
use super::display_name::display_name;
use super::entry::{Entry, Id, list};
use super::error::Error;
use super::error_class::is_gone;
use super::keys::Name;
use super::meta::{self, Incarnation};
use super::pages::Pages;
use super::scripts::TRIM;
use super::sink_figures;
use crate::block::damage::Damage;
use crate::block::decode::Decoder;
use crate::event::lane::Lane;
use crate::event::stream::Stream;

/// A group with a consumer that was there more recently is in use: one that waits for blocks asks every second.
pub(super) const IN_USE: Duration = Duration::from_secs(10);

/// Pending blocks that are looked at at once.
const PAGE: usize = 100;

/// Groups that an error has.
const NAMES_MAX: usize = 8;

/// The groups of a buffer, from outside of their readers: one connection, no thread.
pub struct Groups {
    pub(super) connection: Connection,
    pub(super) address: Address,
    pub(super) name: Name,
}

/// A block that a group is no longer given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its lane.
    pub lane: Lane,
    /// Its place.
    pub id: Id,
    /// What is wrong with it; none where it is no longer in the stream.
    pub why: Option<Damage>,
    /// Events that it says it has, where it says.
    pub events: Option<u64>,
}

/// What became of damaged blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skips {
    /// Let go.
    pub skipped: Vec<Skipped>,
    /// Blocks of a later format, which are not damaged: they stay.
    pub newer: u64,
}

impl Groups {
    /// Connects to a buffer on the server at a `redis://`, `rediss://` or `unix://` address.
    pub fn connect(url: &str, buffer: &str) -> Result<Self, Error> {
        Self::open(&Address::parse(url)?, &buffer.parse()?)
    }

    /// Connects.
    #[doc(hidden)]
    pub fn open(address: &Address, name: &Name) -> Result<Self, Error> {
        let mut connection = address.connect_to_read(ANSWER_TIMEOUT)?;
        let name = meta::find(&mut connection, name)?.unwrap_or_else(|| address.named(name));
        Ok(Self { connection, address: address.clone(), name })
    }

    /// The same for a buffer of these events, which [`Self::add`] makes where it is not there; an error where it is of others.
    pub fn of(mut self, events: Stream) -> Result<Self, Error> {
        self.name = self.name.of(events);
        meta::check(&mut self.connection, &self.address.to_string(), &self.name)?;
        Ok(self)
    }

    /// What the buffer's events are.
    pub fn events(&self) -> Stream {
        self.name.events()
    }

    /// The lane of that name.
    pub fn lane(&self, name: &str) -> Result<Lane, Error> {
        buffer_exists::lane(&self.name, name)
    }

    /// An error where the buffer has no such group, or is not there.
    pub fn must_have(&mut self, group: &str) -> Result<(), Error> {
        self.lanes_of(group).map(drop)
    }

    /// The groups that the buffer has, on whichever lane.
    pub fn groups(&mut self) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        for lane in self.name.lanes() {
            all.extend(self.names(lane)?.iter().map(|name| display_name(name)));
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Makes a group on every lane where it is not there: from the first block that is held on. A buffer that is not there is
    /// made: of Jetstream's events, unless others are [said](Self::of). On how many lanes the group was made.
    pub fn add(&mut self, group: &str) -> Result<usize, Error> {
        let mut made = 0;
        meta::make(&mut self.connection, &self.address.to_string(), &self.name, &Incarnation::new())?;
        loop {
            for lane in self.name.lanes() {
                if !self.names(lane)?.iter().any(|name| name == group.as_bytes()) {
                    let created = create_group(&mut self.connection, &self.name, lane, group, None);
                    created.map_err(|error| self.failed("making", group, &error))?;
                    made += 1;
                }
            }
            // Lanes may have been added meanwhile, by somebody who did not see this group.
            let found = meta::find(&mut self.connection, &self.name)?;
            match found.filter(|found| found.events() != self.name.events()) {
                Some(found) if found.events().extends(self.name.events()) => self.name = found,
                _ => return Ok(made),
            }
        }
    }

    /// Drops a group that nobody reads as, and no sink commits for, and trims what no other group holds. On how many lanes it was, and how many blocks
    /// went.
    pub fn drop_group(&mut self, group: &str) -> Result<(usize, u64), Error> {
        let lanes = self.lanes_of(group)?;
        for lane in &lanes {
            self.must_be_unused(*lane, group)?;
        }
        self.must_not_be_drained(group)?;
        let mut blocks = 0;
        for lane in &lanes {
            let mut command = redis::cmd("XGROUP");
            command.arg("DESTROY").arg(self.name.stream(*lane)).arg(group);
            self.ask::<Value>("dropping", group, &command)?;
            blocks += self.trim(*lane, group)?;
        }
        let mut forget = redis::cmd("HDEL");
        forget.arg(self.name.meta()).arg(Name::sink_figures(group));
        self.ask::<u64>("dropping", group, &forget)?;
        Ok((lanes.len(), blocks))
    }

    /// Acknowledges blocks for a group. How many it had been given and not acknowledged.
    pub fn acknowledge(&mut self, group: &str, blocks: &[(Lane, Id)]) -> Result<u64, Error> {
        self.lanes_of(group)?;
        let mut done = 0;
        for lane in self.name.lanes() {
            let ids: Vec<String> =
                blocks.iter().filter(|(of, _)| *of == lane).map(|(_, id)| id.to_string()).collect();
            if ids.is_empty() {
                continue;
            }
            let mut command = redis::cmd("XACK");
            command.arg(self.name.stream(lane)).arg(group).arg(ids);
            done += self.ask::<u64>("acknowledging for", group, &command)?;
            self.trim(lane, group)?;
        }
        Ok(done)
    }

    /// Acknowledges those blocks that a group was given and that cannot be read, or are no longer there.
    pub fn skip_damaged(&mut self, group: &str) -> Result<Skips, Error> {
        let mut decoder =
            Decoder::of(self.name.events()).map_err(|error| Error::system("no zstd context", error))?;
        let mut skips = Skips::default();
        for lane in self.lanes_of(group)? {
            let (mut from, mut pages) = ("-".to_owned(), Pages::of("XPENDING"));
            loop {
                let mut pending = redis::cmd("XPENDING");
                pending.arg(self.name.stream(lane)).arg(group).arg(&from).arg("+").arg(PAGE);
                let page: Vec<(String, Value, Value, Value)> = self.ask("looking at", group, &pending)?;
                let Some((last, ..)) = page.last() else { break };
                let further = pages.on_to(last);
                further.map_err(|error| Error::server(format!("looking at group {group:?}"), &error))?;
                from = format!("({last}");
                let ids: Vec<Id> = page.iter().filter_map(|(id, ..)| Id::parse(id)).collect();
                for id in ids {
                    self.skip_where_damaged(lane, id, group, &mut decoder, &mut skips)?;
                }
            }
            self.trim(lane, group)?;
        }
        Ok(skips)
    }

    fn skip_where_damaged(
        &mut self,
        lane: Lane,
        id: Id,
        group: &str,
        decoder: &mut Decoder,
        skips: &mut Skips,
    ) -> Result<(), Error> {
        let key = self.name.stream(lane);
        let place = id.to_string();
        let mut range = redis::cmd("XRANGE");
        range.arg(&key).arg(&place).arg(&place);
        let answer: Value = self.ask("looking at", group, &range)?;
        let fields = list(answer).and_then(|mut entries| entries.pop()).and_then(|(_, fields)| fields);
        let (why, events) = match fields.map(|fields| Entry::read(id, fields)) {
            None => (None, None),
            Some(Err(why)) => (Some(why), None),
            Some(Ok(entry)) => match decoder.open(entry.sealed()) {
                Ok(_) => return Ok(()),
                Err(why) => (Some(why), Some(entry.events)),
            },
        };
        if matches!(why, Some(Damage::Newer(_))) {
            skips.newer += 1;
            return Ok(());
        }
        let mut command = redis::cmd("XACK");
        command.arg(&key).arg(group).arg(place);
        self.ask::<u64>("acknowledging for", group, &command)?;
        skips.skipped.push(Skipped { lane, id, why, events });
        Ok(())
    }

    /// Lanes that a group is on; an error where it is on none.
    fn lanes_of(&mut self, group: &str) -> Result<Vec<Lane>, Error> {
        let (mut lanes, mut others) = (Vec::new(), Vec::new());
        for lane in self.name.lanes() {
            let names = self.names(lane)?;
            if names.iter().any(|name| name == group.as_bytes()) {
                lanes.push(lane);
            }
            others.extend(names.iter().map(|name| display_name(name)));
        }
        if lanes.is_empty() {
            must_be_there(&mut self.connection, &self.address, &self.name)?;
            others.sort();
            others.dedup();
            others.truncate(NAMES_MAX);
            let name = self.name.to_string();
            return Err(Error::NoGroup { name, group: display_name(group.as_bytes()), others });
        }
        Ok(lanes)
    }

    pub(super) fn names(&mut self, lane: Lane) -> Result<Vec<Vec<u8>>, Error> {
        let key = self.name.stream(lane);
        let answer = redis::cmd("XINFO").arg("GROUPS").arg(&key).query::<Vec<Value>>(&mut self.connection);
        match answer {
            Ok(rows) => Ok(rows.iter().filter_map(|row| field(row, "name")).collect()),
            // The stream itself is not there.
            Err(error) if is_gone(&error) => Ok(Vec::new()),
            Err(error) if error.code() == Some("WRONGTYPE") => {
                Err(Error::WrongType { key, why: error.to_string() })
            }
            Err(error) => Err(Error::server(format!("looking at the groups of {key}"), &error)),
        }
    }

    fn must_be_unused(&mut self, lane: Lane, group: &str) -> Result<(), Error> {
        let mut command = redis::cmd("XINFO");
        command.arg("CONSUMERS").arg(self.name.stream(lane)).arg(group);
        let rows: Vec<Value> = self.ask("looking at", group, &command)?;
        for row in rows {
            let idle = field::<u64>(&row, "idle").map_or(Duration::MAX, Duration::from_millis);
            if idle < IN_USE {
                let consumer = display_name(&field::<Vec<u8>>(&row, "name").unwrap_or_default());
                return Err(Error::InUse { group: display_name(group.as_bytes()), consumer, idle });
            }
        }
        Ok(())
    }

    fn must_not_be_drained(&mut self, group: &str) -> Result<(), Error> {
        let running = sink_figures::is_running(&mut self.connection, &self.name, group);
        match running.map_err(|error| self.failed("looking at", group, &error))? {
            Some(ago) => Err(Error::Drained { group: display_name(group.as_bytes()), ago }),
            None => Ok(()),
        }
    }

    fn trim(&mut self, lane: Lane, group: &str) -> Result<u64, Error> {
        let trimmed = Script::new(TRIM)
            .key(self.name.stream(lane))
            .key(self.name.writer(lane))
            .invoke(&mut self.connection);
        trimmed.map_err(|error| self.failed("trimming after", group, &error))
    }

    fn ask<T: FromRedisValue>(&mut self, doing: &str, group: &str, command: &redis::Cmd) -> Result<T, Error> {
        command.query(&mut self.connection).map_err(|error| self.failed(doing, group, &error))
    }

    fn failed(&self, doing: &str, group: &str, error: &RedisError) -> Error {
        Error::server(
            format!("{doing} group {} of buffer {}", display_name(group.as_bytes()), self.name),
            error,
        )
    }
}
