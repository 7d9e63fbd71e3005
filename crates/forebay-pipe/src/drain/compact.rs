//! Many small files of a lane and a date become few, in one step for whoever reads the tree.
//!
//! Folder after folder: what goes together is written anew and read back, what stays is linked, and the folder in the tree is
//! exchanged for the new one. Records of commits stay as they are; that of the compaction says which rows are where.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use forebay::Stream;

use super::archive::Archive;
use super::compaction::{Compaction, Output};
use super::destination::{Destination, DestinationError, Drained, io_at};
use super::gather::{Gathered, gather};
use super::layout::Layout;
use super::merge::merge;
use super::place::Target;
use super::place::folder::{make_folder, sync_folder};
use super::pointer::Pointer;
use super::record::FileRecord;
use super::roll::FILE_BYTES_MAX;
use super::run::{DrainError, now_us};
use super::schema::{JETSTREAM, JETSTREAM_LEAN, LINES, MET, Rows, TextColumn};
use super::step::{Step, Steps};
use super::swap;

/// What is compacted.
#[derive(Debug, Clone)]
pub struct CompactConfig {
    /// The destination.
    pub target: Target,
    /// Only files of commits that were made so long ago.
    pub older_than: Duration,
    /// Bytes of a file.
    pub file_bytes: u64,
    /// Who is asked before each step, for tests and proofs alone.
    #[doc(hidden)]
    pub steps: Steps,
}

impl CompactConfig {
    /// All files of a destination.
    pub fn of(target: Target) -> Self {
        Self { target, older_than: Duration::ZERO, file_bytes: FILE_BYTES_MAX, steps: Steps::default() }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Compacted {
    /// Folders whose files became fewer.
    pub folders: u64,
    /// Files that became others.
    pub files_before: u64,
    /// These others.
    pub files_after: u64,
    /// Events in them.
    pub rows: u64,
    /// Bytes of the files before.
    pub bytes_before: u64,
    /// Bytes of the files after.
    pub bytes_after: u64,
}

/// Why nothing more is compacted.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The destination, or a file of it.
    #[error(transparent)]
    Drain(#[from] DrainError),
    /// It is drained to.
    #[error(
        "{path}: a drain or a compaction runs there, and files are compacted only while none does: end it first"
    )]
    Busy {
        /// The destination.
        path: String,
    },
    /// It has no folders that could be exchanged.
    #[error(
        "{bucket}: a bucket has no folders that can be exchanged in one step, so that whoever reads it would see events twice or not \
         at all for a while: only files in folders are compacted"
    )]
    Bucket {
        /// The bucket.
        bucket: String,
    },
    /// Its folders cannot be exchanged.
    #[error(
        "{path}: its file system does not exchange two folders in one step (renameat2 with RENAME_EXCHANGE: {why}), so that whoever \
         reads it would see events twice or not at all for a while: nothing was compacted. ext4, XFS, Btrfs and tmpfs do"
    )]
    NoExchange {
        /// The destination.
        path: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// Somebody else drains there.
    #[error(
        "{path} is of user {theirs}, and this is user {mine}: a drain of theirs could not use what would be made there. Compact as \
         the user who drains"
    )]
    OtherUser {
        /// The tree.
        path: String,
        /// Whose it is, by number.
        theirs: u32,
        /// Who would compact.
        mine: u32,
    },
    /// Something in a folder of the tree that is no file.
    #[error("{path} is no file of a drain: move it away, then compact again")]
    Stranger {
        /// It.
        path: String,
    },
}

impl From<DestinationError> for CompactError {
    fn from(error: DestinationError) -> Self {
        Self::Drain(error.into())
    }
}

/// Compacts a destination; `hear` is told after each folder.
pub fn compact(config: &CompactConfig, mut hear: impl FnMut(&Compacted)) -> Result<Compacted, CompactError> {
    let path = config.target.to_string();
    let Target::Folder(root) = &config.target else { return Err(CompactError::Bucket { bucket: path }) };
    // Before anything is made there.
    let archive = Archive::open(&config.target)?;
    let drained = archive.drained()?;
    let drained = drained.ok_or_else(|| DestinationError::NotDrained { path: path.clone() })?;
    must_be_of_this_user(root)?;
    let destination = match Destination::open(&config.target, archive, None, config.steps.clone()) {
        Err(DestinationError::InUse { .. }) => return Err(CompactError::Busy { path }),
        opened => opened?,
    };
    let archive = destination.archive();
    let rows = rows_of(archive, drained)?;
    let before_us = now_us().saturating_sub(config.older_than.as_micros() as u64);
    let gathered = gather(archive, before_us, config.file_bytes)?;
    if !gathered.is_empty() {
        swap::try_exchange(root)?.map_err(|why| CompactError::NoExchange { path, why })?;
    }
    let (run, mut compacted) = (Run { root, archive, rows, steps: &config.steps }, Compacted::default());
    for gathered in gathered {
        let made = run.folder(&gathered);
        if made.as_ref().is_err_and(|error| !is_stopped(error)) {
            // What was written is of no use, and a disk may be full of it. If that fails too, it is done at the next start.
            let _ = swap::settle(root, archive, &config.steps);
        }
        compacted.add(&made?);
        hear(&compacted);
    }
    Ok(compacted)
}

impl Compacted {
    fn add(&mut self, compaction: &Compaction) {
        self.folders += 1;
        for output in &compaction.outputs {
            self.files_before += output.inputs.len() as u64;
            self.files_after += 1;
            self.rows += output.file.rows;
            self.bytes_before += output.inputs.iter().map(|input| input.bytes).sum::<u64>();
            self.bytes_after += output.file.bytes;
        }
    }
}

/// An error where the tree is somebody else's, as where an administrator compacts what a service drains.
fn must_be_of_this_user(root: &Path) -> Result<(), CompactError> {
    let path = swap::in_tree(root, "");
    let Ok(found) = std::fs::metadata(&path) else { return Ok(()) };
    let (path, theirs, mine) = (path.display().to_string(), found.uid(), rustix::process::geteuid().as_raw());
    if theirs == mine { Ok(()) } else { Err(CompactError::OtherUser { path, theirs, mine }) }
}

fn is_stopped(error: &CompactError) -> bool {
    matches!(error, CompactError::Drain(DrainError::Destination(DestinationError::Stopped(_))))
}

/// The columns that are written: those of the files.
fn rows_of(archive: &Archive, drained: Drained) -> Result<Rows, DrainError> {
    let bad = |why: String| DestinationError::Record { path: archive.shown_root(), why };
    let mut columns = Vec::new();
    for (name, at) in drained.columns {
        let at = Pointer::new(&at)
            .ok_or_else(|| bad(format!("column {name} is at {at:?}, which is no pointer")))?;
        columns.push(TextColumn { name, at });
    }
    let stream = match &*drained.schema {
        JETSTREAM | JETSTREAM_LEAN => Stream::jetstream(),
        MET => return Ok(Rows::in_layout(Layout::Met, Stream::jetstream(), columns, false)?),
        // Of what lanes does not matter.
        LINES => Stream::lines("lines").map_err(|why| bad(why.to_string()))?,
        schema => {
            return Err(
                bad(format!("its columns are of version {schema:?}, which this build cannot write")).into()
            );
        }
    };
    Ok(Rows::of(stream, columns, drained.schema == JETSTREAM_LEAN)?)
}

/// What folders are compacted with.
struct Run<'a> {
    root: &'a Path,
    archive: &'a Archive,
    rows: Rows,
    steps: &'a Steps,
}

impl Run<'_> {
    /// Files of a folder become fewer.
    fn folder(&self, gathered: &Gathered) -> Result<Compaction, CompactError> {
        let last = self.archive.last_compaction()?;
        let previous = if last > 0 { self.archive.compaction(last)? } else { None };
        let number = last + 1;
        let new = swap::folder_of(self.root, number);
        make_folder(&new)?;
        let mut outputs = Vec::new();
        for inputs in &gathered.groups {
            self.steps.before(Step::Merge)?;
            let name = name_of(&inputs[0], number);
            let to = (&*new.join(&name), format!("{}/{name}", gathered.folder));
            outputs
                .push(Output { file: merge(self.archive, &self.rows, inputs, to)?, inputs: inputs.clone() });
        }
        self.steps.before(Step::Link)?;
        self.link_others(gathered, &new)?;
        self.steps.before(Step::SyncMerged)?;
        sync_folder(&new)?;
        new.parent().map_or(Ok(()), sync_folder)?;
        let compaction = Compaction::after(previous.as_ref(), &gathered.folder, now_us(), outputs);
        swap::swap(self.root, self.archive, &compaction, self.steps)?;
        Ok(compaction)
    }

    /// What the folder in the tree has beside the files that became others is in the new one too, and who may read that may read
    /// this.
    fn link_others(&self, gathered: &Gathered, new: &Path) -> Result<(), CompactError> {
        let tree = swap::in_tree(self.root, &gathered.folder);
        let inputs: HashSet<OsString> =
            gathered.groups.iter().flatten().map(|file| name_in(&file.path).into()).collect();
        for entry in std::fs::read_dir(&tree).map_err(io_at(&tree))? {
            let entry = entry.map_err(io_at(&tree))?;
            let path = entry.path();
            if !entry.file_type().map_err(io_at(&path))?.is_file() {
                return Err(CompactError::Stranger { path: path.display().to_string() });
            }
            if !inputs.contains(&entry.file_name()) {
                std::fs::hard_link(&path, new.join(entry.file_name())).map_err(io_at(&path))?;
            }
        }
        let access = std::fs::metadata(&tree).map_err(io_at(&tree))?.permissions();
        std::fs::set_permissions(new, access).map_err(io_at(new))?;
        Ok(())
    }
}

/// A file's name without its folders.
fn name_in(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The name of a file that a compaction makes, which no other has: that of its first input, and the compaction's number.
fn name_of(first: &FileRecord, number: u64) -> String {
    let stem = name_in(&first.path).trim_end_matches(".parquet");
    let stem = stem.split_once("-compacted").map_or(stem, |(stem, _)| stem);
    format!("{stem}-compacted{number}.parquet")
}
