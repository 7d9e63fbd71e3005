//! A server of our own on the copy: whether it loads it, and what it says where it does not, or not all of it.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde::Serialize;

use super::commands::Commands;
use super::copy::PARTS;
use super::error::Error;
use super::log::{Foreign, Log, Why};
use super::source::{DataLayout, Source};
use forebay::buffer::secret;
use forebay_rig::server::ServerKind as Family;
use forebay_rig::server::{Conf, Scratch, Server, ServerBinary, ServerError, Version};

/// The first Redis that has AOFs in parts. An older one takes such a folder for none and starts empty.
const PARTS_SINCE: Version = Version::new(7, 0, 0);
/// As many databases as an AOF may reasonably select.
const DATABASES: &str = "1024";
/// Lines of the server's log that say what it did not take.
const LOG_LINES: usize = 15;

/// The end of a file that is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// The first byte that is not whole: of a transaction without its end, that of its beginning.
    pub offset: u64,
    /// How many bytes there are from there on.
    pub bytes: u64,
    /// Why it is not.
    pub why: Why,
}

/// A place in a file. Of commands it is read from the file itself, of a base in RDB format from `redis-check-aof`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The file.
    pub file: Option<String>,
    /// Of commands the first byte that is not sound. Of a base in RDB format where the fault was noticed, which for a
    /// wrong checksum is the end.
    pub offset: u64,
    /// Bytes from there to the end; none of a base in RDB format.
    pub rest: Option<u64>,
    /// Why commands are not whole.
    pub why: Option<Why>,
}

/// A command that is no data, and its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    /// The file.
    pub file: String,
    /// What stands there.
    #[serde(flatten)]
    pub command: Foreign,
    /// Whether the server has such a command: then it would act, and is no data. Else it may be one of a module, or of a
    /// newer server.
    pub is_known: bool,
}

/// Why the server did not load the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// How the server ended; `not started` where a file holds commands that are no data.
    pub ended: String,
    /// The last lines of its log.
    pub log: Vec<String>,
    /// Where the file stops being sound.
    pub stop: Option<Stop>,
    /// Commands that are no data, for which no server was started.
    pub programs: Vec<Program>,
}

/// What became of the copy.
pub(super) enum Loaded {
    /// It was loaded, all of it or up to a place.
    Up(Box<Server>, Option<Cut>),
    /// It was not.
    Refused(Refusal),
}

/// Whether this server knows such an AOF.
pub(super) fn is_for(binary: &ServerBinary, source: &Source) -> Result<(), Error> {
    if source.kind == DataLayout::Parts && binary.kind == Family::Redis && binary.version < PARTS_SINCE {
        let (path, version) = (binary.path.clone(), binary.version.to_string());
        return Err(Error::TooOld { path, version, manifest: source.name.clone() });
    }
    Ok(())
}

/// Why no server is started at all: a file has commands that are no data.
pub(super) fn programs(logs: &[Log], commands: &Commands) -> Option<Refusal> {
    let of = |log: &Log| -> Vec<Program> {
        let program = |command: &Foreign| {
            let name = command.command.split(' ').next().unwrap_or_default().to_ascii_lowercase();
            let is_known = commands.others.contains(&name);
            Program { file: log.file.clone(), command: command.clone(), is_known }
        };
        log.foreign.iter().map(program).collect()
    };
    let programs: Vec<Program> = logs.iter().flat_map(of).collect();
    if programs.is_empty() {
        return None;
    }
    Some(Refusal { ended: "not started".into(), log: Vec::new(), stop: None, programs })
}

/// Starts a server on a copy in `scratch`; the files are in `folder`, and what was read of them in `logs`.
pub(super) fn load(
    binary: &ServerBinary,
    source: &Source,
    scratch: &Scratch,
    (folder, logs): (&Path, &[Log]),
    commands: &Commands,
) -> Result<Loaded, Error> {
    match Server::start_on_socket(binary, &conf(source, scratch.path(), commands)) {
        Ok(server) => {
            let cut = logs.iter().rev().find(|log| log.is_cut()).and_then(of_log);
            let cut = cut.or_else(|| cut_by_server(source, &server.log_tail(usize::MAX)));
            Ok(Loaded::Up(Box::new(server), cut))
        }
        // Settings that it does not know are no fault of the data.
        Err(ServerError::ExitedEarly { status, log, .. }) if !log.contains("FATAL CONFIG FILE ERROR") => {
            refusal(binary, source, scratch, (folder, logs), (status, &log)).map(Loaded::Refused)
        }
        Err(error) => Err(error.into()),
    }
}

fn of_log(log: &Log) -> Option<Cut> {
    let stop = log.stop?;
    Some(Cut { file: log.file.clone(), offset: stop.offset, bytes: log.rest(), why: stop.why })
}

/// Why a server that ended so did not load the files.
fn refusal(
    binary: &ServerBinary,
    source: &Source,
    scratch: &Scratch,
    (folder, logs): (&Path, &[Log]),
    (status, log): (ExitStatus, &str),
) -> Result<Refusal, Error> {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let log: Vec<String> =
        lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(|line| secret::text(line)).collect();
    // By now the server may have cut its copy: where commands stop being whole was read before.
    let read =
        logs.iter().find(|log| log.stop.is_some_and(|stop| stop.why != Why::TimeStamp)).and_then(of_log);
    let stop = match (read, source.kind) {
        (Some(Cut { file, offset, bytes, why }), _) => {
            Some(Stop { file: Some(file), offset, rest: Some(bytes), why: Some(why) })
        }
        (None, DataLayout::Snapshot) => None,
        (None, DataLayout::Parts | DataLayout::Single) => {
            let name = blamed(source, &log);
            let said = scratch.check_aof(binary, &is_now(folder, name))?;
            let stop = said.and_then(|said| stop(&said));
            stop.map(|stop| Stop { file: stop.file.or_else(|| Some(name.to_owned())), ..stop })
        }
    };
    Ok(Refusal { ended: status.to_string(), log, stop, programs: Vec::new() })
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

/// Settings with which a server loads the files as they are and leaves them so, and obeys nothing in them but data.
fn conf(source: &Source, dir: &Path, commands: &Commands) -> Conf {
    let mut conf = Conf::new();
    conf.set("rename-command", commands.take_away());
    conf.set("dir", dir.to_string_lossy()).set("save", "").set("databases", DATABASES);
    conf.set("maxmemory", "0").set("maxmemory-policy", "noeviction");
    conf.set("auto-aof-rewrite-percentage", "0").set("aof-load-truncated", "yes");
    match source.kind {
        DataLayout::Parts => {
            let name = source.name.strip_suffix(".manifest").unwrap_or(&source.name);
            conf.set("appendonly", "yes").set("appenddirname", PARTS).set("appendfilename", name);
        }
        DataLayout::Single => {
            conf.set("appendonly", "yes").set("appendfilename", source.name.as_str());
        }
        DataLayout::Snapshot => {
            conf.set("appendonly", "no").set("dbfilename", source.name.as_str());
        }
    }
    conf
}

/// What the log says of a file that was cut: `!!! Truncating the AOF <file> at offset <number> !!!`, before Redis 7
/// without the file.
fn cut_by_server(source: &Source, log: &str) -> Option<Cut> {
    let said = log.lines().find_map(|line| line.split_once("Truncating the AOF")).map(|(_, said)| said)?;
    let (file, offset) = said.rsplit_once("at offset ")?;
    let offset: u64 = offset.split(' ').next()?.parse().ok()?;
    let file = if file.trim().is_empty() { source.name.as_str() } else { file.trim() };
    let bytes = source.files.iter().find(|seen| seen.name == file).map_or(0, |seen| seen.bytes);
    Some(Cut { file: file.to_owned(), offset, bytes: bytes.saturating_sub(offset), why: Why::Command })
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
            return Some(Stop { file, offset, rest: None, why: None });
        }
        let Some((_, figures)) = line.split_once("AOF analyzed: ") else { continue };
        let figure =
            |name: &str| figures.split(", ").find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| figure(name).and_then(|text| text.parse::<u64>().ok());
        // That nothing is sound is no place: such a checker may not know the format of the file.
        if let (Some(offset @ 1..), Some(rest @ 1..)) = (number("ok_up_to"), number("diff")) {
            return Some(Stop {
                file: figure("filename").map(file_name),
                offset,
                rest: Some(rest),
                why: None,
            });
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
    use super::*;

    #[test]
    fn a_cut_is_read_from_the_logs_of_redis_6_and_7() {
        let source = Source::for_test(DataLayout::Single, "a.aof", &[("a.aof", 155)]);
        let expected = Some(Cut { file: "a.aof".into(), offset: 111, bytes: 44, why: Why::Command });
        for said in ["AOF at", "AOF a.aof at"] {
            let log =
                format!("1:M # short read\n1:M # !!! Truncating the {said} offset 111 !!!\n1:M # loaded");
            assert_eq!(cut_by_server(&source, &log), expected);
        }
        assert_eq!(cut_by_server(&source, "1:M * Ready to accept connections"), None);
    }

    #[test]
    fn the_first_place_that_is_not_sound_is_read_from_the_checker() {
        let sound = "AOF analyzed: filename=/x/b, size=99, ok_up_to=99, ok_up_to_line=1, diff=0\n";
        let bad = "AOF analyzed: filename=/x/i, size=155, ok_up_to=115, ok_up_to_line=20, diff=40\n";
        let place = |file: Option<&str>, offset, rest| {
            Some(Stop { file: file.map(Into::into), offset, rest, why: None })
        };
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
        let files = [("a.1.base.rdb", 1), ("a.1.incr.aof", 1), ("a.manifest", 1)];
        let source = Source::for_test(DataLayout::Parts, "a.manifest", &files);
        let log =
            ["1:M # DB loaded", "1:M # Bad file format reading the append only file a.1.incr.aof: make a"];
        assert_eq!(blamed(&source, &log.map(String::from)), "a.1.incr.aof");
        assert_eq!(blamed(&source, &["1:M # Wrong RDB checksum".to_owned()]), "a.manifest");
    }
}
