//! What is claimed of files that something is wrong with: none is read as if nothing were, and the place is named.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use forebay_pipe::drain::schema::Rows;
use forebay_pipe::drain::stored::StoredFile;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;

use crate::drain_rows::{full, lean, synthetic, write};

const ROWS: usize = 500;

/// A file of a drain, its rows and what its footer says.
struct Original {
    folder: tempfile::TempDir,
    batch: RecordBatch,
    footer: Vec<KeyValue>,
}

impl Original {
    fn new() -> Self {
        Self::of(&full())
    }

    fn of(rows: &Rows) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("original.parquet");
        let mut lines = synthetic(ROWS as u64);
        lines[7].1.push(b' ');
        write(&path, rows, &lines, usize::MAX);
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let footer = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
        let batch = builder.with_batch_size(ROWS).build().unwrap().next().unwrap().unwrap();
        Self { folder, batch, footer }
    }

    /// A file of these rows, with this footer.
    fn with(&self, batch: &RecordBatch, footer: &[KeyValue]) -> PathBuf {
        let path = self.folder.path().join("changed.parquet");
        let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
        writer.write(batch).unwrap();
        for pair in footer {
            writer.append_key_value_metadata(pair.clone());
        }
        writer.close().unwrap();
        path
    }

    fn at(&self, name: &str) -> usize {
        self.batch.schema().index_of(name).unwrap()
    }

    /// What is said of a file in which a column is another.
    fn says_of(&self, name: &str, change: impl FnOnce(&ArrayRef) -> ArrayRef) -> String {
        let mut columns = self.batch.columns().to_vec();
        columns[self.at(name)] = change(&columns[self.at(name)]);
        let batch = RecordBatch::try_new(self.batch.schema(), columns).unwrap();
        says(&self.with(&batch, &self.footer))
    }
}

/// What is said of a file; how many rows came before it, where it was said at one.
fn says(path: &Path) -> String {
    let mut file = match StoredFile::open(path) {
        Ok(file) => file,
        Err(why) => return why.to_string(),
    };
    let mut rows = 0;
    loop {
        match file.next_row() {
            Ok(Some(_)) => rows += 1,
            Ok(None) => return format!("{rows} rows"),
            Err(why) => return why.to_string(),
        }
    }
}

/// A column of texts, with another in one row.
fn text_at(column: &ArrayRef, row: usize, text: Option<&str>) -> ArrayRef {
    let texts = column.as_any().downcast_ref::<StringArray>().unwrap();
    let changed = texts.iter().enumerate().map(|(at, old)| if at == row { text } else { old });
    Arc::new(changed.collect::<StringArray>())
}

#[test]
fn a_file_without_its_footer_or_of_another_version_is_not_read() {
    let original = Original::new();
    assert_eq!(says(&original.with(&original.batch, &original.footer)), format!("{ROWS} rows"));
    assert!(says(&original.with(&original.batch, &[])).contains("\"forebay.buffer\""));
    let mut footer = original.footer.clone();
    footer.iter_mut().find(|pair| pair.key == "forebay.schema").unwrap().value = Some("jetstream-2".into());
    assert!(says(&original.with(&original.batch, &footer)).contains("version \"jetstream-2\""));
}

#[test]
fn columns_of_another_name_place_or_type_are_not_read() {
    let original = Original::new();
    let batch = &original.batch;
    for (at, field) in batch.schema().fields().iter().enumerate() {
        let others = (0..batch.num_columns()).filter(|other| *other != at).collect::<Vec<_>>();
        let said = says(&original.with(&batch.project(&others).unwrap(), &original.footer));
        assert!(said.contains(&format!("column {:?}", field.name())), "{}: {said}", field.name());
    }
    let mut fields = batch.schema().fields().iter().cloned().collect::<Vec<_>>();
    let mut columns = batch.columns().to_vec();
    fields.push(Arc::new(Field::new("more", DataType::Int32, true)));
    columns.push(Arc::new(Int32Array::from(vec![1; ROWS])));
    let more = RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns.clone()).unwrap();
    assert!(says(&original.with(&more, &original.footer)).contains("column \"more\""));
    fields.pop();
    columns.pop();
    fields[0] = Arc::new(Field::new("block", DataType::Int32, false));
    columns[0] = Arc::new(Int32Array::from(vec![5; ROWS]));
    let narrow = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert!(says(&original.with(&narrow, &original.footer)).contains("column \"block\""));
}

#[test]
fn a_lean_file_that_says_it_is_a_full_one_or_the_reverse_is_not_read() {
    for (rows, other) in [(full(), lean()), (lean(), full())] {
        let original = Original::of(&rows);
        assert_eq!(says(&original.with(&original.batch, &original.footer)), format!("{ROWS} rows"));
        let mut footer = original.footer.clone();
        let version = footer.iter_mut().find(|pair| pair.key == "forebay.schema").unwrap();
        assert_eq!(version.value.as_deref(), Some(rows.version()));
        version.value = Some(other.version().into());
        let said = says(&original.with(&original.batch, &footer));
        assert!(said.starts_with("row 0 ") && said.ends_with("is not that of its line"), "{said}");
    }
    let lean = Original::of(&lean());
    // What it says once is what it says: of that only the hash of the file would tell. What it says twice is compared.
    let record = lean.says_of("record", |column| text_at(column, 3, Some("{}")));
    assert_eq!(record, "row 3 (event 4 of block 5): its created_at is not that of its line");
    let rest = lean.says_of("rest", |column| text_at(column, 3, Some("[")));
    assert!(rest.starts_with("row 3 ") && rest.ends_with("is not that of its line"), "{rest}");
}

#[test]
fn a_row_that_is_not_what_it_says_is_named_by_its_place() {
    let original = Original::new();
    let created = original.says_of("created_at", |column| text_at(column, 3, Some("2026")));
    assert_eq!(created, "row 3 (event 4 of block 5): its created_at is not that of its line");
    let text = original.says_of("text", |column| text_at(column, 3, Some("other")));
    assert!(text.ends_with("its text is not that of its line"), "{text}");
    let did = original.says_of("did", |column| text_at(column, 9, None));
    assert!(did.starts_with("row 9 ") && did.ends_with("cannot be made again from its columns"), "{did}");
    // The line is whole beside its columns: it is not what they say any more.
    let raw = original.says_of("raw", |column| text_at(column, 7, Some("{}")));
    assert!(raw.starts_with("row 7 ") && raw.ends_with("is not that of its line"), "{raw}");
    let partition = original.says_of("partition", |_| Arc::new(Int32Array::from(vec![1; ROWS])));
    assert!(partition.starts_with("row 0 ") && partition.contains("partition 1"), "{partition}");
    let order = original.says_of("index", |_| Arc::new(Int32Array::from(vec![1; ROWS])));
    assert_eq!(order, "row 1 (event 1 of block 5): it does not come after event 1 of block 5");
    let negative = original.says_of("index", |_| Arc::new(Int32Array::from(vec![-1; ROWS])));
    assert!(negative.contains("negative"), "{negative}");
}

#[test]
fn a_part_of_a_file_is_no_file() {
    let original = Original::new();
    let path = original.with(&original.batch, &original.footer);
    let whole = std::fs::read(&path).unwrap();
    for len in [0, 4, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(says(&path).contains("no Parquet file"), "{len} bytes: {}", says(&path));
    }
}
