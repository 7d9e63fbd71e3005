//! What is done with a database: the buffer's keys as they are, and others beside them. No command here walks keys
//! or entries.

use forebay::buffer::connection::Connection;
use redis::{RedisError, Value};

use forebay::buffer::keys::Name;
use forebay::buffer::meta;
use forebay_watch::machine::{Read, Unread};

/// What is done with a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Keys of the buffer.
    pub own_keys: u64,
    /// Keys of the database that are not the buffer's.
    pub other_keys: u64,
    /// Keys of the buffer with a time to live.
    pub expiring: Vec<String>,
    /// Keys of the buffer that hold something else than a buffer does: key and what it holds.
    pub misused: Vec<(String, String)>,
    /// The lanes that are there.
    pub lanes: Vec<LaneUse>,
}

/// A lane as the server has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneUse {
    /// Its stream.
    pub stream: String,
    /// Entries in it.
    pub length: u64,
    /// Entries ever added, where the server counts them (7.0 and newer).
    pub added: Option<u64>,
    /// Whether an entry has been deleted by XDEL, where the server tells.
    pub deleted: Option<bool>,
    /// Number of the last block, as the writer's hash has it.
    pub last_block: Option<u64>,
    /// Consumer groups.
    pub groups: u64,
}

impl Usage {
    /// Looks at a buffer's keys and counts the others.
    pub fn look(connection: &mut Connection, name: &Name) -> Read<Self> {
        let mut usage = Self::default();
        let total: u64 = ask(connection, "DBSIZE", &[])?;

        let found = meta::find(connection, name).map_err(|why| Unread(why.to_string()))?;
        usage.key(connection, &name.meta(), "hash")?;
        for lane in found.as_ref().unwrap_or(name).lanes() {
            let (stream, writer) = (name.stream(lane), name.writer(lane));
            let is_stream = usage.key(connection, &stream, "stream")?;
            let is_hash = usage.key(connection, &writer, "hash")?;
            if is_stream {
                let last_block = if is_hash { ask(connection, "HGET", &[&writer, "s"])? } else { None };
                usage.lanes.push(LaneUse { last_block, ..lane_use(connection, stream)? });
            }
        }
        usage.other_keys = total.saturating_sub(usage.own_keys);
        Ok(usage)
    }

    /// Looks at one key; whether it is there and holds what it should.
    fn key(&mut self, connection: &mut Connection, key: &str, expected: &str) -> Read<bool> {
        let kind: String = ask(connection, "TYPE", &[key])?;
        if kind == "none" {
            return Ok(false);
        }
        self.own_keys += 1;
        let ttl_ms: i64 = ask(connection, "PTTL", &[key])?;
        if ttl_ms >= 0 {
            self.expiring.push(key.into());
        }
        if kind != expected {
            self.misused.push((key.into(), kind));
            return Ok(false);
        }
        Ok(true)
    }
}

fn lane_use(connection: &mut Connection, stream: String) -> Read<LaneUse> {
    let fields: Vec<Value> = ask(connection, "XINFO", &["STREAM", &stream])?;
    let field = |name: &str| {
        let at = fields
            .chunks(2)
            .find(|pair| redis::from_redis_value_ref::<String>(&pair[0]).is_ok_and(|key| key == name));
        at.and_then(|pair| redis::from_redis_value_ref::<String>(pair.get(1)?).ok())
    };
    let number = |name: &str| field(name).and_then(|value| value.parse().ok());
    let needed = |name: &str| number(name).ok_or_else(|| Unread(format!("XINFO STREAM has no {name}")));
    Ok(LaneUse {
        length: needed("length")?,
        added: number("entries-added"),
        deleted: field("max-deleted-entry-id").map(|id| id != "0-0"),
        last_block: None,
        groups: needed("groups")?,
        stream,
    })
}

fn ask<T: redis::FromRedisValue>(connection: &mut Connection, command: &str, args: &[&str]) -> Read<T> {
    redis::cmd(command).arg(args).query(connection).map_err(|error| refused(command, &error))
}

/// Why a command did not give what was asked for.
pub(super) fn refused(command: &str, error: &RedisError) -> Unread {
    let text = error.to_string();
    let why = match error.code() {
        Some("NOPERM") => "this user may not use it (NOPERM)".into(),
        _ if text.contains("unknown command") => "the server does not know it: renamed or disabled".into(),
        _ => text,
    };
    Unread(format!("{command}: {why}"))
}
