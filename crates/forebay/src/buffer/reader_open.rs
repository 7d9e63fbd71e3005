//! How a reader is opened, and how it finds out what its buffer is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::RedisError;

use super::buffer_exists::{self, must_be_there};
use super::connect::Address;
use super::entry::Id;
use super::error::Error;
use super::keys::Name;
use super::meta::{self, Incarnation};
use super::reader::{ANSWER_BYTES, COUNT, Options, Phase, Reader};
use super::reader_place::ReaderPlace;
use super::unacknowledged::Unacknowledged;
use crate::event::lane::Lane;
use crate::event::stream::Stream;

/// How often it is asked whether lanes were added.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Reader {
    /// Connects; with a group, makes it where it is not there, from the first block on. A buffer that is not there is one
    /// without events.
    pub fn open(address: &Address, name: &Name, options: Options) -> Result<Self, Error> {
        Self::connect(address, name, options, false)?.with_group()
    }

    /// The same for a buffer that is there; an error where it is not.
    pub fn open_existing(address: &Address, name: &Name, options: Options) -> Result<Self, Error> {
        Self::connect(address, name, options, true)?.with_group()
    }

    fn connect(address: &Address, name: &Name, options: Options, is_to_be: bool) -> Result<Self, Error> {
        let reads = address.connect_to_read(options.patience)?;
        let mut control = address.connect_to_read(options.patience)?;
        let found = meta::find_by_now(&mut control, name)?;
        let is_found = found.is_some();
        if is_to_be && !is_found {
            must_be_there(&mut control, address, name)?;
        }
        let name = found.unwrap_or_else(|| address.named(name));
        let mut wanted = Vec::new();
        for lane in &options.lanes {
            wanted.extend(buffer_exists::all_of_lane(&name, lane)?);
        }
        // Twice in one question, a lane would be given out twice.
        let lanes: Vec<Lane> =
            name.lanes().iter().filter(|lane| wanted.is_empty() || wanted.contains(lane)).collect();
        Ok(Self {
            address: address.clone(),
            name,
            found_at: is_found.then(Instant::now),
            reads: Some(reads),
            control: Some(control),
            places: lanes.iter().map(|lane| ReaderPlace::on(*lane, address.fails_over())).collect(),
            lanes,
            phase: if options.group.is_some() { Phase::Own } else { Phase::New },
            asked: None,
            count: COUNT.0,
            answer_bytes: ANSWER_BYTES,
            claimed_at: None,
            held: Unacknowledged::new(),
            came_back: false,
            left: options.patience,
            stop: Arc::default(),
            broken_off: false,
            to_ack: Vec::new(),
            again: Vec::new(),
            trimmed_at: None,
            options,
        })
    }

    /// Makes the group, and the buffer that it is of.
    fn with_group(mut self) -> Result<Self, Error> {
        if self.options.group.is_some()
            && let Some(control) = &mut self.control
        {
            meta::make(control, &self.address.to_string(), &self.name, &Incarnation::new())?;
            self.found_at = Some(Instant::now());
        }
        self.make_groups()?;
        Ok(self)
    }

    /// Looks what the buffer is by now, where that is not known, not any more, or not since a while: an error where it is one of other events
    /// than are read here.
    pub(super) fn look_for_it(&mut self) -> Result<Result<(), Error>, RedisError> {
        if self.found_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(Ok(()));
        }
        let name = self.name.clone();
        let found = match meta::asked(self.control()?, &name) {
            // It is not to be known.
            Err(error) if error.code() == Some("NOPERM") => return Ok(Ok(())),
            found => found?,
        };
        let checked = meta::must_be(&name, found);
        self.found_at = matches!(checked, Ok(true)).then(Instant::now);
        Ok(checked.map(drop))
    }

    /// Without a group: reading of a lane continues after this block, which may be trimmed, with its number and the lane's events
    /// up to and with it; 0 where these are not known. If the server has given no id as high, it came back with less: the next
    /// answer says so, and the lane is read from its start.
    #[doc(hidden)]
    pub fn go_on_after(&mut self, lane: Lane, id: Id, number: u64, total: u64) -> Result<(), Error> {
        let Some(place) = self.places.iter_mut().find(|place| place.lane == lane) else {
            let (buffer, lanes) = (self.name.to_string(), self.name.lanes());
            return Err(Error::NoLane { buffer, lane: lane.name().into(), lanes });
        };
        place.go_on_after(id, (number > 0).then_some((number, total)));
        self.came_back = true;
        if self.asked.take().is_some() {
            // The answer on its way begins elsewhere.
            self.reads = None;
        }
        Ok(())
    }

    /// What the buffer's events are.
    pub fn events(&self) -> Stream {
        self.name.events()
    }
}
