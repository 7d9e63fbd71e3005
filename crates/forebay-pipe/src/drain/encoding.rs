//! How each column is encoded: by measure, in bytes a row (`nightly_drain_rows.rs` in the tests prints them by column).
//!
//! Texts are plain or in a dictionary, whatever is smaller after zstd. `DELTA_BYTE_ARRAY` would take 2 % off a file, and fastparquet
//! could not read it.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::schema::Rows;

/// Rows of a group: that of DuckDB, which reads groups side by side.
const GROUP_ROWS: usize = 122_880;

/// Of zstd, for columns that are not named below.
const LEVEL: i32 = 3;

/// How a file of these columns is written.
pub(super) fn properties(rows: &Rows) -> WriterProperties {
    let base = WriterProperties::builder()
        .set_compression(zstd(LEVEL))
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    if rows.texts().is_some() { lines(base) } else { jetstream(base) }.build()
}

/// Columns of Jetstream whose values hardly ever come again: a dictionary of them is larger than they are. Each with the level of
/// zstd that makes it smallest. In identifiers, random for the most part, a higher level finds matches that cost more than they
/// save; the lowest takes less time too.
const PLAIN: [(&str, i32); 13] = [
    ("did", 1),
    ("rkey", 1),
    ("rev", 1),
    ("cid", 1),
    ("created_at", 1),
    ("created", 1),
    ("subject_uri", 1),
    ("text", LEVEL),
    ("record", 2),
    ("subject_cid", 1),
    ("reply_parent_cid", 1),
    ("reply_root_cid", 1),
    ("rest", LEVEL),
];

fn jetstream(base: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    let base = PLAIN.iter().fold(place(base), |base, (name, level)| {
        base.set_column_dictionary_enabled(path(name), false).set_column_compression(path(name), zstd(*level))
    });
    base.set_column_bloom_filter_enabled(path("did"), true)
        .set_column_bloom_filter_max_ndv(path("did"), GROUP_ROWS as u64)
}

fn lines(base: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    ["line", "raw"]
        .iter()
        .fold(place(base), |base, name| base.set_column_dictionary_enabled(path(name), false))
}

/// Numbers that grow, nearly always by a little.
fn place(base: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    ["block", "index", "time"].iter().fold(base, |base, name| {
        base.set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED)
    })
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default())
}

fn path(name: &str) -> ColumnPath {
    ColumnPath::from(name)
}
