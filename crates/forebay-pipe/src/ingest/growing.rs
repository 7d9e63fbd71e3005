//! A file that grows, line by line, by the position of each, in bounded memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// Which file it is, whatever its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    host: PathBuf,
    unit: String,
    device: u64,
    inode: u64,
}

impl Mark {
    /// Reads what stands beside the buffer; none where that is of no file.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn text(&self) -> String {
        // Proof: a path that is not UTF-8 was refused before.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn name(&self) -> String {
        self.host.display().to_string()
    }

    fn is(&self, meta: &std::fs::Metadata) -> bool {
        (self.device, self.inode) == (meta.dev(), meta.ino())
    }
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line that ends at this position.
    Whole { end: u64 },
    /// A line that was passed over.
    TooLong { bytes: u64 },
    /// The file has no further line by now.
    Nothing,
}

/// A file that grows.
pub(super) struct Growing {
    file: File,
    mark: Mark,
    /// Read and not handed out, and where in the file it begins.
    bytes: Vec<u8>,
    used: usize,
    from: u64,
    line_max: usize,
    /// How much of a line that is too long was passed over.
    dropped: u64,
}

impl Growing {
    /// Opens a file at a position.
    pub(super) fn open(path: &Path, from: u64, line_max: usize) -> io::Result<(Self, Mark)> {
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() || path.to_str().is_none() {
            return Err(io::Error::other("it is no plain file with a name in UTF-8"));
        }
        let mark = Mark { host: path.into(), unit: "bytes".into(), device: meta.dev(), inode: meta.ino() };
        file.seek(SeekFrom::Start(from))?;
        let opened =
            Self { file, mark: mark.clone(), bytes: Vec::new(), used: 0, from, line_max, dropped: 0 };
        Ok((opened, mark))
    }

    /// The file of a mark at a position, under the name that it has or another in the same folder, where it is that long.
    pub(super) fn find(mark: &Mark, path: &Path, from: u64, line_max: usize) -> Option<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        [path.to_owned()].into_iter().chain(beside).find_map(|path| {
            let meta = std::fs::metadata(&path).ok()?;
            if !mark.is(&meta) || meta.len() < from {
                return None;
            }
            Self::open(&path, from, line_max).ok().map(|(file, _)| file)
        })
    }

    /// The next line, without its end. One without an end is whole where the file does not grow.
    pub(super) fn next(&mut self, line: &mut Vec<u8>, grows: bool) -> io::Result<Line> {
        loop {
            if let Some(at) = self.bytes[self.used..].iter().position(|byte| *byte == b'\n') {
                return Ok(self.hand_out(line, at, 1));
            }
            let waiting = self.bytes.len() - self.used;
            if waiting > self.line_max {
                self.dropped += waiting as u64;
                self.from += waiting as u64;
                self.used = self.bytes.len();
            }
            self.bytes.drain(..self.used);
            self.used = 0;
            let before = self.bytes.len();
            self.bytes.resize(before + READ_BYTES, 0);
            let read = self.file.read(&mut self.bytes[before..]);
            self.bytes.truncate(before + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Ok(match self.bytes.len() {
                    rest if !grows && rest as u64 + self.dropped > 0 => self.hand_out(line, rest, 0),
                    _ => Line::Nothing,
                });
            }
        }
    }

    /// What stands after the last line end.
    pub(super) fn rest(&mut self) -> Option<(Vec<u8>, u64)> {
        let rest = self.bytes.split_off(self.used);
        self.from += rest.len() as u64;
        (!rest.is_empty() && self.dropped == 0).then_some((rest, self.from))
    }

    fn hand_out(&mut self, line: &mut Vec<u8>, len: usize, end: usize) -> Line {
        let dropped = std::mem::take(&mut self.dropped);
        line.clear();
        line.extend_from_slice(&self.bytes[self.used..self.used + len]);
        if end > 0 && line.last() == Some(&b'\r') {
            line.pop();
        }
        self.used += len + end;
        self.from += (len + end) as u64;
        let bytes = dropped + len as u64;
        if bytes > self.line_max as u64 { Line::TooLong { bytes } } else { Line::Whole { end: self.from } }
    }

    /// Whether the file is shorter than what was read of it.
    pub(super) fn was_cut(&self) -> bool {
        let read = self.from + (self.bytes.len() - self.used) as u64;
        self.file.metadata().is_ok_and(|meta| meta.len() < read)
    }

    /// Whether another file has the name.
    pub(super) fn was_replaced(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|meta| !self.mark.is(&meta))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_come_with_their_positions_and_one_that_is_too_long_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut to = File::create(&path).unwrap();
        write!(to, "one\r\n\n{}\ntwo\nrest", "x".repeat(600_000)).unwrap();
        let (mut file, _) = Growing::open(&path, 0, 100).unwrap();
        let mut line = Vec::new();
        let mut next = |file: &mut Growing, grows| {
            let what = file.next(&mut line, grows).unwrap();
            (what, String::from_utf8(line.clone()).unwrap())
        };
        assert_eq!(next(&mut file, true), (Line::Whole { end: 5 }, "one".into()));
        assert_eq!(next(&mut file, true), (Line::Whole { end: 6 }, String::new()));
        assert_eq!(next(&mut file, true).0, Line::TooLong { bytes: 600_000 });
        assert_eq!(next(&mut file, true), (Line::Whole { end: 600_011 }, "two".into()));
        assert_eq!(next(&mut file, true).0, Line::Nothing);
        to.write_all(b" of it").unwrap();
        assert_eq!(next(&mut file, true).0, Line::Nothing);
        assert_eq!(next(&mut file, false), (Line::Whole { end: 600_021 }, "rest of it".into()));
        assert_eq!(next(&mut file, false).0, Line::Nothing);
        assert!(!file.was_cut() && !file.was_replaced(&path));
        to.set_len(3).unwrap();
        assert!(file.was_cut());
    }

    #[test]
    fn a_file_that_was_renamed_is_found_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let (_, mark) = Growing::open(&path, 0, 100).unwrap();
        assert_eq!(Mark::read(&mark.text()), Some(mark.clone()));
        std::fs::rename(&path, folder.path().join("a.1")).unwrap();
        std::fs::write(&path, "another\n").unwrap();
        let mut found = Growing::find(&mark, &path, 4, 100).unwrap();
        let mut line = Vec::new();
        assert_eq!(found.next(&mut line, true).unwrap(), Line::Whole { end: 8 });
        assert_eq!(line, b"two");
        assert!(found.was_replaced(&path));
        assert!(Growing::find(&mark, &path, 9, 100).is_none(), "it was cut");
        std::fs::remove_file(folder.path().join("a.1")).unwrap();
        assert!(Growing::find(&mark, &path, 4, 100).is_none());
    }
}
