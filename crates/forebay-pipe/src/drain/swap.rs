//! The one step in which a folder of the tree becomes another, and what is found of it after an end at any moment.
//!
//! The new folder is built outside of the tree. A pending record names it, then the two are exchanged, then the record of the
//! compaction is written and the pending one removed: each is on the disk before the next begins. Whoever comes next finds the new
//! folder in the tree, and ends what is left to do, or outside of it, and throws it away.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::archive::{Archive, EVENTS, PENDING_COMPACTION, compaction_key};
use super::compaction::Compaction;
use super::destination::{DestinationError, io_at};
use super::place::folder::{make_folder, sync_folder};
use super::run::now_us;
use super::step::{Step, Steps};

/// Where folders are built, and those that were replaced wait.
const COMPACTING: &str = "forebay/compacting";

/// How long one that was replaced is kept. Whoever opened it before lists all of its files, and is refused those that are gone from
/// the tree; of a folder that is being emptied a part would be listed, and nobody would notice.
const KEPT: Duration = Duration::from_secs(600);

/// The folder of a compaction, outside of the tree.
pub(super) fn folder_of(root: &Path, number: u64) -> PathBuf {
    root.join(COMPACTING).join(number.to_string())
}

/// A folder of the tree.
pub(super) fn in_tree(root: &Path, folder: &str) -> PathBuf {
    root.join(EVENTS).join(folder)
}

/// Exchanges two folders outside of the tree; the inner error says that this cannot be done there.
pub(super) fn try_exchange(root: &Path) -> Result<Result<(), io::Error>, DestinationError> {
    let [one, other] = ["probe-1", "probe-2"].map(|name| root.join(COMPACTING).join(name));
    make_folder(&one)?;
    make_folder(&other)?;
    let tried = exchange(&one, &other);
    for folder in [&one, &other] {
        std::fs::remove_dir(folder).map_err(io_at(folder))?;
    }
    match tried {
        Err(why) if is_unknown(&why) => Ok(Err(why)),
        tried => tried.map(Ok).map_err(io_at(&one)),
    }
}

/// Whether a kernel or a file system does not know what is asked for.
fn is_unknown(why: &io::Error) -> bool {
    let unknown = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP];
    unknown.iter().any(|errno| why.raw_os_error() == Some(errno.raw_os_error()))
}

fn exchange(one: &Path, other: &Path) -> Result<(), io::Error> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// A folder that is built and synced comes into the tree.
pub(super) fn swap(
    root: &Path,
    archive: &Archive,
    compaction: &Compaction,
    steps: &Steps,
) -> Result<(), DestinationError> {
    steps.before(Step::PlanSwap)?;
    archive.place.write(PENDING_COMPACTION, compaction.text().as_bytes())?;
    steps.before(Step::Swap)?;
    let (new, tree) = (folder_of(root, compaction.number), in_tree(root, &compaction.folder));
    exchange(&new, &tree).map_err(io_at(&tree))?;
    end(root, archive, compaction, steps)
}

/// What is left to do once the folder is in the tree.
fn end(
    root: &Path,
    archive: &Archive,
    compaction: &Compaction,
    steps: &Steps,
) -> Result<(), DestinationError> {
    steps.before(Step::SyncSwap)?;
    in_tree(root, &compaction.folder).parent().map_or(Ok(()), sync_folder)?;
    sync_folder(&root.join(COMPACTING))?;
    steps.before(Step::RecordSwap)?;
    archive.place.write(&compaction_key(compaction.number), compaction.text().as_bytes())?;
    steps.before(Step::ForgetSwap)?;
    archive.place.remove(PENDING_COMPACTION)
}

/// Ends or withdraws a compaction that was begun, by what is found, and throws away what nobody needs any more. Only for one who has
/// the destination to himself.
pub(super) fn settle(root: &Path, archive: &Archive, steps: &Steps) -> Result<(), DestinationError> {
    if let Some(pending) = archive.pending_compaction()? {
        // No other file was ever called so.
        let output = &pending.outputs[0].file.path;
        let name = output.rsplit('/').next().unwrap_or(output);
        if archive.compaction(pending.number)?.is_some() {
            archive.place.remove(PENDING_COMPACTION)?;
        } else if archive.file(output)?.is_some() {
            end(root, archive, &pending, steps)?;
        } else if folder_of(root, pending.number).join(name).exists() {
            archive.place.remove(PENDING_COMPACTION)?;
        } else {
            return Err(DestinationError::Record {
                path: archive.place.shown(PENDING_COMPACTION),
                why: format!(
                    "{name}, which it names, is neither in the tree nor in {COMPACTING}/{}",
                    pending.number
                ),
            });
        }
    }
    clear(root, archive, steps)
}

/// Throws away folders that were not finished, and those that were replaced long enough ago.
fn clear(root: &Path, archive: &Archive, steps: &Steps) -> Result<(), DestinationError> {
    let folder = root.join(COMPACTING);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(io_at(&folder)(why)),
    };
    let last = archive.last_compaction()?;
    for entry in entries {
        let entry = entry.map_err(io_at(&folder))?;
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        if let Some(number) = number.filter(|number| *number <= last)
            && !is_done_with(root, &entry.path(), archive.compaction(number)?.as_ref())
        {
            continue;
        }
        steps.before(Step::Clear)?;
        std::fs::remove_dir_all(entry.path()).map_err(io_at(&entry.path()))?;
    }
    sync_folder(&folder)
}

/// Whether a folder that was replaced is of no use any more.
fn is_done_with(root: &Path, folder: &Path, by: Option<&Compaction>) -> bool {
    let Some(by) = by else { return false };
    let same = |one: &Path, other: &Path| {
        let of = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        of(one).is_none() || of(one) == of(other)
    };
    // Never what is in the tree, whatever a disk makes of an exchange when its power is cut.
    let is_old = now_us().saturating_sub(by.at_us) >= KEPT.as_micros() as u64;
    is_old && !same(folder, &in_tree(root, &by.folder))
}
