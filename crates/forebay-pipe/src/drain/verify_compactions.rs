//! Compactions held against each other and against the commits whose files they took, and their files against both.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::archive::Archive;
use super::compaction::Compaction;
use super::record::FileRecord;
use super::run::DrainError;
use super::verify::Verified;
use super::verify_rows::Part;

/// Rows of commits by the file that has them by now, which is not the one that the commit made.
pub(super) type Compacted = BTreeMap<String, Vec<Part>>;

/// Looks at every compaction, and every file that the last ones made; which these are.
pub(super) fn verify_compactions(
    archive: &Archive,
    mut compacted: Compacted,
    verified: &mut Verified,
    hear: &mut impl FnMut(&Verified),
) -> Result<BTreeSet<String>, DrainError> {
    let mut made: HashMap<String, FileRecord> = HashMap::new();
    for part in compacted.values().flatten() {
        made.insert(part.file.path.clone(), part.file.clone());
    }
    let mut last_ones: BTreeMap<String, FileRecord> = BTreeMap::new();
    for compaction in compactions(archive, verified)? {
        verified.compactions += 1;
        for output in compaction.outputs {
            let at = format!("compaction {}: {}", compaction.number, output.file.path);
            let rows: u64 = output.inputs.iter().map(|input| input.rows).fold(0, u64::saturating_add);
            if rows != output.file.rows {
                verified
                    .fault(format!("{at}: it has {} rows, and what it was made of {rows}", output.file.rows));
            }
            for input in &output.inputs {
                last_ones.remove(&input.path);
                match made.get(&input.path) {
                    Some(known) if known == input => {}
                    Some(_) => verified.fault(format!("{at}: {} is not as it was committed", input.path)),
                    None => verified.fault(format!("{at}: no commit has made {}", input.path)),
                }
            }
            made.insert(output.file.path.clone(), output.file.clone());
            last_ones.insert(output.file.path.clone(), output.file);
        }
    }
    for (path, file) in &last_ones {
        let mut parts = compacted.remove(path).unwrap_or_default();
        parts.sort_by_key(|part| part.first_row);
        match archive.file(path)? {
            Some(found) => verified.file_of_parts(found, file, &parts),
            None => verified.fault(format!("{path}: it is not there")),
        }
        hear(verified);
    }
    Ok(last_ones.into_keys().collect())
}

/// All of them, in order, and the one that is in the tree already and not yet recorded.
fn compactions(archive: &Archive, verified: &mut Verified) -> Result<Vec<Compaction>, DrainError> {
    let (pending, mut all) = (archive.pending_compaction()?, Vec::<Compaction>::new());
    for number in 1..=archive.last_compaction()? {
        match archive.compaction(number) {
            Ok(Some(record)) => {
                let is_next = match all.last().filter(|before| before.number + 1 == number) {
                    Some(before) => record.previous == Some(before.hash()),
                    // One that is missing was found.
                    None => number > 1 || record.previous.is_none(),
                };
                if record.number != number || !is_next {
                    verified.fault(format!(
                        "compaction {number}: the record before it is not the one that it names: one was changed, or is missing"
                    ));
                }
                all.push(record);
            }
            Ok(None) => verified.fault(format!("compaction {number} has no record")),
            Err(why) => verified.fault(why.to_string()),
        }
    }
    if let Some(pending) = pending
        && all.last().is_none_or(|last| last.number < pending.number)
        && archive.file(&pending.outputs[0].file.path)?.is_some()
    {
        all.push(pending);
    }
    Ok(all)
}
