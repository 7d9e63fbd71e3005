//! Encoding 1: events ⇄ zstd frame. No I/O, no Redis.
//!
//! Constraints: any language with zstd reads a frame; a damaged frame is never taken for a sound one.
//!
//! Layout: the bytes of the events, separated by `\n` (none after the last), as one zstd frame that carries
//! its content's size and checksum. Beside the frame stand the number of events and the smallest and largest
//! `time_us`, so that a reader can tell what a block should hold before and after it is opened.
//!
//! Operation: a [`Draft`] collects events, an [`Encoder`] makes the frame, a [`Decoder`] opens and checks it.

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, ParamSwitch};

use crate::event::parse::Event;
use crate::event::stream::Stream;

/// The encoding of a frame: its events as lines, compressed by zstd.
pub const LINES: u64 = 1;

/// The newest encoding that this build reads.
pub const ENCODING_MAX: u64 = LINES;

/// The zstd level of a block that was cut by age. Level 9 saves 2 % of bytes and takes 5 times the processor.
const DENSE: i32 = 1;

/// The zstd level of a block that was cut because it is full: there events come faster than blocks go out.
/// With literals still compressed it takes 28 % less time than level 1, for 5 % more bytes.
const FAST: i32 = -5;

/// From so many bytes of events on, a block counts as full. At the network's mean rate and the usual linger
/// the largest block has a third of it.
const FULL_BYTES: usize = 160 << 10;

/// The largest content a frame may claim, in bytes: a damaged or hostile header must not ask for all memory.
/// Above the largest single event that a writer can be told to accept.
pub const CONTENT_BYTES_MAX: usize = 128 << 20;

/// The largest event, in bytes.
pub const EVENT_BYTES_MAX: usize = 64 << 20;

/// Events of one lane on their way into a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    bytes: Vec<u8>,
    events: u64,
    time_min: u64,
    time_max: u64,
    cursor: u64,
}

impl Draft {
    /// Adds one event; its bytes are one line, and its time is what its [`Stream`] finds there.
    pub fn push(&mut self, event: &Event<'_>) {
        let Event { bytes, time_us, cursor, .. } = *event;
        debug_assert!(!bytes.contains(&b'\n'), "an event is one line");
        if self.events == 0 {
            (self.time_min, self.time_max) = (time_us, time_us);
        } else {
            self.bytes.push(b'\n');
            self.time_min = self.time_min.min(time_us);
            self.time_max = self.time_max.max(time_us);
        }
        self.bytes.extend_from_slice(bytes);
        self.events += 1;
        self.cursor = self.cursor.max(cursor);
    }

    /// How many events it holds.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many bytes the events take, separators included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds no event.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }
}

/// A block as a stream entry holds it, without its number: that is the lane's to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Events in the frame.
    pub events: u64,
    /// Smallest `time_us`.
    pub time_min: u64,
    /// Largest `time_us`.
    pub time_max: u64,
    /// Bytes of the events before compression.
    pub raw_bytes: u64,
    /// Where the source stands after its last event; 0 where that is not known.
    pub cursor: u64,
    /// How the frame is made.
    pub encoding: u64,
    /// The events.
    pub frame: Vec<u8>,
}

/// Makes frames; keeps its zstd contexts from one to the next.
pub struct Encoder {
    dense: Compressor<'static>,
    fast: Compressor<'static>,
}

impl Encoder {
    /// New contexts.
    pub fn new() -> std::io::Result<Self> {
        let context = |level| -> std::io::Result<Compressor<'static>> {
            let mut zstd = Compressor::new(level)?;
            zstd.include_checksum(true)?;
            zstd.include_contentsize(true)?;
            Ok(zstd)
        };
        let mut fast = context(FAST)?;
        fast.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Enable))?;
        Ok(Self { dense: context(DENSE)?, fast })
    }

    /// Compresses a draft. It fails only where zstd cannot have memory.
    pub fn encode(&mut self, draft: &Draft) -> std::io::Result<Block> {
        let zstd = if draft.bytes.len() < FULL_BYTES { &mut self.dense } else { &mut self.fast };
        Ok(Block {
            events: draft.events,
            time_min: draft.time_min,
            time_max: draft.time_max,
            raw_bytes: draft.bytes.len() as u64,
            cursor: draft.cursor,
            encoding: LINES,
            frame: zstd.compress(&draft.bytes)?,
        })
    }
}

/// Why a block cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A field that every entry has is not there.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field holds something else than a number.
    #[error("field `{0}` is not a number")]
    NotANumber(&'static str),
    /// The entry was written by a later Forebay.
    #[error("its encoding is {0}, this build reads up to {ENCODING_MAX}: use a newer forebay")]
    Newer(u64),
    /// zstd refused the frame: cut, flipped, or not a frame.
    #[error("the frame does not open: {0}")]
    Frame(String),
    /// The frame says it holds more than [`CONTENT_BYTES_MAX`], or does not say.
    #[error("the frame does not say its size, or says more than {CONTENT_BYTES_MAX} bytes")]
    Size,
    /// The frame holds another number of events than the entry says.
    #[error("it holds {found} events where the entry says {said}")]
    Events {
        /// Field `n`.
        said: u64,
        /// Lines in the frame.
        found: u64,
    },
    /// A line of the frame is not an event.
    #[error("its event {index} is none: {why}")]
    Event {
        /// Place in the block, from 0.
        index: u64,
        /// What the parser said.
        why: String,
    },
    /// The events' times are not those of the entry.
    #[error("its events are from {found_min} to {found_max} (time_us) where the entry says {min} to {max}")]
    Times {
        /// Field `a`.
        min: u64,
        /// Field `z`.
        max: u64,
        /// Smallest found.
        found_min: u64,
        /// Largest found.
        found_max: u64,
    },
}

/// Opens frames; keeps its zstd context and its output from one to the next.
pub struct Decoder {
    events: Stream,
    zstd: zstd::bulk::Decompressor<'static>,
    content: Vec<u8>,
}

impl Decoder {
    /// A new context, for frames of Jetstream's events.
    pub fn new() -> std::io::Result<Self> {
        Self::of(Stream::jetstream())
    }

    /// A new context, for frames of a stream.
    pub fn of(events: Stream) -> std::io::Result<Self> {
        Ok(Self { events, zstd: zstd::bulk::Decompressor::new()?, content: Vec::new() })
    }

    /// The events of a frame, separated by `\n`, after every check that the entry's fields allow.
    pub fn open(&mut self, frame: &[u8], events: u64, times: (u64, u64)) -> Result<&[u8], Damage> {
        let size = zstd::zstd_safe::get_frame_content_size(frame)
            .ok()
            .flatten()
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size <= CONTENT_BYTES_MAX)
            .ok_or(Damage::Size)?;
        self.content.clear();
        self.content.reserve(size);
        self.zstd
            .decompress_to_buffer(frame, &mut self.content)
            .map_err(|error| Damage::Frame(error.to_string()))?;
        check(self.events, &self.content, events, times)?;
        Ok(&self.content)
    }
}

/// Holds the content against the entry's fields.
fn check(events: Stream, content: &[u8], said: u64, (min, max): (u64, u64)) -> Result<(), Damage> {
    if !events.has_times() {
        let found = lines(content).count() as u64;
        return if found == said { Ok(()) } else { Err(Damage::Events { said, found }) };
    }
    let (mut found, mut found_min, mut found_max) = (0, u64::MAX, 0);
    for line in lines(content) {
        let event = events.parse(line).map_err(|why| Damage::Event { index: found, why: why.to_string() })?;
        found += 1;
        found_min = found_min.min(event.time_us);
        found_max = found_max.max(event.time_us);
    }
    if found != said {
        return Err(Damage::Events { said, found });
    }
    if (found_min, found_max) != (min, max) {
        return Err(Damage::Times { min, max, found_min, found_max });
    }
    Ok(())
}

/// The events of an opened frame.
pub fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(content);
    std::iter::from_fn(move || {
        let bytes = rest?;
        if let Some(end) = memchr::memchr(b'\n', bytes) {
            rest = Some(&bytes[end + 1..]);
            Some(&bytes[..end])
        } else {
            rest = None;
            Some(bytes)
        }
    })
}
