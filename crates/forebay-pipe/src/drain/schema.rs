//! The columns of a stream's files: their names, their types, and how each is encoded.
//!
//! All lanes of a stream have the same. Of Jetstream's, what there is once is there for ever: a later version adds columns, and
//! nothing else; lean files leave some empty. A row's identity is `block` and `index` within its lane. No column is named as a part of a file's path is,
//! `lane` or `date`: readers take those for columns too.
//!
//! Texts are plain `STRING`: newer types are not known to every reader. What is larger than its meaning asks for, as the record
//! beside the columns that are taken from it, is what makes the line whole again without storing it.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use forebay::Stream;

use super::columns::{Row, Word};
use super::layout::Layout;
use super::met;
use super::pointer::Pointer;

/// The version of Jetstream's columns, as a file's footer has it.
pub const JETSTREAM: &str = "jetstream-1";

/// The same, with nothing in a row that follows from the rest of it.
pub const JETSTREAM_LEAN: &str = "jetstream-1-lean";

/// The version of Jetstream's columns in layout met.
pub const MET: &str = "met-1";

/// The version of any other stream's columns.
pub const LINES: &str = "lines-1";

/// Columns that a configuration names in a file, at most.
const TEXTS_MAX: usize = 64;

/// What stands in a column of Jetstream's, taken from a line's row.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Number(fn(&Row<'_>) -> Option<i64>),
    Text(for<'r> fn(&'r Row<'_>) -> Option<&'r str>),
    Time(fn(&Row<'_>) -> Option<i64>),
    Texts(for<'r, 'a> fn(&'r Row<'a>) -> Option<&'r [Word<'a>]>),
}

/// Columns that say where and when, before all others.
pub(super) const PLACE: usize = 4;

/// Jetstream's columns between these and `raw`.
pub(super) const VALUES: [(&str, Value); 22] = [
    ("cursor", Value::Number(|row| row.cursor)),
    ("seq", Value::Number(|row| row.seq)),
    ("did", Value::Text(|row| row.did.as_deref())),
    ("kind", Value::Text(|row| row.kind.as_deref())),
    ("operation", Value::Text(|row| row.operation.as_deref())),
    ("collection", Value::Text(|row| row.collection.as_deref())),
    ("rkey", Value::Text(|row| row.rkey.as_deref())),
    ("rev", Value::Text(|row| row.rev.as_deref())),
    ("cid", Value::Text(|row| row.cid.as_deref())),
    ("created_at", Value::Text(|row| row.created_at.as_deref())),
    ("created", Value::Time(|row| row.created)),
    ("subject_uri", Value::Text(|row| row.subject_uri.as_deref())),
    ("subject_did", Value::Text(|row| row.subject_did.as_deref())),
    ("text", Value::Text(|row| row.text.as_deref())),
    ("reply_parent", Value::Text(|row| row.reply_parent.as_deref())),
    ("reply_root", Value::Text(|row| row.reply_root.as_deref())),
    ("langs", Value::Texts(|row| row.langs.as_deref())),
    ("record", Value::Text(|row| row.record)),
    // Of lean files alone.
    ("subject_cid", Value::Text(|row| row.subject_cid.as_deref())),
    ("reply_parent_cid", Value::Text(|row| row.reply_parent_cid.as_deref())),
    ("reply_root_cid", Value::Text(|row| row.reply_root_cid.as_deref())),
    ("rest", Value::Text(|row| row.rest.as_deref())),
];

impl Value {
    fn data_type(self) -> DataType {
        match self {
            Self::Number(_) => DataType::Int64,
            Self::Text(_) => DataType::Utf8,
            Self::Time(_) => time(),
            Self::Texts(_) => DataType::List(element()),
        }
    }
}

/// What a list's elements are, by the name that Parquet gives them.
pub(super) fn element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Utf8, true))
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A text column that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextColumn {
    /// Its name in the file.
    pub name: String,
    /// Where in a line it stands.
    pub at: Pointer,
}

/// Why columns cannot be those of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadColumns {
    /// Jetstream's are fixed.
    #[error("the columns of Jetstream's events are fixed: it can have no column {0:?}")]
    Fixed(String),
    /// One that cannot be called so.
    #[error("column name {0:?} will not do: use 1 to 64 of a-z 0-9 _ that no other column has")]
    Name(String),
    /// Lean files of a stream that has no records.
    #[error("only files of Jetstream's events can be lean: of others nothing follows from the rest")]
    Lean,
    /// Layout met of a stream that has no records.
    #[error("layout met is for Jetstream's events, and these are others: layout hive takes any")]
    Met,
    /// Lean files in layout met.
    #[error("files of layout met cannot be lean: the line itself stands in them")]
    LeanMet,
    /// More than a file has.
    #[error("there are {0} columns by pointers: a file has {TEXTS_MAX} at most")]
    TooMany(usize),
}

/// The columns of a stream's files.
#[derive(Debug, Clone)]
pub struct Rows {
    schema: SchemaRef,
    form: Form,
}

/// Whose columns they are.
#[derive(Debug, Clone)]
enum Form {
    Jetstream { is_lean: bool },
    Met,
    Lines(Vec<TextColumn>),
}

impl Rows {
    /// Those of a stream, with the text columns that a configuration names.
    pub fn of(stream: Stream, texts: Vec<TextColumn>, is_lean: bool) -> Result<Self, BadColumns> {
        if stream.is_jetstream() {
            return match texts.into_iter().next() {
                Some(text) => Err(BadColumns::Fixed(text.name)),
                None => Ok(Self { form: Form::Jetstream { is_lean }, ..Self::jetstream() }),
            };
        }
        if is_lean {
            return Err(BadColumns::Lean);
        }
        if texts.len() > TEXTS_MAX {
            return Err(BadColumns::TooMany(texts.len()));
        }
        let mut fields = line_fields();
        for text in &texts {
            let is_taken = |field: &Field| *field.name() == text.name;
            if !is_name(&text.name) || fields.iter().any(is_taken) || ["lane", "date"].contains(&&*text.name)
            {
                return Err(BadColumns::Name(text.name.clone()));
            }
            fields.push(Field::new(&text.name, DataType::Utf8, true));
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), form: Form::Lines(texts) })
    }

    /// Those of a stream in a layout.
    pub fn in_layout(
        layout: Layout,
        stream: Stream,
        texts: Vec<TextColumn>,
        is_lean: bool,
    ) -> Result<Self, BadColumns> {
        let rows = Self::of(stream, texts, is_lean)?;
        match (layout, &rows.form) {
            (Layout::Hive, _) => Ok(rows),
            (Layout::Met, Form::Jetstream { is_lean: false }) => Ok(Self::met()),
            (Layout::Met, Form::Jetstream { is_lean: true }) => Err(BadColumns::LeanMet),
            (Layout::Met, _) => Err(BadColumns::Met),
        }
    }

    /// Those of `bluesky-research`, then where and when, then the event itself.
    pub(super) fn met() -> Self {
        let mut fields: Vec<Field> = met::COLUMNS.map(|name| Field::new(name, DataType::Utf8, true)).into();
        fields.extend(place_fields());
        fields.push(Field::new("line", DataType::Utf8, false));
        Self { schema: Arc::new(Schema::new(fields)), form: Form::Met }
    }

    pub(super) fn jetstream() -> Self {
        let mut fields = place_fields();
        fields.extend(VALUES.map(|(name, value)| Field::new(name, value.data_type(), true)));
        fields.push(Field::new("raw", DataType::Utf8, true));
        Self { schema: Arc::new(Schema::new(fields)), form: Form::Jetstream { is_lean: false } }
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Their version.
    pub fn version(&self) -> &'static str {
        match self.form {
            Form::Jetstream { is_lean: true } => JETSTREAM_LEAN,
            Form::Jetstream { is_lean: false } => JETSTREAM,
            Form::Met => MET,
            Form::Lines(_) => LINES,
        }
    }

    /// The layout that they are of.
    pub fn layout(&self) -> Layout {
        if matches!(self.form, Form::Met) { Layout::Met } else { Layout::Hive }
    }

    /// Whether files leave out what follows.
    pub(super) fn is_lean(&self) -> bool {
        matches!(self.form, Form::Jetstream { is_lean: true })
    }

    /// The columns that a configuration has named; nothing for Jetstream.
    pub(super) fn texts(&self) -> Option<&[TextColumn]> {
        match &self.form {
            Form::Lines(texts) => Some(texts),
            _ => None,
        }
    }
}

/// Where and when: the first columns of every file.
fn place_fields() -> Vec<Field> {
    vec![
        Field::new("block", DataType::Int64, false),
        Field::new("index", DataType::Int32, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("time", time(), false),
    ]
}

/// The columns of a stream that is not Jetstream, without those that a configuration names.
pub(super) fn line_fields() -> Vec<Field> {
    let mut fields = place_fields();
    fields.push(Field::new("line", DataType::Utf8, true));
    fields.push(Field::new("raw", DataType::Binary, true));
    fields
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> TextColumn {
        TextColumn { name: name.into(), at: Pointer::new("/a").unwrap() }
    }

    #[test]
    fn the_columns_of_jetstream_are_these_for_ever() {
        let rows = Rows::of(Stream::jetstream(), vec![], false).unwrap();
        let named = rows.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
        assert_eq!(
            named.join(" "),
            "block index partition time cursor seq did kind operation collection rkey rev cid created_at created \
             subject_uri subject_did text reply_parent reply_root langs record subject_cid reply_parent_cid \
             reply_root_cid rest raw"
        );
        assert_eq!(rows.version(), "jetstream-1");
        let lean = Rows::of(Stream::jetstream(), vec![], true).unwrap();
        assert_eq!((lean.version(), lean.schema()), ("jetstream-1-lean", rows.schema()));
        assert_eq!(Rows::of(Stream::lines("log").unwrap(), vec![], true).unwrap_err(), BadColumns::Lean);
        let divided = Stream::jetstream().partitioned("/did", [("likes", 4)]).unwrap();
        assert_eq!(Rows::of(divided, vec![], false).unwrap().schema(), rows.schema());
        assert_eq!(
            Rows::of(divided, vec![column("lang")], false).unwrap_err(),
            BadColumns::Fixed("lang".into())
        );
    }

    #[test]
    fn layout_met_has_the_columns_of_its_readers_first_and_for_jetstream_alone() {
        let of = |layout, stream, is_lean| Rows::in_layout(layout, stream, vec![], is_lean);
        let rows = of(Layout::Met, Stream::jetstream(), false).unwrap();
        let named = rows.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
        assert_eq!(
            named.join(" "),
            "uri cid author py_type created_at text embed entities facets reply labels langs tags subject record_type \
             synctimestamp block index partition time line"
        );
        assert_eq!((rows.version(), rows.layout()), ("met-1", Layout::Met));
        let lines = Stream::lines("log").unwrap();
        assert_eq!(of(Layout::Met, lines, false).unwrap_err(), BadColumns::Met);
        assert_eq!(of(Layout::Met, Stream::jetstream(), true).unwrap_err(), BadColumns::LeanMet);
        let hive = of(Layout::Hive, Stream::jetstream(), true).unwrap();
        assert_eq!((hive.version(), hive.layout()), ("jetstream-1-lean", Layout::Hive));
    }

    #[test]
    fn any_other_stream_has_its_line_and_the_columns_that_are_named() {
        let stream = Stream::lines("log").unwrap();
        let rows = Rows::of(stream, vec![column("user"), column("level")], false).unwrap();
        let named = rows.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
        assert_eq!(named.join(" "), "block index partition time line raw user level");
        for name in ["", "raw", "time", "lane", "date", "A", "a b", &"x".repeat(65)] {
            let refused = Rows::of(stream, vec![column(name)], false).unwrap_err();
            assert_eq!(refused, BadColumns::Name(name.into()));
        }
        assert!(Rows::of(stream, vec![column("a"), column("a")], false).is_err());
        let many = (0..65).map(|number| column(&format!("c{number}"))).collect();
        assert_eq!(Rows::of(stream, many, false).unwrap_err(), BadColumns::TooMany(65));
    }
}
