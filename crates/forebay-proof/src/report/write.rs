//! Reports as files: whole or not at all, and an error that says which path and what to do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use forebay_watch::whole_file::{atomically, explain};

use super::content::Report;
use super::{html, json};

/// Where `write_all` has put a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// `report.json`, for scripts.
    pub json: PathBuf,
    /// `report.html`, for people.
    pub html: PathBuf,
}

/// Writes `report.json` and `report.html` into `dir`, creating it where it is missing.
pub fn write_all(report: &Report, dir: &Path) -> io::Result<Written> {
    fs::create_dir_all(dir).map_err(|error| explain(&error, "create the folder", dir))?;
    let written = Written { json: dir.join("report.json"), html: dir.join("report.html") };
    json::write(report, &written.json)?;
    atomically(&written.html, html::render(report).as_bytes())?;
    Ok(written)
}
