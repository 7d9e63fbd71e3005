//! A connection for whoever asks one question after the other and must not end because the server is away for a while: each
//! question is put again until it is answered or patience is over.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue, RedisError, Script};

use super::connect::Address;
use super::connection::Connection;
use super::error::{Cause, Error};
use super::error_class::{ErrorClass, classify};
use super::keys::Name;
use super::round_failure::BACKOFF_MAX;

/// Why a server gave no answer that is worth waiting for; an error where waiting mends nothing.
pub(super) fn worth_waiting(error: &RedisError, name: &Name, doing: &str) -> Result<String, Error> {
    match classify(error) {
        ErrorClass::Unknown(why) | ErrorClass::Refused(why) | ErrorClass::Full(why) => Ok(why),
        ErrorClass::NoScript => Ok("the script is not loaded".into()),
        ErrorClass::Damaged(why) => Err(Error::Damaged { why }),
        ErrorClass::WrongType(why) => Err(Error::WrongType { key: format!("forebay:{name}:…"), why }),
        ErrorClass::Fatal(why) | ErrorClass::Denied(why) => {
            let source = Some(Cause::new(error.clone()));
            Err(Error::Server { doing: format!("{doing} buffer {name}"), why, source })
        }
    }
}

/// A connection over which every question is answered, or the server was away for longer than patience lasts.
pub(super) struct PatientConnection {
    address: Address,
    connection: Option<Connection>,
    patience: Duration,
    stop: Arc<AtomicBool>,
    /// A question was broken off since the flag was set, and put once more.
    broken_off: bool,
    /// How often a question was not answered.
    failures: u64,
}

impl PatientConnection {
    /// Connects: a server that is not there from the start is an error.
    pub fn open(address: &Address, patience: Duration) -> Result<Self, Error> {
        let connection = Some(address.connect_to_read(patience)?);
        Ok(Self {
            address: address.clone(),
            connection,
            patience,
            stop: Arc::default(),
            broken_off: false,
            failures: 0,
        })
    }

    /// Ends waits once the flag is set.
    pub fn stop_on(&mut self, stop: &Arc<AtomicBool>) {
        self.stop = Arc::clone(stop);
    }

    /// How often the server refused, or was away.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Where the server is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The answer to a command, which may be put more than once.
    pub fn ask<T: FromRedisValue>(&mut self, of: &Name, doing: &str, command: &Cmd) -> Result<T, Error> {
        let since = Instant::now();
        loop {
            match self.connected(since).and_then(|connection| command.query(connection)) {
                Ok(answer) => return Ok(self.answered(answer)),
                Err(error) => self.wait(of, doing, &error, since)?,
            }
        }
    }

    /// The answer of a script, which may run more than once.
    pub fn run<T: FromRedisValue>(
        &mut self,
        of: &Name,
        doing: &str,
        (script, keys): (&str, &[String]),
        arguments: &[String],
    ) -> Result<T, Error> {
        let script = Script::new(script);
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(key);
        }
        for argument in arguments {
            call.arg(argument);
        }
        let since = Instant::now();
        loop {
            match self.connected(since).and_then(|connection| call.invoke(connection)) {
                Ok(answer) => return Ok(self.answered(answer)),
                Err(error) => self.wait(of, doing, &error, since)?,
            }
        }
    }

    /// Notes that the server is there: it has all of the patience again.
    pub fn answered<T>(&mut self, answer: T) -> T {
        self.broken_off = false;
        if let Some(connection) = &mut self.connection {
            self.address.limit_answers(connection, self.patience);
        }
        answer
    }

    /// A connection for what is asked in another way; see [`Self::wait`] for when that fails.
    pub fn connected(&mut self, since: Instant) -> Result<&mut Connection, RedisError> {
        if self.connection.is_none() {
            let left = self.patience.saturating_sub(since.elapsed());
            let away = |error: Error| RedisError::from(std::io::Error::other(error.to_string()));
            self.connection = Some(self.address.connect_to_read(left).map_err(away)?);
        }
        self.connection.as_mut().ok_or_else(|| RedisError::from(std::io::Error::other("no connection")))
    }

    /// Waits a moment before a question is put again; an error where that is of no use, or patience is over.
    pub fn wait(&mut self, of: &Name, doing: &str, error: &RedisError, since: Instant) -> Result<(), Error> {
        self.failures += 1;
        let why = worth_waiting(error, of, doing)?;
        let left = self.patience.saturating_sub(since.elapsed());
        // The signal that sets the flag also breaks off the question under way, which is put once more.
        let is_over = self.stop.load(Relaxed) && std::mem::replace(&mut self.broken_off, true);
        if left.is_zero() || is_over {
            let waited = Duration::from_millis(since.elapsed().as_millis() as u64);
            return Err(Error::Lost { url: self.address.to_string(), waited, why, unacknowledged: 0 });
        }
        tracing::debug!("{doing} buffer {of}: {why}; asking again");
        // What comes on it from now on may be an answer to a question before.
        self.connection = None;
        std::thread::sleep(BACKOFF_MAX.min(left));
        Ok(())
    }
}
