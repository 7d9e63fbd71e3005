//! Copies of AOF folders, and runs of `forebay verify`, each of which must leave the folder as it was and nothing behind.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use forebay_rig::server::Server;
use serde_json::Value;
use tempfile::TempDir;

use super::cli_support::{Ran, forebay};
use super::support::{Ledger, add, server};

/// A server with an AOF that has each command before it is answered.
pub fn durable() -> Server {
    server(&[("appendonly", "yes"), ("appendfsync", "always")])
}

/// The same with so many blocks of two likes each in the buffer `test`.
pub fn with_likes(blocks: u64) -> Server {
    let server = durable();
    add(&server, &mut Ledger { padding: 50, ..Ledger::default() }, blocks);
    server
}

/// A folder with a copy of a server's AOF.
pub struct Copied(TempDir);

impl Copied {
    /// Ends the server first.
    pub fn of(server: &mut Server) -> Self {
        server.terminate().unwrap();
        let copied = Self::nothing();
        let parts = server.dir().join("appendonlydir");
        // Before Redis 7 it is a single file.
        let folder = if parts.exists() { parts } else { server.dir().to_owned() };
        for entry in std::fs::read_dir(folder).unwrap() {
            let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
            if name.to_str().unwrap().contains(".aof") {
                std::fs::copy(path, copied.path().join(name)).unwrap();
            }
        }
        copied
    }

    /// An empty folder.
    pub fn nothing() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A copy of the copy.
    pub fn again(&self) -> Self {
        let again = Self::nothing();
        for entry in std::fs::read_dir(self.path()).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), again.path().join(entry.file_name())).unwrap();
        }
        again
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The file whose name ends so.
    pub fn file(&self, end: &str) -> PathBuf {
        let mut paths = std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        paths.find(|path| path.to_str().unwrap().ends_with(end)).unwrap()
    }

    /// The file that commands are appended to.
    pub fn log(&self) -> PathBuf {
        self.file(".aof")
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    /// Flips a bit of a byte of the log.
    pub fn flip(&self, at: usize) {
        let mut bytes = std::fs::read(self.log()).unwrap();
        bytes[at] ^= 1;
        std::fs::write(self.log(), bytes).unwrap();
    }
}

/// A command, word by word, as it stands in an AOF.
pub fn command(line: &str) -> Vec<u8> {
    let words: Vec<&str> = line.split(' ').collect();
    let text: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{}", words.len(), text.concat()).into_bytes()
}

/// Where a part begins in some bytes, each time.
pub fn all(bytes: &[u8], part: &str) -> Vec<usize> {
    let part = part.as_bytes();
    (0..bytes.len()).filter(|at| bytes[*at..].starts_with(part)).collect()
}

/// Everything that may be seen of a folder: paths, inodes, permissions, times and contents.
pub fn seen(folder: &Path) -> Vec<(PathBuf, [i64; 4], Vec<u8>)> {
    let about = std::fs::metadata(folder).unwrap();
    let figures = [about.ino().cast_signed(), about.mode().into(), about.mtime(), about.mtime_nsec()];
    if !about.is_dir() {
        return vec![(folder.to_owned(), figures, std::fs::read(folder).unwrap())];
    }
    let mut all = vec![(folder.to_owned(), figures, Vec::new())];
    for entry in std::fs::read_dir(folder).unwrap() {
        all.extend(seen(&entry.unwrap().path()));
    }
    all.sort();
    all
}

/// Runs `verify` on what is at a path, and holds what it leaves against what was there.
pub fn verify(at: &Path, more: &[&str]) -> Ran {
    let before = seen(at);
    let ran = verify_live(at, more);
    assert!(seen(at) == before, "{} is not what it was", at.display());
    ran
}

/// The same on a folder that somebody writes to.
pub fn verify_live(at: &Path, more: &[&str]) -> Ran {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = forebay(&[&["verify", "--aof", at.to_str().unwrap()], more].concat());
    let ran = Ran::from(command.env("TMPDIR", temporary.path()).output().unwrap());
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "something was left behind");
    ran
}

/// Its JSON, of the buffer `test`.
pub fn json(at: &Path, code: i32) -> Value {
    let ran = verify(at, &["--json", "--buffer", "test"]);
    assert_eq!((ran.code, ran.err.as_str()), (code, ""), "{}", String::from_utf8_lossy(&ran.out));
    serde_json::from_slice(&ran.out).unwrap()
}

/// Its text in 80 columns, of the buffer `test`; words as they follow each other, however the lines are broken.
pub fn words(at: &Path, code: i32) -> String {
    let ran = verify(at, &["--buffer", "test"]);
    let text = String::from_utf8(ran.out).unwrap();
    assert_eq!((ran.code, ran.err.as_str()), (code, ""), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80 && line.trim_end() == line, "{line:?}");
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is said of a lane.
pub fn lane<'a>(outcome: &'a Value, name: &str) -> &'a Value {
    outcome["lanes"].as_array().unwrap().iter().find(|lane| lane["lane"] == name).unwrap()
}
