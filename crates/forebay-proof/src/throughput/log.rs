//! Every second of a run, written as it ends: what an interrupted run leaves.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;

use forebay::buffer::lock;
use forebay_rig::load::outcome::Second;
use forebay_rig::load::pattern::Pattern;

/// A folder for files of seconds, or none.
pub struct Log(Option<PathBuf>);

/// The file of one pattern.
pub struct Rows(Option<(PathBuf, Mutex<BufWriter<File>>)>);

impl Log {
    /// Makes the folder where one is wanted.
    pub fn in_folder(folder: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("making the folder {}", folder.display()))?;
        }
        Ok(Self(folder.map(Path::to_owned)))
    }

    /// Writes nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// Begins the file of a pattern.
    pub fn begin(&self, pattern: &Pattern) -> anyhow::Result<Rows> {
        let Some(folder) = &self.0 else { return Ok(Rows(None)) };
        let path = folder.join(format!("throughput-{}.csv", pattern.name()));
        let begin = || -> std::io::Result<BufWriter<File>> {
            let mut out = BufWriter::new(File::create(&path)?);
            writeln!(out, "what,{}", Second::COLUMNS)?;
            Ok(out)
        };
        let out = begin().with_context(|| format!("writing {}", path.display()))?;
        Ok(Rows(Some((path, Mutex::new(out)))))
    }
}

impl Rows {
    /// Writes a second. That it cannot be written ends no run that may have taken hours: it is told.
    pub fn add(&self, what: &str, second: &Second) {
        let Some((path, out)) = &self.0 else { return };
        let mut out = lock(out);
        if let Err(error) = writeln!(out, "{what},{}", second.csv()).and_then(|()| out.flush()) {
            tracing::warn!("a second is missing in {}: {error}", path.display());
        }
    }
}
