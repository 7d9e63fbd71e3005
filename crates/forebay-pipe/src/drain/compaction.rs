//! What is written down of each compaction, at the destination and outside of the files' tree: which files of a folder became
//! which. A file's rows stand in its successor one after the other, in the order of the inputs, so that the rows of every commit
//! can still be told. Each record names the hash of the one before, as those of commits do.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::record::{FileRecord, hex, read, written};

/// The version of these records.
const VERSION: u32 = 1;

/// Files of one folder that became fewer, in one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compaction {
    version: u32,
    /// Its number, from 1.
    pub number: u64,
    /// SHA-256 of the record before it, in hexadecimal; nothing of the first.
    pub previous: Option<String>,
    /// The folder, from the tree's root.
    pub folder: String,
    /// When it was made, in microseconds since 1970.
    pub at_us: u64,
    /// What came of it.
    pub outputs: Vec<Output>,
}

/// Files that became one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The file.
    pub file: FileRecord,
    /// The files whose rows it has, in their order, as their commits or earlier compactions made them.
    pub inputs: Vec<FileRecord>,
}

impl Compaction {
    /// One that comes after another.
    pub fn after(previous: Option<&Self>, folder: &str, at_us: u64, outputs: Vec<Output>) -> Self {
        Self {
            version: VERSION,
            number: previous.map_or(1, |previous| previous.number + 1),
            previous: previous.map(Self::hash),
            folder: folder.to_owned(),
            at_us,
            outputs,
        }
    }

    /// As it is written.
    pub fn text(&self) -> String {
        written(self)
    }

    /// Reads one.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let record: Self = read(text, |record: &Self| record.version, VERSION)?;
        let is_in = |path: &str| {
            let name = path.strip_prefix(&record.folder).and_then(|rest| rest.strip_prefix('/'));
            name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
        };
        let files = record.outputs.iter().flat_map(|output| output.inputs.iter().chain([&output.file]));
        let stranger = files.map(|file| &file.path).find(|path| !is_in(path)).cloned();
        match stranger {
            Some(path) => Err(format!("{path} is not a file of {}", record.folder)),
            None if record.outputs.is_empty() => Err("it has made nothing".into()),
            None => Ok(record),
        }
    }

    /// What the next record says of this one.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_names_files_of_its_folder_alone() {
        let file = |path: &str| FileRecord {
            path: path.into(),
            bytes: 5,
            sha256: "00".into(),
            rows: 2,
            times: (1, 2),
        };
        let of = |input: &str, output: &str| {
            let outputs = vec![Output { file: file(output), inputs: vec![file(input)] }];
            Compaction::after(None, "lane=a/date=b", 9, outputs)
        };
        let first = of("lane=a/date=b/x", "lane=a/date=b/y");
        assert_eq!(Compaction::parse(first.text().as_bytes()), Ok(first.clone()));
        for (input, output) in [("lane=a/x", "lane=a/date=b/y"), ("lane=a/date=b/x", "lane=a/date=b/../y")] {
            assert!(Compaction::parse(of(input, output).text().as_bytes()).is_err(), "{input} {output}");
        }
        assert!(
            Compaction::parse(first.text().replace("\"version\": 1", "\"version\": 2").as_bytes()).is_err()
        );
        let second = Compaction::after(Some(&first), "lane=a/date=b", 9, first.outputs.clone());
        assert_eq!((second.number, second.previous.clone()), (2, Some(first.hash())));
        assert_ne!(second.hash(), first.hash());
    }
}
