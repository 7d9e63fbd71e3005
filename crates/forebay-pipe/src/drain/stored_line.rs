//! The line of a row of Jetstream's, made again from its columns or standing beside them; each column is then compared with what the
//! line says.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};

use super::columns::{Row, Word};
use super::lean::{Lean, leave_out};
use super::met::{self, MetRow};
use super::rebuild::{self, Parts};
use super::record_text::RecordParts;
use super::schema::{PLACE, VALUES, Value};

/// Makes the line of a row, and compares each column with what the line says.
pub(super) fn jetstream_line(
    batch: &RecordBatch,
    at: usize,
    time_us: i64,
    mut lean: Option<&mut Lean>,
    to: &mut Vec<u8>,
) -> Result<(), String> {
    let is = |name: &str| {
        let place = VALUES.iter().position(|(known, _)| *known == name)?;
        text(batch.column(PLACE + place), at)
    };
    if let Some(raw) = text(batch.column(PLACE + VALUES.len()), at) {
        to.extend_from_slice(raw.as_bytes());
    } else {
        let parts = Parts {
            cursor: number::<Int64Type>(batch, PLACE, at),
            did: is("did"),
            kind: is("kind"),
            operation: is("operation"),
            collection: is("collection"),
            rkey: is("rkey"),
            rev: is("rev"),
            cid: is("cid"),
            record: is("record"),
        };
        let made = match lean.as_deref_mut() {
            None => rebuild::line(time_us, &parts, to),
            Some(lean) => {
                let (record, cid) =
                    lean.fill(parts.operation, (parts.record, parts.cid), &record_parts(&is, batch, at));
                rebuild::line(time_us, &Parts { record, cid: cid.as_deref(), ..parts }, to)
            }
        };
        made.ok_or("its line cannot be made again from its columns")?;
    }
    let line = std::str::from_utf8(to).map_err(|_| "its line is not UTF-8")?;
    let mut row = Row::of(line);
    leave_out(&mut row, lean);
    for (place, (name, value)) in VALUES.iter().enumerate() {
        if !says(batch.column(PLACE + place), at, *value, &row) {
            return Err(format!("its {name} is not that of its line"));
        }
    }
    Ok(())
}

/// The line of a row in layout met, which its columns must be of.
pub(super) fn met_line(batch: &RecordBatch, at: usize, time_us: u64, to: &mut Vec<u8>) -> Result<(), String> {
    let line = text(batch.column(met::COLUMNS.len() + PLACE), at).ok_or("it has no line")?;
    for (column, value) in MetRow::of(line, time_us).values().into_iter().enumerate() {
        if text(batch.column(column), at) != value {
            return Err(format!("its {} is not that of its line", met::COLUMNS[column]));
        }
    }
    to.extend_from_slice(line.as_bytes());
    Ok(())
}

/// What a lean row makes its record of.
fn record_parts<'b>(
    is: &dyn Fn(&str) -> Option<&'b str>,
    batch: &'b RecordBatch,
    at: usize,
) -> RecordParts<'b> {
    RecordParts {
        collection: is("collection"),
        created_at: is("created_at"),
        subject_uri: is("subject_uri"),
        subject_cid: is("subject_cid"),
        subject_did: is("subject_did"),
        text: is("text"),
        reply_parent: is("reply_parent"),
        reply_parent_cid: is("reply_parent_cid"),
        reply_root: is("reply_root"),
        reply_root_cid: is("reply_root_cid"),
        langs: langs(batch, at),
        rest: is("rest"),
    }
}

/// The languages of a row.
fn langs(batch: &RecordBatch, at: usize) -> Option<Vec<&str>> {
    let place = VALUES.iter().position(|(name, _)| *name == "langs")?;
    let lists = batch.column(PLACE + place).as_list_opt::<i32>().filter(|lists| lists.is_valid(at))?;
    let (from, to) = (*lists.value_offsets().get(at)?, *lists.value_offsets().get(at + 1)?);
    let texts = lists.values();
    (from..to).map(|place| text(texts, usize::try_from(place).ok()?)).collect()
}

/// Whether a column has what the line says.
fn says(column: &ArrayRef, at: usize, value: Value, row: &Row<'_>) -> bool {
    match value {
        Value::Number(of) => of_type::<Int64Type>(column, at) == of(row),
        Value::Time(of) => of_type::<TimestampMicrosecondType>(column, at) == of(row),
        Value::Text(of) => text(column, at) == of(row),
        Value::Texts(of) => texts_are(column, at, of(row)),
    }
}

fn texts_are(column: &ArrayRef, at: usize, expected: Option<&[Word<'_>]>) -> bool {
    let Some(lists) = column.as_list_opt::<i32>() else { return false };
    let found = lists.is_valid(at).then(|| lists.value(at));
    match (found, expected) {
        (None, None) => true,
        (Some(found), Some(expected)) => {
            found.len() == expected.len()
                && expected.iter().enumerate().all(|(at, word)| text(&found, at) == Some(word))
        }
        _ => false,
    }
}

pub(super) fn number<T: arrow_array::ArrowPrimitiveType>(
    batch: &RecordBatch,
    column: usize,
    at: usize,
) -> Option<T::Native> {
    of_type::<T>(batch.column(column), at)
}

fn of_type<T: arrow_array::ArrowPrimitiveType>(column: &ArrayRef, at: usize) -> Option<T::Native> {
    let numbers = column.as_primitive_opt::<T>()?;
    numbers.is_valid(at).then(|| numbers.value(at))
}

pub(super) fn text(column: &ArrayRef, at: usize) -> Option<&str> {
    let texts = column.as_string_opt::<i32>()?;
    texts.is_valid(at).then(|| texts.value(at))
}

pub(super) fn bytes(column: &ArrayRef, at: usize) -> Option<&[u8]> {
    let bytes = column.as_binary_opt::<i32>()?;
    bytes.is_valid(at).then(|| bytes.value(at))
}
