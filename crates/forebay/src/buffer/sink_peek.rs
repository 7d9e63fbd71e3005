//! A look at what a sink has written beside a buffer, which changes nothing there: no group is made, and no lane taken.

use std::time::{Duration, Instant};

use super::buffer_exists::must_be_there;
use super::connect::Address;
use super::entry::Id;
use super::error::Error;
use super::keys::Name;
use super::sink::Sink;
use super::sink_state::{Head, LaneLook};
use crate::event::lane::Lane;
use crate::event::stream::Stream;

/// A buffer that is drained, at one moment.
#[derive(Debug)]
pub struct SinkPeek {
    /// What its events are.
    pub events: Stream,
    /// Which buffer of its name it is.
    pub incarnation: String,
    /// Its lanes, in order.
    pub lanes: Vec<LanePeek>,
}

/// A lane of it.
#[derive(Debug)]
pub struct LanePeek {
    /// Which.
    pub lane: Lane,
    /// How it stands; all of it nothing where no sink of the group was ever there.
    pub look: LaneLook,
    /// The newest block; none where the lane is empty.
    pub newest: Option<Head>,
}

impl Sink {
    /// Looks how the lanes of a buffer stand to the sinks of a group; an error where the buffer is not there.
    pub fn peek(address: &Address, name: &Name, group: &str, patience: Duration) -> Result<SinkPeek, Error> {
        let mut sink = Self::on(address, name, group, patience)?;
        if !sink.find()? {
            let connection =
                sink.server.connected(Instant::now()).map_err(|error| address.refused(&error))?;
            must_be_there(connection, address, name)?;
            let (name, url) = (name.to_string(), address.to_string());
            return Err(Error::NoBuffer { name, url, others: Vec::new() });
        }
        let mut lanes = Vec::new();
        for lane in sink.name.lanes() {
            lanes.push(sink.peek_at(lane)?);
        }
        Ok(SinkPeek { events: sink.events(), incarnation: sink.incarnation, lanes })
    }

    fn peek_at(&mut self, lane: Lane) -> Result<LanePeek, Error> {
        let fields = self.fields(lane)?;
        let look = self.stands(lane, &fields, Id::default())?;
        Ok(LanePeek { lane, look, newest: self.newest(lane)? })
    }
}
