//! The way back of somebody's server, on disk: what it had before a run changed it, and whose keys the run writes.
//!
//! Written and fsynced before the first change, so that a run that is killed can be undone by the next. Each is a file of its
//! own in `forebay/undo` under the user's state folder (`XDG_STATE_HOME`, else ~/.local/state): mode 0600, in a folder of mode
//! 0700, without secrets. A run holds a lock on its file, which the kernel gives back however the run ends: a file that nobody
//! holds was left by a run that was killed.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};

use super::durability;
use super::target::{facts_of, set, setting};
use crate::report::units::counted;
use forebay::buffer::connect::Address;
use forebay::buffer::keys::{ALL_KEYS, Name, PROOF_KEYS};
use forebay_rig::server::quoted;

/// Settings by name, as CONFIG GET shows them.
pub type Settings = BTreeMap<String, String>;

/// Shape of a file.
const SCHEMA: u32 = 1;
/// A file that is larger is none of ours.
const BYTES_MAX: u64 = 1 << 20;
/// Files that are looked at.
const FILES_MAX: usize = 1_000;
/// Steps of a walk through a server's keys, of a thousand keys each.
const SCANS_MAX: usize = 100;
/// Keys that are named: more than those of three buffers.
const KEYS_MAX: usize = 48;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    schema: u32,
    /// The server, without its password.
    server: String,
    /// What the server calls this start of it, where it tells.
    run_id: String,
    /// When it was written.
    at: String,
    /// The buffers that the run writes.
    buffers: Vec<String>,
    /// What the settings were that the run changes.
    before: Settings,
}

/// A way back on disk. It stays there until [`Undo::done`], whatever becomes of this program.
#[derive(Debug)]
pub struct Undo {
    path: PathBuf,
    _lock: File,
}

impl Undo {
    /// Writes what a run is about to change on a server, to the disk.
    pub fn write(address: &Address, buffers: &[Name], before: &Settings) -> anyhow::Result<Self> {
        let folder = folder()?;
        let doing =
            || format!("writing the way back to {}, without which nothing is changed", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(doing)?;
        let record = Record {
            schema: SCHEMA,
            server: address.to_string(),
            run_id: run_id(address)?,
            at: jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            buffers: buffers.iter().map(ToString::to_string).collect(),
            before: before.clone(),
        };
        let text = serde_json::to_string_pretty(&record).with_context(doing)?;
        // Named last: nobody finds it before it is whole and locked.
        let mut file =
            tempfile::Builder::new().prefix("forebay-").tempfile_in(&folder).with_context(doing)?;
        flock(file.as_file(), FlockOperation::NonBlockingLockExclusive).with_context(doing)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).with_context(doing)?;
        let path = file.path().with_extension("json");
        let lock = file.persist_noclobber(&path).map_err(|error| error.error).with_context(doing)?;
        File::open(&folder).and_then(|folder| folder.sync_all()).with_context(doing)?;
        Ok(Self { path, _lock: lock })
    }

    /// Everything is as it was: nobody needs it any more.
    pub fn done(self) {
        remove(&self.path);
    }
}

/// Where the files are.
pub fn folder() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    let state = state.context(
        "there is no place for the way back, without which nothing is changed on somebody's server: HOME is not set, and \
         XDG_STATE_HOME is not either",
    )?;
    Ok(state.join("forebay/undo"))
}

/// What a killed run has left on a server.
#[derive(Debug)]
pub struct Left {
    path: PathBuf,
    _lock: File,
    record: Record,
    /// Settings that are not what they were: what they are.
    changed: Settings,
    /// Keys of the run that are still there.
    keys: Vec<String>,
}

/// What killed runs have left on a server, as far as it is still there; the files of all else are removed.
pub fn left(address: &Address) -> anyhow::Result<Vec<Left>> {
    let Ok(entries) = std::fs::read_dir(folder()?) else { return Ok(Vec::new()) };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let ours = paths.filter(|path| path.extension().is_some_and(|end| end == "json")).take(FILES_MAX);
    let (server, run) = (address.to_string(), run_id(address)?);
    let is_it = |record: &Record| record.server == server || !run.is_empty() && record.run_id == run;
    let mut found = Vec::new();
    for path in ours {
        let Some((lock, record)) = unheld(&path).filter(|(_, record)| is_it(record)) else { continue };
        let left = Left::of(address, path, lock, record)?;
        if left.changed.is_empty() && left.keys.is_empty() {
            remove(&left.path);
        } else {
            found.push(left);
        }
    }
    found.sort_by(|one, other| one.record.at.cmp(&other.record.at));
    Ok(found)
}

/// Keys of proofs on a server, of whichever machine's: as far as a bounded walk finds them, and at most so many as are shown.
pub fn proof_keys(address: &Address) -> anyhow::Result<Vec<String>> {
    let (mut connection, mut cursor, mut found) = (address.dial()?, 0_u64, Vec::new());
    // Whoever else writes such keys shall not write to a terminal by their names.
    let is_plain =
        |key: &String| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:{}-".contains(&byte));
    let is_proofs = |key: &String| PROOF_KEYS.iter().any(|begin| key.starts_with(begin));
    for _ in 0..SCANS_MAX {
        let (next, keys): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg(&["MATCH", ALL_KEYS, "COUNT", "1000"])
            .query(&mut connection)?;
        let keys = keys.into_iter().filter_map(|key| String::from_utf8(key).ok());
        found.extend(keys.filter(is_proofs).filter(is_plain));
        cursor = next;
        if cursor == 0 || found.len() >= KEYS_MAX {
            break;
        }
    }
    found.sort();
    found.dedup();
    found.truncate(KEYS_MAX);
    Ok(found)
}

/// A file that no run holds, and what it says.
fn unheld(path: &Path) -> Option<(File, Record)> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    let mut text = String::new();
    (&file).take(BYTES_MAX).read_to_string(&mut text).ok()?;
    let record: Record = serde_json::from_str(&text).ok()?;
    (record.schema == SCHEMA).then_some((file, record))
}

impl Left {
    fn of(address: &Address, path: PathBuf, lock: File, record: Record) -> anyhow::Result<Self> {
        let mut connection = address.dial()?;
        let mut changed = Settings::new();
        for (name, before) in &record.before {
            let now = setting(&mut connection, name)
                .with_context(|| format!("{address} does not let CONFIG GET read {name}"))?;
            if now != *before {
                changed.insert(name.clone(), now);
            }
        }
        let mut keys = Vec::new();
        for name in record.buffers.iter().filter_map(|name| name.parse::<Name>().ok()) {
            for name in durability::buffers(&name)?.iter().chain([&name]) {
                for key in name.keys() {
                    if redis::cmd("EXISTS").arg(&key).query::<bool>(&mut connection)? {
                        keys.push(key);
                    }
                }
            }
        }
        Ok(Self { path, _lock: lock, record, changed, keys })
    }

    /// Whether settings are not what they were.
    pub fn has_settings(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What it is, in words.
    pub fn words(&self) -> String {
        let of = |name: &String, now: &String| {
            let before = self.record.before.get(name).map_or(String::new(), |before| quoted(before));
            format!("{name} is {} and was {before}", quoted(now))
        };
        let mut parts: Vec<String> = self.changed.iter().map(|(name, now)| of(name, now)).collect();
        if !self.keys.is_empty() {
            let keys = counted(self.keys.len() as u64, "key", "keys");
            parts.push(format!("{keys} of {}", self.record.buffers.join(", ")));
        }
        format!(
            "a run of {} was killed and left: {} ({})",
            self.record.at,
            parts.join(", "),
            self.path.display()
        )
    }

    /// Sets back what is not as it was, and removes the run's keys; what was done, a line each.
    pub fn restore(self, address: &Address) -> anyhow::Result<Vec<String>> {
        let mut connection = address.dial()?;
        let mut done = Vec::new();
        for (name, now) in &self.changed {
            let before = self.record.before.get(name).map_or("", String::as_str);
            set(&mut connection, name, before)?;
            done.push(format!("{name} {} (was {})", quoted(before), quoted(now)));
        }
        if !self.keys.is_empty() {
            redis::cmd("UNLINK").arg(&self.keys).exec(&mut connection)?;
            done.extend(self.keys.iter().map(|key| format!("removed {key}")));
        }
        remove(&self.path);
        Ok(done)
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!("{} could not be removed: {error}", path.display());
    }
}

/// What a server calls this start of it; nothing where it does not tell. One that does not answer is an error.
fn run_id(address: &Address) -> anyhow::Result<String> {
    let mut connection = address.dial()?;
    match facts_of(&mut connection, &["server"]) {
        Ok(facts) => Ok(facts.get("run_id").unwrap_or_default().to_owned()),
        Err(_) if connection.is_in_step() => Ok(String::new()),
        Err(error) => Err(anyhow::Error::from(error).context(format!("asking {address} who it is"))),
    }
}
