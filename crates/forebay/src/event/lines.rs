//! Cuts a stream of bytes into batches of whole lines, in bounded memory.
//!
//! A line ends at a line feed; one carriage return before it belongs to the line end, not to the line, and so does
//! one that ends the stream. The last line counts even without a line end. Lines of white space only are passed over, but
//! numbered like all others; [`Lines::with_blank`] has them too. A line over the limit is never held whole: its bytes are counted and dropped, and
//! the batch in which it ends reports it. All other bytes pass as they are, zero bytes and broken UTF-8 included:
//! what is an event is decided elsewhere.
//!
//! A batch is what one read gave, up to [`BATCH_BYTES`], and more only while the line at its start is not complete. So
//! a slow source is not held back, and no buffer grows beyond `BATCH_BYTES + max_line + 1`.

use std::io::{self, ErrorKind, Read};

use memchr::{memchr, memchr_iter, memrchr};

/// The longest line taken where nothing else is asked for.
pub const DEFAULT_MAX_EVENT_BYTES: usize = 1 << 20;

/// The most that is asked of the source at once.
pub const BATCH_BYTES: usize = 256 << 10;

/// A reader, cut into batches of lines.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    max_line: usize,
    keeps_blank: bool,
    /// The number of the line that is read next, or is being read.
    line: u64,
    /// The start of that line, as far as it was read. At most `max_line + 1` bytes, of which the last may turn out
    /// to be a carriage return.
    begun: Vec<u8>,
    /// If that line is over the limit: what was dropped of it.
    dropped: Option<Dropped>,
    ended: bool,
}

/// What was dropped so far of a line over the limit.
#[derive(Debug, Clone, Copy)]
struct Dropped {
    bytes: u64,
    ends_in_return: bool,
}

impl Dropped {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(last) = bytes.last() {
            self.ends_in_return = *last == b'\r';
        }
    }

    fn line_bytes(self) -> u64 {
        self.bytes - u64::from(self.ends_in_return)
    }
}

/// A line that was too long to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oversize {
    /// Its number, from 1.
    pub line: u64,
    /// Its length without its line end.
    pub bytes: u64,
}

/// Whole lines, one after the other.
#[derive(Debug)]
pub struct Batch {
    /// The lines are in the first `end` bytes; the rest is left over from an earlier use.
    buffer: Vec<u8>,
    end: usize,
    first_line: u64,
    last_line: u64,
    max_line: usize,
    keeps_blank: bool,
    oversize: Vec<Oversize>,
}

impl Batch {
    /// The lines that are not over the limit, nor blank where those are passed over, each with its number, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        numbered(&self.buffer[..self.end], self.first_line)
            .filter(|(_, line)| line.len() <= self.max_line && (self.keeps_blank || !is_blank(line)))
    }

    /// The lines over the limit that end in this batch, in order.
    pub fn oversize(&self) -> &[Oversize] {
        &self.oversize
    }

    /// The last line that ends in this batch, blank ones counted; 0 where none does.
    pub fn last_line(&self) -> u64 {
        self.last_line
    }

    /// The memory, for another batch.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

impl<R: Read> Lines<R> {
    /// Lines of `reader`, of at most `max_line` bytes without their line ends.
    pub fn new(reader: R, max_line: usize) -> Self {
        Self { reader, max_line, keeps_blank: false, line: 1, begun: Vec::new(), dropped: None, ended: false }
    }

    /// Blank lines are lines like all others.
    #[must_use]
    pub fn with_blank(self) -> Self {
        Self { keeps_blank: true, ..self }
    }

    /// The next lines, as soon as there are any; `None` at the end of the stream. `buffer` is the memory to use: that
    /// of a batch that is done with, or a new one. After an error no byte is lost, and the call may be made again.
    pub fn next_batch(&mut self, mut buffer: Vec<u8>) -> io::Result<Option<Batch>> {
        let mut oversize = Vec::new();
        // The buffer keeps its length from use to use, so that it is filled with zeros only once.
        if buffer.len() < self.begun.len() {
            buffer.resize(self.begun.len(), 0);
        }
        buffer[..self.begun.len()].copy_from_slice(&self.begun);
        let mut filled = self.begun.len();
        self.begun.clear();
        while !self.ended {
            if buffer.len() < filled + BATCH_BYTES {
                buffer.reserve_exact(filled + BATCH_BYTES - buffer.len());
                buffer.resize(filled + BATCH_BYTES, 0);
            }
            let read = match self.reader.read(&mut buffer[filled..filled + BATCH_BYTES]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.begun.extend_from_slice(&buffer[..filled]);
                    return Err(error);
                }
            };
            self.ended = read == 0;
            if let Some(mut dropped) = self.dropped {
                // Nothing is kept of this line, so what was read stands at the start.
                let line_end = memchr(b'\n', &buffer[..read]);
                dropped.add(&buffer[..line_end.unwrap_or(read)]);
                self.dropped = Some(dropped);
                if line_end.is_none() && !self.ended {
                    continue;
                }
                oversize.push(Oversize { line: self.line, bytes: dropped.line_bytes() });
                self.line += 1;
                self.dropped = None;
                let rest = line_end.map_or(read, |at| at + 1);
                buffer.copy_within(rest..read, 0);
                filled = read - rest;
            } else {
                filled += read;
            }
            let fresh = filled - read.min(filled);
            let whole = memrchr(b'\n', &buffer[fresh..filled]).map_or(0, |at| fresh + at + 1);
            let begun = filled - whole;
            if begun > self.max_line.saturating_add(1) && !self.ended {
                let mut dropped = Dropped { bytes: 0, ends_in_return: false };
                dropped.add(&buffer[whole..filled]);
                self.dropped = Some(dropped);
                filled = whole;
            }
            if whole > 0 || !oversize.is_empty() {
                self.begun.extend_from_slice(&buffer[whole..filled]);
                filled = whole;
                break;
            }
        }
        // At the end of the stream what is left is a line too.
        if self.ended && filled == 0 && self.begun.is_empty() && oversize.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.batch(buffer, filled, oversize)))
    }

    /// The batch of the lines in the first `end` bytes.
    fn batch(&mut self, buffer: Vec<u8>, end: usize, mut oversize: Vec<Oversize>) -> Batch {
        let first_line = self.line;
        let bytes = &buffer[..end];
        if end > self.max_line {
            let long = numbered(bytes, first_line).filter(|(_, line)| line.len() > self.max_line);
            oversize.extend(long.map(|(line, bytes)| Oversize { line, bytes: bytes.len() as u64 }));
        }
        self.line += memchr_iter(b'\n', bytes).count() as u64;
        // The last line of a stream may have no line end.
        let last_line =
            if bytes.last().is_some_and(|last| *last != b'\n') { self.line } else { self.line - 1 };
        Batch {
            buffer,
            end,
            first_line,
            last_line,
            max_line: self.max_line,
            keeps_blank: self.keeps_blank,
            oversize,
        }
    }
}

/// Every line of `bytes` without its line end, numbered from `first` on.
fn numbered(mut bytes: &[u8], first: u64) -> impl Iterator<Item = (u64, &[u8])> {
    (first..).map_while(move |number| {
        if bytes.is_empty() {
            return None;
        }
        let (line, rest) = match memchr(b'\n', bytes) {
            Some(at) => (&bytes[..at], &bytes[at + 1..]),
            None => (bytes, &bytes[bytes.len()..]),
        };
        bytes = rest;
        Some((number, line.strip_suffix(b"\r").unwrap_or(line)))
    })
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests;
