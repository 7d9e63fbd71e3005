//! Rows into a Parquet file.
//!
//! The bytes of a file are a function of the rows, of where groups were ended, and of the footer: a range of blocks that is
//! written again gives the same file, by its hash. What is held in memory is the row group that is not yet ended, compressed, and
//! one batch.

use std::io::{self, Write};

use forebay::Event;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use sha2::{Digest, Sha256};

use super::batch::{Batch, Placed};
use super::encoding;
use super::footer::Footer;
use super::layout::Layout;
use super::met_encoding;
use super::schema::Rows;

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file, or what encodes it.
    #[error("the file could not be written: {0}")]
    Parquet(#[from] ParquetError),
    /// Every event of Jetstream is JSON, which is text.
    #[error("event {index} of block {block} is not UTF-8")]
    NotText {
        /// Its block.
        block: u64,
        /// Its place there.
        index: u32,
    },
    /// A file has a lane's events in their order, each once.
    #[error("event {index} of block {block} does not come after those that were written")]
    Order {
        /// Its block.
        block: u64,
        /// Its place there.
        index: u32,
    },
    /// A number or a line that no column holds.
    #[error("event {index} of block {block} has more than a column holds")]
    TooLarge {
        /// Its block.
        block: u64,
        /// Its place there.
        index: u32,
    },
}

impl WriteError {
    /// What the file system said, where it was that.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Parquet(ParquetError::External(error)) => error.downcast_ref(),
            _ => None,
        }
    }
}

/// What a file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its length.
    pub bytes: u64,
    /// The hash of its bytes.
    pub sha256: [u8; 32],
    /// How many events it has.
    pub rows: u64,
    /// The earliest and the latest time of them, in microseconds since 1970; nothing where it has none.
    pub times: Option<(u64, u64)>,
}

/// A file that is being written.
pub struct FileWriter<W: Write + Send> {
    writer: ArrowWriter<Counted<W>>,
    batch: Batch,
    version: &'static str,
    /// Where the last row came from.
    last: Option<(u64, u32)>,
    rows: u64,
    times: Option<(u64, u64)>,
}

/// A line that is longer has no place among a column's 2 GiB.
const LINE_MAX: usize = 1 << 30;

impl<W: Write + Send> FileWriter<W> {
    /// One with the columns of a stream.
    pub fn create(to: W, rows: &Rows) -> Result<Self, WriteError> {
        let options = ArrowWriterOptions::new()
            .with_properties(match rows.layout() {
                Layout::Hive => encoding::properties(rows),
                Layout::Met => met_encoding::properties(),
            })
            // Arrow's own schema in the footer would name types that other readers of it do not know.
            .with_skip_arrow_metadata(true);
        let to = Counted { to, bytes: 0, hash: Sha256::new() };
        let writer = ArrowWriter::try_new_with_options(to, rows.schema().clone(), options)?;
        let (batch, version) = (Batch::of(rows.clone()), rows.version());
        Ok(Self { writer, batch, version, last: None, rows: 0, times: None })
    }

    /// Takes an event, the `index`th of its block.
    pub fn push(
        &mut self,
        block: u64,
        index: u32,
        partition: u32,
        event: &Event<'_>,
    ) -> Result<(), WriteError> {
        if self.last.is_some_and(|last| last >= (block, index)) {
            return Err(WriteError::Order { block, index });
        }
        let too_large = |_| WriteError::TooLarge { block, index };
        let placed = Placed {
            block: i64::try_from(block).map_err(too_large)?,
            index: i32::try_from(index).map_err(too_large)?,
            partition: i32::try_from(partition).map_err(too_large)?,
            time_us: i64::try_from(event.time_us).map_err(too_large)?,
            line: event.bytes,
        };
        if event.bytes.len() > LINE_MAX {
            return Err(WriteError::TooLarge { block, index });
        }
        self.batch.push(placed).map_err(|_| WriteError::NotText { block, index })?;
        self.last = Some((block, index));
        self.rows += 1;
        let time = event.time_us;
        self.times = Some(self.times.map_or((time, time), |(from, to)| (from.min(time), to.max(time))));
        if self.batch.is_full() { self.write_batch() } else { Ok(()) }
    }

    /// How many events it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How long the file is about to be, were it finished now: what was written, what is held encoded, and the lines of the batch
    /// as they are.
    pub fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size() + self.batch.bytes()) as u64
    }

    /// About what it holds in memory. A row of Jetstream has most of its line twice.
    pub fn memory(&self) -> usize {
        self.writer.memory_size() + 2 * self.batch.bytes()
    }

    /// Ends the row group, which lets go of what is held.
    pub fn flush_group(&mut self) -> Result<(), WriteError> {
        self.write_batch()?;
        Ok(self.writer.flush()?)
    }

    /// Writes what is left and the footer; gives back what it was written to, which is not synced.
    pub fn finish(mut self, footer: &Footer) -> Result<(W, Written), WriteError> {
        self.write_batch()?;
        for pair in footer.key_values(self.version) {
            self.writer.append_key_value_metadata(pair);
        }
        let Counted { to, bytes, hash } = self.writer.into_inner()?;
        Ok((to, Written { bytes, sha256: hash.finalize().into(), rows: self.rows, times: self.times }))
    }

    fn write_batch(&mut self) -> Result<(), WriteError> {
        match self.batch.take().map_err(ParquetError::from)? {
            Some(batch) => Ok(self.writer.write(&batch)?),
            None => Ok(()),
        }
    }
}

/// What counts and hashes the bytes on their way.
struct Counted<W> {
    to: W,
    bytes: u64,
    hash: Sha256,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
