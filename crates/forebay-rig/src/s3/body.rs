//! The body of a request, by its length or in chunks, within the bound on bytes.

use std::io;
use std::time::Duration;

use super::room::Held;
use super::wire::{Head, Wire, invalid};
use crate::http::Connections;

const PART_BYTES: usize = 64 << 10;
/// Bytes of the lines between the chunks of a body: sizes, and what comes behind the last.
const LINE_BYTES_MAX: usize = 4 << 10;

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// There is none.
    None,
    /// After so many bytes.
    Known(u64),
    /// With its last chunk.
    Chunked,
}

impl Length {
    pub(super) fn of(head: &Head) -> io::Result<Self> {
        if let Some(encoding) = head.header("transfer-encoding") {
            let is_chunked = encoding.eq_ignore_ascii_case("chunked");
            return if is_chunked {
                Ok(Self::Chunked)
            } else {
                Err(invalid("the transfer encoding is unknown"))
            };
        }
        let Some(length) = head.header("content-length") else { return Ok(Self::None) };
        length.parse().map(Self::Known).map_err(|_| invalid("the content length is not a number"))
    }

    pub(super) fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Known(0))
    }
}

/// How a body is read.
#[derive(Debug)]
pub(super) struct BodyReader<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) connections: &'a Connections,
    /// Bytes a second, where it is read slowly.
    pub(super) rate: Option<u64>,
    /// Bytes that may be held, all others of the server included.
    pub(super) bytes_max: u64,
}

impl BodyReader<'_> {
    /// Reads the body to its end. None where there was no room for it: then it was read all the same, so that the answer can be
    /// sent.
    pub(super) fn read(mut self, length: Length, held: Held) -> io::Result<Option<Held>> {
        let mut held = Some(held);
        match length {
            Length::None => {}
            Length::Known(len) => self.part(len, &mut held)?,
            Length::Chunked => loop {
                let line = self.wire.line(&mut LINE_BYTES_MAX.clone())?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let len = u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk has no size"))?;
                if len == 0 {
                    self.wire.headers(&mut LINE_BYTES_MAX.clone())?;
                    break;
                }
                self.part(len, &mut held)?;
                if !self.wire.line(&mut LINE_BYTES_MAX.clone())?.is_empty() {
                    return Err(invalid("a chunk is longer than its size"));
                }
            },
        }
        Ok(held)
    }

    fn part(&mut self, len: u64, held: &mut Option<Held>) -> io::Result<()> {
        let mut part = vec![0; self.part_bytes()];
        let mut left = len;
        while left > 0 {
            let wanted = left.min(part.len() as u64) as usize;
            let came = self.wire.read(&mut part[..wanted])?;
            left -= came as u64;
            if held.as_mut().is_some_and(|held| !held.push(&part[..came], self.bytes_max)) {
                // Gives its room back.
                *held = None;
            }
            if let Some(rate) = self.rate {
                let wait = Duration::from_secs_f64(came as f64 / rate.max(1) as f64);
                if self.connections.sleep(wait) {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
        }
        Ok(())
    }

    /// Ten parts a second, where it is slow.
    fn part_bytes(&self) -> usize {
        let slow = self.rate.map_or(u64::MAX, |rate| rate / 10);
        slow.clamp(1, PART_BYTES as u64) as usize
    }
}
