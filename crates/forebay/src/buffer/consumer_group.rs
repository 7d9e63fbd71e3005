//! What a group does besides reading: come about, acknowledge, and let go of what every group is done with.

use std::time::{Duration, Instant};

use redis::{FromRedisValue, RedisError, Script, Value};

use super::connect::Facts;
use super::connection::Connection;
use super::entry::Id;
use super::error::{Cause, Error};
use super::error_class::{ErrorClass, classify, is_gone};
use super::fsync::replicas;
use super::keys::Name;
use super::reader::Reader;
use super::scripts::TRIM;
use super::tail::least_offset;
use crate::event::lane::Lane;

/// How long replicas may take to have a group that was made, and how often they are asked for.
const CONFIRM_MAX: Duration = Duration::from_secs(2);
const CONFIRM_EVERY: Duration = Duration::from_millis(10);

/// How often lanes are trimmed that nothing was acknowledged of.
const TRIM_EVERY: Duration = Duration::from_secs(30);

impl Reader {
    /// Makes the group on every lane where it is not there.
    pub(super) fn make_groups(&mut self) -> Result<(), Error> {
        for lane in self.lanes.clone() {
            self.make_group(lane).map_err(|error| {
                let key = self.name.stream(lane);
                if let ErrorClass::Full(_) = classify(&error) {
                    return Error::GroupFull { key, source: Some(Cause::new(error)) };
                }
                if error.to_string().contains("WRONGTYPE") {
                    Error::WrongType { key, why: error.to_string() }
                } else {
                    Error::server(format!("making a group on {key}"), &error)
                }
            })?;
        }
        Ok(())
    }

    /// Makes the group on a lane, from its first block on. Looks first: a full server refuses to make a group even
    /// where it is there, and a full buffer is the one that must be read.
    pub(super) fn make_group(&mut self, lane: Lane) -> Result<(), RedisError> {
        let Some((group, _)) = self.options.group.clone() else { return Ok(()) };
        let name = self.name.clone();
        let key = name.stream(lane);
        let groups: Result<Vec<Value>, RedisError> =
            redis::cmd("XINFO").arg("GROUPS").arg(&key).query(self.control()?);
        match groups {
            Ok(groups) => {
                if let Some(row) = groups.iter().find(|row| is_group(row, &group)) {
                    let last = field::<String>(row, "last-delivered-id").unwrap_or_default();
                    self.given(lane, Id::parse(&last));
                    match self.others(lane) {
                        Ok(_) => return self.go_on_from(lane, &last),
                        // The stream went between the two questions.
                        Err(error) if is_gone(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            // The stream itself is not there.
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
        let behind = self.place_of_group(lane)?;
        let from = create_group(self.control()?, &name, lane, &group, behind)?;
        self.given(lane, Some(from));
        Ok(())
    }

    fn given(&mut self, lane: Lane, id: Option<Id>) {
        for place in self.places.iter_mut().filter(|place| place.lane == lane) {
            place.given = id;
        }
    }

    /// Acknowledges blocks and trims their lanes; from time to time the others too, where somebody else may have dropped a
    /// group. Done again after a lost connection: it changes nothing twice.
    pub fn acknowledge(&mut self, blocks: impl IntoIterator<Item = (Lane, Id)>) -> Result<(), Error> {
        self.to_ack.extend(blocks);
        self.add_again();
        let since = Instant::now();
        let mut is_due = self.trimmed_at.is_none_or(|at| at.elapsed() >= TRIM_EVERY);
        while is_due || !self.to_ack.is_empty() {
            match self.acknowledge_once(is_due) {
                Ok(()) => {
                    self.answered();
                    for block in self.to_ack.drain(..) {
                        self.held.remove(&block);
                    }
                    if std::mem::take(&mut is_due) {
                        self.trimmed_at = Some(Instant::now());
                    }
                }
                Err(error) => self.recover(&error, since)?,
            }
        }
        Ok(())
    }

    fn acknowledge_once(&mut self, trims_all: bool) -> Result<(), RedisError> {
        let Some((group, _)) = self.options.group.clone() else { return Ok(()) };
        let trim = Script::new(TRIM);
        for lane in self.lanes.clone() {
            let ids: Vec<String> =
                self.to_ack.iter().filter(|(of, _)| *of == lane).map(|(_, id)| id.to_string()).collect();
            let key = self.name.stream(lane);
            if !ids.is_empty() {
                redis::cmd("XACK").arg(&key).arg(&group).arg(&ids).query::<u64>(self.control()?)?;
            }
            if trims_all || !ids.is_empty() {
                trim.key(&key).key(self.name.writer(lane)).invoke::<u64>(self.control()?)?;
            }
        }
        Ok(())
    }
}

/// Makes a group on a lane, from its first block on: after what was dropped to make room, so that what is dropped from here
/// on can be told from it; or behind an id. The id that it stands at.
pub(super) fn create_group(
    connection: &mut Connection,
    name: &Name,
    lane: Lane,
    group: impl AsRef<[u8]>,
    behind: Option<Id>,
) -> Result<Id, RedisError> {
    let mut dropped = redis::cmd("HGET");
    dropped.arg(name.writer(lane)).arg(Name::TRIMMED_ID);
    let dropped: Option<String> = dropped.query(connection)?;
    let from = behind.max(dropped.and_then(|id| Id::parse(&id))).unwrap_or_default();
    let mut command = redis::cmd("XGROUP");
    command.arg("CREATE").arg(name.stream(lane)).arg(group.as_ref()).arg(from.to_string()).arg("MKSTREAM");
    match command.exec(connection) {
        Err(error) if error.code() == Some("BUSYGROUP") => {}
        made => made?,
    }
    confirm(connection)?;
    Ok(from)
}

/// Waits until the replicas have a group that was made: a master without it would let go of what it has not read. Nothing where no
/// other server takes the place of this one.
fn confirm(connection: &mut Connection) -> Result<(), RedisError> {
    let (deadline, mut made_at) = (Instant::now() + CONFIRM_MAX, None);
    while connection.fails_over() {
        let info: String = redis::cmd("INFO").arg("replication").query(connection)?;
        let facts = Facts::of(&info);
        // By offsets: WAIT waits for what its own connection wrote, which may have been another one.
        let made_at = *made_at.get_or_insert(facts.number("master_repl_offset").unwrap_or(0));
        if replicas(&facts) == 0 || least_offset(&facts).is_some_and(|least| least >= made_at) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let why = format!("replicas did not have the group within {} s", CONFIRM_MAX.as_secs());
            return Err(std::io::Error::other(why).into());
        }
        std::thread::sleep(CONFIRM_EVERY);
    }
    Ok(())
}

/// Whether a row of XINFO GROUPS is about this group.
fn is_group(row: &Value, group: &str) -> bool {
    field::<Vec<u8>>(row, "name").as_deref() == Some(group.as_bytes())
}

/// A field of a row of XINFO.
pub(super) fn field<T: FromRedisValue>(row: &Value, name: &str) -> Option<T> {
    let Value::Array(fields) = row else { return None };
    let is_it = |pair: &&[Value]| matches!(&pair[0], Value::BulkString(bytes) if bytes == name.as_bytes());
    redis::from_redis_value_ref(&fields.chunks_exact(2).find(is_it)?[1]).ok()
}
