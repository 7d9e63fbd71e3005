//! What goes into a block and what it is once it is encoded. No I/O, no Redis.
//!
//! Constraints: a damaged frame is never taken for a sound one; a block carries all that is needed to tell.
//!
//! Layout: the bytes of the events, separated by `\n` (none after the last), as a *frame*: of encoding 1, which is one zstd
//! frame, or of encoding 2 ([`super::atproto`]). Beside the frame stand the number of events and the smallest and largest
//! `time_us`, so that a reader can tell what a block should hold before and after it is opened.
//!
//! Operation: a [`Draft`] collects events, an [`Encoder`](super::encode::Encoder) makes the frame, a
//! [`Decoder`](super::decode::Decoder) opens and checks it.

use crate::event::parse::Event;

/// The encoding of a frame: its events as lines, compressed by zstd.
pub const LINES: u64 = 1;

/// The encoding that takes the events of the AT Protocol apart.
pub const ATPROTO: u64 = 2;

/// The newest encoding that this build reads.
pub const ENCODING_MAX: u64 = ATPROTO;

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
    is_full: bool,
}

impl Draft {
    /// Adds one event; its bytes are one line, and its time is what its stream finds there.
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

    /// It was cut because it is full, and not because its events had waited long enough.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// It is as full as it may be.
    pub(crate) fn fill_up(&mut self) {
        self.is_full = true;
    }

    /// The events.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The block that it becomes with a frame.
    pub(super) fn to_block(&self, encoding: u64, frame: Vec<u8>) -> Block {
        Block {
            events: self.events,
            time_min: self.time_min,
            time_max: self.time_max,
            raw_bytes: self.bytes.len() as u64,
            cursor: self.cursor,
            encoding,
            frame,
        }
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

/// A frame, and what stands beside it.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// How the frame is made.
    pub encoding: u64,
    /// The frame.
    pub frame: &'a [u8],
    /// How many events it should hold.
    pub events: u64,
    /// The smallest and the largest `time_us` that they should have.
    pub times: (u64, u64),
}

impl Block {
    /// What a decoder needs of it.
    pub fn sealed(&self) -> Sealed<'_> {
        let Self { encoding, frame, events, time_min, time_max, .. } = self;
        Sealed { encoding: *encoding, frame, events: *events, times: (*time_min, *time_max) }
    }
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
