//! Why a lane's round did not end in an acknowledgement.

use std::time::Duration;

use redis::{ParsingError, RedisError};

use super::error::Error;
use super::error_class::{ErrorClass, classify};

/// Longest wait between two tries: how late, at most, the lane takes up again.
pub(super) const BACKOFF_MAX: Duration = Duration::from_millis(250);

/// Why a round did not end in an acknowledgement.
#[derive(Debug)]
pub(super) enum RoundFailure {
    /// An error of the server or the connection.
    Server(ErrorClass),
    /// An earlier block was not stored: send from the front.
    Gap,
    /// A newer writer has the lane; its epoch.
    Fenced(u64),
    /// The server has a block of this number, and it was never sent.
    Foreign(u64),
    /// The server cannot acknowledge after fsync, or no longer.
    NoFsync(String),
    /// The server has less than it had acknowledged.
    LostByServer,
    /// The lane cannot be taken.
    Untaken(Error),
}

impl RoundFailure {
    pub(super) fn away(why: impl Into<String>) -> Self {
        Self::Server(ErrorClass::Unknown(why.into()))
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Server(ErrorClass::Refused(why.into()))
    }

    pub(super) fn garbled(error: &ParsingError) -> Self {
        Self::Server(ErrorClass::Fatal(format!("an answer that does not belong to the append: {error}")))
    }
}

impl From<RedisError> for RoundFailure {
    fn from(error: RedisError) -> Self {
        Self::Server(classify(&error))
    }
}

/// Of taking a lane, or the buffer itself.
impl From<Error> for RoundFailure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotNow { why, .. } => Self::refused(why),
            Error::Server { why, .. } => Self::away(why),
            error => Self::Untaken(error),
        }
    }
}
