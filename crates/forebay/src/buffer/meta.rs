//! What a buffer is, as it stands on its server: made by whoever comes first, found by everybody else.

use redis::{RedisError, Script};

use super::connection::Connection;
use super::error::Error;
use super::error_class::{ErrorClass, classify};
use super::keys::Name;
use super::scripts;
use crate::event::stream::{FIELD, Stream};

/// What this build writes, and reads.
const LAYOUT: &str = "1";

/// Layout and stream, as they stand there.
type Fields = (Option<String>, Option<String>);

/// Makes the buffer where it is not there; an error where it is one of another stream.
pub(super) fn make(connection: &mut Connection, url: &str, name: &Name) -> Result<(), Error> {
    if check(connection, url, name)? {
        return Ok(());
    }
    let failed = |error: &RedisError| failed(error, url, name);
    if is_one_without(connection, name).map_err(|error| failed(&error))? {
        return Err(other_stream(name, Stream::jetstream()));
    }
    let found = made(connection, name).map_err(|error| failed(&error))?;
    must_be(name, found).map(drop)
}

/// Whether the buffer is there; an error where it is one of another stream.
pub(super) fn check(connection: &mut Connection, url: &str, name: &Name) -> Result<bool, Error> {
    must_be(name, asked(connection, name).map_err(|error| failed(&error, url, name))?)
}

/// The buffer with the stream that it is of; none where it is not there, or the server does not let this user ask.
#[doc(hidden)]
pub fn find(connection: &mut Connection, name: &Name) -> Result<Option<Name>, Error> {
    found(asked(connection, name), name)
}

/// The same for a reader that asks again before it hands anything out: none where the server does not say for now.
pub(super) fn find_by_now(connection: &mut Connection, name: &Name) -> Result<Option<Name>, Error> {
    match asked(connection, name) {
        Err(error) if matches!(classify(&error), ErrorClass::Refused(_)) => Ok(None),
        asked => found(asked, name),
    }
}

fn found(asked: Result<Fields, RedisError>, name: &Name) -> Result<Option<Name>, Error> {
    match asked {
        Ok(fields) => Ok(read(name, fields)?.map(|stream| name.clone().of(stream))),
        Err(error) if error.code() == Some("NOPERM") => Ok(None),
        Err(error) => Err(match classify(&error) {
            ErrorClass::WrongType(why) => Error::WrongType { key: name.meta(), why },
            _ => Error::server(format!("looking at buffer {name}"), &error),
        }),
    }
}

/// What stands there.
pub(super) fn asked(connection: &mut Connection, name: &Name) -> Result<Fields, RedisError> {
    redis::cmd("HMGET").arg(name.meta()).arg("layout").arg(FIELD).query(connection)
}

/// Whether anything stands there; an error where that is another stream.
pub(super) fn must_be(name: &Name, found: Fields) -> Result<bool, Error> {
    match read(name, found)? {
        Some(found) if found != name.events() => Err(other_stream(name, found)),
        found => Ok(found.is_some()),
    }
}

fn read(name: &Name, found: Fields) -> Result<Option<Stream>, Error> {
    let damaged = |why: String| Error::Damaged { why: format!("{why} of key {:?}", name.meta()) };
    match found {
        (None, None) => Ok(None),
        (Some(layout), _) if layout != LAYOUT => {
            Err(damaged(format!("this build knows layout {LAYOUT}, and not {layout:?}")))
        }
        (_, stream) => {
            let read = Stream::of_text(&stream.unwrap_or_default());
            read.map(Some).map_err(|why| damaged(format!("field {FIELD} cannot be read ({why})")))
        }
    }
}

fn made(connection: &mut Connection, name: &Name) -> Result<Fields, RedisError> {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query(connection)?;
    let script = Script::new(scripts::META);
    let mut call = script.key(name.meta());
    call.arg(LAYOUT).arg(name.events().text()).arg(seconds * 1_000 + micros / 1_000).invoke(connection)
}

/// Whether there are lanes of a buffer that does not say what it is: one of Jetstream's.
fn is_one_without(connection: &mut Connection, name: &Name) -> Result<bool, RedisError> {
    let (mine, theirs) = (name.lanes(), name.clone().of(Stream::jetstream()));
    let others = theirs.lanes().into_iter().filter(|lane| mine.find(lane.name()).is_none());
    let keys: Vec<String> = others.flat_map(|lane| [theirs.stream(lane), theirs.writer(lane)]).collect();
    if keys.is_empty() {
        return Ok(false);
    }
    Ok(redis::cmd("EXISTS").arg(keys).query::<u64>(connection)? > 0)
}

fn other_stream(name: &Name, theirs: Stream) -> Error {
    Error::OtherStream { buffer: name.to_string(), theirs, mine: name.events() }
}

fn failed(error: &RedisError, url: &str, name: &Name) -> Error {
    match classify(error) {
        ErrorClass::WrongType(why) => Error::WrongType { key: name.meta(), why },
        ErrorClass::Refused(why) | ErrorClass::Full(why) => Error::NotNow { url: url.into(), why },
        _ => Error::server(format!("looking at buffer {name}"), error),
    }
}
