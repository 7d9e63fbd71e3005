//! A server of our own on the copy: whether it loads it, and what it says where it does not, or not all of it.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde::Serialize;

use super::find::{Kind, Source};
use super::{Error, PARTS};
use crate::server::Kind as Family;
use crate::server::{Conf, Scratch, Server, ServerBinary, ServerError, Version};

/// The first Redis that has AOFs in parts. An older one takes such a folder for none and starts empty.
const PARTS_SINCE: Version = Version::new(7, 0, 0);
/// As many databases as an AOF may reasonably select.
const DATABASES: &str = "1024";
/// Lines of the server's log that say what it did not take.
const LOG_LINES: usize = 8;

/// The end of the last file that the server left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// The first byte that was left out.
    pub offset: u64,
    /// How many bytes were.
    pub bytes: u64,
}

/// A place in a file, as `redis-check-aof` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The file.
    pub file: Option<String>,
    /// Of commands the first byte that is not sound. Of a base in RDB format where the fault was noticed, which for a
    /// wrong checksum is the end.
    pub offset: u64,
    /// Bytes from there to the end; none of a base in RDB format.
    pub rest: Option<u64>,
}

/// Why the server did not load the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// How the server ended.
    pub ended: String,
    /// The last lines of its log.
    pub log: Vec<String>,
    /// Where the file stops being sound.
    pub stop: Option<Stop>,
}

/// What became of the copy.
pub(super) enum Loaded {
    /// It was loaded, all of it or up to a place.
    Up(Box<Server>, Option<Cut>),
    /// It was not.
    Refused(Refusal),
}

/// Starts a server on a copy in `scratch`; the files are in `folder`.
pub(super) fn load(
    binary: &ServerBinary,
    source: &Source,
    scratch: &Scratch,
    folder: &Path,
) -> Result<Loaded, Error> {
    if source.kind == Kind::Parts && binary.kind == Family::Redis && binary.version < PARTS_SINCE {
        let (path, version) = (binary.path.clone(), binary.version.to_string());
        return Err(Error::TooOld { path, version, manifest: source.name.clone() });
    }
    match Server::start(binary, &conf(source, scratch.path())) {
        Ok(server) => {
            let cut = cut(source, &server.log_tail(usize::MAX));
            Ok(Loaded::Up(Box::new(server), cut))
        }
        // Settings that it does not know are no fault of the data.
        Err(ServerError::ExitedEarly { status, log, .. }) if !log.contains("FATAL CONFIG FILE ERROR") => {
            refusal(binary, source, scratch, folder, (status, &log)).map(Loaded::Refused)
        }
        Err(error) => Err(error.into()),
    }
}

/// Why a server that ended so did not load the files.
fn refusal(
    binary: &ServerBinary,
    source: &Source,
    scratch: &Scratch,
    folder: &Path,
    (status, log): (ExitStatus, &str),
) -> Result<Refusal, Error> {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let log: Vec<String> =
        lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(ToString::to_string).collect();
    let stop = match source.kind {
        Kind::Snapshot => None,
        Kind::Parts | Kind::Single => {
            let name = blamed(source, &log);
            let said = scratch.check_aof(binary, &is_now(folder, name))?;
            let stop = said.and_then(|said| stop(&said));
            stop.map(|stop| Stop { file: stop.file.or_else(|| Some(name.to_owned())), ..stop })
        }
    };
    Ok(Refusal { ended: status.to_string(), log, stop })
}

/// The file that the server says it cannot read; where it names none, the manifest, with which all are checked.
/// Alone, because the checker of Valkey 9.1 takes that server's own base for damaged, and goes no further.
fn blamed<'a>(source: &'a Source, log: &[String]) -> &'a str {
    let mut said = log.iter().filter_map(|line| line.split_once("reading the append only file "));
    let named = said.find_map(|(_, rest)| source.files.iter().find(|file| rest.starts_with(&file.name)));
    named.map_or(&source.name, |file| &file.name)
}

/// Where a file of the copy is: from Redis 7 on the server moves a single one into a folder before it loads it.
fn is_now(folder: &Path, name: &str) -> PathBuf {
    let moved = folder.join("appendonlydir").join(name);
    if moved.exists() { moved } else { folder.join(name) }
}

/// Settings with which a server loads the files as they are and leaves them so.
fn conf(source: &Source, dir: &Path) -> Conf {
    let mut conf = Conf::new();
    conf.set("dir", dir.to_string_lossy()).set("save", "").set("databases", DATABASES);
    conf.set("maxmemory", "0").set("maxmemory-policy", "noeviction");
    conf.set("auto-aof-rewrite-percentage", "0").set("aof-load-truncated", "yes");
    match source.kind {
        Kind::Parts => {
            let name = source.name.strip_suffix(".manifest").unwrap_or(&source.name);
            conf.set("appendonly", "yes").set("appenddirname", PARTS).set("appendfilename", name);
        }
        Kind::Single => {
            conf.set("appendonly", "yes").set("appendfilename", source.name.as_str());
        }
        Kind::Snapshot => {
            conf.set("appendonly", "no").set("dbfilename", source.name.as_str());
        }
    }
    conf
}

/// What the log says of a file that was cut: `!!! Truncating the AOF <file> at offset <number> !!!`, before Redis 7
/// without the file.
fn cut(source: &Source, log: &str) -> Option<Cut> {
    let said = log.lines().find_map(|line| line.split_once("Truncating the AOF")).map(|(_, said)| said)?;
    let (file, offset) = said.rsplit_once("at offset ")?;
    let offset: u64 = offset.split(' ').next()?.parse().ok()?;
    let file = if file.trim().is_empty() { source.name.as_str() } else { file.trim() };
    let bytes = source.files.iter().find(|seen| seen.name == file).map_or(0, |seen| seen.bytes);
    Some(Cut { file: file.to_owned(), offset, bytes: bytes.saturating_sub(offset) })
}

/// What `redis-check-aof` says of the first file that is not sound: `AOF analyzed: filename=…, size=…, ok_up_to=…,
/// ok_up_to_line=…, diff=…`, before Redis 7 without the name; of a base in RDB format `Checking RDB file …`, and later
/// `[offset …]` behind a headline.
fn stop(said: &str) -> Option<Stop> {
    let (mut lines, mut file) = (said.lines(), None);
    while let Some(line) = lines.next() {
        if let Some((_, path)) = line.split_once("Checking RDB file ") {
            file = Some(file_name(path));
        }
        if line.contains("RDB ERROR DETECTED") {
            let offset = lines.next()?.strip_prefix("[offset ")?.split(']').next()?.parse().ok()?;
            return Some(Stop { file, offset, rest: None });
        }
        let Some((_, figures)) = line.split_once("AOF analyzed: ") else { continue };
        let figure =
            |name: &str| figures.split(", ").find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| figure(name).and_then(|text| text.parse::<u64>().ok());
        // That nothing is sound is no place: such a checker may not know the format of the file.
        if let (Some(offset @ 1..), Some(rest @ 1..)) = (number("ok_up_to"), number("diff")) {
            return Some(Stop { file: figure("filename").map(file_name), offset, rest: Some(rest) });
        }
    }
    None
}

/// A file's name without its folder, which is one of ours.
fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::find::OnDisk;
    use super::*;

    #[test]
    fn a_cut_is_read_from_the_logs_of_redis_6_and_7() {
        let file = OnDisk { name: "a.aof".into(), bytes: 155 };
        let source = Source {
            kind: Kind::Single,
            folder: "/".into(),
            name: "a.aof".into(),
            files: vec![file],
            missing: Vec::new(),
            unlisted: Vec::new(),
            doubts: Vec::new(),
        };
        let expected = Some(Cut { file: "a.aof".into(), offset: 111, bytes: 44 });
        for said in ["AOF at", "AOF a.aof at"] {
            let log =
                format!("1:M # short read\n1:M # !!! Truncating the {said} offset 111 !!!\n1:M # loaded");
            assert_eq!(cut(&source, &log), expected);
        }
        assert_eq!(cut(&source, "1:M * Ready to accept connections"), None);
    }

    #[test]
    fn the_first_place_that_is_not_sound_is_read_from_the_checker() {
        let sound = "AOF analyzed: filename=/x/b, size=99, ok_up_to=99, ok_up_to_line=1, diff=0\n";
        let bad = "AOF analyzed: filename=/x/i, size=155, ok_up_to=115, ok_up_to_line=20, diff=40\n";
        let place =
            |file: Option<&str>, offset, rest| Some(Stop { file: file.map(Into::into), offset, rest });
        assert_eq!(stop(&format!("{sound}{bad}")), place(Some("i"), 115, Some(40)));
        assert_eq!(
            stop("AOF analyzed: size=157, ok_up_to=155, ok_up_to_line=27, diff=2"),
            place(None, 155, Some(2))
        );
        let base = "[offset 0] Checking RDB file /x/b\n--- RDB ERROR DETECTED ---\n[offset 99] RDB CRC error";
        assert_eq!(stop(base), place(Some("b"), 99, None));
        assert_eq!(stop(sound), None);
        assert_eq!(stop("AOF analyzed: filename=b, size=99, ok_up_to=0, ok_up_to_line=1, diff=99"), None);
    }

    #[test]
    fn the_file_that_a_server_names_is_the_one_that_is_checked() {
        let file = |name: &str| OnDisk { name: name.into(), bytes: 1 };
        let source = Source {
            kind: Kind::Parts,
            folder: "/".into(),
            name: "a.manifest".into(),
            files: vec![file("a.1.base.rdb"), file("a.1.incr.aof"), file("a.manifest")],
            missing: Vec::new(),
            unlisted: Vec::new(),
            doubts: Vec::new(),
        };
        let log =
            ["1:M # DB loaded", "1:M # Bad file format reading the append only file a.1.incr.aof: make a"];
        assert_eq!(blamed(&source, &log.map(String::from)), "a.1.incr.aof");
        assert_eq!(blamed(&source, &["1:M # Wrong RDB checksum".to_owned()]), "a.manifest");
    }
}
