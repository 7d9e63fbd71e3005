//! How the columns of layout met are encoded.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

/// Rows of a group: that of DuckDB, which reads groups side by side.
const GROUP_ROWS: usize = 122_880;

/// Of zstd, for columns that are not named below.
const LEVEL: i32 = 3;

/// Columns whose values hardly ever come again, each with its level: in identifiers a higher one saves nothing.
const PLAIN: [(&str, i32); 10] = [
    ("uri", 1),
    ("cid", 1),
    ("author", 1),
    ("created_at", 1),
    ("text", LEVEL),
    ("embed", LEVEL),
    ("facets", LEVEL),
    ("reply", 1),
    ("subject", 1),
    ("line", LEVEL),
];

/// How a file of these columns is written.
pub(super) fn properties() -> WriterProperties {
    let mut base = WriterProperties::builder()
        .set_compression(zstd(LEVEL))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_column_bloom_filter_enabled(path("author"), true)
        .set_column_bloom_filter_max_ndv(path("author"), GROUP_ROWS as u64);
    for (name, level) in PLAIN {
        base = base
            .set_column_dictionary_enabled(path(name), false)
            .set_column_compression(path(name), zstd(level));
    }
    // Numbers that grow, nearly always by a little.
    for name in ["block", "index", "time"] {
        base = base
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    base.build()
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default())
}

fn path(name: &str) -> ColumnPath {
    ColumnPath::from(name)
}
