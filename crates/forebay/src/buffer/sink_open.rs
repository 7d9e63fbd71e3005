//! How a sink is opened, and how it comes to know lanes that are added.

use std::time::{Duration, Instant};

use redis::Value;

use super::buffer_exists::must_be_there;
use super::connect::Address;
use super::consumer_group::field;
use super::display_name::display_name;
use super::error::Error;
use super::error_class::{ErrorClass, classify, is_gone};
use super::group_admin::IN_USE;
use super::keys::Name;
use super::meta::{self, Incarnation};
use super::outage::PatientConnection;
use super::sink::Sink;
use super::sink_figures::SinkStat;
use super::text;
use crate::event::lane::{Lane, Lanes};
use crate::event::stream::Stream;

/// How often it is asked whether lanes were added.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A sink that was looked at and has taken nothing: whoever has its lanes goes on, and nothing on the server has changed.
pub struct FoundSink(Sink);

impl FoundSink {
    /// What the buffer's events are.
    pub fn events(&self) -> Stream {
        self.0.events()
    }

    /// The buffer's lanes.
    pub fn lanes(&self) -> Lanes {
        self.0.name.lanes()
    }

    /// The number of the last commit that the server has of a lane; 0 where there is none.
    pub fn commit(&mut self, lane: Lane) -> Result<u64, Error> {
        self.0.commit_of(lane)
    }

    /// The error for a lane whose last commit on the server is later than the last one that whoever asks has made.
    pub fn passed(&self, lane: Lane, theirs: u64, mine: u64) -> Error {
        self.0.passed(lane, theirs, mine)
    }

    /// The run that says it has the lanes now; none where nobody says so.
    pub fn running(&self) -> Result<Option<SinkStat>, Error> {
        self.0.figures_writer().running()
    }

    /// Makes the group on every lane where it is not there, from the first block on, and takes every lane from whoever drained
    /// it before.
    pub fn take(self) -> Result<Sink, Error> {
        self.0.taken()
    }
}

impl Sink {
    /// Connects, makes the group on every lane where it is not there, from the first block on, and takes every lane from
    /// whoever drained it before. A buffer that is not there is made: without events.
    pub fn open(address: &Address, name: &Name, group: &str, patience: Duration) -> Result<Self, Error> {
        Self::connect(address, name, group, patience, false)?.taken()
    }

    /// The same for a buffer that is there; an error where it is not.
    pub fn open_existing(
        address: &Address,
        name: &Name,
        group: &str,
        patience: Duration,
    ) -> Result<Self, Error> {
        Self::find_existing(address, name, group, patience)?.take()
    }

    /// Connects to a buffer that is there, and takes nothing yet; an error where it is not there, or somebody reads as the group.
    pub fn find_existing(
        address: &Address,
        name: &Name,
        group: &str,
        patience: Duration,
    ) -> Result<FoundSink, Error> {
        Self::connect(address, name, group, patience, true).map(FoundSink)
    }

    /// One that has looked at nothing yet.
    pub(super) fn on(address: &Address, name: &Name, group: &str, patience: Duration) -> Result<Self, Error> {
        Ok(Self {
            server: PatientConnection::open(address, patience)?,
            name: address.named(name),
            group: group.to_owned(),
            incarnation: String::new(),
            epoch: 0,
            found_at: Instant::now(),
        })
    }

    fn connect(
        address: &Address,
        name: &Name,
        group: &str,
        patience: Duration,
        is_to_be: bool,
    ) -> Result<Self, Error> {
        let mut sink = Self::on(address, name, group, patience)?;
        if !sink.find()? {
            sink.make(is_to_be)?;
            sink.find()?;
        }
        for lane in sink.name.lanes() {
            sink.must_be_free(lane)?;
        }
        Ok(sink)
    }

    /// The same once it has its lanes.
    fn taken(mut self) -> Result<Self, Error> {
        for lane in self.name.lanes() {
            self.group_at(lane)?;
        }
        self.take()?;
        Ok(self)
    }

    /// Makes the buffer, which is not there; an error where it is to be.
    fn make(&mut self, is_to_be: bool) -> Result<(), Error> {
        let since = Instant::now();
        let address = self.server.address().clone();
        let connection = self.server.connected(since).map_err(|error| address.refused(&error))?;
        if is_to_be {
            must_be_there(connection, &address, &self.name)?;
        }
        meta::make(connection, &address.to_string(), &self.name, &Incarnation::new())
    }

    /// Looks what the buffer is, and whether it is there.
    pub(super) fn find(&mut self) -> Result<bool, Error> {
        let since = Instant::now();
        let fields = loop {
            let asked =
                self.server.connected(since).and_then(|connection| meta::asked(connection, &self.name));
            match asked {
                Ok(fields) => break self.server.answered(fields),
                Err(error) => match classify(&error) {
                    ErrorClass::WrongType(why) => {
                        return Err(Error::WrongType { key: self.name.meta(), why });
                    }
                    _ => self.wait("looking at", &error, since)?,
                },
            }
        };
        let found = meta::of_fields(&self.name, fields)?;
        let is_there = found.is_some();
        if let Some((name, incarnation)) = found {
            (self.name, self.incarnation) = (name, incarnation);
        }
        self.found_at = Instant::now();
        Ok(is_there)
    }

    /// Looks what the buffer is by now, where that was not looked at for a while: lanes may have been added.
    pub(super) fn look_for_it(&mut self) -> Result<(), Error> {
        if self.found_at.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        let had = self.name.clone();
        // A server that came back empty has it again once its writer is back.
        if !self.find()? || self.name.events() == had.events() {
            return Ok(());
        }
        if !self.name.events().extends(had.events()) {
            let theirs = std::mem::replace(&mut self.name, had).events();
            return Err(Error::OtherStream {
                buffer: self.name.to_string(),
                theirs,
                mine: self.name.events(),
            });
        }
        let added: Vec<Lane> =
            self.name.lanes().iter().filter(|lane| had.lanes().find(lane.name()).is_none()).collect();
        for lane in added {
            self.group_at(lane)?;
            self.claim(lane, false)?;
        }
        Ok(())
    }

    /// Takes every lane. The first one that has been written decides the epoch, so that of two runs that open at once one has
    /// the higher one.
    fn take(&mut self) -> Result<(), Error> {
        let (seconds, micros): (u64, u64) =
            self.server.ask(&self.name, "asking for the time for", &redis::cmd("TIME"))?;
        self.epoch = seconds * 1_000 + micros / 1_000;
        for lane in self.name.lanes() {
            self.epoch = self.epoch.max(self.epoch_of(lane)?.saturating_add(1));
        }
        let mut is_first = true;
        for lane in self.name.lanes() {
            is_first &= !self.claim(lane, is_first)?;
        }
        Ok(())
    }

    /// An error where somebody reads as the group, or has blocks that it was given.
    fn must_be_free(&mut self, lane: Lane) -> Result<(), Error> {
        let since = Instant::now();
        let rows = loop {
            let mut command = redis::cmd("XINFO");
            command.arg("CONSUMERS").arg(self.name.stream(lane)).arg(&self.group);
            let answer =
                self.server.connected(since).and_then(|connection| command.query::<Vec<Value>>(connection));
            match answer {
                Ok(rows) => break self.server.answered(rows),
                // Neither the stream nor the group need be there.
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => self.wait("looking at the group of", &error, since)?,
            }
        };
        for row in rows {
            let consumer = display_name(&field::<Vec<u8>>(&row, "name").unwrap_or_default());
            let pending = field::<u64>(&row, "pending").unwrap_or(0);
            if pending > 0 {
                return Err(self.refused(format!(
                    "its consumer {consumer} holds {} of lane {lane} that it has not acknowledged; a drain needs a group \
                     of its own: name another, or have these acknowledged",
                    text::counted(pending, "block")
                )));
            }
            let idle = field::<u64>(&row, "idle").map_or(Duration::MAX, Duration::from_millis);
            if idle < IN_USE {
                return Err(self.refused(format!(
                    "it is being read: its consumer {consumer} was there {} ago; a drain needs a group of its own: name \
                     another, or stop that reader",
                    text::duration(idle)
                )));
            }
        }
        Ok(())
    }
}
