//! How the server stands to the destination: it may have come back with less than was committed, and then gives blocks and events
//! again that are in files.

use forebay::buffer::sink::LaneLook;
use forebay::{Id, Lane};

use super::archive::Archive;
use super::record::{CommitRecord, DoubtRange};
use super::run::{DrainError, Means};

/// How the server stands to the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// They have the same last commit.
    InStep,
    /// The server has an earlier one.
    Behind,
    /// The buffer is another one than that of the last commit, and counts from 1.
    Anew,
}

/// How the server stands to what is here; none where it has nothing of the lane by now.
pub(super) fn standing(
    means: &mut Means<'_>,
    lane: Lane,
    last: Option<&CommitRecord>,
    look: &LaneLook,
) -> Result<Option<Standing>, DrainError> {
    let commit = last.map_or(0, |last| last.commit);
    if look.commit > commit {
        // An error, which says what is missing here.
        means.sink.let_go(lane, Id::default(), commit)?;
    }
    let Some(last) = last.filter(|last| last.commit != look.commit) else {
        return Ok(Some(Standing::InStep));
    };
    if last.incarnation != means.sink.incarnation() {
        // A writer that was there all the time goes on with its numbers.
        let Some(head) = means.sink.oldest_after(lane, Id::default())? else { return Ok(None) };
        if head.number <= last.last.number {
            return Ok(Some(Standing::Anew));
        }
    }
    Ok(Some(Standing::Behind))
}

/// Commits whose events may come again: those that the server came back without, those from whose numbers on another writer gave
/// them again, and those that were in doubt before.
pub(super) fn in_doubt(
    means: &Means<'_>,
    last: &CommitRecord,
    (look, standing): (&LaneLook, Standing),
    held: Option<DoubtRange>,
    fork: Option<u64>,
) -> Result<Option<DoubtRange>, DrainError> {
    // Events of other streams have no identity: of two lines that are the same, both may be meant.
    if standing == Standing::Anew || !means.sink.events().is_jetstream() {
        return Ok(None);
    }
    let behind = (standing == Standing::Behind).then_some(look.commit);
    let forked = fork.map(|number| commit_before(means.destination.archive(), last, number)).transpose()?;
    let Some(after) = behind.into_iter().chain(forked).min() else { return Ok(held) };
    Ok(Some(DoubtRange {
        after: held.map_or(after, |held| held.after.min(after)),
        to: last.commit,
        until_us: held.map_or(0, |held| held.until_us),
    }))
}

/// The last commit before any that has this number, or a later one.
fn commit_before(archive: &Archive, last: &CommitRecord, number: u64) -> Result<u64, DrainError> {
    let mut next = Some(last.clone());
    while let Some(record) = next {
        if record.last.number < number || record.incarnation != last.incarnation {
            return Ok(record.commit);
        }
        next = archive.record(&record.lane, record.commit - 1)?;
    }
    Ok(0)
}
