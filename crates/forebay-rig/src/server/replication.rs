//! What servers that replicate are asked and told, whoever looks after their failovers.

use std::time::Duration;

use redis::{Cmd, Connection, FromRedisValue, RedisResult, cmd};

use super::wait::poll;
use super::{Server, ServerError, private_address};

/// How long a set may take to be whole, to be in step, or to fail over.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// How long one question may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);

/// A password that the servers of a set share.
pub(super) fn password() -> Result<String, ServerError> {
    private_address::password().map_err(|source| ServerError::Folder {
        doing: "read",
        path: "/dev/urandom".into(),
        source,
    })
}

/// A connection that waits for no answer for long.
pub(super) fn connect(url: &str) -> RedisResult<Connection> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(QUESTION_LIMIT)?;
    connection.set_read_timeout(Some(QUESTION_LIMIT))?;
    Ok(connection)
}

/// Asks a server once, over a connection of its own.
pub(super) fn ask<T: FromRedisValue>(server: &Server, command: &Cmd) -> RedisResult<T> {
    command.query(&mut connect(&server.url())?)
}

/// Tells a server something until it takes it. An error is what it said last.
pub(super) fn tell(server: &Server, command: &Cmd) -> Result<(), String> {
    let mut said = String::new();
    let told = || ask::<()>(server, command).map_err(|error| said = error.to_string()).ok();
    poll(LIMIT, told).ok_or(said)
}

/// Cuts a master off from its replicas, sharply: what it takes from here on none of them has. A replica that is only paused
/// still has what stands in its socket.
pub(super) fn cut(master: &Server) -> Result<(), String> {
    tell(master, cmd("ACL").arg(&["SETUSER", "default", "-psync", "-sync"]))?;
    tell(master, cmd("CLIENT").arg(&["KILL", "TYPE", "replica"]))
}

/// Takes it back: replicas may come again. By PSYNC alone: a replica that was refused it tries SYNC next, and with that it would
/// never say how far it is.
pub(super) fn uncut(master: &Server) -> Result<(), String> {
    tell(master, cmd("ACL").arg(&["SETUSER", "default", "+psync"]))
}

/// What a master had when it was first asked. What it has later, as the messages of its clients, is not waited for: there is
/// always some of it.
#[derive(Debug, Default)]
pub(super) struct SyncGoal {
    first: Option<(usize, u64)>,
    seen: Vec<String>,
}

impl SyncGoal {
    /// Whether so many replicas of the master have it. Another master than the last time is a goal of its own.
    pub(super) fn is_reached(&mut self, index: usize, master: &Server, replicas: usize) -> bool {
        let Ok(info) = ask::<String>(master, cmd("INFO").arg("replication")) else { return false };
        let own = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:")?.parse::<u64>().ok());
        let Some(own) = own else { return false };
        let upto = match self.first {
            Some((of, upto)) if of == index => upto,
            _ => own,
        };
        self.first = Some((index, upto));
        let has_it = |line: &&str| {
            let offset = line.split(',').find_map(|part| part.strip_prefix("offset=")?.parse::<u64>().ok());
            line.starts_with("slave") && line.contains("state=online") && offset >= Some(upto)
        };
        self.seen = info.lines().filter(|line| line.starts_with("slave")).map(str::to_owned).collect();
        info.lines().filter(has_it).count() == replicas
    }

    /// What is missing, for an error.
    pub(super) fn missing(&self) -> String {
        match self.first {
            Some((master, upto)) => {
                format!("its replicas lack what server {master} had up to {upto}: {:?}", self.seen)
            }
            None => "its replicas are not in step: there is no master".into(),
        }
    }
}
