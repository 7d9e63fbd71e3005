//! Through the lanes of a loaded buffer: every block opened and checked as a reader does, and held against the hash.

use std::collections::HashMap;
use std::time::Duration;

use forebay::buffer::connection::Connection;
use redis::{RedisError, Value};

use super::error::Error;
use super::lane::{End, Gap, LaneReport, WriterSays};
use crate::progress::Progress;
use forebay::block::decode::Decoder;
use forebay::buffer::connect::Address;
use forebay::buffer::entry::{Entry, Id};
use forebay::buffer::error::Error as BufferError;
use forebay::buffer::keys::Name;
use forebay::buffer::reader::{Options, ReadItem, Reader};
use forebay::event::lane::Lane;

/// How long our own server may give no answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a lane's walk stands.
struct LaneCheck {
    account: LaneReport,
    /// Number and total of the last block, by its own account.
    last: Option<(u64, u64)>,
    /// Entries after it that say neither.
    unread: u64,
}

/// Accounts of every lane that has a key.
pub(super) fn check_lanes(
    address: &Address,
    name: &Name,
    progress: &dyn Progress,
) -> Result<Vec<LaneReport>, Error> {
    let failed = |error: RedisError| BufferError::server(format!("looking at buffer {name}"), &error);
    let mut connection = address.connect()?.0;
    let options =
        Options { lanes: Vec::new(), group: None, ahead: true, claim_idle: PATIENCE, patience: PATIENCE };
    let mut reader = Reader::open(address, name, options)?;
    let name = &name.clone().of(reader.events());
    let entries = count(&mut connection, name).map_err(failed)?;
    progress.begin("checking blocks", entries);
    let mut decoder = Decoder::of(name.events()).map_err(Error::Decoder)?;
    let mut walks =
        name.lanes().map(|lane| LaneCheck { account: LaneReport::new(lane), last: None, unread: 0 });
    loop {
        let found = reader.next(Duration::ZERO)?;
        if found.is_empty() {
            break;
        }
        for item in found {
            walks[lane_of(&item).index()].take(item, &mut decoder);
        }
        let done: u64 = walks.iter().map(|walk| walk.account.blocks + walk.account.damage_count).sum();
        progress.at(done.min(entries));
    }
    let mut accounts = Vec::new();
    for walk in walks {
        accounts.extend(walk.end(&mut connection, name).map_err(failed)?);
    }
    Ok(accounts)
}

/// Entries in all streams.
fn count(connection: &mut Connection, name: &Name) -> Result<u64, RedisError> {
    name.lanes().iter().try_fold(0_u64, |sum, lane| {
        let length: u64 = redis::cmd("XLEN").arg(name.stream(lane)).query(connection)?;
        Ok(sum.saturating_add(length))
    })
}

fn lane_of(found: &ReadItem) -> Lane {
    match found {
        ReadItem::Block(lane, _)
        | ReadItem::Damaged { lane, .. }
        | ReadItem::Missing { lane, .. }
        | ReadItem::Dropped { lane, .. }
        | ReadItem::Gone { lane, .. }
        | ReadItem::WentBack { lane, .. }
        | ReadItem::OutOfPlace { lane, .. } => *lane,
    }
}

impl LaneCheck {
    fn take(&mut self, item: ReadItem, decoder: &mut Decoder) {
        match item {
            ReadItem::Block(_, entry) => self.block(&entry, decoder),
            ReadItem::Missing { numbers: (from, to), events, before, .. } => {
                // What a writer wrote down as lost stands behind what was let go.
                self.begin_with(from);
                self.account.add_gap(Gap { from, to, events, before: before.to_string() });
            }
            ReadItem::Damaged { id, why, .. } => {
                self.unread += 1;
                self.account.add_damage(id.to_string(), why.to_string());
            }
            // Both are for groups, and this reads without one.
            ReadItem::Dropped { before: id, .. } | ReadItem::Gone { id, .. } => {
                self.account.add_damage(id.to_string(), "only a group should meet this".into());
            }
            ReadItem::WentBack { newest: id, .. } => {
                self.account
                    .add_damage(id.to_string(), "the server came back with less while it was read".into());
            }
            ReadItem::OutOfPlace { id, says, due, .. } => {
                let why = format!(
                    "it says it is number {} after {} events where number {} after {} is due",
                    says.0, says.1, due.0, due.1
                );
                self.account.add_damage(id.to_string(), why);
            }
        }
    }

    fn block(&mut self, entry: &Entry, decoder: &mut Decoder) {
        self.begin_with(entry.number);
        let account = &mut self.account;
        if account.first_block.is_none() && account.blocks_before.is_some() {
            account.events_before = Some(entry.before().saturating_sub(account.missing_events));
        }
        account.first_block.get_or_insert(entry.number);
        account.last_block = Some(entry.number);
        (self.last, self.unread) = (Some((entry.number, entry.total)), 0);
        match decoder.open(entry.sealed()) {
            Ok(_) => {
                account.blocks += 1;
                account.events += entry.events;
                let (min, max) = entry.times;
                account.time_us_min = Some(account.time_us_min.map_or(min, |known| known.min(min)));
                account.time_us_max = Some(account.time_us_max.map_or(max, |known| known.max(max)));
            }
            Err(why) => account.add_damage(entry.id.to_string(), why.to_string()),
        }
    }

    /// The first number that is heard of in the lane, unless an entry before it could not be read.
    fn begin_with(&mut self, number: u64) {
        let account = &mut self.account;
        if account.first_block.is_none() && account.blocks_before.is_none() && account.damage_count == 0 {
            account.blocks_before = Some(number.saturating_sub(1));
        }
    }

    /// The account, with where the stream ends; none where the lane has no key.
    fn end(mut self, connection: &mut Connection, name: &Name) -> Result<Option<LaneReport>, RedisError> {
        let lane = self.account.lane;
        let is_there = |connection: &mut Connection, key: String| -> Result<bool, RedisError> {
            redis::cmd("EXISTS").arg(key).query(connection)
        };
        let has_stream = is_there(connection, name.stream(lane))?;
        if !has_stream && !is_there(connection, name.writer(lane))? {
            return Ok(None);
        }
        let stream = if has_stream { Some(info(connection, &name.stream(lane))?) } else { None };
        self.account.writer = writer(connection, &name.writer(lane))?;
        self.account.end = self.ends(stream);
        self.account.deleted_upto =
            stream.map(|(deleted, _)| deleted).filter(|id| *id > Id::default()).map(|id| id.to_string());
        Ok(Some(self.account))
    }

    /// `stream` has the newest id deleted from it and the newest it was ever given.
    fn ends(&self, stream: Option<(Id, Id)>) -> End {
        let Some(WriterSays { s, e, .. }) = self.account.writer else { return End::NoWriter };
        if self.unread > 0 {
            return End::Unknown;
        }
        match self.last {
            None => match stream {
                _ if s == 0 => End::Empty,
                Some((deleted, newest)) if deleted < newest || newest == Id::default() => End::Empty,
                _ => End::Deleted,
            },
            Some((number, total)) if (number, total) == (s, e) => End::WithWriter,
            Some((number, total)) if number < s && total <= e => {
                End::BeforeWriter { blocks: s - number, events: e - total }
            }
            Some((s, e)) => End::Disagrees { s, e },
        }
    }
}

/// Of a stream the newest id that was deleted by XDEL, and the newest that was given. Trimming does not count as
/// deleting; servers before Redis 7 do not tell, and give the least of all ids.
fn info(connection: &mut Connection, key: &str) -> Result<(Id, Id), RedisError> {
    let told: HashMap<String, Value> = redis::cmd("XINFO").arg("STREAM").arg(key).query(connection)?;
    let id = |field: &str| match told.get(field) {
        Some(Value::BulkString(bytes)) => {
            std::str::from_utf8(bytes).ok().and_then(Id::parse).unwrap_or_default()
        }
        _ => Id::default(),
    };
    Ok((id("max-deleted-entry-id"), id("last-generated-id")))
}

/// The hash beside a stream; none where it is not there, or a field is no number.
fn writer(connection: &mut Connection, key: &str) -> Result<Option<WriterSays>, RedisError> {
    let mut command = redis::cmd("HMGET");
    let fields: Vec<Option<Vec<u8>>> = command.arg(key).arg("epoch").arg("s").arg("e").query(connection)?;
    let numbers: Option<Vec<u64>> =
        fields.into_iter().map(|field| std::str::from_utf8(&field?).ok()?.parse().ok()).collect();
    Ok(numbers.and_then(|numbers| match numbers.as_slice() {
        [epoch, s, e] => Some(WriterSays { epoch: *epoch, s: *s, e: *e }),
        _ => None,
    }))
}
