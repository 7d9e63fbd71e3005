//! What to do when the server takes no writes, and how to tell.
//!
//! One policy so far: `wait`. The appender keeps its blocks, the queues behind it fill, and the source is held
//! back until there is room again. `spill`, `shed` and `trim-oldest` are to stand here beside it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why an append did not go through, by what must be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server is there and takes no writes now (full, failing disk, loading, failing over): the block is
    /// not stored. Try again later on the same connection.
    Refused(String),
    /// The connection is gone or silent: whether the block is stored is unknown. Connect again, send again.
    Unknown(String),
    /// The server forgot the script: load it again.
    NoScript,
    /// The key holds something else.
    WrongType(String),
    /// The lane's state is not what a writer writes; its place.
    Damaged(String),
    /// Nothing that waiting would mend.
    Fatal(String),
}

/// Error codes of a server that will take writes again by itself or after its operator has acted.
const PASSING: [&str; 9] =
    ["OOM", "MISCONF", "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS"];

/// Sorts an error of the client library.
pub fn trouble(error: &RedisError) -> Trouble {
    let text = error.to_string();
    if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) {
        return Trouble::NoScript;
    }
    if let (Some("DAMAGED"), Some(place)) = (error.code(), error.detail()) {
        return Trouble::Damaged(place.into());
    }
    if let Some(code) = error.code() {
        if PASSING.contains(&code) || text.contains("OOM command not allowed") {
            return Trouble::Refused(text);
        }
        return if code == "WRONGTYPE" || text.contains("WRONGTYPE") {
            Trouble::WrongType(text)
        } else {
            PASSING
                .iter()
                .find(|code| text.contains(&format!("-{code} ")))
                .map_or_else(|| Trouble::Fatal(text.clone()), |_| Trouble::Refused(text.clone()))
        };
    }
    if error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
    {
        return Trouble::Unknown(text);
    }
    Trouble::Fatal(text)
}
