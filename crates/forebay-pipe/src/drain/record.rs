//! What a drain writes down of each commit, at the destination and outside of the files' tree: which blocks of a lane are in which
//! files. The last record of a lane says up to where it is had; each names the hash of the one before, so that one that is
//! missing or was changed is found.

use forebay::Id;
use forebay::buffer::sink::Done;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of these records.
pub const VERSION: u32 = 1;

/// Damaged blocks and gaps that a record tells one by one: the counts have them all.
pub const TOLD_MAX: usize = 100;

/// One commit of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitRecord {
    /// [`VERSION`].
    pub version: u32,
    /// Its number in its lane, from 1.
    pub commit: u64,
    /// SHA-256 of the record before it, in hexadecimal; nothing of the first.
    pub previous: Option<String>,
    /// The buffer's name.
    pub buffer: String,
    /// Which buffer of that name.
    pub incarnation: String,
    /// The lane's name, and the partition's where it has several: `likes.2`.
    pub lane: String,
    /// The first block that it covers.
    pub first: u64,
    /// The last one: number, id, and the lane's events up to and with it.
    pub last: Place,
    /// Epochs of the writers of its blocks: each with the number of the first block from which on it holds.
    pub epochs: Vec<(u64, u64)>,
    /// Events in its blocks that could be read.
    pub events: u64,
    /// Events in its files.
    pub rows: u64,
    /// Events that were in files already: a server came back with less, and the source gave them again.
    pub repeats: u64,
    /// Where the source stood after its last block, as the buffer has it.
    pub cursor: Option<String>,
    /// Why the file ended here.
    pub roll: Roll,
    /// When that was decided, in microseconds since 1970.
    pub at_us: u64,
    /// The files, from the tree's root.
    pub files: Vec<FileRecord>,
    /// Blocks that could not be opened, by their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<Fault>,
    /// How many there were.
    #[serde(default)]
    pub damaged_blocks: u64,
    /// Blocks that were not there, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Events that these held.
    #[serde(default)]
    pub missing_events: u64,
    /// Commits whose events could come again among those of this one, and were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<DoubtRange>,
    /// Commits whose events may come again after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<DoubtRange>,
}

/// A block's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its number.
    pub number: u64,
    /// Its id in the stream.
    pub id: String,
    /// The lane's events up to and with it.
    pub total: u64,
}

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// From the tree's root.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Events in it.
    pub rows: u64,
    /// The earliest and the latest time of them, in microseconds since 1970.
    pub times: (u64, u64),
}

/// A block that could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its id in the stream.
    pub id: String,
    /// What is wrong.
    pub why: String,
    /// Where its frame was kept, from the folder of the records, where there was one.
    pub kept: Option<String>,
}

/// Commits of a lane whose events may come again: a server came back without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoubtRange {
    /// The last commit that the server came back with.
    pub after: u64,
    /// The last of those that it came back without.
    pub to: u64,
    /// Events of a later time are none of them, in microseconds since 1970.
    pub until_us: u64,
}

/// Why a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Roll {
    /// It is as large as a file shall be.
    Size,
    /// The next block came in another hour.
    Hour,
    /// Its oldest event had waited long enough.
    Age,
    /// It has events of as many days as may be open at once.
    Days,
    /// The drain ended.
    End,
    /// Another run had planned to end it there.
    Planned,
}

impl CommitRecord {
    /// Up to where the lane is had.
    pub fn done(&self) -> Option<Done> {
        let Place { number, id, total } = &self.last;
        Some(Done { number: *number, id: Id::parse(id)?, total: *total })
    }

    /// The epoch of a block of its.
    pub fn epoch_of(&self, number: u64) -> Option<u64> {
        if !(self.first..=self.last.number).contains(&number) {
            return None;
        }
        self.epochs.iter().rev().find(|(first, _)| *first <= number).map(|(_, epoch)| *epoch)
    }

    /// As it is written.
    pub fn text(&self) -> String {
        written(self)
    }

    /// Reads one.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let record: Self = read(text, |record: &Self| record.version, VERSION)?;
        if record.done().is_none() {
            return Err(format!("{:?} is no id of a block", record.last.id));
        }
        Ok(record)
    }

    /// What the next record says of this one.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.text()))
    }
}

impl From<Done> for Place {
    fn from(Done { number, id, total }: Done) -> Self {
        Self { number, id: id.to_string(), total }
    }
}

/// A record as it is written.
pub(super) fn written(record: &impl Serialize) -> String {
    // Proof: numbers, texts and lists of them.
    let mut text = serde_json::to_string_pretty(record).expect("a record is JSON");
    text.push('\n');
    text
}

/// A record of a version that this build knows.
pub(super) fn read<T: DeserializeOwned>(
    text: &[u8],
    version: impl Fn(&T) -> u32,
    known: u32,
) -> Result<T, String> {
    let record: T = serde_json::from_slice(text).map_err(|why| why.to_string())?;
    match version(&record) {
        version if version == known => Ok(record),
        version => Err(format!("it is of version {version}, this build knows {known}")),
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CommitRecord {
        CommitRecord {
            version: VERSION,
            commit: 3,
            previous: Some("00".into()),
            buffer: "demo".into(),
            incarnation: "0a".into(),
            lane: "likes".into(),
            first: 98,
            last: Place { number: 103, id: "1-2".into(), total: 900 },
            epochs: vec![(98, 5), (101, 7)],
            events: 12,
            rows: 10,
            repeats: 2,
            cursor: Some("2:5".into()),
            roll: Roll::Hour,
            at_us: 9,
            files: vec![FileRecord {
                path: "lane=likes/x".into(),
                bytes: 1,
                sha256: hex(&[0, 0xfe]),
                rows: 10,
                times: (1, 2),
            }],
            damaged: vec![],
            damaged_blocks: 0,
            missing: vec![],
            missing_events: 0,
            under: None,
            doubt: Some(DoubtRange { after: 1, to: 2, until_us: 7 }),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_nothing_else_is_one() {
        let record = record();
        assert_eq!(CommitRecord::parse(record.text().as_bytes()), Ok(record.clone()));
        assert_eq!(record.files[0].sha256, "00fe");
        for (from, to) in [
            ("\"version\": 1", "\"version\": 2"),
            ("\"id\": \"1-2\"", "\"id\": \"1\""),
            ("\"rows\": 10", "\"rows\": \"10\""),
            ("\"repeats\"", "\"repeat\""),
        ] {
            let other = record.text().replace(from, to);
            assert!(CommitRecord::parse(other.as_bytes()).is_err(), "{to}");
        }
        let other = CommitRecord { rows: 11, ..record.clone() };
        assert_ne!(other.hash(), record.hash());
    }

    #[test]
    fn a_block_s_epoch_is_that_of_the_run_that_wrote_it() {
        let record = record();
        let of = |number| record.epoch_of(number);
        assert_eq!([97, 98, 100, 101, 103, 104].map(of), [None, Some(5), Some(5), Some(7), Some(7), None]);
    }
}
