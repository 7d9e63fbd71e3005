//! `fsync` acknowledgement: whether this server can give it, and how.

use super::link::Connection;

use super::connect::{Address, Facts};
use super::error::Error;
use super::writer::Ack;

/// How the server can say that a block is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fsync {
    /// `appendfsync always`: the reply itself says so.
    ByReply,
    /// WAITAOF after the append.
    ByWaitAof,
}

/// Whether a WAITAOF must follow appends before they count; an error where this server cannot acknowledge as asked.
/// Not yet to be told of one that is loading: while it reads its AOF, it says that it has none.
pub(super) fn is_waited_for(
    ack: Ack,
    address: &Address,
    connection: &mut Connection,
    facts: &Facts,
) -> Result<bool, Error> {
    match ack {
        Ack::Reply => Ok(false),
        Ack::Fsync if facts.get("loading") == Some("1") => {
            Err(Error::NotNow { url: address.to_string(), why: "it is loading its data".into() })
        }
        Ack::Fsync => Ok(determine(connection, facts)? == Fsync::ByWaitAof),
    }
}

/// How this server acknowledges after an fsync, or why it cannot.
fn determine(connection: &mut Connection, facts: &Facts) -> Result<Fsync, Error> {
    let setting = |connection: &mut Connection, name: &str| -> Result<String, Error> {
        let pair: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg(name)
            .query(connection)
            .map_err(|error| Error::server(format!("CONFIG GET {name}"), &error))?;
        Ok(pair.get(1).cloned().unwrap_or_default())
    };
    if facts.get("aof_enabled") != Some("1") {
        return Err(Error::NoFsync("appendonly is off; CONFIG SET appendonly yes, and in redis.conf".into()));
    }
    let on_rewrite = setting(connection, "no-appendfsync-on-rewrite")?;
    if on_rewrite == "yes" {
        return Err(Error::NoFsync(
            "no-appendfsync-on-rewrite is yes, so that nothing is synced during a rewrite; set it to no"
                .into(),
        ));
    }
    if setting(connection, "appendfsync")? == "always" {
        return Ok(Fsync::ByReply);
    }
    wait_aof(facts).map(|()| Fsync::ByWaitAof)
}

/// Whether WAITAOF is there and waits for the fsync (redis#13793: some versions answer early).
pub(crate) fn wait_aof(facts: &Facts) -> Result<(), Error> {
    let (server, version, parts) = (facts.server(), facts.version(), facts.version_parts());
    let early = match server {
        "valkey" => ((8, 0, 0)..=(9, 1, 2)).contains(&parts),
        _ => ((7, 4, 0)..=(7, 4, 1)).contains(&parts),
    };
    let remedy = "CONFIG SET appendfsync always, or use --ack reply";
    if server == "redis" && parts < (7, 2, 0) {
        return Err(Error::NoFsync(format!("redis {version} has no WAITAOF (7.2 has); {remedy}")));
    }
    if early {
        return Err(Error::NoFsync(format!(
            "WAITAOF of {server} {version} answers before the fsync (redis#13793); {remedy}"
        )));
    }
    Ok(())
}
