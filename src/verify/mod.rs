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

use std::path::Path;

use crate::buffer::link::Connection;
use serde::Serialize;

use crate::buffer::connect::Address;
use crate::buffer::error::Error as BufferError;
use crate::buffer::keys::{ALL_KEYS, Name};
use crate::proof::progress::Progress;
use crate::server::{Scratch, ServerBinary};

mod copy;
mod error;
pub mod find;
pub mod lane;
pub mod load;
mod walk;

pub use error::Error;
use find::Source;
use lane::Account;
use load::{Cut, Loaded, Refusal};

/// The folder in ours that the parts of an AOF are copied to.
const PARTS: &str = "parts";
/// Buffers that are listed where the one asked for is not there.
const BUFFERS_MAX: usize = 100;
/// Keys that one step of the search for them looks at.
const SCAN_COUNT: u64 = 1_000;

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
    let is_whole = outcome.cut.is_none() && outcome.source.doubts.is_empty();
    let is_sound = is_whole && outcome.lanes.iter().all(Account::is_sound);
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
