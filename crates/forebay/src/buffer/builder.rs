//! How a writer is opened: what it may be told, and the defaults.

use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::batch::Limits;
use super::connect::Address;
use super::error::Error;
use super::overflow::{Listener, Overflow, Told};
use super::writer::Writer;

/// When a block counts as acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// The server answered.
    Reply,
    /// The server answered and the block is on its disk.
    Fsync,
}

impl FromStr for Ack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "reply" => Ok(Self::Reply),
            "fsync" => Ok(Self::Fsync),
            _ => Err("reply or fsync".into()),
        }
    }
}

/// How to write. A program makes it by [`Writer::builder`].
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Options {
    /// When a block is cut.
    pub limits: Limits,
    /// When it counts.
    pub ack: Ack,
    /// Blocks of a lane under way at once.
    pub in_flight: usize,
    /// How long to go on without an acknowledgement before giving up. Where the policy lets the source go on, only the
    /// time counts in which it is held back all the same.
    pub patience: Duration,
    /// What becomes of events while the server takes none.
    pub overflow: Overflow,
    /// Hears of every event's fate.
    pub listener: Option<Listener>,
    /// Whether to take the buffer from a writer that is there; that one is fenced. Else opening fails where a writer is
    /// heard, and waits [`SILENCE`](super::owner::SILENCE) where one did not say that it ended.
    pub takes_over: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            ack: Ack::Reply,
            in_flight: 16,
            patience: Duration::from_secs(600),
            overflow: Overflow::Wait,
            listener: None,
            takes_over: false,
        }
    }
}

/// Opens a writer: [`Writer::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct WriterBuilder {
    url: String,
    buffer: String,
    options: Options,
}

impl Writer {
    /// A writer of a buffer on the server at a `redis://`, `rediss://` or `unix://` address. The buffer's name is 1 to 64 of
    /// `A-Z a-z 0-9 . _ -`; it is made where it is not there.
    pub fn builder(url: impl Into<String>, buffer: impl Into<String>) -> WriterBuilder {
        WriterBuilder { url: url.into(), buffer: buffer.into(), options: Options::default() }
    }
}

impl WriterBuilder {
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
    pub fn listener(mut self, hear: impl Fn(Told) + Send + Sync + 'static) -> Self {
        self.options.listener = Some(Listener(std::sync::Arc::new(hear)));
        self
    }

    /// Opens the writer. A server that is there and takes no writes yet (full, loading) is waited for, as long as patience
    /// allows.
    pub fn open(self) -> Result<Writer, Error> {
        let (address, name) = (Address::parse(&self.url)?, self.buffer.parse()?);
        let opened = Writer::open_patiently(&address, &name, &self.options, &AtomicBool::new(false))?;
        opened.ok_or_else(|| Error::System("opening the writer was broken off".into(), None))
    }
}
