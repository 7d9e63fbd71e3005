//! What is claimed of files by the programs that people read them with: each finds every row, with the types and values that were
//! written, and the lane and the date in the path.

use std::path::{Path, PathBuf};
use std::process::Command;

use forebay_pipe::drain::columns::Row;
use forebay_pipe::drain::moment;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::drain_rows::{full, place, synthetic, write};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
pub const READERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers");

/// An interpreter that has the readers.
pub fn python() -> String {
    let named = std::env::var("FOREBAY_PYTHON").ok();
    let tried = named.into_iter().chain([format!("{ROOT}/target/python/bin/python3"), "python3".into()]);
    let has = |python: &String| {
        // Importing all four takes seconds.
        let check = "from importlib.util import find_spec as f; assert all(map(f, 'pyarrow duckdb polars fastparquet'.split()))";
        Command::new(python).args(["-c", check]).output().is_ok_and(|output| output.status.success())
    };
    tried
        .into_iter()
        .find(has)
        .expect("a python3 with the packages pyarrow, duckdb, polars and fastparquet: make setup-python")
}

/// Made-up events, some of another form, with values that are there for few.
fn lines() -> Vec<(u64, Vec<u8>)> {
    let mut lines = synthetic(3_000);
    for (number, (_, line)) in lines.iter_mut().enumerate() {
        let text = String::from_utf8(line.clone()).unwrap();
        match number % 10 {
            3 => *line = text.replacen(",\"kind\"", ",\"cursor\":9007199254740993,\"kind\"", 1).into_bytes(),
            5 => *line = format!("{text} ").into_bytes(),
            _ => {}
        }
    }
    lines
}

/// What a reader should make of lines, by the columns that are compared.
fn hash(lines: &[(u64, Vec<u8>)]) -> String {
    let mut hash = Sha256::new();
    for (number, (time_us, line)) in lines.iter().enumerate() {
        let line = std::str::from_utf8(line).unwrap();
        let (row, (block, index)) = (Row::of(line), place(number));
        let created = row.created_at.as_deref().and_then(moment::micros);
        let raw = line.ends_with(' ').then_some(line);
        let values = json!([
            block, index, time_us, row.did, row.cursor, created, row.text, row.langs, row.record, raw
        ]);
        hash.update(format!("{values}\n"));
    }
    hash.finalize().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Where the packages for Node are.
fn packages() -> PathBuf {
    let folder = std::env::var("FOREBAY_NODE").unwrap_or_else(|_| format!("{ROOT}/target/node"));
    let is_there = |name: &str| Path::new(&folder).join("node_modules").join(name).is_dir();
    assert!(
        is_there("hyparquet") && is_there("hyparquet-compressors"),
        "the packages hyparquet and hyparquet-compressors are not in {folder}: make setup-node"
    );
    Path::new(&folder).canonicalize().unwrap()
}

/// What a reader makes of a folder.
fn read(python: &str, reader: &str, folder: &Path) -> Value {
    let mut command = Command::new(if reader == "hyparquet" { "node" } else { python });
    match reader {
        "hyparquet" => command.arg(format!("{READERS}/read.mjs")).arg(packages()),
        _ => command.arg(format!("{READERS}/read.py")).arg(reader),
    };
    let ran = command.arg(folder).output().unwrap();
    assert!(ran.status.success(), "{reader}: {}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// Types of columns as a reader calls them, in the order of the list below.
fn types(reader: &str) -> [&'static str; 8] {
    match reader {
        "pyarrow" => [
            "int64",
            "int32",
            "timestamp[us, tz=UTC]",
            "string",
            "list<element: string>",
            "string",
            "string",
            "string",
        ],
        "duckdb" => [
            "BIGINT",
            "INTEGER",
            "TIMESTAMP WITH TIME ZONE",
            "VARCHAR",
            "VARCHAR[]",
            "VARCHAR",
            "VARCHAR",
            "DATE",
        ],
        "polars" => [
            "Int64",
            "Int32",
            "Datetime(time_unit='us', time_zone='UTC')",
            "String",
            "List(String)",
            "String",
            "String",
            "Date",
        ],
        // hyparquet: types of JavaScript.
        "hyparquet" => ["bigint", "number", "bigint", "string", "object", "string", "string", "string"],
        // fastparquet, which leaves out the zone.
        _ => ["int64", "int32", "datetime64[us]", "str", "object", "str", "category", "category"],
    }
}

#[test]
fn pyarrow_duckdb_polars_fastparquet_and_hyparquet_read_every_row_with_its_types_and_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let lines = lines();
    let dates = ["2026-07-03", "2026-07-04"];
    let in_tree = |lane: &str, date: &str| folder.path().join(format!("lane={lane}/date={date}"));
    // The same rows twice would be told by the hash; so one file has rows, and another of another lane has none.
    for (lane, date) in [("likes", dates[0]), ("posts", dates[1])] {
        std::fs::create_dir_all(in_tree(lane, date)).unwrap();
    }
    let rows = full();
    write(&in_tree("likes", dates[0]).join("a.parquet"), &rows, &lines, 1_000);
    write(&in_tree("posts", dates[1]).join("b.parquet"), &rows, &[], 1_000);
    let (python, expected) = (python(), hash(&lines));
    for reader in ["pyarrow", "duckdb", "polars", "fastparquet", "hyparquet"] {
        let read = read(&python, reader, folder.path());
        assert_eq!(read["rows"], json!({ "likes 2026-07-03": lines.len() }), "{reader}");
        let names = ["block", "index", "time", "did", "langs", "record", "lane", "date"];
        for (name, kind) in names.iter().zip(types(reader)) {
            assert_eq!(read["types"][name], kind, "{reader}: {name}");
        }
        assert_eq!(read["hash"], *expected, "{reader}");
    }
}
