//! Which small files of a folder become one: those of one lane that follow each other, as long as they fit.

use std::collections::{BTreeMap, HashMap};

use super::archive::Archive;
use super::record::{CommitRecord, FileRecord};
use super::run::DrainError;

/// Files that one compaction takes, at most: its record names all of them.
const FILES_MAX: usize = 20_000;

/// A folder of the tree whose files become fewer.
pub(super) struct Gathered {
    /// From the tree's root.
    pub folder: String,
    /// Files that become one, each time.
    pub groups: Vec<Vec<FileRecord>>,
}

/// A file of the tree, with what its commits say.
struct Candidate {
    file: FileRecord,
    incarnation: String,
    /// The first block of its first commit, and the last one of its last.
    blocks: (u64, u64),
    /// When the last of them was made.
    at_us: u64,
}

/// The folders that have files to be put together: of commits that were made before a time, into files of so many bytes.
pub(super) fn gather(
    archive: &Archive,
    before_us: u64,
    file_bytes: u64,
) -> Result<Vec<Gathered>, DrainError> {
    let mut made = HashMap::new();
    for number in 1..=archive.last_compaction()? {
        let outputs = archive.compaction(number)?.into_iter().flat_map(|compaction| compaction.outputs);
        made.extend(outputs.map(|output| (output.file.path.clone(), output.file)));
    }
    let mut folders: BTreeMap<String, Vec<Vec<FileRecord>>> = BTreeMap::new();
    for lane in archive.lanes()? {
        for (folder, candidates) in candidates(archive, &lane, &made)? {
            let groups = folders.entry(folder).or_default();
            groups.extend(group(candidates, before_us, file_bytes));
        }
    }
    let gathered = folders.into_iter().map(|(folder, mut groups)| {
        let mut files = 0;
        groups.retain(|group| {
            files += group.len();
            files <= FILES_MAX
        });
        Gathered { folder, groups }
    });
    Ok(gathered.filter(|gathered| !gathered.groups.is_empty()).collect())
}

/// The files of a lane by their folders, in the order of their commits.
fn candidates(
    archive: &Archive,
    lane: &str,
    made: &HashMap<String, FileRecord>,
) -> Result<BTreeMap<String, Vec<Candidate>>, DrainError> {
    let mut folders: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for commit in 1..=archive.last_commit(lane)? {
        let record = archive.record(lane, commit)?;
        let record = record.ok_or_else(|| DrainError::NoRecord { lane: lane.into(), commit })?;
        for file in &record.files {
            let at = archive.whereabouts(&file.path, false)?;
            let file = if at.first_row.is_some() { made.get(&at.path) } else { Some(file) };
            let folder = at.path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let (Some(file), Some(folder)) = (file, folder) else { continue };
            let of_folder = folders.entry(folder).or_default();
            // Of a file that was made by a compaction other commits have rows too.
            let known =
                at.first_row.and_then(|_| of_folder.iter_mut().rev().find(|known| known.file == *file));
            match known {
                Some(known) => known.take(&record),
                None => of_folder.push(Candidate::of(file, &record)),
            }
        }
    }
    Ok(folders)
}

impl Candidate {
    fn of(file: &FileRecord, record: &CommitRecord) -> Self {
        Self {
            file: file.clone(),
            incarnation: record.incarnation.clone(),
            blocks: (record.first, record.last.number),
            at_us: record.at_us,
        }
    }

    /// It has rows of another commit.
    fn take(&mut self, record: &CommitRecord) {
        self.blocks.1 = self.blocks.1.max(record.last.number);
        self.at_us = self.at_us.max(record.at_us);
    }
}

/// Files that become one, each time two at least. A file that is half as large as one may be stays as it is, so that none is
/// written again and again for the sake of a few rows.
fn group(candidates: Vec<Candidate>, before_us: u64, file_bytes: u64) -> Vec<Vec<FileRecord>> {
    let (mut groups, mut group, mut bytes) = (Vec::new(), Vec::<Candidate>::new(), 0);
    for candidate in candidates {
        if candidate.at_us >= before_us || candidate.file.bytes >= file_bytes / 2 {
            continue;
        }
        // Rows of a file are in the order of their blocks. Those of a buffer that was made anew count from 1 again.
        let follows = group.last().is_none_or(|last| {
            last.incarnation == candidate.incarnation && last.blocks.1 < candidate.blocks.0
        });
        if !follows || bytes + candidate.file.bytes > file_bytes || group.len() == FILES_MAX {
            groups.push(std::mem::take(&mut group));
            bytes = 0;
        }
        bytes += candidate.file.bytes;
        group.push(candidate);
    }
    groups.push(group);
    groups.retain(|group| group.len() > 1);
    groups.into_iter().map(|group| group.into_iter().map(|candidate| candidate.file).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, bytes: u64, blocks: (u64, u64), incarnation: &str, at_us: u64) -> Candidate {
        let file = FileRecord { path: name.into(), bytes, sha256: String::new(), rows: 1, times: (0, 0) };
        Candidate { file, incarnation: incarnation.into(), blocks, at_us }
    }

    fn names(candidates: Vec<Candidate>) -> Vec<String> {
        let groups = group(candidates, 100, 1_000);
        groups.iter().map(|group| group.iter().map(|file| &*file.path).collect::<Vec<_>>().concat()).collect()
    }

    #[test]
    fn files_that_follow_each_other_go_together_as_long_as_they_fit() {
        let of = |name: &str, bytes: u64, block: u64| candidate(name, bytes, (block, block), "x", 1);
        assert_eq!(
            names(vec![of("a", 400, 1), of("b", 400, 2), of("c", 201, 3), of("d", 99, 4)]),
            ["ab", "cd"]
        );
        assert_eq!(names(vec![of("a", 400, 1), of("b", 500, 2), of("c", 100, 3)]), ["ac"], "large ones stay");
        assert_eq!(names(vec![of("a", 1, 1), of("b", 1, 2), of("c", 1, 2), of("d", 1, 3)]), ["ab", "cd"]);
        assert_eq!(names(vec![of("a", 1, 1)]), [""; 0]);
    }

    #[test]
    fn another_buffer_and_what_is_too_new_stay_apart() {
        let of = |name: &str, incarnation: &str, at_us: u64, block: u64| {
            candidate(name, 1, (block, block), incarnation, at_us)
        };
        let two = vec![of("a", "x", 1, 1), of("b", "x", 2, 2), of("c", "y", 3, 3), of("d", "y", 4, 4)];
        assert_eq!(names(two), ["ab", "cd"]);
        assert_eq!(names(vec![of("a", "x", 1, 1), of("b", "x", 100, 2)]), [""; 0]);
    }
}
