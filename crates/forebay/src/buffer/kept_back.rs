//! What a buffer says of its source: the events that were kept back so that repeats can be told, which host counted, and what
//! the source no longer had.

use redis::{RedisError, Script, Value};

use super::connect::Address;
use super::connection::Connection;
use super::entry::{Entry, list};
use super::error::Error;
use super::error_class::{ErrorClass, classify};
use super::keys::Name;
use super::meta::{self, Incarnation};
use super::scripts;
use super::source_cursor::SourceCursor;
use crate::block::decode::Decoder;
use crate::block::frame::lines;
use crate::event::lane::Lane;

/// Blocks asked for at once: 8 MiB of frames at the most usual sizes.
const PAGE: usize = 64;

/// How many of a lane's newest blocks are looked at where nobody has kept any back.
const LOOKED_AT_MAX: usize = 4_096;

/// Hears of every event that the lanes keep back, with the cursor of its block, oldest first within a lane; of a block that
/// cannot be read, nothing. A writer that keeps nothing back may have had a lane since: then of those that are there of what
/// would have been kept, up to a margin before the low watermark.
pub fn kept_back(
    address: &Address,
    name: &Name,
    wanted: Option<(SourceCursor, u64)>,
    mut hear: impl FnMut(Lane, Option<SourceCursor>, &[u8]),
) -> Result<(), Error> {
    let (mut connection, _) = address.connect()?;
    let mut decoder = Decoder::of(name.events()).map_err(|error| Error::system("no zstd context", error))?;
    for lane in name.lanes() {
        let failed = |error| Error::server(format!("reading what lane {lane} keeps back"), &error);
        let key = name.writer(lane);
        let from: Option<String> =
            redis::cmd("HGET").arg(key).arg(Name::KEPT).query(&mut connection).map_err(failed)?;
        let from = match (from, wanted) {
            (None, Some(wanted)) => newest(&mut connection, &name.stream(lane), wanted).map_err(failed)?,
            (from, _) => from,
        };
        let Some(mut from) = from else { continue };
        loop {
            let mut page = redis::cmd("XRANGE");
            page.arg(name.stream(lane)).arg(&from).arg("+").arg("COUNT").arg(PAGE);
            let entries = list(page.query::<Value>(&mut connection).map_err(failed)?).unwrap_or_default();
            let Some((last, _)) = entries.last() else { break };
            from = format!("({last}");
            for (id, fields) in entries {
                let Ok(entry) = Entry::read(id, fields.unwrap_or_default()) else { continue };
                match decoder.open(entry.sealed()) {
                    Ok(content) => lines(content).for_each(|line| hear(lane, entry.cursor, line)),
                    Err(why) => {
                        tracing::warn!("lane {lane}, block {id}: {why}; its events are not looked at");
                    }
                }
            }
        }
    }
    Ok(())
}

/// The id of the first of a lane's newest blocks, up to a margin before the low watermark; none where it has no blocks.
fn newest(
    connection: &mut Connection,
    stream: &str,
    (low_watermark, margin): (SourceCursor, u64),
) -> Result<Option<String>, RedisError> {
    let (mut before, mut first, mut looked_at) = ("+".to_owned(), None, 0);
    while looked_at < LOOKED_AT_MAX {
        let mut page = redis::cmd("XREVRANGE");
        page.arg(stream).arg(&before).arg("-").arg("COUNT").arg(PAGE);
        let entries = list(page.query::<Value>(connection)?).unwrap_or_default();
        let Some((last, _)) = entries.last() else { break };
        before = format!("({last}");
        looked_at += entries.len();
        for (id, fields) in entries {
            let at = Entry::read(id, fields.unwrap_or_default()).ok().and_then(|entry| entry.cursor);
            let is_before = |at: SourceCursor| {
                at.numbering == low_watermark.numbering
                    && at.cursor.saturating_add(margin) < low_watermark.cursor
            };
            if at.is_some_and(is_before) {
                return Ok(first);
            }
            first = Some(id.to_string());
        }
    }
    Ok(first)
}

/// The source that counts in a numbering, as the writer that began it has named it.
pub(super) fn source_of(
    connection: &mut Connection,
    name: &Name,
    numbering: u32,
) -> Result<Option<String>, Error> {
    let failed = |error| Error::server(format!("asking what the source of buffer {name} is"), &error);
    redis::cmd("HGET").arg(name.meta()).arg(Name::source(numbering)).query(connection).map_err(failed)
}

/// Writes a field of the buffer's own hash, on a full server too.
pub(super) fn note(
    connection: &mut Connection,
    (address, name): (&Address, &Name),
    incarnation: &Incarnation,
    (field, text): (&str, &str),
) -> Result<(), Error> {
    let url = address.to_string();
    // The server may have lost it under the writer.
    meta::make(connection, &url, name, incarnation)?;
    let script = Script::new(scripts::NOTE);
    let noted = script.key(name.meta()).arg(field).arg(text).invoke::<u64>(connection);
    match noted.map_err(|error| (classify(&error), error)) {
        Ok(0) => Err(Error::NotNow { url, why: format!("somebody has deleted {}", name.meta()) }),
        Ok(_) => Ok(()),
        Err((ErrorClass::Refused(why) | ErrorClass::Full(why), _)) => Err(Error::NotNow { url, why }),
        Err((_, error)) => Err(Error::server(format!("writing {field} of buffer {name}"), &error)),
    }
}
