//! How a program opens a writer.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::connect::Address;
use super::error::Error;
use super::keys::Name;
use super::options::{Ack, Options};
use super::overflow::{FateReport, Listener, Overflow};
use super::writer::Writer;
use crate::block::encode::Wanted;
use crate::event::stream::Stream;

/// Opens a writer: [`Writer::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct WriterBuilder {
    url: String,
    buffer: String,
    options: Options,
    events: Stream,
}

impl Writer {
    /// A writer of a buffer on the server at a `redis://`, `rediss://` or `unix://` address. The buffer's name is 1 to 64 of
    /// `A-Z a-z 0-9 . _ -`; it is made where it is not there.
    pub fn builder(url: impl Into<String>, buffer: impl Into<String>) -> WriterBuilder {
        WriterBuilder {
            url: url.into(),
            buffer: buffer.into(),
            options: Options::default(),
            events: Stream::jetstream(),
        }
    }
}

impl WriterBuilder {
    /// What the events are: how a line becomes one, and which lanes there are; else Jetstream's. A buffer is of one stream from
    /// the moment when it is made, and opening a writer of another is an error.
    pub fn events(mut self, events: Stream) -> Self {
        self.events = events;
        self
    }

    /// When a block counts as acknowledged; else once the server answered.
    pub fn ack(mut self, ack: Ack) -> Self {
        self.options.ack = ack;
        self
    }

    /// What becomes of events while the server takes none; else the source is held back.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = overflow;
        self
    }

    /// How long an event may wait for others to share a block with; else 200 ms.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.options.limits.linger = linger;
        self
    }

    /// How many events a block may have; else 512.
    pub fn block_events(mut self, events: u64) -> Self {
        self.options.limits.events_max = events.max(1);
        self
    }

    /// Whether blocks that are cut because they are full are encoded as densely as others: half the memory, for two
    /// microseconds of a core an event. Else that may take a fiftieth of a core, and the rest of such blocks is encoded
    /// fast. Of streams that are not Jetstream's, all blocks are encoded fast.
    pub fn dense(mut self, dense: bool) -> Self {
        self.options.encoding.wanted = if dense { Wanted::Dense } else { Wanted::Measured };
        self
    }

    /// How many blocks of a lane may be under way at once; else 16.
    pub fn in_flight(mut self, blocks: usize) -> Self {
        self.options.in_flight = blocks.max(1);
        self
    }

    /// Whether to take the buffer from a writer that is there; that one ends with an error. Else opening fails where a writer
    /// is heard, and takes 5 seconds where the last one did not say that it ended.
    pub fn takeover(mut self, takeover: bool) -> Self {
        self.options.takes_over = takeover;
        self
    }

    /// How long to go on without an acknowledgement before giving up; else 10 minutes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// Hears of every event's fate, on the writer's threads: it must not block.
    pub fn listener(mut self, hear: impl Fn(FateReport) + Send + Sync + 'static) -> Self {
        self.options.listener = Some(Listener(std::sync::Arc::new(hear)));
        self
    }

    /// Opens the writer. A server that is there and takes no writes yet (full, loading) is waited for, as long as patience
    /// allows.
    pub fn open(self) -> Result<Writer, Error> {
        let (address, name) = (Address::parse(&self.url)?, self.buffer.parse::<Name>()?.of(self.events));
        let opened = Writer::open_patiently(&address, &name, &self.options, &AtomicBool::new(false))?;
        opened.ok_or_else(|| Error::System("opening the writer was broken off".into(), None))
    }
}
