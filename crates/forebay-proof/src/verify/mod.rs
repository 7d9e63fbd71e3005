//! What a copied AOF folder holds: which events of a buffer are there, lane by lane, and what is missing or damaged.
//!
//! Constraints: the folder is only read, and no link in it is followed. An append-only file is a program, so nothing in it is
//! obeyed but data: [`log`] reads its commands first, and the server that loads it has no others. What the data are is not
//! parsed a second time: a server reads them, and the [`Reader`] and [`Decoder`] that every reader uses check them. Figures
//! are of the user's files, never of a copy that a server may have cut.
//!
//! Operation: find what is there, copy what a server loads into a folder of our own, read its commands, load it into a
//! server of our own, walk through the lanes there.
//!
//! An AOF cannot tell of what it never held: a block that was acknowledged and not yet on the disk leaves no gap, since
//! its number and the writer's hash went with it.
//!
//! [`Reader`]: forebay::buffer::reader::Reader
//! [`Decoder`]: forebay::block::decode::Decoder

use std::path::Path;

use forebay::buffer::connection::Connection;
use serde::Serialize;

use crate::progress::Progress;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error as BufferError;
use forebay::buffer::keys::{ALL_KEYS, Name};
use forebay_rig::server::{Scratch, Server, ServerBinary};

mod commands;
mod copy;
mod error;
mod find;
mod folder;
pub mod lane;
mod lane_check;
mod listing;
pub mod load;
pub mod log;
mod manifest;
pub mod rdb;
pub mod source;

use commands::Commands;
pub use error::Error;
use lane::LaneReport;
use load::{Cut, Loaded, Refusal};
use log::{Emptied, Log, Wanted};
use rdb::Head;
use source::{DataLayout, Source};

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
    /// The folder asked about.
    #[serde(serialize_with = "source::shown")]
    pub asked: std::path::PathBuf,
    /// What was found in the folder.
    pub source: Source,
    /// Files that changed while they were copied.
    pub changed: Vec<String>,
    /// Why the server did not load it.
    pub refused: Option<Refusal>,
    /// The end of a file that is not whole: the server has left it out, or would write on in the middle of a line.
    pub cut: Option<Cut>,
    /// What was read of each file's commands, in the order in which a server loads them.
    pub logs: Vec<Log>,
    /// Events in sound blocks.
    pub events: u64,
    /// Sound blocks.
    pub blocks: u64,
    /// Every lane of the buffer.
    pub lanes: Vec<LaneReport>,
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
            asked: question.folder.to_owned(),
            source,
            changed: Vec::new(),
            refused: None,
            cut: None,
            logs: Vec::new(),
            events: 0,
            blocks: 0,
            lanes: Vec::new(),
            buffers: Vec::new(),
        }
    }

    /// The last command that takes the buffer away, and its file.
    pub fn emptied(&self) -> Option<(&Log, &Emptied)> {
        self.logs.iter().rev().find_map(|log| Some((log, log.emptied.as_ref()?)))
    }
}

/// Says what a folder holds.
pub fn verify(question: &Question<'_>) -> Result<Outcome, Error> {
    let (source, folder) = find::find(question.folder)?;
    let mut outcome = Outcome::of(question, source);
    load::is_for(question.binary, &outcome.source)?;
    let scratch = Scratch::new()?;
    let copied = copy::copy(&outcome.source, &folder, scratch.path(), question.progress)?;
    outcome.changed = copy::changed(&outcome.source, &folder);
    question.progress.begin(&format!("loading into {}", outcome.server), 1);
    let commands = Commands::of(question.binary)?;
    outcome.logs = logs(&outcome.source, &copied, &commands, question)?;
    outcome.refused = load::programs(&outcome.logs, &commands);
    if outcome.refused.is_some() {
        return Ok(outcome);
    }
    let server =
        match load::load(question.binary, &outcome.source, &scratch, (&copied, &outcome.logs), &commands)? {
            Loaded::Up(server, cut) => {
                outcome.cut = cut;
                server
            }
            Loaded::Refused(refusal) => {
                outcome.refused = Some(refusal);
                return Ok(outcome);
            }
        };
    let address = Address::parse(&server.url_of(question.database))?;
    let (mut connection, facts) = address.connect()?;
    if is_there(&mut connection, question.buffer)? {
        outcome.lanes = lane_check::check_lanes(&address, question.buffer, question.progress)?;
    } else {
        let databases: Vec<u64> = facts.databases().map(|(database, _)| database).collect();
        outcome.buffers = buffers(&server, databases)?;
    }
    conclude(&mut outcome);
    Ok(outcome)
}

/// What stands in each file that has commands, read from the copy before a server has it.
fn logs(
    source: &Source,
    copied: &Path,
    commands: &Commands,
    question: &Question<'_>,
) -> Result<Vec<Log>, Error> {
    // Whatever its lanes are: that is known only once a server has the data.
    let buffer = |word: &[u8]| Name::of_key(std::str::from_utf8(word).ok()?);
    let is_key =
        |word: &[u8]| buffer(word).is_some_and(|name| name.to_string() == question.buffer.to_string());
    let wanted = Wanted { data: &commands.data, is_key: &is_key, database: question.database };
    let mut logs = Vec::new();
    if source.kind == DataLayout::Snapshot {
        return Ok(logs);
    }
    for file in source.loaded() {
        let path = copied.join(&file.name);
        let failed = |why| Error::Folder { path: path.clone(), why };
        let mut open = std::fs::File::open(&path).map_err(failed)?;
        let begins = match Head::read(&mut open).map_err(failed)? {
            None => Some(0),
            // Of a snapshot that is damaged the end is unknown, and a server goes no further.
            Some(_) => rdb::end(&mut open).map_err(failed)?,
        };
        if let Some(begins) = begins.filter(|begins| *begins < file.bytes || *begins == 0) {
            logs.push(log::scan(&mut open, &file.name, begins, &wanted).map_err(failed)?);
        }
    }
    Ok(logs)
}

/// Sums and the word.
fn conclude(outcome: &mut Outcome) {
    outcome.events = outcome.lanes.iter().map(|lane| lane.events).sum();
    outcome.blocks = outcome.lanes.iter().map(|lane| lane.blocks).sum();
    let is_whole = outcome.cut.is_none() && outcome.source.doubts.is_empty();
    let is_sound = is_whole && outcome.lanes.iter().all(LaneReport::is_sound);
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
fn buffers(server: &Server, databases: Vec<u64>) -> Result<Vec<Other>, BufferError> {
    let mut found = std::collections::BTreeSet::new();
    for database in databases {
        let mut connection = Address::parse(&server.url_of(database))?.connect()?.0;
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
