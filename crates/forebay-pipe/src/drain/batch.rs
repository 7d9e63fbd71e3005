//! Rows, gathered by column until there are enough for a record batch.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;

use super::columns::Row;
use super::layout::Layout;
use super::lean::{Lean, leave_out};
use super::met::{self, MetRow};
use super::rebuild;
use super::schema::{Rows, TextColumn, VALUES, Value, element};

/// Rows that are gathered at most. A row group is a whole number of these.
const ROWS_MAX: usize = 4_096;

/// Bytes of lines that are gathered at most, one line more than it: a column's offsets end at 2 GiB.
const BYTES_MAX: usize = 4 << 20;

/// An event and its place in its lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) block: i64,
    pub(super) index: i32,
    pub(super) partition: i32,
    pub(super) time_us: i64,
    pub(super) line: &'a [u8],
}

/// Rows by column.
pub(super) struct Batch {
    rows: Rows,
    block: Int64Builder,
    index: Int32Builder,
    partition: Int32Builder,
    time: TimestampMicrosecondBuilder,
    rest: Rest,
    /// How many rows there are.
    len: usize,
    /// Bytes of their lines.
    bytes: usize,
}

/// The columns beside those that every stream has.
enum Rest {
    Jetstream {
        values: Vec<Column>,
        raw: StringBuilder,
        /// A line, made again from its columns.
        made: Vec<u8>,
        /// Of lean files.
        lean: Option<Box<Lean>>,
    },
    Met {
        values: Vec<StringBuilder>,
        line: StringBuilder,
    },
    Lines {
        line: StringBuilder,
        raw: BinaryBuilder,
        texts: Vec<StringBuilder>,
    },
}

/// The values of one column.
enum Column {
    Number(Int64Builder),
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
    Texts(ListBuilder<StringBuilder>),
}

impl Batch {
    pub(super) fn of(rows: Rows) -> Self {
        let rest = match rows.texts() {
            None if rows.layout() == Layout::Met => Rest::Met {
                values: met::COLUMNS.iter().map(|_| StringBuilder::new()).collect(),
                line: StringBuilder::new(),
            },
            None => Rest::Jetstream {
                values: VALUES.iter().map(|(_, value)| Column::of(*value)).collect(),
                raw: StringBuilder::new(),
                made: Vec::new(),
                lean: rows.is_lean().then(Box::default),
            },
            Some(texts) => Rest::Lines {
                line: StringBuilder::new(),
                raw: BinaryBuilder::new(),
                texts: texts.iter().map(|_| StringBuilder::new()).collect(),
            },
        };
        Self {
            rows,
            block: Int64Builder::new(),
            index: Int32Builder::new(),
            partition: Int32Builder::new(),
            time: times(),
            rest,
            len: 0,
            bytes: 0,
        }
    }

    /// Takes an event; not one of Jetstream that is no text.
    pub(super) fn push(&mut self, event: Placed<'_>) -> Result<(), std::str::Utf8Error> {
        let text = std::str::from_utf8(event.line);
        match &mut self.rest {
            Rest::Jetstream { values, raw, made, lean } => {
                let line = text?;
                let mut row = Row::of(line);
                made.clear();
                let is_made = rebuild::line(event.time_us, &row.parts(), made).is_some();
                let is_kept = leave_out(&mut row, lean.as_deref_mut());
                raw.append_option((!is_kept || !is_made || made != event.line).then_some(line));
                for (column, (_, value)) in values.iter_mut().zip(&VALUES) {
                    column.push(*value, &row);
                }
            }
            Rest::Met { values, line } => {
                let text = text?;
                let row = MetRow::of(text, event.time_us.cast_unsigned());
                values.iter_mut().zip(row.values()).for_each(|(column, value)| column.append_option(value));
                line.append_value(text);
            }
            Rest::Lines { line, raw, texts } => {
                line.append_option(text.ok());
                raw.append_option(text.err().map(|_| event.line));
                let named: &[TextColumn] = self.rows.texts().unwrap_or_default();
                for (column, named) in texts.iter_mut().zip(named) {
                    column.append_option(text.ok().and_then(|line| named.at.find(line)));
                }
            }
        }
        self.block.append_value(event.block);
        self.index.append_value(event.index);
        self.partition.append_value(event.partition);
        self.time.append_value(event.time_us);
        self.len += 1;
        self.bytes += event.line.len();
        Ok(())
    }

    /// Whether it is time to take what there is.
    pub(super) fn is_full(&self) -> bool {
        self.len >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    /// Bytes of the lines that were gathered.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was gathered; nothing where there is nothing.
    pub(super) fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.len == 0 {
            return Ok(None);
        }
        (self.len, self.bytes) = (0, 0);
        let mut columns: Vec<ArrayRef> = Vec::new();
        if let Rest::Met { values, .. } = &mut self.rest {
            columns.extend(values.iter_mut().map(|value| -> ArrayRef { Arc::new(value.finish()) }));
        }
        let place: [ArrayRef; 4] = [
            Arc::new(self.block.finish()),
            Arc::new(self.index.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.time.finish()),
        ];
        columns.extend(place);
        match &mut self.rest {
            Rest::Met { line, .. } => columns.push(Arc::new(line.finish())),
            Rest::Jetstream { values, raw, .. } => {
                columns.extend(values.iter_mut().map(Column::finish));
                columns.push(Arc::new(raw.finish()));
            }
            Rest::Lines { line, raw, texts } => {
                columns.push(Arc::new(line.finish()));
                columns.push(Arc::new(raw.finish()));
                columns.extend(texts.iter_mut().map(|text| -> ArrayRef { Arc::new(text.finish()) }));
            }
        }
        RecordBatch::try_new(self.rows.schema().clone(), columns).map(Some)
    }
}

impl Column {
    fn of(value: Value) -> Self {
        match value {
            Value::Number(_) => Self::Number(Int64Builder::new()),
            Value::Text(_) => Self::Text(StringBuilder::new()),
            Value::Time(_) => Self::Time(times()),
            Value::Texts(_) => Self::Texts(ListBuilder::new(StringBuilder::new()).with_field(element())),
        }
    }

    fn push(&mut self, value: Value, row: &Row<'_>) {
        match (self, value) {
            (Self::Number(column), Value::Number(of)) => column.append_option(of(row)),
            (Self::Text(column), Value::Text(of)) => column.append_option(of(row)),
            (Self::Time(column), Value::Time(of)) => column.append_option(of(row)),
            (Self::Texts(column), Value::Texts(of)) => {
                let texts = of(row);
                texts.unwrap_or_default().iter().for_each(|text| column.values().append_value(text));
                column.append(texts.is_some());
            }
            // A column is made from the value that it is filled from.
            _ => {}
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Number(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Time(column) => Arc::new(column.finish()),
            Self::Texts(column) => Arc::new(column.finish()),
        }
    }
}

fn times() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}
