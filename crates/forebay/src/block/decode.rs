//! From a frame of either encoding back to its events, after every check that the entry's fields allow.

use super::atproto::{self, DecodeError};
use super::damage::Damage;
use super::frame::{ATPROTO, CONTENT_BYTES_MAX, LINES, Sealed, lines};
use crate::event::stream::Stream;

/// Opens frames; keeps its contexts and its output from one to the next.
pub struct Decoder {
    events: Stream,
    zstd: zstd::bulk::Decompressor<'static>,
    /// Made when the first frame needs it.
    atproto: Option<atproto::Decoder>,
    content: Vec<u8>,
}

impl Decoder {
    /// A new context, for frames of Jetstream's events.
    pub fn new() -> std::io::Result<Self> {
        Self::of(Stream::jetstream())
    }

    /// A new context, for frames of a stream.
    pub fn of(events: Stream) -> std::io::Result<Self> {
        Ok(Self { events, zstd: zstd::bulk::Decompressor::new()?, atproto: None, content: Vec::new() })
    }

    /// The events of a frame, separated by `\n`.
    pub fn open(&mut self, sealed: Sealed<'_>) -> Result<&[u8], Damage> {
        match sealed.encoding {
            LINES => self.open_lines(sealed.frame)?,
            ATPROTO => self.open_atproto(sealed.frame)?,
            other => return Err(Damage::Encoding(other)),
        }
        check(self.events, &self.content, sealed.events, sealed.times)?;
        Ok(&self.content)
    }

    fn open_lines(&mut self, frame: &[u8]) -> Result<(), Damage> {
        let size = zstd::zstd_safe::get_frame_content_size(frame)
            .ok()
            .flatten()
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size <= CONTENT_BYTES_MAX)
            .ok_or(Damage::Size)?;
        // zstd itself would open several frames after each other.
        if zstd::zstd_safe::find_frame_compressed_size(frame).ok() != Some(frame.len()) {
            return Err(Damage::Frame("it is cut, or something follows it".into()));
        }
        self.content.clear();
        self.content.reserve(size);
        self.zstd
            .decompress_to_buffer(frame, &mut self.content)
            .map_err(|error| Damage::Frame(error.to_string()))?;
        Ok(())
    }

    fn open_atproto(&mut self, frame: &[u8]) -> Result<(), Damage> {
        let failed = |error: &dyn std::fmt::Display| Damage::Frame(error.to_string());
        let decoder = match self.atproto.take() {
            Some(decoder) => decoder,
            None => atproto::Dictionary::built_in()
                .and_then(atproto::Decoder::new)
                .map_err(|error| failed(&error))?,
        };
        let opened = self.atproto.insert(decoder).decode(frame, CONTENT_BYTES_MAX, &mut self.content);
        opened.map_err(|error| match error {
            DecodeError::Dictionary { said, .. } => Damage::Dictionary(said),
            DecodeError::TooLarge { .. } => Damage::Size,
            error => failed(&error),
        })
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
