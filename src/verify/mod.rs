//! What a copied AOF folder holds: which events of a buffer are there, lane by lane, and what is missing or damaged.
//!
//! Constraints: the folder is only read. Nothing is parsed a second time: a server reads the AOF, the [`Reader`] and
//! [`Decoder`] that every reader uses check what is in it, and `redis-check-aof` says where a file stops being sound.
//!
//! Operation: [`find`] what is there, copy it into a folder of our own, load it into a server of our own, walk through
//! the lanes there.
//!
//! An AOF cannot tell of what it never held: a block that was acknowledged and not yet on the disk leaves no gap, since
//! its number and the writer's hash went with it.
//!
//! [`Reader`]: crate::buffer::reader::Reader
//! [`Decoder`]: crate::block::frame::Decoder

use std::path::{Path, PathBuf};

use redis::Connection;
use serde::Serialize;

use crate::buffer::connect::Address;
use crate::buffer::error::Error as BufferError;
use crate::buffer::keys::{ALL_KEYS, Name};
use crate::proof::progress::Progress;
use crate::server::{Scratch, ServerBinary, ServerError};

mod copy;
pub mod find;
pub mod lane;
pub mod load;
mod walk;

use find::Source;
use lane::Account;
use load::{Cut, Loaded, Refusal};

/// The folder in ours that the parts of an AOF are copied to.
const PARTS: &str = "parts";
/// Buffers that are listed where the one asked for is not there.
const BUFFERS_MAX: usize = 100;
/// Keys that one step of the search for them looks at.
const SCAN_COUNT: u64 = 1_000;

/// What can go wrong before there is anything to say about a folder's contents.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be read, or one of ours cannot be written.
    #[error("{}: {source}; --aof names a folder, and this user must be able to read it", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing in the folder is an AOF or a snapshot.
    #[error(
        "{} holds no AOF: no manifest, no .aof and no .rdb file, here or (manifests) one folder further down{}; name an \
         appendonlydir, a server's dir, or a folder with an appendonly.aof",
        folder.display(), files(seen)
    )]
    NoAof {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        seen: Vec<String>,
    },
    /// More than one thing that could be meant.
    #[error("{} holds several AOFs or snapshots{}; put the one that is meant into a folder of its own", folder.display(), files(seen))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        seen: Vec<String>,
    },
    /// Parts without the file that says how they go together.
    #[error(
        "{} holds parts of an AOF and no manifest, so no server loads it{}; bring appendonly.aof.manifest from where the \
         folder was copied, or write it in a copy: a line `file <name> seq <number> type <b for base, i for incr>` each, \
         the base first, then by number",
        folder.display(), files(seen)
    )]
    NoManifest {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        seen: Vec<String>,
    },
    /// The temporary folder is too small.
    #[error(
        "{} has {free} bytes free and {needed} are needed for a copy, since nothing is written to the folder itself; \
         make room, or set TMPDIR to a folder with more",
        at.display()
    )]
    Room {
        /// Bytes of the copy and what a server needs beside it.
        needed: u64,
        /// Bytes there are.
        free: u64,
        /// The temporary folder.
        at: PathBuf,
    },
    /// A file could not be copied.
    #[error("cannot copy {} to {}: {source}", file.display(), to.display())]
    Copy {
        /// The file.
        file: PathBuf,
        /// Its copy.
        to: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server binary does not know AOFs in parts.
    #[error(
        "{manifest} is the manifest of an AOF in parts, which Redis has since 7.0, and {} is {version}: it would start \
         empty. Name a newer redis-server or a valkey-server with --server-bin",
        path.display()
    )]
    TooOld {
        /// The binary.
        path: PathBuf,
        /// Its version.
        version: String,
        /// The manifest.
        manifest: String,
    },
    /// The server could not be started, for a reason that is not in the data.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The loaded data could not be read.
    #[error(transparent)]
    Buffer(#[from] BufferError),
    /// No memory for a decoder.
    #[error("cannot make a decoder: {0}")]
    Decoder(std::io::Error),
}

/// What is in a folder, as the end of a message.
fn files(seen: &[String]) -> String {
    const SHOWN: usize = 10;
    let rest = seen.len().saturating_sub(SHOWN);
    let names = seen.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (seen.is_empty(), rest) {
        (true, _) => " (it holds no files)".into(),
        (false, 0) => format!(" ({names})"),
        (false, rest) => format!(" ({names} and {rest} more)"),
    }
}

/// What to look for, and where.
pub struct Question<'a> {
    /// The copied folder.
    pub folder: &'a Path,
    /// The buffer.
    pub buffer: &'a Name,
    /// Its database.
    pub database: u64,
    /// What loads the AOF.
    pub binary: &'a ServerBinary,
    /// Who listens.
    pub progress: &'a dyn Progress,
}

/// In a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Every block is there and sound, and so are the files.
    Sound,
    /// Something is missing or damaged.
    Faulty,
    /// The server loaded the folder, and the buffer is not in it.
    NoBuffer,
    /// The server does not load the folder.
    Refused,
}

/// Everything that verifying a folder came to; `--json` is this type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Version of this shape. Fields may be added under the same number, never changed.
    pub schema: u32,
    /// In a word.
    pub state: State,
    /// The buffer asked for.
    pub buffer: String,
    /// Its database.
    pub database: u64,
    /// The server that was asked to load it: `Redis` or `Valkey`, and its version.
    pub server: String,
    /// What was found in the folder.
    pub source: Source,
    /// Files that changed while they were copied.
    pub changed: Vec<String>,
    /// Why the server did not load it.
    pub refused: Option<Refusal>,
    /// What the server left out of the last file.
    pub cut: Option<Cut>,
    /// Events in sound blocks.
    pub events: u64,
    /// Sound blocks.
    pub blocks: u64,
    /// Every lane of the buffer.
    pub lanes: Vec<Account>,
    /// Where the buffer is not there: those that are.
    pub buffers: Vec<Other>,
}

/// Another buffer than the one asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Other {
    /// Its database.
    pub database: u64,
    /// Its name.
    pub buffer: String,
}

impl Outcome {
    fn of(question: &Question<'_>, source: Source) -> Self {
        Self {
            schema: 1,
            state: State::Refused,
            buffer: question.buffer.to_string(),
            database: question.database,
            server: format!("{} {}", question.binary.kind, question.binary.version),
            source,
            changed: Vec::new(),
            refused: None,
            cut: None,
            events: 0,
            blocks: 0,
            lanes: Vec::new(),
            buffers: Vec::new(),
        }
    }
}

/// Says what a folder holds.
pub fn verify(question: &Question<'_>) -> Result<Outcome, Error> {
    let mut outcome = Outcome::of(question, find::find(question.folder)?);
    let scratch = Scratch::new()?;
    let folder = copy::copy(&outcome.source, scratch.path(), question.progress)?;
    outcome.changed = copy::changed(&outcome.source)?;
    question.progress.begin(&format!("loading into {}", outcome.server), 1);
    let server = match load::load(question.binary, &outcome.source, &scratch, &folder)? {
        Loaded::Up(server, cut) => {
            outcome.cut = cut;
            server
        }
        Loaded::Refused(refusal) => {
            outcome.refused = Some(refusal);
            return Ok(outcome);
        }
    };
    let address = Address::parse(&format!("{}/{}", server.url(), question.database))?;
    let (mut connection, facts) = address.connect()?;
    if is_there(&mut connection, question.buffer)? {
        outcome.lanes = walk::walk(&address, question.buffer, question.progress)?;
    } else {
        let databases: Vec<u64> = facts.databases().map(|(database, _)| database).collect();
        outcome.buffers = buffers(&server.url(), databases)?;
    }
    conclude(&mut outcome);
    Ok(outcome)
}

/// Sums and the word.
fn conclude(outcome: &mut Outcome) {
    outcome.events = outcome.lanes.iter().map(|lane| lane.events).sum();
    outcome.blocks = outcome.lanes.iter().map(|lane| lane.blocks).sum();
    let is_sound = outcome.cut.is_none() && outcome.lanes.iter().all(Account::is_sound);
    outcome.state = match (outcome.lanes.is_empty(), is_sound) {
        (true, _) => State::NoBuffer,
        (false, true) => State::Sound,
        (false, false) => State::Faulty,
    };
}

fn is_there(connection: &mut Connection, name: &Name) -> Result<bool, BufferError> {
    let count: Result<u64, _> = redis::cmd("EXISTS").arg(name.keys()).query(connection);
    Ok(count.map_err(|error| BufferError::server(format!("looking for buffer {name}"), &error))? > 0)
}

/// Every buffer on the server, by database and name.
fn buffers(url: &str, databases: Vec<u64>) -> Result<Vec<Other>, BufferError> {
    let mut found = std::collections::BTreeSet::new();
    for database in databases {
        let mut connection = Address::parse(&format!("{url}/{database}"))?.connect()?.0;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(ALL_KEYS).arg("COUNT").arg(SCAN_COUNT);
            let (next, keys): (u64, Vec<Vec<u8>>) = scan
                .query(&mut connection)
                .map_err(|error| BufferError::server("looking for buffers", &error))?;
            let names = keys.iter().filter_map(|key| Name::of_key(std::str::from_utf8(key).ok()?));
            found.extend(names.map(|name| Other { database, buffer: name.to_string() }));
            cursor = next;
            if cursor == 0 || found.len() >= BUFFERS_MAX {
                break;
            }
        }
    }
    Ok(found.into_iter().take(BUFFERS_MAX).collect())
}
