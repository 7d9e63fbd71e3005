//! What a buffer is, as it stands on its server: made by whoever comes first, found by everybody else.

use std::sync::OnceLock;
use std::time::Duration;

use redis::{RedisError, Script};

use super::connect::Address;
use super::connection::Connection;
use super::error::Error;
use super::error_class::{ErrorClass, classify};
use super::keys::Name;
use super::random::random;
use super::scripts;
use crate::event::stream::{FIELD, Stream};

/// What this build writes, and reads.
const LAYOUT: &str = "2";

/// Layout, lanes, incarnation and streams, as they stand there.
pub(super) type Fields = (Option<String>, Option<String>, Option<String>, Option<String>);

/// Which buffer of its name it is: a random id that it got when it was made. A run keeps the one that it has seen first.
pub(super) type Incarnation = OnceLock<String>;

/// Makes the buffer where it is not there; an error where it is one of another stream. A run that knows the incarnation writes
/// it back where the server lost it and somebody made the buffer anew: its lanes, and so the numbers of its blocks, go on.
pub(super) fn make(
    connection: &mut Connection,
    url: &str,
    name: &Name,
    incarnation: &Incarnation,
) -> Result<(), Error> {
    let failed = |error: &RedisError| failed(error, url, name);
    let is_mine = |theirs: &str| incarnation.get().is_none_or(|mine| mine == theirs);
    let found = asked(connection, name).map_err(|error| failed(&error))?;
    // Lanes may have been added since: those of the run stay as they are.
    let has_more = |found: &Stream| incarnation.get().is_some() && found.extends(name.events());
    let is_there = is_there(name, found.clone(), has_more)?;
    if let (true, Some(theirs)) = (is_there, found.2)
        && is_mine(&theirs)
        && has_dictionary(connection, name, &failed)?
    {
        incarnation.get_or_init(|| theirs);
        return Ok(());
    }
    if !is_there && is_one_without(connection, name).map_err(|error| failed(&error))? {
        return Err(other_stream(name, Stream::jetstream()));
    }
    let found = made(connection, name, incarnation.get()).map_err(|error| failed(&error))?;
    self::is_there(name, found.clone(), has_more)?;
    incarnation.get_or_init(|| found.2.unwrap_or_default());
    Ok(())
}

/// The buffer with its keys as they are, where it is there, else as they would be made there. A cluster that does not answer is
/// found out to be away by whoever needs it next.
pub(super) fn settled(address: &Address, name: &Name, limit: Duration) -> Name {
    let named = address.named(name);
    if named == *name {
        return named;
    }
    let found = address.connect_within(limit).and_then(|(mut connection, _)| find(&mut connection, name));
    found.ok().flatten().filter(|found| found.events() == name.events()).unwrap_or(named)
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

/// The buffer and its incarnation, as [`asked`]; none where it is not there.
pub(super) fn of_fields(name: &Name, fields: Fields) -> Result<Option<(Name, String)>, Error> {
    let incarnation = fields.2.clone().unwrap_or_default();
    Ok(read(name, fields)?.map(|name| (name, incarnation)))
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
        Ok(fields) => read(name, fields),
        Err(error) if error.code() == Some("NOPERM") => Ok(None),
        Err(error) => Err(match classify(&error) {
            ErrorClass::WrongType(why) => Error::WrongType { key: name.meta(), why },
            _ => Error::server(format!("looking at buffer {name}"), &error),
        }),
    }
}

/// What stands there.
pub(super) fn asked(connection: &mut Connection, name: &Name) -> Result<Fields, RedisError> {
    redis::cmd("HMGET").arg(name.meta()).arg(&["layout", FIELD, "incarnation", "streams"]).query(connection)
}

/// Whether anything stands there; an error where that is another stream.
pub(super) fn must_be(name: &Name, found: Fields) -> Result<bool, Error> {
    is_there(name, found, |_| false)
}

/// The same, where some other streams will do.
fn is_there(name: &Name, found: Fields, will_do: impl FnOnce(&Stream) -> bool) -> Result<bool, Error> {
    let Some(found) = read(name, found)? else { return Ok(false) };
    if found.events() != name.events() && !will_do(&found.events()) {
        return Err(other_stream(name, found.events()));
    }
    for (lane, theirs) in
        name.lanes().iter().filter_map(|lane| Some((lane, found.lanes().find(lane.name())?)))
    {
        let (kept, looked_for) = (found.stream(theirs), name.stream(lane));
        if kept != looked_for {
            return Err(Error::Damaged {
                why: format!("lane {lane} is kept in {kept:?}, and looked for in {looked_for:?}"),
            });
        }
    }
    Ok(true)
}

fn read(name: &Name, found: Fields) -> Result<Option<Name>, Error> {
    let damaged = |why: String| Error::Damaged { why: format!("{why} of key {:?}", name.meta()) };
    match found {
        (None, None, None, _) => Ok(None),
        (Some(found), ..) if found != LAYOUT => Err(Error::Layout { key: name.meta(), found, known: LAYOUT }),
        (_, _, None, _) => Err(damaged("field incarnation is missing".into())),
        (_, lanes, Some(_), streams) => {
            let read = Stream::of_text(&lanes.unwrap_or_default());
            let stream = read.map_err(|why| damaged(format!("field {FIELD} cannot be read ({why})")))?;
            let name = name.clone().of(stream);
            // Readers of other makes alone need the field, but on a cluster.
            let Some(streams) = streams else { return Ok(Some(name)) };
            name.at(&streams)
                .map(Some)
                .ok_or_else(|| damaged("field streams names keys that are none".into()))
        }
    }
}

fn made(connection: &mut Connection, name: &Name, known: Option<&String>) -> Result<Fields, RedisError> {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query(connection)?;
    let script = Script::new(scripts::META);
    let mut call = script.key(name.meta());
    call.arg(LAYOUT).arg(known.cloned().unwrap_or_else(new_incarnation)).arg(u8::from(known.is_some()));
    call.arg(seconds * 1_000 + micros / 1_000).arg(name.events().text()).arg(name.streams());
    if let Some((id, bytes)) = name.events().dictionary() {
        call.arg(Name::dictionary(id)).arg(bytes);
    }
    call.invoke(connection)
}

/// Whether the dictionary that frames need stands there; an error where that is another one.
fn has_dictionary(
    connection: &mut Connection,
    name: &Name,
    failed: &dyn Fn(&RedisError) -> Error,
) -> Result<bool, Error> {
    let Some((id, bytes)) = name.events().dictionary() else { return Ok(true) };
    let field = Name::dictionary(id);
    let found: Option<Vec<u8>> =
        redis::cmd("HGET").arg(name.meta()).arg(&field).query(connection).map_err(|error| failed(&error))?;
    match found {
        Some(found) if found != bytes => Err(Error::Damaged {
            why: format!("field {field} of key {:?} is not dictionary {id} of this build", name.meta()),
        }),
        found => Ok(found.is_some()),
    }
}

/// 32 hexadecimal digits that no other buffer has.
fn new_incarnation() -> String {
    format!("{:016x}{:016x}", random(), random())
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
