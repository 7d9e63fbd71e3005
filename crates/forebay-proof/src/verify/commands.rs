//! Which commands of a server hold data. An append-only file is a program: a server obeys every command in it. So the one
//! that loads a file for us has no others: everything that acts on a server, its machine or other servers is taken away.

use std::collections::BTreeSet;

use redis::Value;

use super::error::Error;
use forebay::buffer::connect::Address;
use forebay::buffer::error::Error as BufferError;
use forebay_rig::server::{Conf, Server, ServerBinary};

/// Beside what writes data: what goes around that in a file. Before 7.0 a server writes SCRIPT LOAD beside what a script did: it
/// compiles it, and with EVAL away nothing runs it.
const AROUND: [&str; 4] = ["select", "multi", "exec", "script"];
/// What we ask ourselves, and does nothing where it stands in a file.
const OURS: [&str; 6] = ["auth", "hello", "info", "ping", "time", "xinfo"];
/// A server marks them, or what follows them, as writing data; and one connects to another server, one brings programs.
const NO_DATA: [&str; 2] = ["migrate", "function"];

/// The commands of a server.
pub(super) struct Commands {
    /// Those that stay.
    pub data: BTreeSet<String>,
    /// All others that it has.
    pub others: BTreeSet<String>,
}

impl Commands {
    /// Asks a server without data, which ends at once.
    pub(super) fn of(binary: &ServerBinary) -> Result<Self, Error> {
        let conf: Conf = [("save", ""), ("appendonly", "no")].into_iter().collect();
        let server = Server::start_on_socket(binary, &conf)?;
        let mut connection = Address::parse(&server.url())?.dial()?;
        let failed = |error| BufferError::server("asking for the server's commands", &error);
        let all: Vec<Value> = redis::cmd("COMMAND").query(&mut connection).map_err(failed)?;
        let mut commands = Self { data: BTreeSet::new(), others: BTreeSet::new() };
        for (name, flags) in all.iter().filter_map(command) {
            let is = |flag: &str| flags.iter().any(|known| known == flag);
            let is_data =
                (is("write") || is("readonly")) && !is("admin") && !NO_DATA.contains(&name.as_str());
            let is_needed = AROUND.contains(&name.as_str()) || OURS.contains(&name.as_str());
            if is_data || is_needed { &mut commands.data } else { &mut commands.others }.insert(name);
        }
        Ok(commands)
    }

    /// The setting that takes the others away, as `rename-command` has it: to no name.
    pub(super) fn take_away(&self) -> String {
        self.others.iter().map(|name| format!("{name} \"\"")).collect::<Vec<_>>().join(" ")
    }
}

/// Where the description of a command has those that begin with it, as XGROUP CREATE with XGROUP.
const BELOW: usize = 9;

/// Name and flags of one command, and of all that begin with it.
fn command(described: &Value) -> Option<(String, Vec<String>)> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).to_ascii_lowercase()),
        Value::SimpleString(text) => Some(text.to_ascii_lowercase()),
        Value::Okay => Some("ok".into()),
        _ => None,
    };
    let Value::Array(parts) = described else { return None };
    let list = |value: Option<&Value>| match value {
        Some(Value::Array(list) | Value::Set(list)) => list.clone(),
        _ => Vec::new(),
    };
    let below = list(parts.get(BELOW));
    let below = below.iter().filter_map(command).flat_map(|(_, flags)| flags);
    let flags = list(parts.get(2)).iter().filter_map(text).chain(below).collect();
    Some((text(parts.first()?)?, flags))
}
