//! Why a server did not do what it was asked, sorted by what must be done about it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why an append did not go through, by what must be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server is there and takes no writes now (full, failing disk, loading, failing over): the block is
    /// not stored. Try again later on the same connection.
    Refused(String),
    /// The same because its memory is at the limit: making room helps.
    Full(String),
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
const PASSING: [&str; 8] =
    ["MISCONF", "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS"];

/// What a server at its memory limit answers.
const FULL: &str = "OOM command not allowed";

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
        // With the code where a command met it, and in the text where a script did.
        if code == "OOM" || text.contains(FULL) {
            return Trouble::Full(text);
        }
        if PASSING.contains(&code) {
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
