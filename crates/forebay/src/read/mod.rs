//! How a program reads a buffer: a few words over the buffer's own reader, which asks, checks and acknowledges.

mod batch;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::batch::Shared;
pub use self::batch::{Batch, Batches, Events, Item};
use crate::buffer::connect::Address;
use crate::buffer::error::Error;
use crate::buffer::keys::Name;
use crate::buffer::lock;
use crate::buffer::reader::{self, own_consumer};
use crate::event::stream::Stream;

/// Bytes of compressed blocks that are asked for at once; opened, they are some times as many.
const BATCH_BYTES: usize = 1 << 20;

/// Reads a buffer, as a consumer of a group or, without one, leaving no trace.
///
/// A group is given each block once, and again whatever it did not acknowledge. A block is let go of once every group has
/// acknowledged it. Whatever is not as a writer left it (a damaged block, a gap, a block out of place) comes as an item of its
/// own, with its place: nothing is passed over in silence.
///
/// **Threads.** None of its own: everything happens in the caller's.
///
/// **Connections.** Two: one asks for blocks, the other acknowledges. They end with the reader and the last of its batches.
///
/// **Memory.** One answer of about 1 MiB of compressed blocks ([`ReaderBuilder::batch_bytes`]), and with a group 56 bytes for
/// each block that is not acknowledged, of which it holds a million at the most.
pub struct Reader {
    shared: Shared,
    wait: Duration,
    /// Nobody else has its name: it is struck off when the reader is closed.
    has_own_name: bool,
}

/// Opens a reader: [`Reader::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ReaderBuilder {
    url: String,
    buffer: String,
    group: Option<String>,
    consumer: Option<String>,
    lanes: Vec<String>,
    events: Stream,
    wait: Duration,
    batch_bytes: usize,
    claim_idle: Duration,
    patience: Duration,
}

impl Reader {
    /// A reader of a buffer on the server at a `redis://`, `rediss://` or `unix://` address.
    pub fn builder(url: impl Into<String>, buffer: impl Into<String>) -> ReaderBuilder {
        ReaderBuilder {
            url: url.into(),
            buffer: buffer.into(),
            group: None,
            consumer: None,
            lanes: Vec::new(),
            events: Stream::jetstream(),
            wait: Duration::from_secs(1),
            batch_bytes: BATCH_BYTES,
            claim_idle: Duration::from_secs(60),
            patience: Duration::from_secs(600),
        }
    }

    /// Blocks as the server gives them, many at once. It ends where nothing more has come for as long as
    /// [`ReaderBuilder::wait`] says, and can be called again then.
    pub fn batches(&mut self) -> Batches {
        Batches::new(Arc::clone(&self.shared), self.wait)
    }

    /// Events one by one, lane by lane in their order. It ends as [`Self::batches`] does. Nothing is acknowledged but by
    /// [`Events::ack`].
    pub fn events(&mut self) -> Events {
        Events::new(self.batches())
    }

    /// Blocks that were handed out and that this reader does not know to be acknowledged.
    pub fn unacknowledged(&self) -> usize {
        lock(&self.shared).held()
    }

    /// Ends reading. A consumer that was not given a name, and has acknowledged all that it was given, is struck off from its
    /// group; what it has not acknowledged is given to others after [`ReaderBuilder::claim_idle`].
    pub fn close(self) {
        if self.has_own_name {
            lock(&self.shared).leave();
        }
    }
}

impl ReaderBuilder {
    /// Reads as a consumer of this group, which is made where it is not there: from the oldest block that is held on.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The name of this consumer in the group. Whoever comes back under it is given at once what it did not acknowledge; two at
    /// once under one name are given the same blocks. Else it has a name that no other has.
    pub fn consumer(mut self, consumer: impl Into<String>) -> Self {
        self.consumer = Some(consumer.into());
        self
    }

    /// Which lanes, by their names; else all.
    pub fn lanes<N: Into<String>>(mut self, lanes: impl IntoIterator<Item = N>) -> Self {
        self.lanes = lanes.into_iter().map(Into::into).collect();
        self
    }

    /// What the events are of a buffer that nobody has made yet; else Jetstream's. One that is there says it itself.
    pub fn events(mut self, events: Stream) -> Self {
        self.events = events;
        self
    }

    /// How long to wait for more before [`Reader::batches`] and [`Reader::events`] end; else a second. Zero ends with what is
    /// there.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Bytes of compressed blocks to ask for at once; else 1 MiB.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// Takes over blocks that another consumer of the group has held for longer; else 60 s.
    pub fn claim_idle(mut self, idle: Duration) -> Self {
        self.claim_idle = idle;
        self
    }

    /// How long to go on without an answer before giving up; else 10 minutes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Connects. A buffer that is not there is one without events.
    pub fn open(self) -> Result<Reader, Error> {
        let (address, name) = (Address::parse(&self.url)?, self.buffer.parse::<Name>()?.of(self.events));
        let has_own_name = self.group.is_some() && self.consumer.is_none();
        let consumer = self.consumer;
        let group = self.group.map(|group| (group, consumer.unwrap_or_else(own_consumer)));
        let options = reader::Options {
            lanes: self.lanes,
            group,
            ahead: false,
            claim_idle: self.claim_idle,
            patience: self.patience,
        };
        let mut reader = reader::Reader::open(&address, &name, options)?;
        reader.ask_for(self.batch_bytes);
        Ok(Reader { shared: Arc::new(Mutex::new(reader)), wait: self.wait, has_own_name })
    }
}
