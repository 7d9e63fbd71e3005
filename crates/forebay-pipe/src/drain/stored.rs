//! Rows out of a file, each with its line as it came in.
//!
//! Whatever is in doubt is an error that says where: columns that are not those of this version, rows out of order, a line that
//! cannot be made again, and of Jetstream a column that says another thing than the line does.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_schema::{Field, Schema};
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use super::archive::Archive;
use super::footer::Footer;
use super::lean::Lean;
use super::met;
use super::record::FileRecord;
use super::run::DrainError;
use super::schema::{JETSTREAM, JETSTREAM_LEAN, LINES, MET, PLACE, Rows, line_fields};
use super::stored_line::{bytes, jetstream_line, met_line, number, text};

/// Rows that are read at a time.
const ROWS: usize = 1_024;

/// Why a file is in doubt.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be opened.
    #[error("it cannot be opened: {0}")]
    Io(#[from] io::Error),
    /// It is no Parquet, or damaged.
    #[error("it is no Parquet file, or a damaged one: {0}")]
    Parquet(#[from] ParquetError),
    /// What its footer does not say as it should.
    #[error("its footer has no {0:?}, or another value there than a file of a drain has")]
    Footer(&'static str),
    /// Columns that this build does not know.
    #[error("its columns are of version {0:?}, which this build does not know")]
    Version(String),
    /// Columns that are not those of its version.
    #[error("its column {0:?} is missing, or of another type, or in another place")]
    Column(String),
    /// A row that is in doubt.
    #[error("row {row} (event {index} of block {block}): {why}")]
    Row {
        /// From 0.
        row: u64,
        /// Its block, as the row says.
        block: i64,
        /// Its place there, as the row says.
        index: i32,
        /// What is in doubt.
        why: String,
    },
}

/// A row of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRow<'a> {
    /// The block of its lane that it stood in.
    pub block: u64,
    /// Its place there.
    pub index: u32,
    /// The partition of the lane.
    pub partition: u32,
    /// When the event was, in microseconds since 1970.
    pub time_us: u64,
    /// The event's bytes.
    pub line: &'a [u8],
}

/// Whose columns a file has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Jetstream,
    Met,
    Lines,
}

impl Form {
    /// The first of the columns that say where and when.
    fn place(self) -> usize {
        if self == Self::Met { met::COLUMNS.len() } else { 0 }
    }
}

/// A file that is being read.
pub struct StoredFile {
    footer: Footer,
    form: Form,
    /// Of lean files.
    lean: Option<Box<Lean>>,
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    at: usize,
    /// The next row of the file.
    row: u64,
    last: Option<(i64, i32)>,
    /// The line of the row that was given last.
    line: Vec<u8>,
}

impl StoredFile {
    /// Opens a file: of what it has, its footer and its columns are checked.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::read(File::open(path)?)
    }

    /// The rows that a commit's file had when it was made, wherever they are in a destination's tree by now.
    pub fn of(archive: &Archive, of: &FileRecord) -> Result<Self, DrainError> {
        let failed = |why: String| DrainError::File { path: archive.shown(&of.path), why };
        let found = archive.find(&of.path)?.ok_or_else(|| failed("it is not there".into()))?;
        let rows = found.at.first_row.map(|first| first..first.saturating_add(of.rows));
        Self::read_rows(found.file, rows).map_err(|why| failed(why.to_string()))
    }

    /// The same of one that is open.
    pub fn read(file: File) -> Result<Self, ReadError> {
        Self::read_rows(file, None)
    }

    /// Some of its rows, or all.
    fn read_rows(file: File, rows: Option<Range<u64>>) -> Result<Self, ReadError> {
        // Where pages begin is of use to whoever passes over rows.
        let policy = if rows.is_some() { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        let options = ArrowReaderOptions::new().with_page_index_policy(policy);
        let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
        let key_values = builder.metadata().file_metadata().key_value_metadata();
        let key_values = key_values.map(Vec::as_slice).unwrap_or_default();
        let (footer, version) = Footer::read(key_values).map_err(ReadError::Footer)?;
        let form = check_columns(version, builder.schema())?;
        let lean = (version == JETSTREAM_LEAN).then(Box::default);
        let (at, mut row) = (0, 0);
        if let Some(rows) = rows {
            row = rows.start;
            let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
            builder = builder.with_offset(count(row)).with_limit(count(rows.end - row));
        }
        let batches = builder.with_batch_size(ROWS).build()?;
        Ok(Self { footer, form, lean, batches, batch: None, at, row, last: None, line: Vec::new() })
    }

    /// What the file says of itself.
    pub fn footer(&self) -> &Footer {
        &self.footer
    }

    /// The next row; nothing at the end.
    pub fn next_row(&mut self) -> Result<Option<StoredRow<'_>>, ReadError> {
        let Some(batch) = self.batch()? else { return Ok(None) };
        let at = self.at;
        let first = self.form.place();
        let block = number::<Int64Type>(&batch, first, at);
        let index = number::<Int32Type>(&batch, first + 1, at);
        let place = (block.unwrap_or_default(), index.unwrap_or_default());
        let read = self.row(&batch, at);
        let (partition, time_us) =
            read.map_err(|why| ReadError::Row { row: self.row, block: place.0, index: place.1, why })?;
        (self.at, self.row, self.last) = (at + 1, self.row + 1, Some(place));
        Ok(Some(StoredRow {
            block: place.0.cast_unsigned(),
            index: place.1.cast_unsigned(),
            partition,
            time_us,
            line: &self.line,
        }))
    }

    /// A batch that has rows left.
    fn batch(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        if self.batch.as_ref().is_none_or(|batch| self.at >= batch.num_rows()) {
            self.at = 0;
            self.batch = self.batches.next().transpose().map_err(ParquetError::from)?;
        }
        Ok(self.batch.clone())
    }

    /// Checks a row and makes its line; its partition and time.
    fn row(&mut self, batch: &RecordBatch, at: usize) -> Result<(u32, u64), String> {
        let missing = |name: &str| format!("it has no {name}");
        let first = self.form.place();
        let block = number::<Int64Type>(batch, first, at).ok_or_else(|| missing("block"))?;
        let index = number::<Int32Type>(batch, first + 1, at).ok_or_else(|| missing("index"))?;
        let partition = number::<Int32Type>(batch, first + 2, at).ok_or_else(|| missing("partition"))?;
        let time = number::<TimestampMicrosecondType>(batch, first + 3, at).ok_or_else(|| missing("time"))?;
        if block < 0 || index < 0 {
            return Err("its place is negative".into());
        }
        if let Some((block, index)) = self.last.filter(|last| *last >= (block, index)) {
            return Err(format!("it does not come after event {index} of block {block}"));
        }
        if u32::try_from(partition) != Ok(self.footer.partition) {
            return Err(format!("it is of partition {partition}, and the file is not"));
        }
        let time_us = u64::try_from(time).map_err(|_| "its time is before 1970".to_owned())?;
        self.line.clear();
        match self.form {
            Form::Jetstream => {
                jetstream_line(batch, at, time, self.lean.as_deref_mut(), &mut self.line)?;
            }
            Form::Met => met_line(batch, at, time_us, &mut self.line)?,
            Form::Lines => {
                let text = text(batch.column(PLACE), at).map(str::as_bytes);
                match (text, bytes(batch.column(PLACE + 1), at)) {
                    (Some(line), None) | (None, Some(line)) => self.line.extend_from_slice(line),
                    _ => return Err("it has not one line".into()),
                }
            }
        }
        Ok((self.footer.partition, time_us))
    }
}

/// Whether columns are those of their version. In files of other streams than Jetstream columns follow that a configuration named.
fn check_columns(version: &str, schema: &Schema) -> Result<Form, ReadError> {
    let of = |rows: &Rows| rows.schema().fields().iter().map(|field| (**field).clone()).collect();
    let (form, expected): (_, Vec<Field>) = match version {
        JETSTREAM | JETSTREAM_LEAN => (Form::Jetstream, of(&Rows::jetstream())),
        MET => (Form::Met, of(&Rows::met())),
        LINES => (Form::Lines, line_fields()),
        _ => return Err(ReadError::Version(version.into())),
    };
    for (at, field) in expected.iter().enumerate() {
        let same = schema.fields().get(at).is_some_and(|found| {
            (found.name(), found.data_type(), found.is_nullable())
                == (field.name(), field.data_type(), field.is_nullable())
        });
        if !same {
            return Err(ReadError::Column(field.name().clone()));
        }
    }
    match schema.fields().get(expected.len()) {
        Some(more) if form != Form::Lines => Err(ReadError::Column(more.name().clone())),
        _ => Ok(form),
    }
}
