//! The lines that `append` refused, and the messages that `ingest` did: told of, counted, and kept in a file where one is asked for. That file is only ever added
//! to, a whole line at a time, so that what an earlier run put there stays.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::output;
use forebay::buffer::line_source::Refused;

/// Refused lines that are told of one by one; the rest is only counted.
const TOLD_MAX: u64 = 10;

/// What is refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    /// A line of the input, by its number there.
    Line,
    /// A message of a source; these are counted.
    Message,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Message => "message",
        }
    }
}

/// Lines that are no events.
pub(super) struct Rejects {
    file: Option<File>,
    path: PathBuf,
    unit: Unit,
    quiet: bool,
    pub count: u64,
    /// The first line that could not be kept, and why.
    failed: Option<(u64, std::io::Error)>,
}

impl Rejects {
    /// Opens the file, unless it is the very file that is read.
    pub fn open(
        path: Option<&Path>,
        unit: Unit,
        source: Option<(u64, u64)>,
        quiet: bool,
    ) -> anyhow::Result<Self> {
        let open = |path: &Path| -> anyhow::Result<File> {
            let cannot = || format!("cannot write --rejects {}", path.display());
            let file = OpenOptions::new().append(true).create(true).open(path).with_context(cannot)?;
            let target = place(&file);
            if target.is_some() && target == source {
                anyhow::bail!("--rejects {} is the input itself; give another file", path.display());
            }
            Ok(file)
        };
        let file = path.map(open).transpose()?;
        let path = path.map(Path::to_owned).unwrap_or_default();
        Ok(Self { file, path, unit, quiet, count: 0, failed: None })
    }

    /// Tells of a line and keeps it. False where it cannot be kept, nor one before it.
    pub fn take(&mut self, refused: &Refused<'_>) -> bool {
        self.count += 1;
        if !self.quiet && self.count <= TOLD_MAX {
            output::tell(&format!("forebay: {} {} refused: {}", self.unit.name(), refused.line, refused.why));
        }
        if !self.quiet && self.count == TOLD_MAX + 1 {
            output::tell(&format!(
                "forebay: further refused {}s are counted, not shown (--rejects FILE keeps them)",
                self.unit.name()
            ));
        }
        if let (Some(file), Some(bytes), None) = (self.file.as_mut(), refused.bytes, &self.failed) {
            self.failed = keep(file, bytes).err().map(|why| (refused.line, why));
        }
        self.failed.is_none()
    }

    /// The first line that could not be kept.
    pub fn failed_at(&self) -> Option<u64> {
        self.failed.as_ref().map(|(line, _)| *line)
    }

    /// The error that a line could not be kept for.
    pub fn finish(&self) -> anyhow::Result<()> {
        // As text: a pipe that nobody reads any more must not pass for our own output closed.
        self.failed.as_ref().map_or(Ok(()), |(line, why)| {
            let unit = self.unit.name();
            Err(anyhow::anyhow!("writing {unit} {line} to --rejects {}: {why}", self.path.display()))
        })
    }
}

/// Device and inode of a plain file.
pub(super) fn place(fd: impl AsFd) -> Option<(u64, u64)> {
    let meta = File::from(fd.as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
    meta.is_file().then(|| (meta.dev(), meta.ino()))
}

/// Adds a line. Of one that a full disk takes only a part of, nothing stays.
fn keep(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    let before = file.metadata()?;
    file.write_all(&[bytes, b"\n"].concat()).inspect_err(|_| {
        if before.is_file() {
            // Should that fail too, a part of a line is there, and the error is told all the same.
            let _ = file.set_len(before.len());
        }
    })
}
